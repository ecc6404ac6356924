# SPDX-License-Identifier: BSD-2-Clause
"""Edges that earlier windows of the shot have committed."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Cat, Constant, If, Signal

from triplane.gateware.decoder.window.plan import NOWHERE, WindowPlan


class PastEdges(LiteXModule):
    r"""One bit per edge that has been committed and still lies in the window, for the relief of its partners.

    A committed cluster may reach far beyond the oldest layers. Its events are gone by the next window, which would
    not find its edges again; what is known of them still relieves their partners in the other basis.

    ```
    settle   _/‾‾\_____________
    used      ============         held until the next window starts
    shift    _____/‾‾‾‾‾‾\_____    one layer a cycle; with the first, what is used joins
    edges    =====| 1 | 2 |====
    ```

    What is committed joins as it moves on, so that edges of the newest layer, to which nothing moves, need no bit; nor
    do edges that relieve none, and lead to none that does.

    Args:
        plan: its `older` says where an edge goes, its reliefs which edges matter.

    Attributes:
        used: input; bit k = edge k is committed by this window; read after `settle` only.
        settle: input; in the cycle before the first shift.
        shift: input; every edge becomes its copy one layer older.
        clear: input; forget everything.
        edges: bit k: edge k of the window as it lies now has been committed.
        num_bits: registers that this takes.
    """

    def __init__(self, plan: WindowPlan) -> None:
        self.used = Signal(max(len(plan.edges), 1))
        self.settle = Signal()
        self.shift = Signal()
        self.clear = Signal()
        self.edges = Signal(len(self.used))

        # # #

        newer = {older: edge for edge, older in enumerate(plan.older) if older != NOWHERE}
        past: dict[int, Signal] = {}
        for partner in sorted({partner for pairs in plan.reliefs for partner, _ in pairs}):
            edge = partner
            while edge in newer and edge not in past:
                past[edge] = Signal()
                edge = newer[edge]
        self.num_bits = len(past)
        fresh = Signal()
        self.sync += fresh.eq(self.settle)
        for edge, bit in past.items():
            comes = newer[edge]
            self.sync += [
                If(self.shift, bit.eq(past.get(comes, Constant(0)) | (fresh & self.used[comes]))),
                If(self.clear, bit.eq(0)),
            ]
        self.comb += self.edges.eq(Cat(*(past.get(k, Constant(0)) for k in range(len(self.edges)))))
