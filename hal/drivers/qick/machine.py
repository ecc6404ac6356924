# SPDX-License-Identifier: BSD-2-Clause
"""What a program asks of a timed processor, whatever its instructions are; and a machine that only takes notes.

`flow.Translation` tells a machine all of a program, in the order in which it has to be executed, twice: first
`Needs`, which finds out what has to be kept in registers, then one that assembles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

TRIGGER_TICKS = 10
"""For which a readout's trigger is held, as QICK does."""

Register = str
"""Name of a register of the processor: `r5` is the program's, others have names of what they hold."""

Operand = Register | int


def program_register(number: int) -> Operand:
    """A register of the program; r0 is the number 0."""
    return f"r{number}" if number else 0


def phase_register(channel: int, slot: int) -> Register:
    """By how much a program has turned a slot's phase."""
    return f"phase_{channel}_{slot}"


def gain_register(channel: int) -> Register:
    """The amplitude of a channel."""
    return f"gain_{channel}"


def count_register(line: int) -> Register:
    """How many windows a line has measured."""
    return f"count_{line}"


@dataclass(frozen=True)
class Wave:
    """What a generator plays.

    Attributes:
        channel: of the program.
        start, length: clocks of the channel's envelope memory.
        word: frequency, turns per sample of 491.52 MHz * 2**32.
        phase: 2**32 = one turn.
        amplitude: product of all amplitudes, 2**30 = 1; None: from a register.
    """

    channel: int
    start: int
    length: int
    word: int
    phase: int
    amplitude: int | None


class Machine(Protocol):
    """A timed processor. Times are ticks from its reference; `address` is that of the program's instruction."""

    def label(self, name: str) -> None:
        """What follows can be gone to by that name."""

    def jump(self, name: str) -> None:
        """Go there."""

    def advance(self, ticks: int) -> None:
        """Move the reference on."""

    def advance_by(self, cycles: Register, address: int) -> None:
        """Move the reference on by cycles in a register; what is no whole number of ticks is a fault."""

    def play(self, wave: Wave, at: int, slot: int, address: int) -> None:
        """Play; with what the slot's phase was turned by, if it is ever turned while the program runs."""

    def turn(self, channel: int, slot: int, angle: Operand) -> None:
        """Turn the phase of a slot, from the next pulse on."""

    def scale(self, channel: int, amplitude: Register, address: int) -> None:
        """Take the amplitude of a channel from a register, in its bits 15..0; a fault where that is above 1."""

    def trigger(self, lines: Sequence[int], at: int, address: int) -> None:
        """Start a window of each line."""

    def wait(self, at: int) -> None:
        """Execute nothing before that time."""

    def branch_on_bit(self, line: int, bit: int, name: str) -> None:
        """Go to a label if the last result of a line is that bit."""

    def read_bit(self, line: int, into: Operand) -> None:
        """The last result of a line into a register."""

    def set(self, into: Operand, value: Operand) -> None:
        """Copy."""

    def compute(self, operation: str, into: Operand, left: Operand, right: Operand, address: int) -> None:
        """`add`, `sub`, `and`, `or`, `xor`, `shl`, `shr`, `sar` or `parity`, modulo 2**32."""

    def branch(self, comparison: str, left: Operand, right: Operand, name: str) -> None:
        """Go to a label after `beq`, `bne`, `blt`, `bge`, `bltu` or `bgeu`."""

    def halt(self, code: Operand, at: int) -> None:
        """End with an exit code, not before that time."""


class Needs:
    """A machine that notes what a program needs.

    Attributes:
        registers: of the program, that it names.
        turned: (channel, slot) whose phase is turned while it runs.
        scaled: channels with an amplitude from a register.
        lines: that measure.
        channels: that play.
    """

    def __init__(self) -> None:
        self.registers: set[int] = set()
        self.turned: set[tuple[int, int]] = set()
        self.scaled: set[int] = set()
        self.lines: set[int] = set()
        self.channels: set[int] = set()

    def _names(self, *operands: Operand) -> None:
        self.registers |= {int(name[1:]) for name in operands if isinstance(name, str)}

    def label(self, name: str) -> None:
        """Nothing is needed."""

    def jump(self, name: str) -> None:
        """Nothing is needed."""

    def advance(self, ticks: int) -> None:
        """Nothing is needed."""

    def advance_by(self, cycles: Register, address: int) -> None:
        """The register."""
        self._names(cycles)

    def play(self, wave: Wave, at: int, slot: int, address: int) -> None:
        """The channel."""
        self.channels.add(wave.channel)

    def turn(self, channel: int, slot: int, angle: Operand) -> None:
        """A register for the phase."""
        self.turned.add((channel, slot))
        self._names(angle)

    def scale(self, channel: int, amplitude: Register, address: int) -> None:
        """A register for the amplitude."""
        self.scaled.add(channel)
        self._names(amplitude)

    def trigger(self, lines: Sequence[int], at: int, address: int) -> None:
        """The lines, and a count for each."""
        self.lines.update(lines)

    def wait(self, at: int) -> None:
        """Nothing is needed."""

    def branch_on_bit(self, line: int, bit: int, name: str) -> None:
        """Nothing beyond the line, which was triggered."""

    def read_bit(self, line: int, into: Operand) -> None:
        """The register."""
        self._names(into)

    def set(self, into: Operand, value: Operand) -> None:
        """The registers."""
        self._names(into, value)

    def compute(self, operation: str, into: Operand, left: Operand, right: Operand, address: int) -> None:
        """The registers."""
        self._names(into, left, right)

    def branch(self, comparison: str, left: Operand, right: Operand, name: str) -> None:
        """The registers."""
        self._names(left, right)

    def halt(self, code: Operand, at: int) -> None:
        """The register."""
        self._names(code)
