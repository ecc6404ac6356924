# SPDX-License-Identifier: BSD-2-Clause
"""The windowed model against the array's own model, PyMatching, and the physics of the shots."""

import dataclasses
import functools
import itertools

import numpy as np
import pymatching
import pytest
import stim

from triplane.gateware.decoder.graph import BOUNDARY, compile_graph
from triplane.gateware.decoder.window import NOWHERE, StreamMap, sliding_window, whole_window
from triplane.host.replay.sampling import memory_circuit, without_resets
from triplane.sim.models.decoder.unionfind import UnionFindModel, decode_array
from triplane.sim.models.decoder.window import WindowModel


@functools.cache
def memory(distance, rounds, probability=0.003, resets=True):
    circuit = memory_circuit(distance=distance, rounds=rounds, probability=probability)
    circuit = circuit if resets else without_resets(circuit)
    return circuit, compile_graph(circuit.detector_error_model(decompose_errors=True))


@functools.cache
def plan_of(distance, window, commit, resets=True):
    return sliding_window(memory(distance, 15, resets=resets)[1], window=window, commit=commit)


def shots_of(circuit, plan, graph, shots, seed=5):
    events, flips = circuit.compile_detector_sampler(seed=seed).sample(shots, separate_observables=True)
    return StreamMap.build(plan, graph).layers(events), flips[:, 0]


def unexplained(plan, layers, correction, *, announced=True):
    """Detection events that the committed edges of all windows together do not explain: bool (shots, positions)."""
    left = layers.reshape(len(layers), -1).copy()
    steps = plan.schedule(layers.shape[1], announced=announced)
    for (number, step), (k, edge) in itertools.product(enumerate(steps), enumerate(plan.edges)):
        for vertex in (edge.u, edge.v, edge.outside):
            used = correction[:, number, k]
            if vertex >= 0 and used.any():
                left[:, step.base * plan.width + vertex] ^= used
    # The final measurement lacks detectors: what is handed on to those ends on the boundary.
    for vertex in plan.absent[-1]:
        left[:, steps[-1].base * plan.width + vertex] = False
    return left


@pytest.mark.parametrize(("distance", "rounds", "p"), [(3, 3, 0.02), (5, 5, 0.005), (5, 8, 0.01)])
def test_one_pass_of_a_whole_window_is_the_array(distance, rounds, p):
    circuit, graph = memory(distance, rounds, p)
    plan = whole_window(graph)
    layers, _ = shots_of(circuit, plan, graph, 2000)
    events, _ = circuit.compile_detector_sampler(seed=5).sample(2000, separate_observables=True)
    array = UnionFindModel(graph).decode(events, correction=True)
    window = WindowModel(plan).decode(layers, correction=True)
    np.testing.assert_array_equal(window.frame, array.observables)
    for mine, other in (
        (window.cycles, array.cycles),
        (window.flags, array.flags),
        (window.grow_steps, array.grow_steps),
        (window.merge_steps, array.merge_steps),
        (window.peel_cycles, array.peel_cycles),
        (window.correction, array.correction),
    ):
        np.testing.assert_array_equal(mine[:, 0], other)


