# SPDX-License-Identifier: BSD-2-Clause
"""Result FIFO, read over the register bus."""

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from litex.soc.interconnect.csr import CSRStatus
from migen import If, ResetInserter, Signal

from triplane.gateware.decoder.layouts import UNMATCHED

FLAGS_WORD = 3
"""Word of a result record whose upper half holds the flags."""


class ResultPort(LiteXModule):
    """FIFO of record words: each read of `data` takes one word, so a burst from that one address streams.

    Parameters
    ----------
    depth: words that the FIFO holds, at least 2.
    results: the records are the decoder's, whose flags are watched.

    Attributes
    ----------
    sink: record words, `first` and `last` on the ends of a record.
    level: words that can be read now.
    empty_read: high for one cycle when `data` was read while empty.
    unmatched: high for one cycle for each record whose flags say unmatched; 0 where they are not results.
    clear: input; empties the FIFO and zeroes the counters.
    """

    LATENCY = 1
    """Cycles from a word entering to `level` counting it."""

    def __init__(self, depth: int = 1024, *, results: bool = True) -> None:
        if depth < 2:
            raise ValueError(f"result FIFO depth must be at least 2, not {depth}")
        self.depth = depth
        self.sink = stream.Endpoint([("data", 32)])
        self.level = Signal(max=depth + 1)
        self.empty_read = Signal()
        self.unmatched = Signal()
        self.clear = Signal()
        self.data = CSRStatus(
            32, description="A read takes one word of the records from the FIFO; 0 where it is empty."
        )
        self.records = CSRStatus(32, description="Records that have entered the FIFO since the last clear.")

        # # #

        self.fifo = fifo = ResetInserter()(stream.SyncFIFO([("data", 32)], depth))
        transfer = Signal()
        self.comb += [
            fifo.reset.eq(self.clear),
            self.sink.connect(fifo.sink),
            self.level.eq(fifo.level),
            If(fifo.source.valid, self.data.status.eq(fifo.source.data)),
            # `we` is high in the very cycle in which the bus takes `status`.
            fifo.source.ready.eq(self.data.we),
            self.empty_read.eq(self.data.we & ~fifo.source.valid),
            transfer.eq(self.sink.valid & self.sink.ready),
        ]
        self.sync += [
            If(transfer & self.sink.last, self.records.status.eq(self.records.status + 1)),
            If(self.clear, self.records.status.eq(0)),
        ]
        if results:
            self._watch(transfer)

    def _watch(self, transfer: Signal) -> None:
        """Looks at the flags of the decoder's records as they pass."""
        self.unmatched_records = CSRStatus(
            32,
            description="Records since the last clear in which detection events were left that nothing explains.",
        )
        word = Signal(3)
        self.comb += self.unmatched.eq(
            transfer & (word == FLAGS_WORD) & ((self.sink.data[16:] & UNMATCHED) != 0)
        )
        self.sync += [
            If(
                transfer,
                # Stops at 7: a record may go on for any number of words of correction.
                If(word != 7, word.eq(word + 1)),
                If(self.sink.last, word.eq(0)),
            ),
            If(self.unmatched, self.unmatched_records.status.eq(self.unmatched_records.status + 1)),
            If(self.clear, word.eq(0), self.unmatched_records.status.eq(0)),
        ]
