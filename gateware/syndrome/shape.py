# SPDX-License-Identifier: BSD-2-Clause
"""Shape of the syndrome table: what is built; which bits make which detection event is loaded.

The table has one entry for each kind of round (first, repeating, last, ...). An entry is a matrix of bits: its columns
are the bits that are there when a round is complete, its rows are what they are combined to.

    columns   slots of this round | values that slots gave before, `kept` slots per age | known bits | constant 1
    rows      expected, hold | one per detection event | one per observable

A row lies in `row_words` words of 32 bits, column 0 in the least significant bit of its first word; rows and entries
follow one another.
"""

from __future__ import annotations

from dataclasses import dataclass

from triplane.gateware.decoder.graph import MAX_OBSERVABLES

WORD_BITS = 32

EXPECTED, HOLD = 0, 1
"""Rows that say something of slots: which belong to this kind of round, and which give their last value when leaked."""

FIRST_EVENT = 2
"""Row of the first detection event."""

MAX_KINDS = 16


@dataclass(frozen=True)
class SyndromeShape:
    """What is built.

    Attributes:
        slots: measurement slots, at least 1.
        events: detection events of a round, at least 1.
        kept: slots, from slot 0 on, whose earlier values are kept; at most `slots`.
        history: how many of them: 1 where circuits reset what they measure, 2 where not.
        known: bits that the sequencer gives with a round: prepared states, sweep bits of a Stim circuit.
        observables: logical observables whose measured parity is collected, at most 32.
        kinds: kinds of rounds, a power of two.

    Raises:
        ValueError: a number is out of range.
    """

    slots: int
    events: int
    kept: int = 0
    history: int = 1
    known: int = 0
    observables: int = 1
    kinds: int = 4

    def __post_init__(self) -> None:
        for name, low, high in (
            ("slots", 1, 2**16 - 1),
            ("events", 1, 2**16 - 1),
            ("kept", 0, self.slots),
            ("history", 0, 15),
            ("known", 0, 2**16 - 1),
            ("observables", 0, MAX_OBSERVABLES),
            ("kinds", 2, MAX_KINDS),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be {low} to {high}, not {value}")
        if self.kinds & (self.kinds - 1):
            raise ValueError(f"kinds must be a power of two, not {self.kinds}")

    @property
    def columns(self) -> int:
        """Bits that a row combines."""
        return self.slots + self.kept * self.history + self.known + 1

    @property
    def rows(self) -> int:
        """Rows of an entry."""
        return FIRST_EVENT + self.events + self.observables

    @property
    def row_words(self) -> int:
        """Words of a row."""
        return -(-self.columns // WORD_BITS)

    @property
    def entry_words(self) -> int:
        """Words of the entry of one kind."""
        return self.rows * self.row_words

    @property
    def words(self) -> int:
        """Words of the table."""
        return self.kinds * self.entry_words

    @property
    def words_per_round(self) -> int:
        """32-bit words that carry one round's detection events."""
        return -(-self.events // WORD_BITS)

    def slot_column(self, slot: int, age: int = 0) -> int:
        """Column of a slot's bit: age 0 is the one of this round, age a the a-th before it."""
        return slot if age == 0 else self.slots + (age - 1) * self.kept + slot

    def known_column(self, number: int) -> int:
        """Column of a known bit."""
        return self.slots + self.kept * self.history + number

    @property
    def constant_column(self) -> int:
        """Column that is always 1."""
        return self.columns - 1
