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
from triplane.gateware.decoder.unionfind.edge import WeightClass
from triplane.gateware.decoder.unionfind.plan import ArrayEdge, ArrayPlan
from triplane.gateware.decoder.unionfind.tree import FirstTree, OrTree
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
    # Repetition code d=3, one round and the final measurement: two layers of two detectors, circuit-level edges
    "repetition": [
        (0, B, 0), (0, 1, 0), (0, 2, 0), (0, 3, 0), (1, B, 1), (1, 3, 0), (2, B, 0), (2, 3, 0), (3, B, 1),
    ],
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

    The first cycle takes a load, whatever the registers hold; the array has refused all later ones when it is idle.

    Attributes:
        array, events: the array; the detection events that it has taken, valid after the first cycle.
        decoded: `done` has been 1 in an earlier cycle.
        settled: the correction was asked for and is there.
    """

    def __init__(self, plan):
        super().__init__()
        first_growth = self.constant("first_growth", Signal(plan.weight_bits + 1))
        weights = [WeightClass(plan.weight_bits, first_growth) for _ in plan.edges]
        self.submodules += weights
        for k, register in enumerate(weights):
            self.constant(f"weight{k}", register.weight)
            self.assume(f"weight{k}_counts", register.weight != 0)
        self.array = array = UnionFindArray(plan, 1, weights)
        self.free("load", array.load)
        self.free("events", array.events)
        self.constant("peel", array.peel)
        self.assume("first_cycle_loads", ~self.first | (array.idle & array.load))
        self.assume("one_shot", self.first | ~array.idle | ~array.load)

        self.events, self.decoded, self.settled = Signal.like(array.events), Signal(), Signal()
        self.sync += [
            self.decoded.eq(self.decoded | array.done),
            If(self.first, self.events.eq(array.events), self.decoded.eq(0)),
        ]
        self.comb += self.settled.eq(~self.first & self.decoded & array.idle & array.peel)


class Shot(Ports):
    """What is claimed of one shot. Cycles are counted from the load."""

    def __init__(self, plan):
        super().__init__(plan)
        array, events, later = self.array, self.events, ~self.first
        age, ended, held = Signal(8), Signal(), Signal()
        self.sync += [
            age.eq(Mux(self.first, 1, age + 1)),
            ended.eq(later & (ended | (self.decoded & array.idle))),
        ]
        self.comb += held.eq(later & self.decoded)

        # (a) It stops, once.
        self.always("done_within_bound", self.first | self.decoded | array.done | (age < plan.bound))
        self.always("idle_within_bound", self.first | array.idle | (age <= plan.bound + plan.peel_bound))
        self.always("done_once", ~(held & array.done))
        self.always("idle_stays", ~(later & ended) | array.idle)
        # (b) The correction explains the events, and flips what it crosses.
        parity = [reduce(xor, [array.correction[e] for e in incident], 0) for incident in plan.incident]
        crossing = [array.correction[k] for k, edge in enumerate(plan.edges) if edge.observables]
        fine = ~self.settled | array.unmatched
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

        acts = {name: getattr(array.act, name) for name in ("pair", "adopt", "merge")}
        for name, act in acts.items():
            self.sometime(name, act)
            self.watch(f"act_{name}", act)
        self.sometime("grow", held & (array.grow_steps > 1))
        self.sometime("peel", self.settled & (array.correction != 0) & ~array.unmatched)
        for name in ("idle", "done", "observables", "unmatched", "correction"):
            self.watch(name, getattr(array, name))


def problem(name):
    plan = make_plan(GRAPHS[name])
    return emit(Shot(plan)), plan.bound + plan.peel_bound + 2


@pytest.mark.parametrize(
    "name",
    [
        "pair",
        "grounded triangle",
        *(pytest.param(name, marks=long) for name in ("triangle", "path", "repetition")),
    ],
)
def test_every_shot_ends_in_time_and_explains_its_events(name):
    shot, depth = problem(name)
    result = check(shot, depth=depth, engine=SEARCHER, any_start=True)
    assert result, str(result)


def test_every_act_takes_place():
    shot, depth = problem("grounded triangle")
    result = check(shot, "cover", depth=depth, any_start=True)
    assert result, str(result)
    assert set(result.reached) == {"pair", "adopt", "merge", "grow", "peel"}


@long
def test_no_limit_on_the_length_of_a_run():
    """The same claims by another engine, which looks for an inductive invariant instead of unrolling."""
    shot, depth = problem("pair")
    result = check(shot, "prove", depth=depth, engine=PROVER, any_start=True)
    assert result, str(result)


class NoMerges(FirstTree):
    """An arbiter that never picks anybody."""

    def __init__(self, inputs, width):
        super().__init__(inputs, width)
        self.valid = Signal()


DEFECTS = {
    "the peeler passes events on by OR": (peel, "XorTree", OrTree, {"explains"}),
    "flips are gathered by OR": (array_module, "XorTree", OrTree, {"flips"}),
    "clusters never merge": (array_module, "FirstTree", NoMerges, {"unmatched"}),
    "nothing grows": (array_module, "_largest_step", lambda steps, blocked: 0, {"done_within_bound"}),
}


@pytest.mark.parametrize(
    "defect", [pytest.param(name, marks=long if k > 1 else ()) for k, name in enumerate(DEFECTS)]
)
def test_a_broken_array_is_refuted(defect, monkeypatch):
    module, name, stand_in, claims = DEFECTS[defect]
    monkeypatch.setattr(module, name, stand_in)
    shot, depth = problem("grounded triangle")
    result = check(shot, depth=depth, engine=SEARCHER, any_start=True)
    assert result.status == "FAIL", str(result)
    assert set(result.failed) & claims, str(result)
    assert "events" in result.table().splitlines()[0]
