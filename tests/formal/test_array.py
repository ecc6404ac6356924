# SPDX-License-Identifier: BSD-2-Clause
"""The union-find array on small graphs, proven for any detection events, any weights and any state before the shot."""

import os
import sys
from functools import reduce
from operator import or_, xor

import pytest
from migen import Cat, If, Mux, Signal

from triplane.gateware.decoder.graph import BOUNDARY
from triplane.gateware.decoder.unionfind import array as array_module
from triplane.gateware.decoder.unionfind import commit as commit_module
from triplane.gateware.decoder.unionfind import peel
from triplane.gateware.decoder.unionfind.array import UnionFindArray
from triplane.gateware.decoder.unionfind.edge import EdgeCell
from triplane.gateware.decoder.unionfind.plan import ArrayEdge, ArrayPlan
from triplane.gateware.decoder.unionfind.tree import First, OrTree
from triplane.sim.formal import MISSING, PROVER, SEARCHER, FormalBench, check, emit, installed
from triplane.sim.formal.mutate import mutant

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

    The first cycle takes a load, whatever the registers hold. `peel` comes at any time after `done`.

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


class Window(FormalBench):
    """The array as a sliding window uses it: edges that may be dead, a second pass, a deadline, and the commit flood.

    The first cycle loads base weights, the second relieves any edges to any weights and loads the events; so a pass
    after the first begins, or, where no edge is relieved, the first. `stop` comes at any time and stays. After `done`
    the flood is asked for, from any seeds, then the correction.
    """

    def __init__(self, edges):
        super().__init__()
        count = 1 + max(max(u, v) for u, v, _ in edges)
        plan = ArrayPlan(
            tuple(range(count)),
            tuple(ArrayEdge(k, u, v, o, k, switchable=True) for k, (u, v, o) in enumerate(edges)),
            WEIGHT_BITS,
        )
        self.plan = plan
        weights = [self.free(f"weight{k}", Signal(WEIGHT_BITS)) for k in range(len(edges))]
        for k, weight in enumerate(weights):
            self.assume(f"weight{k}_counts", weight != 0)
        self.array = array = UnionFindArray(plan, 1, weights, with_commit=True)
        alive = self.constant("alive", array.alive)
        events = self.constant("events", array.events)
        seeds = self.constant("seeds", array.seeds)
        self.free("relieved", array.relieved)
        stops = self.free("stops", Signal())
        second, loaded, decoded, flooded, settled = (Signal() for _ in range(5))
        # The first growth stays 0, as in passes after the first; other values are proven above.
        self.assume("idle_at_first", ~self.first | array.idle)
        self.comb += [
            array.held.eq(array.events),
            array.load_base.eq(self.first),
            array.relieve.eq(second & ~self.first),
            array.load.eq(second & ~self.first),
            array.flood.eq(array.done),
        ]
        on = ~self.first & ~second & loaded
        asked, stopping, stopped, age, since = Signal(), Signal(), Signal(), Signal(8), Signal(8)
        self.comb += [
            array.stop.eq(on & (stops | stopping)),
            array.peel.eq(on & flooded & array.idle & ~asked),
        ]
        flooding = Signal(8)
        self.sync += [
            second.eq(self.first),
            If(self.first, *(s.eq(0) for s in (loaded, decoded, flooded, settled, asked, stopping, stopped)), age.eq(0))
            .Else(
                loaded.eq(loaded | second),
                decoded.eq(decoded | array.done),
                flooded.eq(flooded | array.flooded),
                asked.eq(asked | array.peel),
                settled.eq(settled | array.peeled),
                stopping.eq(array.stop),
                stopped.eq(stopped | array.stopped),
                age.eq(age + 1),
                If(array.stop & ~decoded, since.eq(since + 1)).Else(since.eq(0)),
                If(decoded & ~flooded, flooding.eq(flooding + 1)).Else(flooding.eq(0)),
            ),
        ]  # fmt: skip
        # The load is in the cycle of age 0.
        self.always("done_within_bound", ~on | decoded | array.done | (age < plan.bound))
        self.always("stops_at_once", ~on | decoded | array.done | (since < STOP_CYCLES))
        self.always(
            "flooded_within_bound",
            ~on | ~decoded | flooded | array.flooded | (flooding + 1 < plan.flood_bound),
        )
        self.always("dead_edges_are_not_used", ~on | ~settled | ((array.correction & ~alive) == 0))
        parity = [reduce(xor, [array.correction[e] for e in incident], 0) for incident in plan.incident]
        crossing = [array.correction[k] for k, edge in enumerate(plan.edges) if edge.observables]
        fine = ~on | ~settled | array.unmatched
        self.always("explains", fine | (Cat(*parity) == events))
        self.always("flips", fine | (array.observables[0] == reduce(xor, crossing, 0)))
        # Without a stop, events are left over exactly where a component of the living edges is odd and has no boundary.
        parts = components([alive[k] for k in range(len(edges))], plan)
        odd = Signal()
        self.comb += odd.eq(reduce(or_, [
            reduce(xor, [near & event for near, event in zip(part, list(events), strict=True)])
            & ~reduce(or_, [part[e.u] & alive[k] for k, e in enumerate(plan.edges) if e.v == BOUNDARY], 0)
            for part in parts
        ]))  # fmt: skip
        self.always("unmatched", ~on | ~decoded | stopped | (array.unmatched == odd))
        # What is committed holds the seeds, and is not tied to the rest by the correction.
        committed = array.committed
        self.always("seeds_are_committed", ~on | ~flooded | ((seeds & ~committed) == 0))
        torn = [
            array.correction[k] & (committed[e.u] ^ committed[e.v])
            for k, e in enumerate(plan.edges) if e.v != BOUNDARY
        ]  # fmt: skip
        self.always("clusters_are_whole", ~on | ~settled | ~reduce(or_, torn, 0))
        inside = [array.correction[k] & committed[e.u] for k, e in enumerate(plan.edges) if e.observables]
        self.always("committed_flips", fine | (array.committed_observables[0] == reduce(xor, inside, 0)))
        self.always("none_without_seeds", ~on | ~flooded | (seeds != 0) | (committed == 0))

        self.sometime("committed_in_part", on & settled & (committed != 0) & (committed != 2**count - 1))
        self.sometime("floods_over_an_edge", on & settled & ((committed & ~seeds) != 0))
        self.sometime("stopped_too_early", on & settled & stopped)
        self.sometime("dead_and_unmatched", on & settled & array.unmatched & ~stopped)
        self.sometime(
            "dead_and_explained", on & settled & (alive != 2 ** len(edges) - 1) & (array.correction != 0)
        )
        for name in ("idle", "done", "stop", "unmatched", "correction", "committed"):
            self.watch(f"array_{name}", getattr(array, name))


