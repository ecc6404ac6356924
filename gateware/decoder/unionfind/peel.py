# SPDX-License-Identifier: BSD-2-Clause
"""From a forest of clusters to the correction: all leaves are taken off at once, until nothing is left.

A leaf that holds a detection event passes it on through its one edge, and that edge is in the correction. Peeling is
not on the way to the logical flip, which the vertices' potentials give without it; it runs afterwards, where a
correction is asked for.
"""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Cat, If, Signal

from triplane.gateware.decoder.graph import BOUNDARY
from triplane.gateware.decoder.unionfind.plan import ArrayPlan
from triplane.gateware.decoder.unionfind.tree import OrTree, XorTree, bits, none_and_one


class Peeler(LiteXModule):
    """Forest, remaining detection events and correction of one array.

    Attributes:
        load, events: forget the forest and take the detection events, bit k = vertex k.
        grow: bit k adds edge k to the forest; not while it is peeled.
        step: take off the leaves.
        forest: edges of the clusters' trees, until they are peeled.
        bare: bit k is set when vertex k has no edge in the forest.
        defects: detection events not yet explained.
        empty: no leaf was left in the forest before this cycle.
        correction: bit k is set when edge k is in the correction.
    """

    def __init__(self, plan: ArrayPlan) -> None:
        edges = max(len(plan.edges), 1)  # a detector that no error flips is an array without edges
        self.load = Signal()
        self.events = Signal(len(plan.vertices))
        self.grow = Signal(edges)
        self.step = Signal()
        self.forest = forest = Signal(edges)
        self.bare = Signal(len(plan.vertices))
        self.defects = Signal(len(plan.vertices))
        self.empty = Signal()
        self.correction = Signal(edges)

        # # #

        leaf_of, bare_of = [], []
        for incident in plan.incident:
            present, none, leaf = Signal(max(len(incident), 1)), Signal(), Signal()
            self.comb += present.eq(bits([forest[e] for e in incident]))
            nothing, alone = none_and_one(present)
            self.comb += [none.eq(nothing), leaf.eq(alone)]
            bare_of.append(none)
            leaf_of.append(leaf)
        self.comb += self.bare.eq(Cat(*bare_of))

        removed, used = Signal(edges), Signal(edges)
        taken_off, carried = [], []
        for position, edge in enumerate(plan.edges):
            u_leaf, u_defect = leaf_of[edge.u], self.defects[edge.u]
            off, on_path = Signal(), Signal()
            if edge.v == BOUNDARY:
                carries = u_leaf & u_defect
                self.comb += off.eq(u_leaf)
            else:
                # Where both ends are leaves the edge goes once, with the event of its first end.
                v_leaf, v_defect = leaf_of[edge.v], self.defects[edge.v]
                carries = (u_leaf & u_defect) | (~u_leaf & v_leaf & v_defect)
                self.comb += off.eq(u_leaf | v_leaf)
            self.comb += on_path.eq(forest[position] & carries)
            taken_off.append(off)
            carried.append(on_path)
        self.comb += [removed.eq(bits(taken_off)), used.eq(bits(carried))]

        self.any_leaf = OrTree(leaf_of)
        self.comb += self.empty.eq(~self.any_leaf.output)
        passed = [XorTree([used[e] for e in incident]) for incident in plan.incident]
        self.submodules += passed
        self.sync += [
            If(self.step,
                forest.eq(forest & ~removed),
                self.correction.eq(self.correction | used),
                self.defects.eq(self.defects ^ Cat(*(p.output for p in passed))),
            ).Else(
                forest.eq(forest | self.grow),
            ),
            If(self.load, forest.eq(0), self.correction.eq(0), self.defects.eq(self.events)),
        ]  # fmt: skip
