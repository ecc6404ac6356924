# SPDX-License-Identifier: BSD-2-Clause
"""Which edges the last correction and what was committed before relieve, and of how much."""

from __future__ import annotations

from functools import reduce
from operator import or_

from litex.gen import LiteXModule
from migen import Signal

from triplane.gateware.decoder.unionfind.tree import OrTree
from triplane.gateware.decoder.window.plan import WindowPlan


class ReliefTree(LiteXModule):
    """For each edge and level, whether any partner of that level is in the correction.

    An edge has up to two dozen partners, so what is found is kept in registers, which follow the correction and the
    level by a cycle. Nobody waits for it: the correction stands a cycle before its arrays say so.

    Args:
        plan: its reliefs say who relieves whom.

    Attributes:
        correction: input; bit k = edge k of the plan is in the last correction, or was committed before.
        level: input; which alternatives are meant in the next cycle.
        relieved: bit k: edge k takes its alternative of that level.
        any: some edge of the correction has a partner.
    """

    LATENCY = 1

    def __init__(self, plan: WindowPlan) -> None:
        self.correction = Signal(max(len(plan.edges), 1))
        self.level = Signal(2)
        self.relieved = Signal(max(len(plan.edges), 1))
        self.any = Signal()

        # # #

        for edge, pairs in enumerate(plan.reliefs):
            # Four partners and the level fill one LUT6.
            nodes = []
            for start in range(0, len(pairs), 4):
                node = Signal()
                meant = [self.correction[p] & (self.level == at) for p, at in pairs[start : start + 4]]
                self.comb += node.eq(reduce(or_, meant))
                nodes.append(node)
            tree = OrTree(nodes)
            self.submodules += tree
            self.sync += self.relieved[edge].eq(tree.output)
        useful = sorted({partner for pairs in plan.reliefs for partner, _ in pairs})
        self.helps = OrTree([self.correction[partner] for partner in useful])
        self.sync += self.any.eq(self.helps.output)
