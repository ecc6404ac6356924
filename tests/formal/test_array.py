# SPDX-License-Identifier: BSD-2-Clause
"""The union-find array on small graphs, proven for any detection events, any weights and any state before the shot."""

import os
from functools import reduce
from operator import xor

import pytest
from migen import Cat, If, Mux, Signal

from triplane.gateware.decoder.graph import BOUNDARY
from triplane.gateware.decoder.unionfind import array as array_module
from triplane.gateware.decoder.unionfind import peel
from triplane.gateware.decoder.unionfind.array import UnionFindArray
from triplane.gateware.decoder.unionfind.edge import EdgeCell
from triplane.gateware.decoder.unionfind.plan import ArrayEdge, ArrayPlan
from triplane.gateware.decoder.unionfind.tree import First, OrTree
from triplane.sim.formal import MISSING, PROVER, SEARCHER, FormalBench, check, emit, installed

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)
long = pytest.mark.skipif(os.environ.get("FORMAL") != "all", reason="takes long; `make formal` runs it")

WEIGHT_BITS = 2

# Edges (u, v, observables) of the instances; B is the boundary. Their vertices are 0, 1, ...
B = BOUNDARY
GRAPHS = {
    "pair": [(0, B, 0), (0, 1, 0), (1, B, 1)],  # repetition code d=3, one layer
    "triangle": [(0, 1, 0), (1, 2, 0), (0, 2, 1)],  # a cycle that crosses the observable, no boundary
    "grounded triangle": [(0, 1, 0), (1, 2, 0), (0, 2, 1), (2, B, 0)],
    "path": [(0, 1, 0), (1, 2, 1), (2, 3, 0)],  # without boundary
}  # fmt: skip


def make_plan(edges, weight_bits=WEIGHT_BITS):
    vertices = 1 + max(max(u, v) for u, v, _ in edges)
    return ArrayPlan(
        tuple(range(vertices)),
        tuple(ArrayEdge(k, u, v, o, weight_class=k) for k, (u, v, o) in enumerate(edges)),
        weight_bits,
    )


class Ports(FormalBench):
    """The array and its environment for one shot: all that knows the array's ports and their protocol.

    The first cycle takes a load, whatever the registers hold, but for one invariant. `peel` comes at any time after
    `done`.

    Attributes:
        array, events: the array; the detection events that it has taken, valid after the first cycle.
        decoded: `done` has been 1 in an earlier cycle.
        peeling, settled: the correction has been asked for and is not there yet; it is there.
    """

    def __init__(self, plan):
        super().__init__()
        weights = [Signal(plan.weight_bits) for _ in plan.edges]
        self.array = array = UnionFindArray(plan, 1, weights)
        first_growth = self.constant("first_growth", array.first_growth)
        for k, weight in enumerate(weights):
            self.constant(f"weight{k}", weight)
            self.assume(f"weight{k}_counts", weight != 0)
            self.assume(f"first_growth_fits{k}", first_growth <= weight)
        self.free("load", array.load)
        self.free("events", array.events)
        wish = self.free("wish", Signal())
        self.assume("first_cycle_loads", ~self.first | (array.idle & array.load))
        self.assume("one_shot", self.first | ~array.idle | ~array.load)
        # All that an idle array has to remember is that nobody asks. So it is after reset; each shot restores it.
        self.assume("nobody_asks_at_first", ~self.first | ~array.asking.output)
        self.always("nobody_asks_while_idle", ~array.idle | ~array.asking.output)

        self.events, self.decoded = Signal.like(array.events), Signal()
        self.peeling, self.settled = Signal(), Signal()
        asked = Signal()
        self.comb += self.peeling.eq(asked & ~self.settled)
        self.sync += [
            self.decoded.eq(self.decoded | array.done),
            asked.eq(asked | array.peel),
            self.settled.eq(self.settled | array.peeled),
            If(self.first, self.events.eq(array.events), self.decoded.eq(0), asked.eq(0), self.settled.eq(0)),
        ]
        self.comb += [
            array.load_base.eq(self.first),
            array.peel.eq(wish & array.idle & self.decoded & ~asked & ~self.first),
        ]