STOP_CYCLES = 4
"""Cycles of `stop` in which the array is done: up to two to the next look, and two from there."""


def components(alive, plan):
    """Vertex -> one bit per vertex: a chain of living edges leads to it (transitive closure after Warshall)."""
    count = len(plan.vertices)
    reach = [[int(i == j) for j in range(count)] for i in range(count)]
    for k, edge in enumerate(plan.edges):
        if edge.v != BOUNDARY:
            reach[edge.u][edge.v] = reach[edge.v][edge.u] = alive[k]
    for via in range(count):
        reach = [[reach[i][j] | (reach[i][via] & reach[via][j]) for j in range(count)] for i in range(count)]
    return reach


WINDOW_CLAIMS_CYCLES = 4  # around the three bounds


def window_problem(name):
    bench = Window(GRAPHS[name])
    plan = bench.plan
    return emit(bench), plan.bound + plan.flood_bound + plan.peel_bound + WINDOW_CLAIMS_CYCLES


@long
@pytest.mark.parametrize("name", ["pair", "triangle"])
def test_passes_of_a_sliding_window(name):
    problem, depth = window_problem(name)
    result = check(problem, depth=depth, engine=SEARCHER, any_start=True)
    assert result, str(result)


@long
def test_stops_floods_and_dead_edges_take_place():
    problem, depth = window_problem("pair")
    result = check(problem, "cover", depth=depth, any_start=True)
    assert result, str(result)


