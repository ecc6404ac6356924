# SPDX-License-Identifier: BSD-2-Clause
"""Which registers hold the bits, variables and counters of a circuit, and which are left for what is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from triplane.gateware.sequencer.opcodes import NUM_REGISTERS
from triplane.host.compiler.circuits.errors import CircuitError
from triplane.host.compiler.circuits.expressions import MAX_BITS

RESERVED = 5
"""From the last one down: the epoch, the scratch registers of `alignment` and of the writer, and the two below."""

SHOTS = NUM_REGISTERS - RESERVED
"""Register in which the shots of a point are counted down."""

RESULT = SHOTS + 1
"""Register that a result is read into."""


class Registers:
    """Registers of one program.

    Args:
        bits: classical bits, 32 to a register from r1 on.
        variables: names; each has a register behind those of the bits.
        angles: that have a register each, from the last free one down.

    Attributes:
        angles: registers, in the order of the angles.
        most: registers in use at once, without the reserved ones.

    Raises:
        CircuitError: they are too few.
    """

    def __init__(self, bits: int, variables: Sequence[str], angles: int = 0) -> None:
        self.words = -(-bits // MAX_BITS)
        self.variables = {name: 1 + self.words + k for k, name in enumerate(variables)}
        self.angles = tuple(range(SHOTS - angles, SHOTS))
        self._next = self._first = 1 + self.words + len(variables)
        self._end = SHOTS - angles
        self.most = self._next - 1 + angles
        if self._next > self._end:
            raise CircuitError(
                f"{bits} classical bits, {len(variables)} variables and {angles} angles need {self.most} registers, "
                f"the sequencer has {SHOTS - 1}; use fewer variables"
            )

    def bit(self, number: int) -> tuple[int, int]:
        """Register and place in it of a classical bit."""
        return 1 + number // MAX_BITS, number % MAX_BITS

    def is_temporary(self, register: int) -> bool:
        """Whether it is one of those that `temporary` gives."""
        return self._first <= register < self._end

    @contextmanager
    def temporary(self, what: str) -> Iterator[int]:
        """A register, for as long as this lasts."""
        number = self._next
        if number >= self._end:
            raise CircuitError(
                f"{what} needs a register, and all {SHOTS - 1} are taken; use fewer variables, or nest less deeply"
            )
        self._next += 1
        self.most = max(self.most, number + len(self.angles))
        try:
            yield number
        finally:
            self._next -= 1
