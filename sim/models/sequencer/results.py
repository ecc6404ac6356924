# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/sequencer/results.py`: one slot, and the measurements of it that are on their way."""

from __future__ import annotations

import bisect
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Arrival:
    """A result as it reaches the sequencer.

    Attributes:
        cycle: in which it is valid.
        slot, bit, leaked: what, 0 or 1.
        soft: -128 to 127.
    """

    cycle: int
    slot: int
    bit: int = 0
    leaked: int = 0
    soft: int = 0


class SlotModel:
    """One slot. Arrivals may be added in any order, as long as they are later than what was asked about.

    Attributes:
        value: (bit, leaked, soft) of the last result that has come.
        strays: results that nothing had armed, as far as time has got.
    """

    def __init__(self, pending_bits: int = 7) -> None:
        self.most = (1 << pending_bits) - 1
        self.coming: list[Arrival] = []
        self.pending = 0
        self.got = False
        self.value = (0, 0, 0)
        self.strays = 0

    def add(self, arrival: Arrival) -> None:
        """A result will come."""
        bisect.insort(self.coming, arrival)

    def _arrive(self) -> None:
        arrival = self.coming.pop(0)
        if not self.pending:
            self.strays += 1
            return
        self.pending -= 1
        self.got = True
        self.value = arrival.bit, arrival.leaked, arrival.soft

    def arm(self, cycle: int) -> bool:
        """A measurement is issued in that cycle; returns whether the count was at its end."""
        self.advance(cycle - 1)
        overrun = self.pending == self.most
        # A result of the same cycle is that of an earlier measurement.
        self.advance(cycle)
        self.pending += 1
        self.got = False
        return overrun

    def found(self, first: int) -> tuple[int | None, bool]:
        """First cycle from `first` on in which the latest result is there, None for never; and whether it can come."""
        self.advance(first - 1)
        if not self.pending:
            return (first, True) if self.got else (None, False)
        if len(self.coming) < self.pending:
            return None, True
        return max(first, self.coming[self.pending - 1].cycle), True

    def advance(self, cycle: int) -> None:
        """What comes up to and in that cycle has come."""
        while self.coming and self.coming[0].cycle <= cycle:
            self._arrive()
