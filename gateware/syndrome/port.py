# SPDX-License-Identifier: BSD-2-Clause
"""Detection-event FIFO, filled from the register bus."""

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from litex.soc.interconnect.csr import CSRStorage
from migen import If, ResetInserter, Signal

from triplane.gateware.syndrome.layouts import EVENT_LAYOUT


class EventPort(LiteXModule):
    """FIFO of event words: a write to `data` appends one word, so a burst to that one address streams.

    Parameters
    ----------
    depth: words that the FIFO holds, at least 2.

    Attributes
    ----------
    source: words in the order in which they were written.
    level: words in the FIFO that `source` can deliver without another write.
    space: words that may be written now without overflow; accounts for a word still on its way in.
    overflow: high for one cycle when a word was written to a full FIFO and refused.
    clear: input; empties the FIFO.
    """

    LATENCY = 2
    """Cycles from a bus write strobe to `source.valid`."""

    def __init__(self, depth: int = 1024) -> None:
        if depth < 2:
            raise ValueError(f"event FIFO depth must be at least 2, not {depth}")
        self.depth = depth
        self.source = stream.Endpoint(EVENT_LAYOUT)
        self.level = Signal(max=depth + 1)
        self.space = Signal(max=depth + 1)
        self.overflow = Signal()
        self.clear = Signal()
        self.data = CSRStorage(
            32,
            description="A write appends one word of detection events to the FIFO; a burst stays at this address.",
        )

        # # #

        self.fifo = fifo = ResetInserter()(stream.SyncFIFO(EVENT_LAYOUT, depth))
        self.comb += [
            fifo.reset.eq(self.clear),
            fifo.sink.valid.eq(self.data.re),
            fifo.sink.data.eq(self.data.storage),
            fifo.source.connect(self.source),
            self.overflow.eq(self.data.re & ~fifo.sink.ready),
            self.level.eq(fifo.level),
            # A word that is in `data` but not yet in the FIFO would be missed by a reader of the level.
            If(fifo.level + self.data.re >= depth, self.space.eq(0)).Else(
                self.space.eq(depth - fifo.level - self.data.re)
            ),
        ]
