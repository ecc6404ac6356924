# SPDX-License-Identifier: BSD-2-Clause
"""The trace port: what instructions have done, kept until the host reads it."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from litex.soc.interconnect.csr import CSRStatus
from migen import Array, Cat, If, ResetInserter, Signal

from triplane.gateware.sequencer.layouts import TRACE


class TracePort(LiteXModule):
    """A FIFO of records (`layouts.TRACE`) in block memory, read word by word over the bus.

    When it is full it keeps what it has, and counts what it loses: the beginning of a run is what explains it.

    Args:
        depth: records that it holds, at least 2.

    Attributes:
        write: input; take the record.
        record: inputs by name; its fields.
        clear: input; forget everything.
    """

    LATENCY = 2
    """Cycles from `write` to the level counting the record."""

    def __init__(self, depth: int) -> None:
        if depth < 2:
            raise ValueError(f"a trace holds at least 2 records, not {depth}")
        self.write = Signal()
        self.record = {field.name: Signal(field.bits, name=f"trace_{field.name}") for field in TRACE.fields}
        self.clear = Signal()

        self._data = CSRStatus(
            32, description="A read takes one word of the oldest record from the trace; 0 where it is empty."
        )
        self._level = CSRStatus(16, description="Records that can be read.")
        self._lost = CSRStatus(32, description="Records since the last start that found the trace full.")

        # # #

        layout = [(field.name, field.bits) for field in TRACE.fields]
        self.fifo = fifo = ResetInserter()(stream.SyncFIFO(layout, depth, buffered=True))
        word = Signal(max=TRACE.words)
        oldest = Cat(*(getattr(fifo.source, field.name) for field in TRACE.fields))
        words = Array(oldest[32 * k : 32 * k + 32] for k in range(TRACE.words))
        self.comb += [
            fifo.reset.eq(self.clear),
            fifo.sink.valid.eq(self.write),
            *(getattr(fifo.sink, name).eq(signal) for name, signal in self.record.items()),
            If(fifo.source.valid, self._data.status.eq(words[word])),
            # `we` is high in the very cycle in which the bus takes `status`.
            fifo.source.ready.eq(self._data.we & (word == TRACE.words - 1)),
            self._level.status.eq(fifo.level),
        ]
        self.sync += [
            If(self._data.we & fifo.source.valid, word.eq(word + 1)),
            If(self.write & ~fifo.sink.ready, self._lost.status.eq(self._lost.status + 1)),
            If(self.clear, word.eq(0), self._lost.status.eq(0)),
        ]