def test_a_further_pass_is_the_array_with_relieved_weights():
    circuit, graph = memory(5, 5, 0.002)
    plan = whole_window(graph)
    layers, _ = shots_of(circuit, plan, graph, 300)
    events, _ = circuit.compile_detector_sampler(seed=5).sample(300, separate_observables=True)
    first, second = (WindowModel(plan, passes).decode(layers, correction=True) for passes in (1, 2))
    # The relief, in plain words: the least weight that any edge of the first correction allows
    base = plan.base_weights(0).astype(int)
    weights = np.tile(base, (300, 1))
    helped = np.zeros(300, dtype=bool)
    for k, pairs in enumerate(plan.reliefs):
        for partner, level in pairs:
            used = first.correction[:, 0, partner]
            helped |= used
            relieved = plan.weights[plan.edges[k].classes[0], 1 + level]
            weights[:, k] = np.where(used, np.minimum(weights[:, k], relieved), weights[:, k])
    flips = np.zeros(300, dtype=np.uint32)
    spent, ready = np.zeros((2, 300), dtype=int)
    for tables in UnionFindModel(graph).tables:
        mine = events[:, tables.vertices]
        before = decode_array(tables, mine)
        after = decode_array(tables, mine, weights=weights[:, tables.edge_index], first_growth=0)
        flips ^= np.where(helped, after.observables, before.observables)
        ready = np.maximum(ready, before.cycles.astype(int) + before.peel_cycles)
        spent = np.maximum(spent, after.cycles)
    assert 0.3 < helped.mean() < 1
    np.testing.assert_array_equal(second.frame, flips)
    np.testing.assert_array_equal(second.passes[:, 0], 1 + helped)
    # The correction takes a cycle to look at, relief one per level.
    np.testing.assert_array_equal(second.cycles[:, 0], ready + 1 + np.where(helped, 3 + spent, 0))


def test_a_third_pass_settles_what_two_disagree_about():
    circuit, graph = memory(5, 5, 0.01)
    plan = whole_window(graph)
    layers, _ = shots_of(circuit, plan, graph, 400)
    first, second, third = (WindowModel(plan, passes).decode(layers) for passes in (1, 2, 3))
    agreed = (first.frame == second.frame) & (second.passes[:, 0] == 2)
    disagreed = first.frame != second.frame
    assert agreed.sum() > 100
    assert disagreed.sum() > 15
    np.testing.assert_array_equal(third.frame[agreed], second.frame[agreed])
    np.testing.assert_array_equal(third.passes[agreed, 0], 2)
    # That they agree is known in the cycle after the second pass.
    np.testing.assert_array_equal(third.cycles[agreed, 0], second.cycles[agreed, 0] + 1)
    assert (third.passes[disagreed, 0] == 3).mean() > 0.9
    assert (third.frame != second.frame).any()


@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize(
    ("distance", "window", "commit", "resets"),
    [(3, 5, 2, True), (3, 4, 3, True), (5, 6, 2, True), (3, 6, 2, False), (3, 5, 1, False)],
)
def test_what_is_committed_explains_every_event(distance, window, commit, resets, announced, passes):
    plan = plan_of(distance, window, commit, resets)
    for layers_of_shot in (
        window + 1,
        window + 2,
        window + commit,
        window + commit + 1,
        window + 3 * commit + 1,
    ):
        circuit, graph = memory(distance, layers_of_shot - 1, 0.008, resets)
        layers, _ = shots_of(circuit, plan, graph, 400)
        result = WindowModel(plan, passes).decode(layers, announced=announced, correction=True)
        assert not result.flags.any()
        assert not unexplained(plan, layers, result.correction, announced=announced).any()
        masks = np.array([e.observables for e in plan.edges], dtype=np.uint32)
        flips = np.bitwise_xor.reduce(np.where(result.correction, masks, 0), axis=2)
        np.testing.assert_array_equal(result.observables, flips)
        np.testing.assert_array_equal(result.frame, np.bitwise_xor.reduce(flips, axis=1))


@pytest.mark.parametrize(
    ("distance", "window", "commit", "layers"), [(3, 4, 1, 9), (3, 5, 2, 10), (5, 6, 2, 10)]
)
def test_every_error_of_the_model_is_corrected(distance, window, commit, layers):
    """All single mechanisms, and random pairs where the distance allows two."""
    circuit, graph = memory(distance, layers - 1)
    plan = plan_of(distance, window, commit)
    dem = circuit.detector_error_model()
    errors = [i.targets_copy() for i in dem.flattened() if i.type == "error"]
    events = np.zeros((len(errors), graph.num_detectors), dtype=bool)
    flips = np.zeros(len(errors), dtype=bool)
    for k, targets in enumerate(errors):
        for target in targets:
            if target.is_relative_detector_id():
                events[k, target.val] ^= True
            else:
                flips[k] ^= True
    assert flips.any()
    if distance > 3:
        a, b = np.random.default_rng(7).integers(len(errors), size=(2, 20_000))
        # Union-find guarantees pairs only where their clusters stay apart; compare on those that matching solves.
        both, wanted = events[a] ^ events[b], flips[a] ^ flips[b]
        solved = pymatching.Matching(circuit.detector_error_model(decompose_errors=True)).decode_batch(both)[
            :, 0
        ]
        assert np.mean(solved == wanted) > 0.999
        missed = np.mean(
            WindowModel(plan).decode(StreamMap.build(plan, graph).layers(both), timing=False).frame != wanted
        )
        whole = whole_window(graph)
        missed_whole = np.mean(
            WindowModel(whole).decode(StreamMap.build(whole, graph).layers(both), timing=False).frame
            != wanted
        )
        assert missed <= missed_whole + 0.002
    for announced in (True, False):
        result = WindowModel(plan).decode(StreamMap.build(plan, graph).layers(events), announced=announced)
        np.testing.assert_array_equal(result.frame, flips)


