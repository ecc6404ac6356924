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
        delta: half-units to grow by per end that was active a cycle ago, 0 to rest and in the cycle after `load`.
        hot: full and open with an active end: clusters can join here.
        growing: open with an active end.
        blocks: bit k is set when step k would be too long. It, and `hot`, mean nothing in the cycle after `load`.
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
        full, one, two = Signal(), Signal(), Signal()
        # Who drops what, as the cycle before has found it: one end, two ends, or, where both bits are set, the weight
        # is added (all ones less the inverse of a number is that number). Subtracting what six signals say is one LUT
        # per bit.
        once, twice = Signal(reset_less=True), Signal(reset_less=True)
        drop = Signal(slack_bits)
        self.comb += [
            one.eq((self.u_active ^ self.v_active) & self.open),
            two.eq(self.u_active & self.v_active & self.open),
            full.eq((slack == 0) | (slack == 2**slack_bits - 1)),
            self.growing.eq((self.u_active | self.v_active) & self.open),
            self.hot.eq(full & self.growing),
            drop.eq(
                (Replicate(once & ~twice, slack_bits) & self.delta)
                | (Replicate(twice & ~once, slack_bits) & Cat(0, self.delta))
                | (Replicate(once & twice, slack_bits) & ~Cat(0, self.weight))
            ),
            # Two ends would pass an odd slack's end with ceil(slack / 2); they take floor(slack / 2), at least 1.
            self.blocks.eq(
                Cat(0 if s == 1 else (one & below(slack, s)) | (two & below(slack, 2 * s)) for s in steps)
            ),
        ]
        self.sync += If(self.load,
            slack.eq(2**slack_bits - 1),
            once.eq(1),
            twice.eq(1),
        ).Else(
            slack.eq(slack - drop),
            once.eq(one),
            twice.eq(two),
        )  # fmt: skip
