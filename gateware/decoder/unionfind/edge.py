# SPDX-License-Identifier: BSD-2-Clause
"""One edge of the union-find array: how much of it is still to be grown over."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_

from litex.gen import LiteXModule
from migen import Cat, If, Mux, Signal

from triplane.gateware.decoder.unionfind.tree import below


class WeightClass(LiteXModule):
    """One weight register with the starting lengths that its edges load.

    The subtraction of the first growth is done here, once per register and long before it is needed, so that an edge
    only chooses among three values when it loads.

    Attributes:
        weight: the register, written by the owner.
        length: starting slack in half-units for 0, 1 and 2 ends with a detection event.
    """

    def __init__(self, weight_bits: int, first_growth: Signal) -> None:
        self.weight = Signal(weight_bits, reset=2**weight_bits - 1)
        self.length = [Signal(weight_bits + 1) for _ in range(3)]

        # # #

        # All growth takes place in half-units, so that two clusters can meet in the middle of an odd weight.
        for ends, length in enumerate(self.length):
            rest = Signal(weight_bits + 3)
            self.comb += [
                rest.eq(2 * self.weight - ends * first_growth),
                length.eq(Mux(rest[-1], 0, rest)),
            ]


class EdgeCell(LiteXModule):
    """Slack of one edge.

    `full` says that clusters have grown over the whole edge. An edge inside one cluster does not grow: it could only
    close a cycle, and it would cost growth steps.

    Attributes:
        load, rate_at_load: take the starting length for that number of ends with a detection event.
        u_active, v_active, inside: state of the two ends (v_active is 0 at a boundary).
        grow, delta: grow by delta half-units per active end.
        full: nothing is left to be grown over.
        growing: the edge grows in this state.
        blocks: bit k is set when step k would fill the edge past its end.
    """

    def __init__(self, weights: WeightClass, steps: Sequence[int], slack_bits: int) -> None:
        self.load = Signal()
        self.rate_at_load = Signal(2)
        self.u_active = Signal()
        self.v_active = Signal()
        self.inside = Signal()
        self.grow = Signal()
        self.delta = Signal(slack_bits)
        self.full = Signal()
        self.growing = Signal()
        self.blocks = Signal(len(steps))

        # # #

        slack = Signal(slack_bits)
        one, both = Signal(), Signal()
        drop, rest = Signal(slack_bits + 1), Signal(slack_bits + 2)
        self.comb += [
            one.eq((self.u_active ^ self.v_active) & ~self.inside),
            both.eq(self.u_active & self.v_active & ~self.inside),
            self.growing.eq(one | both),
            self.full.eq(slack == 0),
            drop.eq(Mux(both, self.delta << 1, Mux(one, self.delta, 0))),
            rest.eq(slack - drop),
        ]
        # How far the active ends can grow until the edge is full, whether it grows or not: two ends fill s half-units
        # in ceil(s / 2). Which clusters the ends are in is the last thing to be known, and only masks the comparison.
        half, reach = Signal(slack_bits), Signal(slack_bits)
        self.comb += [
            half.eq(Cat(_ceil_half(slack))),
            reach.eq(Mux(self.u_active & self.v_active, half, slack)),
            self.blocks.eq(Cat(self.growing & below(reach, s) for s in steps)),
        ]
        self.sync += [
            If(self.load,
                If(self.rate_at_load == 0, slack.eq(weights.length[0]))
                .Elif(self.rate_at_load == 1, slack.eq(weights.length[1]))
                .Else(slack.eq(weights.length[2]))
            ).Elif(self.grow,
                slack.eq(Mux(rest[-1], 0, rest))
            ),
        ]  # fmt: skip


def _ceil_half(value: Signal) -> list:
    """Bits of (value + 1) // 2: the carry into bit k is the AND of all below, one LUT and no chain."""
    carries = [reduce(and_, [value[j] for j in range(k + 1)]) for k in range(len(value))]
    return [value[k + 1] ^ carry for k, carry in enumerate(carries[:-1])] + [carries[-1]]
