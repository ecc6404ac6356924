# SPDX-License-Identifier: BSD-2-Clause
"""The results of measurements, and whether they are those of the measurements that were issued last."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Array, Cat, If, Mux, Record, Signal

from triplane.gateware.sequencer.layouts import RESULT

PENDING_BITS = 7
"""Width of the count of measurements of one slot that are on their way."""


class ResultTable(LiteXModule):
    r"""Keeps the last result of every slot, and counts the measurements that are still to come.

    A CAPTURE that arms a slot adds one to its count, a result takes one off. There is a result only while the count is
    0, so that what is read is always that of the latest measurement, however many are on their way. A result that
    nothing armed is ignored and counted.

    ```
    arm      __/--\______________________
    valid    ________________/--\________
    pending  _____|1              |0
    found         0         /1             in the cycle of `valid`
    ```

    Args:
        num_slots: slots, 1 to 256.
        pending_bits: width of the count.

    Attributes:
        results: inputs; one record (`layouts.RESULT`) a slot.
        arm: inputs; bit k = slot k is armed.
        select: input; slot that the outputs mean.
        found: the selected slot has its result; with what comes in this cycle.
        nothing: the selected slot has no result, and none is on its way.
        bit, leaked, soft: the result, valid with `found`.
        strays: results of this cycle that nothing armed are there.
        backlog: a slot was armed whose count was at its end, in the cycle before.
        restart: input; forget everything.
    """

    def __init__(self, num_slots: int, pending_bits: int = PENDING_BITS) -> None:
        if not 1 <= num_slots <= 256:
            raise ValueError(f"there are 1 to 256 measurement slots, not {num_slots}")
        self.results = [Record(RESULT, name=f"result{k}") for k in range(num_slots)]
        self.arm = Signal(num_slots)
        self.select = Signal(8)
        self.found = Signal()
        self.nothing = Signal()
        self.bit = Signal()
        self.leaked = Signal()
        self.soft = Signal((8, True))
        self.strays = Signal()
        self.backlog = Signal()
        self.restart = Signal()

        # # #

        views, strays, overrun = [], [], []
        for slot, result in enumerate(self.results):
            pending, got = Signal(pending_bits), Signal()
            held, now = Signal(10), Signal(10)
            comes, found = Signal(), Signal()
            self.comb += [
                comes.eq(result.valid & (pending != 0)),
                found.eq(Mux(comes, pending == 1, got & (pending == 0))),
                now.eq(Mux(comes, Cat(result.bit, result.leaked, result.soft), held)),
            ]
            self.sync += [
                held.eq(now),
                If(self.restart,
                    pending.eq(0),
                    got.eq(0),
                ).Else(
                    pending.eq(pending + self.arm[slot] - comes),
                    got.eq((got | comes) & ~self.arm[slot]),
                ),
            ]  # fmt: skip
            views.append(Cat(found, (pending == 0) & ~got, now))
            strays.append(result.valid & (pending == 0))
            overrun.append(self.arm[slot] & (pending == (1 << pending_bits) - 1))
        self.comb += [
            Cat(self.found, self.nothing, self.bit, self.leaked, self.soft).eq(Array(views)[self.select]),
            self.strays.eq(Cat(*strays) != 0),
        ]
        self.sync += self.backlog.eq((Cat(*overrun) != 0) & ~self.restart)