WINDOW_DEFECTS = {
    "dead edges live": (array_module, "cell.open.eq(apart & alive)", "cell.open.eq(apart)"),
    "a stop is not heard": (array_module, ").Elif(self.stop,", ").Elif(0,"),
    "the flood takes half of the tree": (array_module, "tree.eq(tree | peeler.grow)", "tree.eq(peeler.grow)"),
}


@long
@pytest.mark.parametrize("defect", list(WINDOW_DEFECTS))
def test_a_broken_pass_is_refuted(defect, monkeypatch):
    monkeypatch.setattr(
        sys.modules[__name__], "UnionFindArray", mutant(*WINDOW_DEFECTS[defect]).UnionFindArray
    )
    problem, depth = window_problem("pair")
    result = check(problem, depth=depth, engine=SEARCHER, any_start=True)
    assert result.status == "FAIL", str(result)
    assert result.failed, str(result)


class Flood(FormalBench):
    """The flood on a forest of any of the graph's edges, from any seeds, beside the transitive closure."""

    def __init__(self, edges, module=commit_module):
        super().__init__()
        plan = make_plan(edges)
        forest = self.constant("forest", Signal(len(edges)))
        flips = self.constant("flips", Signal(len(plan.vertices)))
        self.flood = flood = module.CommitFlood(plan, forest, [flips[v] for v in range(len(flips))], 1)
        seeds = self.constant("seeds", flood.seeds)
        steps, over = Signal(8), Signal()
        self.comb += [flood.start.eq(self.first), flood.step.eq(~self.first & ~over)]
        self.sync += If(self.first, steps.eq(0), over.eq(0)).Else(
            steps.eq(steps + 1), over.eq(over | flood.settled)
        )
        near = components([forest[k] for k in range(len(edges))], plan)
        tied = [reduce(or_, [bit & seeds[k] for k, bit in enumerate(row)]) for row in near]
        later = ~self.first & over
        self.always("committed_is_what_the_forest_ties_to_a_seed", ~later | (flood.committed == Cat(*tied)))
        parity = reduce(xor, [bit & flips[k] for k, bit in enumerate(tied)])
        self.always("flips_of_the_committed", ~later | (flood.observables[0] == parity))
        self.always("settles_in_time", self.first | over | flood.settled | (steps + 1 < plan.flood_bound))
        self.sometime(
            "one_seed_takes_all", later & (seeds == 1) & (flood.committed == 2 ** len(plan.vertices) - 1)
        )


FLOODED = [(0, 1, 0), (1, 2, 0), (2, 3, 0), (3, 4, 0), (0, 4, 0), (1, 3, 1), (2, 5, 0), (0, B, 0), (5, B, 0)]


def test_the_flood_commits_connected_components():
    problem = emit(Flood(FLOODED))
    result = check(problem, depth=10, engine=SEARCHER, any_start=True)
    assert result, str(result)


@long
def test_a_flood_may_take_all_its_time():
    result = check(emit(Flood(FLOODED)), "cover", depth=10, any_start=True)
    assert result, str(result)


@long
def test_a_flood_beyond_the_forest_is_refuted():
    broken = mutant(commit_module, "neighbours.append(forest[position] & ", "neighbours.append(")
    result = check(emit(Flood(FLOODED, broken)), depth=10, engine=SEARCHER, any_start=True)
    assert result.status == "FAIL", str(result)
    assert "committed_is_what_the_forest_ties_to_a_seed" in result.failed, str(result)
