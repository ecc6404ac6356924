# SPDX-License-Identifier: BSD-2-Clause
"""One edge of the union-find array: how much of it is still to be grown over."""

from __future__ import annotations

from collections.abc import Sequence

from litex.gen import LiteXModule
from migen import Cat, If, Replicate, Signal

from triplane.gateware.decoder.unionfind.tree import below


class EdgeCell(LiteXModule):
    """Slack of one edge, in half-units, so that two clusters can meet in the middle of an odd weight.

    An edge of weight w is full after 2w half-units. A step never fills it past its end, but for the last half-unit of
    an edge that two ends grow over: 1 - 2 is all ones, which no weight can be, and counts as full.

    Loading takes two cycles: the slack is set to all ones, then the weight is added by the subtractor that growth uses.
    A multiplexer in front of the slack would be one LUT a bit more, and there are more slacks than anything else.

    Attributes:
        load, weight: start over; with this weight, which comes a cycle later.
        open: the ends are in different clusters and the edge is not dead.
        u_active, v_active: the ends' clusters grow (v_active is 0 at a boundary).
        delta: half-units to grow by per active end, 0 to rest; 0 in the cycle after `load`, too.
        hot: full and open with an active end: clusters can join here.
        growing: open with an active end.
        blocks: bit k is set when step k would be too long. These three mean nothing in the cycle after `load`.
    """

    def __init__(self, steps: Sequence[int], slack_bits: int) -> None:
        self.load = Signal()
        self.weight = Signal(slack_bits - 1)
        self.open = Signal()
        self.u_active = Signal()
        self.v_active = Signal()
        self.delta = Signal(slack_bits)
        self.hot = Signal()
        self.growing = Signal()
        self.blocks = Signal(len(steps))

        # # #

        slack = Signal(slack_bits, reset_less=True)
        filling, full, odd, both = (Signal() for _ in range(4))
        one, two, fills = odd & ~both, both & ~odd, odd & both
        drop = Signal(slack_bits)
        self.comb += [
            # Who drops what, in two bits: one end, two ends, or the weight is added.
            odd.eq(filling | ((self.u_active ^ self.v_active) & self.open)),
            both.eq(filling | (self.u_active & self.v_active & self.open)),
            full.eq((slack == 0) | (slack == 2**slack_bits - 1)),
            self.growing.eq(odd | both),
            self.hot.eq(full & self.growing),
            # One LUT per bit with the subtraction. Nothing but `delta` says when to grow. All ones less the inverse of
            # a number is that number.
            drop.eq(
                (Replicate(one, slack_bits) & self.delta)
                | (Replicate(two, slack_bits) & Cat(0, self.delta))
                | (Replicate(fills, slack_bits) & ~Cat(0, self.weight))
            ),
            # Two ends would pass an odd slack's end with ceil(slack / 2); they take floor(slack / 2), at least 1.
            self.blocks.eq(
                Cat(0 if s == 1 else (one & below(slack, s)) | (two & below(slack, 2 * s)) for s in steps)
            ),
        ]
        self.sync += [
            filling.eq(self.load),
            If(self.load, slack.eq(2**slack_bits - 1)).Else(slack.eq(slack - drop)),
        ]
