# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of the Pauli frame, cycle by cycle."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.table import WORD_BITS
from triplane.gateware.frame.layouts import Z_BASIS, Operation


def correction_table(
    rows: Sequence[tuple[int, int, int]], qubits: int, observables: int, entries: int
) -> npt.NDArray[np.uint32]:
    """Words of a table of physical corrections: uint32 (entries * words of a row,).

    Args:
        rows: (x mask, z mask, observables mask) of each observable, then of each edge.
        qubits, observables, entries: as of the frame.

    Raises:
        ValueError: there are more rows than entries, or a mask is too wide.
    """
    if len(rows) > entries:
        raise ValueError(f"the table needs {len(rows)} entries, the hardware has {entries}")
    words = -(-(2 * qubits + observables) // WORD_BITS)
    table = np.zeros((entries, words), dtype=np.uint32)
    for number, (x, z, logical) in enumerate(rows):
        if x >> qubits or z >> qubits or logical >> observables:
            raise ValueError(f"row {number} names more than {qubits} qubits or {observables} observables")
        packed = x | z << qubits | logical << (2 * qubits)
        table[number] = [packed >> (WORD_BITS * k) & 0xFFFFFFFF for k in range(words)]
    return table.reshape(-1)


class PauliFrameModel:
    """`PauliFrame`, cycle by cycle; its table of corrections, if it has one, is trusted.

    Args:
        slot_qubits, qubits, observables: as in the gateware.
        rows: of the table of corrections, see `correction_table`; None without one.
        entries: as in the gateware.

    Attributes:
        x, z, logical: the frame, as masks.
        bases: of each slot.
    """

    def __init__(
        self,
        slot_qubits: Sequence[int | None],
        qubits: int,
        *,
        observables: int = 1,
        rows: Sequence[tuple[int, int, int]] | None = None,
        entries: int = 0,
    ) -> None:
        self.slot_qubits, self.qubits, self.num_observables = list(slot_qubits), qubits, observables
        self.entries = entries
        self.rows = None if rows is None else [*rows, *[(0, 0, 0)] * (entries - len(rows))]
        self.bases = [Z_BASIS] * len(self.slot_qubits)
        self.refused_count = self.dropped = 0
        self._forget()

    def _forget(self) -> None:
        self.x = self.z = self.logical = 0
        self.flips = self.word = self.base = 0
        self.doing: tuple[int, int, int] | None = None
        self.stages: deque[int | None] = deque([None, None])
        self.refused = False

    def reinterpreted(self, bits: int) -> int:
        """Results of all slots as they would be without the frame."""
        for slot, (qubit, basis) in enumerate(zip(self.slot_qubits, self.bases, strict=True)):
            if qubit is not None:
                turned = (basis & 1 & self.x >> qubit) ^ (basis >> 1 & self.z >> qubit)
                bits ^= turned << slot
        return bits

    def corrected(self, raw: int) -> int:
        """Measured observables as they would be without the frame."""
        return raw ^ self.logical

    @property
    def word_ready(self) -> bool:
        """Whether a word of corrections is taken in this cycle."""
        return not self.word & (self.word - 1) and (not self.word or not self.flips)

    def apply(self, operation: int, first: int, second: int = 0) -> None:
        """What an operation does."""
        xa, za = self.x >> first & 1, self.z >> first & 1
        xb, zb = self.x >> second & 1, self.z >> second & 1
        if operation in (Operation.X, Operation.Y):
            self.x ^= 1 << first
        if operation in (Operation.Y, Operation.Z):
            self.z ^= 1 << first
        if operation == Operation.H:
            self.x ^= (xa ^ za) << first
            self.z ^= (xa ^ za) << first
        elif operation == Operation.S:
            self.z ^= xa << first
        elif operation == Operation.CX:
            self.x ^= xa << second
            self.z ^= zb << first
        elif operation == Operation.CZ:
            self.z ^= xb << first | xa << second
        elif operation == Operation.CLEAR:
            self.x &= ~(1 << first)
            self.z &= ~(1 << first)
        elif operation == Operation.FLIP:
            self.logical ^= 1 << first
        elif operation == Operation.FORGET:
            self.logical &= ~(1 << first)

    def proper(self, operation: int, first: int, second: int) -> bool:
        """Whether an operation names what there is."""
        if operation in (Operation.FLIP, Operation.FORGET):
            return first < self.num_observables
        if operation in (Operation.CX, Operation.CZ):
            return first < self.qubits and second < self.qubits and first != second
        return first < self.qubits and operation < len(Operation)

    def step(
        self,
        *,
        execute: tuple[int, int, int] | None = None,
        flips: int | None = None,
        word: tuple[int, bool] | None = None,
        clear: bool = False,
    ) -> None:
        """One cycle.

        Args:
            execute: operation, first, second.
            flips: of observables.
            word: of corrections, and whether it is the first of its record; taken where `word_ready`.
            clear: forget the frame.
        """
        ready = self.word_ready and not clear
        if self.doing:
            self.apply(*self.doing)
        number = self.stages.popleft()
        if number is not None and self.rows:
            if number < self.entries:
                x, z, logical = self.rows[number]
                self.x, self.z, self.logical = self.x ^ x, self.z ^ z, self.logical ^ logical
            else:
                self.dropped += 1
        self.logical ^= flips or 0
        chosen = None
        if self.rows is not None:
            if self.flips:
                chosen = (self.flips & -self.flips).bit_length() - 1
                self.flips &= self.flips - 1
            elif self.word:
                chosen = self.base + (self.word & -self.word).bit_length() - 1
                self.word &= self.word - 1
            self.flips ^= flips or 0
            if word and ready:
                self.base = self.num_observables if word[1] else self.base + WORD_BITS
                self.word = word[0]
        self.stages.append(chosen)
        proper = execute is not None and self.proper(*execute)
        self.refused_count += self.refused
        self.refused = execute is not None and not proper
        self.doing = execute if proper else None
        if clear:
            refused = self.refused
            self._forget()
            self.refused, self.refused_count, self.dropped = refused, 0, 0
