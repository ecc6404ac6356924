# SPDX-License-Identifier: BSD-2-Clause
"""What is known of a program at one of its instructions before it runs: where the cursor is, what channels are set to.

All times are cycles from the last place at which QICK's reference time was moved on, which is `fraction` of a tick
before the first of them: QICK's reference is whole ticks, a program's cursor need not be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from triplane.gateware.dsp.layouts import NUM_TONES, SCALE_BITS
from triplane.gateware.sequencer.layouts import Kind
from triplane.gateware.sequencer.program import Program

SAMPLES_PER_CYCLE = 2
TURN = 2**32


@dataclass(frozen=True)
class Chain:
    """Events of one time for one channel: they leave in cycles that follow each other.

    Attributes:
        time: that they were given.
        kinds: of them.
    """

    time: int
    kinds: frozenset[Kind]

    @property
    def free(self) -> int:
        """First cycle that they leave to others."""
        return self.time + len(self.kinds)


@dataclass(frozen=True)
class Channel:
    """What a channel is set to.

    Attributes:
        slot: selected.
        amplitude: of AMP, 2**15 = 1; None: in a register of the processor.
        words: frequency words of the slots.
        origins: phases that the slots would have at the beginning of the program's time.
        chain: its last events, while others may still meet them.
        ends: when the pulse that plays ends; None: none plays.
        playing: slots of that pulse.
    """

    slot: int = 0
    amplitude: int | None = 1 << SCALE_BITS
    words: tuple[int, ...] = (0,) * NUM_TONES
    origins: tuple[int, ...] = (0,) * NUM_TONES
    chain: Chain | None = None
    ends: int | None = None
    playing: frozenset[int] = frozenset()

    def retuned(self, slot: int, word: int, time: int) -> Channel:
        """A slot's frequency changes: its phase goes on from where it is at that time."""
        turned = SAMPLES_PER_CYCLE * (self.words[slot] - word) * time
        return replace(
            self,
            words=_with(self.words, slot, word),
            origins=_with(self.origins, slot, (self.origins[slot] + turned) % TURN),
        )

    def turned(self, slot: int, angle: int) -> Channel:
        """A slot's phase is turned."""
        return replace(self, origins=_with(self.origins, slot, (self.origins[slot] + angle) % TURN))

    def reset(self, slot: int, angle: int, time: int) -> Channel:
        """A slot has that phase at that time."""
        origin = (angle - SAMPLES_PER_CYCLE * self.words[slot] * time) % TURN
        return replace(self, origins=_with(self.origins, slot, origin))

    def later(self, cycles: int) -> Channel:
        """The same with times counted from so many cycles later; what is past by then is forgotten."""
        chain = self.chain
        if chain is not None:
            chain = Chain(chain.time - cycles, chain.kinds) if chain.free > cycles else None
        plays = self.ends is not None and self.ends > cycles
        return replace(
            self,
            chain=chain,
            ends=self.ends - cycles if plays and self.ends is not None else None,
            playing=self.playing if plays else frozenset(),
        )


def _with(values: tuple[int, ...], index: int, value: int) -> tuple[int, ...]:
    return (*values[:index], value, *values[index + 1 :])


UNKNOWN = -(2**40)
"""Time of a result after a wait by a register, where nobody knows any more when it is."""


@dataclass(frozen=True)
class State:
    """What is known where a piece of program begins; the cursor is at 0 then.

    Attributes:
        fraction: of a tick, from QICK's reference to the cursor.
        since: cycles from the beginning of the program's time; None: it depends on what has happened.
        stack: addresses to return to.
        channels: what they are set to.
        results: measurement slot -> when the window of its last CAPTURE ends.
        windows: line -> when its last window ends.
        triggered: when the last window began, while others may still meet its trigger.
    """

    fraction: Fraction
    since: int | None
    stack: tuple[int, ...]
    channels: tuple[Channel, ...]
    results: tuple[tuple[int, int], ...] = ()
    windows: tuple[tuple[int, int], ...] = ()
    triggered: int | None = None


def beginning(program: Program, channels: int) -> State:
    """What is known at a program's start."""
    count = max(channels, program.num_channels)
    return State(Fraction(0), 0, (), tuple(Channel() for _ in range(count)))


@dataclass
class Now:
    """A state while instructions pass, and the cursor moves on."""

    fraction: Fraction
    since: int | None
    stack: tuple[int, ...]
    channels: list[Channel]
    results: dict[int, int]
    windows: dict[int, int]
    triggered: int | None = None
    cursor: int = 0

    @classmethod
    def of(cls, state: State) -> Now:
        """Where a piece of program begins."""
        return cls(
            state.fraction,
            state.since,
            state.stack,
            list(state.channels),
            dict(state.results),
            dict(state.windows),
            state.triggered,
        )

    def ticks(self, cycles: int, per_cycle: Fraction) -> Fraction:
        """Ticks from QICK's reference to a time."""
        return self.fraction + cycles * per_cycle

    def settle(self, per_cycle: Fraction, oldest: int, held: int, *, joins: bool) -> tuple[int, State]:
        """Moves the reference to the cursor.

        Args:
            per_cycle: ticks of a cycle.
            oldest: cycles after which the end of a window needs not be known any better.
            held: cycles for which a trigger is held.
            joins: the next instruction is gone to from elsewhere too.

        Returns:
            whole ticks that the reference moves on, and what is known there.
        """
        ahead = self.ticks(self.cursor, per_cycle)
        whole = int(ahead)
        results = {
            slot: ends if ends == UNKNOWN else max(ends - self.cursor, -oldest)
            for slot, ends in self.results.items()
        }
        windows = {line: ends - self.cursor for line, ends in self.windows.items() if ends > self.cursor}
        state = State(
            ahead - whole,
            None if joins or self.since is None else self.since + self.cursor,
            self.stack,
            tuple(channel.later(self.cursor) for channel in self.channels),
            tuple(sorted(results.items())),
            tuple(sorted(windows.items())),
            None
            if self.triggered is None or self.cursor > self.triggered + held
            else self.triggered - self.cursor,
        )
        return whole, state

    def lose_time(self, oldest: int) -> None:
        """The cursor is at a time that nobody knows beforehand."""
        self.since = None
        self.results = {
            slot: ends if ends <= self.cursor - oldest else UNKNOWN for slot, ends in self.results.items()
        }
        self.windows = {}
        self.triggered = None
        self.channels = [
            replace(channel, chain=None, ends=None, playing=frozenset()) for channel in self.channels
        ]