class Shot(Ports):
    """What is claimed of one shot. Cycles are counted from the load."""

    def __init__(self, plan):
        super().__init__(plan)
        array, events, later = self.array, self.events, ~self.first
        age, ended, held = Signal(8), Signal(), Signal()
        self.sync += [
            age.eq(Mux(self.first, 1, age + 1)),
            ended.eq(later & self.settled),
        ]
        self.comb += held.eq(later & self.decoded)

        # (a) It stops, once.
        self.always("done_within_bound", self.first | self.decoded | array.done | (age < plan.bound))
        self.always("idle_unless_peeling", self.first | array.idle | ~self.decoded | self.peeling)
        waited = Signal(8)
        self.sync += If(self.first | array.idle, waited.eq(1)).Else(waited.eq(waited + 1))
        in_time = array.peeled | (waited < plan.peel_bound)
        self.always("peeled_within_bound", self.first | ~self.peeling | array.idle | in_time)
        self.always("done_once", ~(held & array.done))
        self.always("idle_stays", ~(later & ended) | array.idle)
        # (b) The correction explains the events, and flips what it crosses.
        parity = [reduce(xor, [array.correction[e] for e in incident], 0) for incident in plan.incident]
        crossing = [array.correction[k] for k, edge in enumerate(plan.edges) if edge.observables]
        fine = self.first | ~self.settled | array.unmatched
        self.always("explains", fine | (Cat(*parity) == events))
        self.always("flips", fine | (array.observables[0] == reduce(xor, crossing, 0)))
        # (c) Nothing is left over that could have been explained.
        grounded = any(edge.v == BOUNDARY for edge in plan.edges)
        odd = 0 if grounded else reduce(xor, list(events))
        self.always("unmatched", ~held | (array.unmatched == odd))
        # The result holds.
        result, before, had = Cat(array.observables, array.unmatched), Signal(2), Signal()
        self.sync += [before.eq(result), had.eq(held)]
        self.always("holds", ~(later & had) | (result == before))

        acts = {name: getattr(array.act, name) for name in ("look", "merge")}
        for name, act in acts.items():
            self.sometime(name, act)
            self.watch(f"act_{name}", act)
        self.sometime("grow", held & (array.grow_steps > 1))
        self.sometime("peel", later & self.settled & (array.correction != 0) & ~array.unmatched)
        for name in ("idle", "done", "observables", "unmatched", "correction"):
            self.watch(name, getattr(array, name))


def problem(name):
    plan = make_plan(GRAPHS[name])
    return emit(Shot(plan)), plan.bound + plan.peel_bound + 2


@pytest.mark.parametrize(
    "name", ["pair", "triangle", *(pytest.param(g, marks=long) for g in ("grounded triangle", "path"))]
)
def test_every_shot_ends_in_time_and_explains_its_events(name):
    shot, depth = problem(name)
    result = check(shot, depth=depth, engine=SEARCHER, any_start=True)
    assert result, str(result)


def test_every_act_takes_place():
    shot, depth = problem("grounded triangle")
    result = check(shot, "cover", depth=depth, any_start=True)
    assert result, str(result)
    assert set(result.reached) == {"look", "merge", "grow", "peel"}


@long
def test_no_limit_on_the_length_of_a_run():
    """The same claims by another engine, which looks for an inductive invariant instead of unrolling."""
    shot, depth = problem("pair")
    result = check(shot, "prove", depth=depth, engine=PROVER, any_start=True)
    assert result, str(result)


class NoMerges(First):
    """An arbiter that never picks anybody."""

    def __init__(self, inputs):
        super().__init__(inputs)
        self.output = Signal(len(inputs))


class Silent(EdgeCell):
    """An edge that does not say that it grows."""

    def __init__(self, steps, slack_bits):
        super().__init__(steps, slack_bits)
        self.growing = Signal()


DEFECTS = {
    "the peeler passes events on by OR": (peel, "XorTree", OrTree, "explains"),
    "flips are gathered by OR": (array_module, "XorTree", OrTree, "flips"),
    "nobody is heard by the arbiter": (array_module, "First", NoMerges, "done_within_bound"),
    "growth by nothing": (array_module, "_largest_step", lambda steps, blocked: 0, "done_within_bound"),
    "growth is over too early": (array_module, "EdgeCell", Silent, "unmatched"),
}


@pytest.mark.parametrize(
    "defect", [pytest.param(name, marks=long if k > 1 else ()) for k, name in enumerate(DEFECTS)]
)
def test_a_broken_array_is_refuted(defect, monkeypatch):
    module, name, stand_in, claim = DEFECTS[defect]
    monkeypatch.setattr(module, name, stand_in)
    shot, depth = problem("grounded triangle")
    result = check(shot, depth=depth, engine=SEARCHER, any_start=True)
    assert result.status == "FAIL", str(result)
    assert claim in result.failed, str(result)
    assert "events" in result.table().splitlines()[0]
