# SPDX-License-Identifier: BSD-2-Clause
"""Faults as records, with the time at which they arose."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Case, Cat, If, Signal

from triplane.gateware.faults import CONDITIONS
from triplane.gateware.link.records.layouts import FAULT, WORD_BITS


class FaultSource(LiteXModule):
    r"""A record (`layouts.FAULT`) when a condition begins to hold, however long it then holds.

    What arises while a record leaves goes into the next one, each condition once, with the time of the first of them.

    ```
    cycle      0     1     2     3     4
    condition  /‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾
    pending          /‾‾‾\__________________
    source                 word0 word1 word2
    ```

    Attributes:
        conditions: input; bit k: condition k holds, in the order of `faults.CONDITIONS`.
        now: input; cycle counter.
        source: words of records.
    """

    LATENCY = 2
    """Cycles from a condition to the first word of its record, where no other is on its way."""

    def __init__(self) -> None:
        self.conditions = Signal(len(CONDITIONS))
        self.now = Signal(64)
        self.source = source = stream.Endpoint([("data", WORD_BITS)])

        # # #

        before, arisen, pending = (Signal(len(CONDITIONS)) for _ in range(3))
        time, record = Signal(64), Signal(WORD_BITS * FAULT.words)
        word, take = Signal(max=FAULT.words + 1, reset=FAULT.words), Signal()
        self.comb += [
            arisen.eq(self.conditions & ~before),
            take.eq((pending != 0) & (word == FAULT.words)),
            source.valid.eq(word != FAULT.words),
            source.first.eq(word == 0),
            source.last.eq(word == FAULT.words - 1),
            Case(word, {k: source.data.eq(record[32 * k : 32 * (k + 1)]) for k in range(FAULT.words)}),
        ]
        self.sync += [
            before.eq(self.conditions),
            pending.eq(pending | arisen),
            If((pending == 0) | take, time.eq(self.now)),
            If(source.valid & source.ready, word.eq(word + 1)),
            If(take, word.eq(0), record.eq(Cat(time, pending)), pending.eq(arisen)),
        ]
