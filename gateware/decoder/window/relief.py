# SPDX-License-Identifier: BSD-2-Clause
"""Which edges the last correction and what was committed before relieve, and of how much."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Array, Cat, Constant, Signal

from triplane.gateware.decoder.unionfind.tree import OrTree
from triplane.gateware.decoder.window.plan import WindowPlan


class ReliefTree(LiteXModule):
    """For each edge and level, whether any partner of that level is in the correction.

    An edge has up to two dozen partners, so the OR of each group is a register of its own: `relieved` follows the
    correction by a cycle.

    Args:
        plan: its reliefs say who relieves whom.

    Attributes:
        correction: input; bit k = edge k of the plan is in the last correction, or was committed before.
        level: input; which alternatives are meant.
        relieved: bit k: edge k takes its alternative of that level.
        any: some edge of the correction has a partner; without delay.
    """

    LATENCY = 1

    def __init__(self, plan: WindowPlan) -> None:
        self.correction = Signal(max(len(plan.edges), 1))
        self.level = Signal(2)
        self.relieved = Signal(max(len(plan.edges), 1))
        self.any = Signal()

        # # #

        levels = []
        for level in range(plan.levels):
            groups = []
            for pairs in plan.reliefs:
                partners = [self.correction[partner] for partner, at in pairs if at == level]
                if not partners:
                    groups.append(Constant(0))
                    continue
                tree = OrTree(partners)
                self.submodules += tree
                groups.append(tree.output)
            register = Signal(len(self.relieved))
            self.sync += register.eq(Cat(*groups))
            levels.append(register)
        useful = sorted({partner for pairs in plan.reliefs for partner, _ in pairs})
        self.helps = OrTree([self.correction[partner] for partner in useful])
        self.comb += self.any.eq(self.helps.output)
        if levels:
            self.comb += self.relieved.eq(Array(levels)[self.level])
