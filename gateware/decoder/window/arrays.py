# SPDX-License-Identifier: BSD-2-Clause
"""All union-find arrays of a window, side by side, as one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add, and_, or_, xor

from litex.gen import LiteXModule
from migen import Cat, If, Signal

from triplane.gateware.decoder.unionfind.array import UnionFindArray
from triplane.gateware.decoder.unionfind.tree import bits
from triplane.gateware.decoder.window.bound import window_arrays
from triplane.gateware.decoder.window.plan import WindowPlan


class ArrayBank(LiteXModule):
    """One array per component of the window; a step of the window ends when the last of them has done it.

    Arrays need not wait for each other: one that is done peels while others still grow.

    Args:
        plan: the window.
        lengths: what each edge loads, in the plan's order.

    Attributes:
        events: input; bit k = vertex k of the plan, valid with `load`.
        held: input; the same events from `flood` on.
        alive, relieved: inputs; bit k = edge k.
        seeds: input; vertices whose clusters are settled.
        first_growth: input; from the cycle after `load` on.
        load, load_base, relieve, stop, peel_all, flood_all: inputs, to every array.
        peel, flood: inputs; each array does it as soon as it is done.
        idle: no array is doing anything.
        all_done: 1 in the cycle in which the last array has grown, once after each load.
        all_peeled, all_flooded: 1 in the cycle after the last array has ended it, once after each load; correction and
            settled observables are valid.
        stopped: some array has been stopped since the load; valid with `all_done` and until the next load, as the
            results are. The counters stand already in the cycle before.
        observables, settled_observables, unmatched, grow_steps, merge_steps, correction: of all arrays together.
        settled: bit k: vertex k is in a cluster that is settled.
    """

    def __init__(self, plan: WindowPlan, lengths: Sequence[Signal]) -> None:
        edges, width = max(len(plan.edges), 1), max(plan.num_observables, 1)
        self.events = Signal(plan.num_vertices)
        self.held = Signal(plan.num_vertices)
        self.alive = Signal(edges)
        self.relieved = Signal(edges)
        self.seeds = Signal(plan.num_vertices)
        self.first_growth = Signal(plan.weight_bits)
        self.load = Signal()
        self.load_base = Signal()
        self.relieve = Signal()
        self.peel = Signal()
        self.peel_all = Signal()
        self.flood = Signal()
        self.flood_all = Signal()
        self.stop = Signal()
        self.idle = Signal()
        self.all_done = Signal()
        self.all_peeled = Signal()
        self.all_flooded = Signal()
        self.stopped = Signal()
        self.observables = Signal(width)
        self.settled_observables = Signal(width)
        self.settled = Signal(plan.num_vertices)
        self.unmatched = Signal()
        self.grow_steps = Signal(16)
        self.merge_steps = Signal(16)
        self.correction = Signal(edges)

        # # #

        plans = window_arrays(plan)
        self.arrays = arrays = [UnionFindArray(p, width, lengths, with_commit=plan.sliding) for p in plans]
        self.submodules += arrays
        for array_plan, array in zip(plans, arrays, strict=True):
            vertices, members = array_plan.vertices, [edge.index for edge in array_plan.edges]
            self.comb += [
                *(
                    getattr(array, name).eq(getattr(self, name))
                    for name in ("load", "load_base", "relieve", "stop", "first_growth")
                ),
                array.peel.eq((self.peel & array.done) | self.peel_all),
                array.flood.eq((self.flood & array.done) | self.flood_all),
                array.events.eq(bits([self.events[v] for v in vertices])),
                array.held.eq(bits([self.held[v] for v in vertices])),
                array.seeds.eq(bits([self.seeds[v] for v in vertices])),
                array.alive.eq(bits([self.alive[e] for e in members])),
                array.relieved.eq(bits([self.relieved[e] for e in members])),
            ]
        settled = {
            v: a.committed[k] for p, a in zip(plans, arrays, strict=True) for k, v in enumerate(p.vertices)
        }
        used = {
            e.index: a.correction[k]
            for p, a in zip(plans, arrays, strict=True)
            for k, e in enumerate(p.edges)
        }
        self.comb += [
            self.idle.eq(reduce(and_, [a.idle for a in arrays])),
            self.all_done.eq(self._all([a.done for a in arrays], self.load)),
            self.unmatched.eq(reduce(or_, [a.unmatched for a in arrays])),
            self.observables.eq(reduce(xor, [a.observables for a in arrays])),
            self.settled_observables.eq(reduce(xor, [a.committed_observables for a in arrays])),
            self.grow_steps.eq(reduce(add, [a.grow_steps for a in arrays])),
            self.merge_steps.eq(reduce(add, [a.merge_steps for a in arrays])),
            self.settled.eq(Cat(*(settled[v] for v in range(plan.num_vertices)))),
            self.correction.eq(bits([used[e] for e in range(len(plan.edges))])),
        ]

        # An array that is stopped need not be the last to be done.
        earlier = Signal()
        self.comb += self.stopped.eq(reduce(or_, [a.stopped for a in arrays], earlier))
        self.sync += If(self.load, earlier.eq(0)).Else(earlier.eq(self.stopped))
        # An array registers the observables in the cycle in which its flood ends; that a forest has no leaf left, or a
        # flood no news, is known late in a cycle. An array may peel while others still grow; that of the last pass is
        # not asked for.
        self.comb += [
            self.all_flooded.eq(self._all([a.flooded for a in arrays], self.load, late=True)),
            self.all_peeled.eq(self._all([a.peeled for a in arrays], self.load, late=True)),
        ]

    def _all(self, ends: Sequence[Signal], load: Signal, late: bool = False) -> Signal:
        """1 in the cycle in which the last of `ends` comes, once after each load; late: in the cycle after that."""
        over, come = Signal(), []
        for end in ends:
            earlier = Signal()
            self.sync += If(load, earlier.eq(0)).Elif(end, earlier.eq(1))
            come.append(earlier if late else end | earlier)
        result = Signal()
        self.comb += result.eq(reduce(and_, come) & ~over)
        self.sync += If(load, over.eq(0)).Elif(result, over.eq(1))
        return result