def chain(layers):
    """Two checks of a repetition code whose measurement errors are far likelier than those of data."""
    lines = [f"detector({x}, {t}) D{2 * t + x}" for t in range(layers) for x in (0, 1)]
    for d in range(0, 2 * layers, 2):
        lines += [f"error(5e-4) D{d} D{d + 1}", f"error(5e-4) D{d} L0", f"error(5e-4) D{d + 1}"]
        if d + 2 < 2 * layers:
            lines += [f"error(0.04) D{d} D{d + 2}", f"error(0.04) D{d + 1} D{d + 3}"]
    return compile_graph(stim.DetectorErrorModel("\n".join(lines)))


def test_a_cluster_across_the_seam_hands_one_event_on():
    graph = chain(12)
    plan = sliding_window(graph, window=2, commit=1)
    layers = np.zeros((1, 12, 2), dtype=bool)
    layers[0, 4:6, 0] = True  # a measurement error between layers 4 and 5: seen whole when layer 5 has come
    layers[0, 7, 1] = layers[0, 9, 1] = True  # two in a row: layers 7 to 9 do not fit a window of 2
    result = WindowModel(plan).decode(layers, correction=True)
    used = [
        (int(number), plan.edges[k].u, plan.edges[k].v, plan.edges[k].outside)
        for _, number, k in np.argwhere(result.correction)
    ]
    # Window 7 sees the event of layer 7 alone; it hands one on to layer 9, where it meets the other.
    assert used == [(4, 0, 2, -1), (7, 1, 3, -1), (7, 3, -1, 5)]
    assert result.frame[0] == 0
    assert not unexplained(plan, layers, result.correction).any()


def test_arrays_that_commit_nothing_may_be_left_out():
    circuit, graph = memory(5, 15, 0.004)
    plan = plan_of(5, 6, 2)
    layers, _ = shots_of(circuit, plan, graph, 1500)
    for passes in (1, 2):
        model = WindowModel(plan, passes)
        full = model.decode(layers)
        fast = model.decode(layers, timing=False)
        np.testing.assert_array_equal(fast.observables, full.observables)
        assert full.cycles.min() >= 2
        assert not fast.cycles.any()


@pytest.mark.parametrize(("passes", "limit"), [(1, 1.12), (2, 1.2)])
def test_windows_fail_little_more_often_than_the_whole_history(passes, limit):
    circuit, graph = memory(3, 20, 0.006)
    plan = plan_of(3, 6, 2)
    layers, flips = shots_of(circuit, plan, graph, 20_000)
    windowed = WindowModel(plan, passes).decode(layers, timing=False).frame != flips
    whole_plan = whole_window(graph)
    stretched, _ = shots_of(circuit, whole_plan, graph, 20_000)
    whole = WindowModel(whole_plan, passes).decode(stretched).frame != flips
    events, _ = circuit.compile_detector_sampler(seed=5).sample(20_000, separate_observables=True)
    matching = pymatching.Matching(circuit.detector_error_model(decompose_errors=True))
    matched = matching.decode_batch(events)[:, 0] != flips
    assert 0.97 * whole.sum() < windowed.sum() < limit * whole.sum()
    assert 0.7 * matched.sum() < windowed.sum() < 1.4 * matched.sum()
    # A window that is too short must show, or this test shows nothing.
    short = plan_of(3, 2, 1)
    assert (WindowModel(short, passes).decode(layers, timing=False).frame != flips).sum() > 1.15 * whole.sum()


