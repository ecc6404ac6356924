# SPDX-License-Identifier: BSD-2-Clause
"""A tap on a stream of records: copies what passes, whole or not at all."""

from __future__ import annotations

from typing import Any

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import If, Mux, ResetInserter, Signal, bits_for

from triplane.gateware.link.records.layouts import LOST_MAX, MAX_RECORD_WORDS, WORD_BITS, Kind

WAITING_RECORDS = 16
"""Records that wait in a tap at the most."""

NOTE_LAYOUT = [
    ("words", 8),  # of the record
    ("void", 1),  # a part that was given up: to be thrown away
    ("lost", 16),  # records that were lost before this one
]
"""What is known of a record once all of it is there."""


class RecordTap(LiteXModule):
    r"""Listens to a stream and keeps copies of its records until the packer takes them.

    Whether there is room is asked at the first word, for the longest record and its note: what is begun finds room.

    ```
    taken    ____/‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾\____________
    first    ____/‾‾‾‾‾\________________________
    last     ________________/‾‾‾‾‾\____________
    notes.valid                    ____/‾‾‾‾‾‾‾‾
    ```

    Args:
        kind: of the records.
        most: words of the longest, 2 to 255. What ends with its first word is no record, and counts as lost.
        depth: words that wait at the most; None for four of the longest records, at least 64.

    Attributes:
        taken, first, last, data: inputs; a word passes in this cycle, and which.
        recording: input; records that begin are kept.
        restart: input; forget everything.
        notes, words: what was kept. A note comes when all its words are there.
        lost: records that were lost since the restart, modulo 2**32.
    """

    LATENCY = 1
    """Cycles from the last word of a record to its note."""

    def __init__(self, kind: Kind, most: int, depth: int | None = None) -> None:
        if not 2 <= most <= MAX_RECORD_WORDS:
            raise ValueError(
                f"a record of the stream has 2 to {MAX_RECORD_WORDS} words, not {most} ({kind.name})"
            )
        depth = max(64, 4 * most) if depth is None else depth
        if depth < most:
            raise ValueError(
                f"a tap must hold a record of {most} words, not {depth} words only ({kind.name})"
            )
        self.kind, self.most, self.depth = kind, most, depth
        self.taken, self.first, self.last, self.data = Signal(), Signal(), Signal(), Signal(WORD_BITS)
        self.recording, self.restart = Signal(), Signal()
        self.lost = Signal(32)

        # # #

        self._words = kept = ResetInserter()(stream.SyncFIFO([("data", WORD_BITS)], depth))
        self._notes = notes = ResetInserter()(stream.SyncFIFO(NOTE_LAYOUT, WAITING_RECORDS))
        self.words, self.notes = kept.source, notes.source

        keeping, count = Signal(), Signal(bits_for(most))
        before, total = Signal(16), Signal(17)
        begins, room, given_up, refused, spoiled = (Signal() for _ in range(5))
        goes_on, position, ends = Signal(), Signal.like(count), Signal()
        events = given_up + refused + spoiled
        self.comb += [
            begins.eq(self.taken & self.first & self.recording),
            # A record may need two notes: that of the one before, given up, and its own.
            room.eq((kept.level <= depth - most) & (notes.level <= WAITING_RECORDS - 2) & ~self.last),
            given_up.eq(self.taken & self.first & keeping),
            refused.eq(begins & ~room),
            goes_on.eq(self.taken & Mux(self.first, begins & room, keeping)),
            position.eq(Mux(self.first, 0, count)),
            ends.eq(goes_on & self.last),
            spoiled.eq(ends & (position == most)),
            kept.sink.valid.eq(goes_on & (position != most)),
            kept.sink.data.eq(self.data),
            notes.sink.valid.eq(given_up | ends),
            notes.sink.void.eq(given_up | spoiled),
            notes.sink.words.eq(count + (ends & ~spoiled)),
            notes.sink.lost.eq(before),
            total.eq(before + events),
            kept.reset.eq(self.restart),
            notes.reset.eq(self.restart),
        ]
        self.sync += [
            If(self.taken, keeping.eq(goes_on & ~self.last), count.eq(position + (position != most))),
            before.eq(Mux(total[16], LOST_MAX, total)),
            If(ends & ~spoiled, before.eq(0)),
            self.lost.eq(self.lost + events),
            If(self.restart, keeping.eq(0), before.eq(0), self.lost.eq(0)),
        ]

    def listen(self, endpoint: Any) -> list[Any]:
        """Statements that let this tap hear what passes an endpoint."""
        return [
            self.taken.eq(endpoint.valid & endpoint.ready),
            self.first.eq(endpoint.first),
            self.last.eq(endpoint.last),
            self.data.eq(endpoint.data),
        ]
