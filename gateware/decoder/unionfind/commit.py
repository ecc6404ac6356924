# SPDX-License-Identifier: BSD-2-Clause
"""Which clusters a window commits: every one that holds a seed, entire.

Committing whole clusters instead of cutting them at the seam between two windows keeps every correction explaining its
own detection events (the parallel-window schemes of Skoric et al., arXiv:2209.08552, and Tan et al., arXiv:2209.09219,
cut at the seam). A cluster is what the forest connects; the boundary does not connect clusters.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from litex.gen import LiteXModule
from migen import Cat, If, Signal

from triplane.gateware.decoder.graph import BOUNDARY
from triplane.gateware.decoder.unionfind.plan import ArrayPlan
from triplane.gateware.decoder.unionfind.tree import OrTree, XorTree


class CommitFlood(LiteXModule):
    """Spreads from the seeds through the forest, one edge a cycle.

    Args:
        plan: the component.
        forest: bit k = edge k is in the forest.
        flips: per vertex, the observables that its detection event flips.
        num_observables: width of `observables`.

    Attributes:
        start, seeds: forget everything but the seeds, bit k = vertex k.
        step: spread by one edge.
        committed: vertices reached so far.
        settled: this step reaches nothing new.
        observables: flips of the committed vertices, taken in every cycle of `step`: those of all of `committed`
            after the cycle with `settled`.
    """

    def __init__(self, plan: ArrayPlan, forest: Signal, flips: list, num_observables: int) -> None:
        count = len(plan.vertices)
        self.start = Signal()
        self.seeds = Signal(count)
        self.step = Signal()
        self.committed = Signal(count)
        self.settled = Signal()
        self.observables = Signal(num_observables)

        # # #

        reached, news, counted = [], [], []
        for number, incident in enumerate(plan.incident):
            neighbours: list = []
            for position in incident:
                edge = plan.edges[position]
                if edge.v != BOUNDARY:
                    other = edge.v if edge.u == number else edge.u
                    neighbours.append(forest[position] & self.committed[other])
            touched, new, count_in = Signal(), Signal(), Signal(num_observables)
            here = self.committed[number]
            self.comb += [
                touched.eq(reduce(or_, neighbours, 0)),
                new.eq(touched & ~here),
                If(here, count_in.eq(flips[number])),
            ]
            reached.append(touched)
            news.append(new)
            counted.append(count_in)
        self.growth = OrTree(news)
        self.total = XorTree(counted, num_observables)
        self.comb += self.settled.eq(~self.growth.output)
        self.sync += [
            If(self.start, self.committed.eq(self.seeds)),
            If(self.step,
                self.committed.eq(self.committed | Cat(*reached)),
                self.observables.eq(self.total.output),
            ),
        ]  # fmt: skip
