# SPDX-License-Identifier: BSD-2-Clause
"""The record of every round, beside its way to the decoder and never in it."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Case, Cat, If, ResetInserter, Signal

from triplane.gateware.syndrome.layouts import LAST_ROUND, LEAKED, round_record
from triplane.gateware.syndrome.shape import WORD_BITS, SyndromeShape

DEFAULT_RECORDS = 4
"""Records that wait to be sent unless told otherwise."""


class RoundRecorder(LiteXModule):
    """Makes records (`layouts.round_record`) of rounds and sends them word by word.

    A record that finds no room is dropped whole and counted; its sequence number is missing then. Nothing waits for it.

    Args:
        shape: what is built.
        records: records that wait, at least 2.

    Attributes:
        record: layout.
        formed: input; a round is there, with
        fields: inputs by name: `shot`, `round`, `kind`, `last`, `observables`, `measured`, `leaked`, `known`, `events`,
            `time` and `sequence`.
        clear: input; forget everything.
        source: words of records, `first` and `last` mark those of a record.
        lost: 1 in a cycle in which a record finds no room.
    """

    LATENCY = 1
    """Cycles from a round being there to the first word of its record."""

    def __init__(self, shape: SyndromeShape, records: int = DEFAULT_RECORDS) -> None:
        if records < 2:
            raise ValueError(f"at least 2 records must have room, not {records}")
        self.record = record = round_record(shape)
        widths = dict.fromkeys(("shot", "round", "sequence", "observables"), 32)
        widths |= {"time": 64, "kind": 16, "last": 1, "measured": shape.slots, "leaked": shape.slots}
        widths |= {"events": shape.events, "known": max(shape.known, 1)}
        self.fields = fields = {name: Signal(width) for name, width in widths.items()}
        self.formed, self.clear, self.lost = Signal(), Signal(), Signal()
        self.source = source = stream.Endpoint([("data", WORD_BITS)])

        # # #

        flags = Signal(16)
        contents = fields | {
            "timestamp_lo": fields["time"][:32],
            "timestamp_hi": fields["time"][32:],
            "flags": flags,
        }
        for name in ("measured", "leaked", "known", "events"):
            padded = Signal(-(-widths[name] // WORD_BITS) * WORD_BITS)
            self.comb += padded.eq(fields[name])
            for k in range(len(padded) // WORD_BITS):
                contents[f"{name}_{k}"] = padded[WORD_BITS * k : WORD_BITS * (k + 1)]
        self.fifo = fifo = ResetInserter()(stream.SyncFIFO([("data", WORD_BITS * record.words)], records))
        word = Signal(max=record.words)
        self.comb += [
            flags[LAST_ROUND.bit_length() - 1].eq(fields["last"]),
            flags[LEAKED.bit_length() - 1].eq(fields["leaked"] != 0),
            fifo.reset.eq(self.clear),
            fifo.sink.valid.eq(self.formed),
            fifo.sink.data.eq(Cat(*(contents[f.name] for f in record.fields))),
            self.lost.eq(self.formed & ~fifo.sink.ready),
            source.valid.eq(fifo.source.valid & ~self.clear),
            Case(
                word,
                {
                    k: source.data.eq(fifo.source.data[WORD_BITS * k : WORD_BITS * (k + 1)])
                    for k in range(record.words)
                },
            ),
            source.first.eq(word == 0),
            source.last.eq(word == record.words - 1),
            fifo.source.ready.eq(source.ready & source.last),
        ]
        self.sync += [
            If(source.valid & source.ready, word.eq(word + 1), If(source.last, word.eq(0))),
            If(self.clear, word.eq(0)),
        ]