def test_committed_edges_that_are_remembered_help_the_second_pass():
    circuit, graph = memory(5, 20, 0.006)
    plan = plan_of(5, 6, 1)
    layers, flips = shots_of(circuit, plan, graph, 4000)
    forgetful = dataclasses.replace(plan)
    vars(forgetful)["older"] = (NOWHERE,) * len(plan.edges)  # nothing stays in the window as it moves on
    with_past, without = (WindowModel(p, 2).decode(layers, correction=True) for p in (plan, forgetful))
    assert not unexplained(plan, layers, with_past.correction).any()
    assert np.count_nonzero(with_past.frame != flips) < np.count_nonzero(without.frame != flips)
    # One pass has no relief.
    for timing in (True, False):
        one, other = (WindowModel(p).decode(layers, timing=timing) for p in (plan, forgetful))
        np.testing.assert_array_equal(one.observables, other.observables)


def place(plan, number, base):
    """What an edge of the window connects in the shot."""
    edge = plan.edges[number]
    ends = (edge.u, edge.v if edge.outside == NOWHERE else edge.outside)
    return (*(v if v == BOUNDARY else v + base * plan.width for v in ends), edge.observables)


@pytest.mark.parametrize("announced", [True, False])
def test_committed_edges_ask_for_a_second_pass_while_they_are_in_the_window(announced):
    circuit, graph = memory(3, 20, 0.006)
    plan = plan_of(3, 5, 2)
    layers, _ = shots_of(circuit, plan, graph, 300)
    steps = plan.schedule(layers.shape[1], announced=announced)
    result = WindowModel(plan, 2).decode(layers, announced=announced, correction=True)
    partners = {partner for pairs in plan.reliefs for partner, _ in pairs}
    asked = {kind: [0, 0] for kind in range(3)}
    for events, correction, passes in zip(layers, result.correction, result.passes, strict=True):
        committed = set()
        left = events.reshape(-1).copy()
        for step, used, count in zip(steps, correction, passes, strict=True):
            past = any(place(plan, k, step.base) in committed for k in partners)
            if past:
                assert count == 2
            if not left[step.base * plan.width :][: plan.num_vertices].any():
                assert count == 1 + past
                asked[step.kind][past] += 1
            for *ends, observables in (place(plan, k, step.base) for k in np.flatnonzero(used)):
                committed.add((*ends, observables))
                left[[v for v in ends if v != BOUNDARY]] ^= True
    assert not asked[0][1]
    assert min(asked[1]) > 0
    assert min(asked[2]) > 0


def test_an_event_that_nothing_explains_is_flagged():
    dem = stim.DetectorErrorModel("error(0.1) D0 D1\nerror(0.1) D1 D2")
    graph = compile_graph(dem)
    plan = whole_window(graph)
    result = WindowModel(plan).decode(np.array([[[1, 0, 0]], [[1, 0, 1]]], dtype=bool))
    assert result.flags[:, 0].tolist() == [1, 0]


def test_arguments_out_of_range():
    plan = plan_of(3, 5, 2)
    with pytest.raises(ValueError, match="passes must be at least 1, not 0"):
        WindowModel(plan, 0)
    with pytest.raises(ValueError, match="2 passes need alternative weights"):
        WindowModel(whole_window(memory(3, 3)[1], levels=0), 2)
    with pytest.raises(ValueError, match=r"shape \(4, 9\), the window needs \(shots, layers, 8\)"):
        WindowModel(plan).decode(np.zeros((4, 9), dtype=bool))
    with pytest.raises(ValueError, match="take at least 6 layers or a window of the whole shot"):
        WindowModel(plan).decode(np.zeros((4, 5, 8), dtype=bool))
