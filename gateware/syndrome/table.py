# SPDX-License-Identifier: BSD-2-Clause
"""Contents of the syndrome table, as names of slots and as the words that the bus loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.table import table_crc
from triplane.gateware.syndrome.shape import EXPECTED, FIRST_EVENT, HOLD, WORD_BITS, SyndromeShape


@dataclass(frozen=True)
class Parity:
    """What one bit is the XOR of.

    Attributes:
        slots: (slot, age): age 0 is the slot's bit of this round, age a the a-th measurement of the slot before it.
        known: known bits.
        flip: constant.
    """

    slots: frozenset[tuple[int, int]] = frozenset()
    known: frozenset[int] = frozenset()
    flip: bool = False


@dataclass(frozen=True)
class RoundTable:
    """One kind of round.

    Attributes:
        expected: slots that belong to it: it is complete when all have come.
        events: detection events, in the order of their bits in the round's words.
        observables: what the round adds to the measured parity of each observable.
    """

    expected: frozenset[int]
    events: tuple[Parity, ...]
    observables: tuple[Parity, ...]


@dataclass(frozen=True)
class SyndromeTable:
    """A compiled table.

    Attributes:
        shape: the smallest hardware that it fits.
        kinds: tables of the kinds of rounds.
        rounds: kind of each round of the circuit.
        hold: slots that give their last value where they leak.
        slot_of: measurement -> slot.
        round_of: measurement -> round.
        unused: measurements that have a slot, though nothing is made of them.
    """

    shape: SyndromeShape
    kinds: tuple[RoundTable, ...]
    rounds: tuple[int, ...]
    hold: frozenset[int]
    slot_of: Mapping[int, int] = field(repr=False)
    round_of: tuple[int, ...] = field(repr=False)
    unused: tuple[int, ...] = field(repr=False)

    def schedule(self, rounds: int) -> tuple[int, ...]:
        """Kinds of the rounds of a shot of another length: the round that repeats is repeated more or less often.

        Raises:
            ValueError: the circuit that was compiled does not show which round repeats, or the shot is too short.
        """
        extra = rounds - len(self.rounds)
        if not extra:
            return self.rounds
        repeating = [r for r, (kind, following) in enumerate(pairwise(self.rounds)) if kind == following]
        if not repeating:
            raise ValueError(
                f"no round repeats among the {len(self.rounds)} that were compiled; compile more of them"
            )
        kind = self.rounds[repeating[0]]
        first = self.rounds.index(kind)
        last = max(r for r in repeating if self.rounds[r] == kind) + 1
        if last + 1 - first + extra < 1:
            raise ValueError(
                f"a shot has at least {len(self.rounds) - (last - first)} rounds here, not {rounds}"
            )
        return (*self.rounds[:first], *[kind] * (last + 1 - first + extra), *self.rounds[last + 1 :])

    def words(self, shape: SyndromeShape | None = None) -> npt.NDArray[np.uint32]:
        """The table for hardware of a shape, the smallest by default: uint32 (shape.words,).

        Raises:
            ValueError: it does not fit, with what is needed and what is there.
        """
        built = self.shape if shape is None else shape
        for name in ("slots", "events", "kept", "history", "known", "observables", "kinds"):
            need, limit = getattr(self.shape, name), getattr(built, name)
            if need > limit:
                raise ValueError(f"the table needs {need} {name}, the hardware has {limit}")
        if self.shape.words_per_round != built.words_per_round:
            raise ValueError(
                f"the decoder takes {self.shape.words_per_round} words a round, "
                f"the hardware sends {built.words_per_round}"
            )
        matrix = np.zeros((built.kinds, built.rows, built.row_words * WORD_BITS), dtype=bool)
        for number, kind in enumerate(self.kinds):
            entry = matrix[number]
            entry[EXPECTED, sorted(kind.expected)] = True
            entry[HOLD, sorted(self.hold)] = True
            for row, parity in enumerate(kind.events, FIRST_EVENT):
                entry[row] = _row(built, parity)
            for row, parity in enumerate(kind.observables, FIRST_EVENT + built.events):
                entry[row] = _row(built, parity)
        packed = np.packbits(matrix, axis=-1, bitorder="little")
        return packed.view("<u4").astype(np.uint32).reshape(-1)

    def crc(self, shape: SyndromeShape | None = None) -> int:
        """CRC-32 that the hardware must find, see `triplane.gateware.decoder.table.table_crc`."""
        return table_crc(self.words(shape))

    def by_round(self, measurements: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Bits as readout delivers them: bool (shots, rounds, slots), from bool (shots, measurements).

        Slots that a round does not expect are 0.

        Raises:
            ValueError: the array has another number of columns.
        """
        given = np.asarray(measurements, dtype=bool)
        if given.ndim != 2 or given.shape[1] != len(self.round_of):
            raise ValueError(
                f"measurements have shape {given.shape}, the circuit makes (shots, {len(self.round_of)})"
            )
        bits = np.zeros((len(given), len(self.rounds), self.shape.slots), dtype=bool)
        for m, slot in self.slot_of.items():
            bits[:, self.round_of[m], slot] = given[:, m]
        return bits


def _row(shape: SyndromeShape, parity: Parity) -> npt.NDArray[np.bool_]:
    """A row of the matrix, padded to whole words."""
    row = np.zeros(shape.row_words * WORD_BITS, dtype=bool)
    row[[shape.slot_column(slot, age) for slot, age in parity.slots]] = True
    row[[shape.known_column(number) for number in parity.known]] = True
    row[shape.constant_column] = parity.flip
    return row
