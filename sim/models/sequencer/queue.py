# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/sequencer/queue.py`: when an event leaves is settled when it enters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from triplane.gateware.sequencer.layouts import Fault, Kind

_HALF, _MASK = 1 << 31, 0xFFFF_FFFF


@dataclass(frozen=True)
class Release:
    """An event as it leaves the queue of a channel.

    Attributes:
        cycle: in which it leaves.
        channel, kind, value: what, and where to.
        address: of its instruction.
    """

    cycle: int
    channel: int
    kind: Kind
    value: int
    address: int


def less(left: int, right: int) -> bool:
    """Whether a time is before another, modulo 2**32."""
    return (left - right) & _MASK >= _HALF


class QueueModel:
    """The queue of one channel, and the generator behind it as far as it is busy.

    Args:
        depth: events that it holds.
        durations: entry -> clocks that a PLAY of it takes, None where none is ever busy.
        channel: its number.

    Attributes:
        releases: all that will leave, in order.
    """

    def __init__(self, depth: int, durations: Callable[[int], int] | None = None, channel: int = 0) -> None:
        self.depth, self.durations, self.channel = depth, durations, channel
        self.releases: list[Release] = []
        self.last: int | None = None
        self.kinds: set[Kind] = set()
        self.plays_until = -1
        self.left = 0

    def push(
        self, cycle: int, time: int, kind: Kind, value: int, address: int
    ) -> tuple[Release | None, list[tuple[Fault, int, int]]]:
        """An event enters in a cycle.

        Returns:
            (event as it will leave, None where it is refused; faults as (what, cycle, address of the instruction)).
        """
        while self.left < len(self.releases) and self.releases[self.left].cycle < cycle:
            self.left += 1
        # Of an empty queue the past is forgotten.
        inside = len(self.releases) - self.left
        last = self.last if inside else None
        free = self.releases[-1].cycle + 1 if inside else None
        chained = time == last
        fault = Fault.NONE
        due = free if chained and free is not None else cycle + (((time - cycle) & _MASK) ^ _HALF) - _HALF
        if last is not None and less(time, last):
            fault = Fault.ORDER
        elif (kind in self.kinds) if chained else (free is not None and less(time, free & _MASK)):
            fault = Fault.COLLISION
        elif due < cycle + 1:
            fault = Fault.UNDERFLOW
        elif inside >= self.depth:
            fault = Fault.OVERFLOW
        if fault != Fault.NONE:
            return None, [(fault, cycle, address)]
        self.kinds = {*self.kinds, kind} if chained else {kind}
        self.last = time
        release = Release(due, self.channel, kind, value, address)
        self.releases.append(release)
        faults = []
        if kind == Kind.PLAY and self.durations is not None:
            if due < self.plays_until:
                faults.append((Fault.COLLISION, due, address))
            self.plays_until = due + self.durations(value & 0x3FF)
        return release, faults
