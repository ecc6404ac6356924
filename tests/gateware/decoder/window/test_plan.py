# SPDX-License-Identifier: BSD-2-Clause
"""Plans of windows against the graphs that they were cut from, edge by edge."""

import dataclasses
import functools

import numpy as np
import pytest
import stim

from triplane.gateware.decoder.correlations import compile_reliefs
from triplane.gateware.decoder.graph import BOUNDARY, GraphError, compile_graph
from triplane.gateware.decoder.window import NOWHERE, StreamMap, default_window, sliding_window, whole_window
from triplane.gateware.decoder.window.compile import END_LAYERS
from triplane.host.replay.sampling import memory_circuit, without_resets

CODES = ((3, 5, 2), (5, 7, 3))
"""Distance, W, C."""


@functools.cache
def memory_graph(distance, rounds, resets=True):
    circuit = memory_circuit(distance=distance, rounds=rounds, probability=0.003)
    circuit = circuit if resets else without_resets(circuit)
    return compile_graph(circuit.detector_error_model(decompose_errors=True))


def edges_of_slice(graph, plan, base):
    """Window edge (u, v, outside, observables) -> graph edge, of the graph's layers from `base` on."""
    position = StreamMap.build(plan, graph).positions - base * plan.width
    found = {}
    for index, e in enumerate(graph.edges):
        ends = sorted(int(position[d]) for d in ((e.u,) if e.v == BOUNDARY else (e.u, e.v)))
        inside = [v for v in ends if v < plan.num_vertices]
        if ends[0] < 0 or not inside:
            continue
        outside = ends[-1] if len(inside) < len(ends) else NOWHERE
        found[ends[0], inside[1] if len(inside) == 2 else BOUNDARY, outside, e.observables] = index
    return found


@pytest.mark.parametrize("tolerance", [0, 1])
@pytest.mark.parametrize("resets", [True, False])
@pytest.mark.parametrize(("distance", "window", "commit"), CODES)
def test_every_kind_of_window_is_its_slice_of_the_graph(distance, window, commit, resets, tolerance):
    graph = memory_graph(distance, 3 * window, resets)
    plan = sliding_window(graph, window=window, commit=commit, tolerance=tolerance)
    assert plan.reach == (1 if resets else 2)
    layers = len(graph.layers)
    assert plan.kinds == ("first", "middle", "last")
    ends = END_LAYERS + plan.reach - 1
    for kind, bases in enumerate(((0,), (ends, ends + 1, window), (layers - window,))):
        for base in bases:
            expected = edges_of_slice(graph, plan, base)
            weights = plan.base_weights(kind)
            alive = {
                (e.u, e.v, e.outside, e.observables): int(w)
                for e, w in zip(plan.edges, weights, strict=True)
                if w
            }
            assert alive.keys() == expected.keys()
            for key, index in expected.items():
                weight = int(graph.weights[graph.edges[index].weight_class])
                assert abs(alive[key] - weight) <= (tolerance if kind != 1 else 0)
            for e in plan.edges:
                ends = [e.u] if e.v == BOUNDARY else [e.u, e.v]
                assert e.layer == min(v // plan.width for v in ends)


@pytest.mark.parametrize(("distance", "window", "commit"), CODES)
def test_the_middle_is_relieved_as_the_long_graph_is(distance, window, commit):
    graph = memory_graph(distance, 3 * window)
    plan = sliding_window(graph, window=window, commit=commit)
    reliefs = compile_reliefs(graph)
    index_of = edges_of_slice(graph, plan, window)
    window_edge = {index_of.get((e.u, e.v, e.outside, e.observables)): k for k, e in enumerate(plan.edges)}
    checked = 0
    for k, e in enumerate(plan.edges):
        index = index_of.get((e.u, e.v, e.outside, e.observables))
        if index is None:
            continue  # not in the middle
        alive = {p: level for p, level in plan.reliefs[k] if plan.edges[p].classes[1] != NOWHERE}
        expected = {window_edge[p]: level for p, level in reliefs.partners[index] if p in window_edge}
        assert alive == expected
        for level in alive.values():
            assert plan.weights[e.classes[1], 1 + level] == reliefs.weights[index, level]
            checked += 1
    assert checked > 100 * distance


def test_alternatives_ascend_below_the_base_weight():
    plan = sliding_window(memory_graph(5, 21), window=7, commit=3)
    assert plan.weights.shape == (plan.num_classes, 4)
    assert np.all(np.diff(plan.weights[:, 1:].astype(int), axis=1) >= 0)
    assert np.all(plan.weights[:, 3] <= plan.weights[:, 0])
    assert plan.weights.min() >= 1
    assert plan.first_growth == min(plan.base_weights(k)[plan.base_weights(k) > 0].min() for k in range(3))


def test_copies_of_the_repeating_layer_share_a_class():
    graph = memory_graph(5, 21)
    plan = sliding_window(graph, window=7, commit=3)
    time = [int(c[2]) for c in graph.coordinates]
    repeated = sum(min(time[e.u], time[e.v] if e.v != BOUNDARY else 99) == 10 for e in graph.edges)
    shared = {}
    for e in plan.edges:
        if e.classes[1] == NOWHERE:
            continue
        end = e.outside if e.outside != NOWHERE else e.v
        shape = (e.u % plan.width, BOUNDARY if end == BOUNDARY else end - e.layer * plan.width, e.observables)
        shared.setdefault(shape, set()).add(e.classes[1])
    assert {len(classes) for classes in shared.values()} == {1}
    assert len(shared) == repeated


def test_copies_near_the_ends_share_a_class_where_they_weigh_nearly_the_same():
    graph = memory_graph(5, 21)
    counts = [sliding_window(graph, window=7, commit=3, tolerance=t).num_classes for t in (0, 1, 2)]
    assert counts[0] > 1.2 * counts[1] > 1.2 * counts[2]
    assert sliding_window(graph, window=7, commit=3).num_classes == counts[1]
    with pytest.raises(ValueError, match="tolerance must be 0 or more, not -1"):
        sliding_window(graph, window=7, commit=3, tolerance=-1)


@pytest.mark.parametrize("resets", [True, False])
def test_an_edge_grows_older_into_its_copy(resets):
    plan = sliding_window(memory_graph(5, 21, resets), window=7, commit=3)
    for k, older in enumerate(plan.older):
        edge = plan.edges[k]
        if older == NOWHERE:
            assert edge.layer == 0 or edge.classes[1] == NOWHERE
            continue
        copy = plan.edges[older]
        assert (copy.layer, copy.u) == (edge.layer - 1, edge.u - plan.width)
        assert NOWHERE in (copy.classes[1], edge.classes[1]) or copy.classes[1] == edge.classes[1]
        if edge.outside != NOWHERE:
            nearer = edge.outside - plan.width
            inside = nearer < plan.num_vertices
            assert (copy.v, copy.outside) == ((nearer, NOWHERE) if inside else (BOUNDARY, nearer))
            assert inside or not resets
    assert sum(k != NOWHERE for k in plan.older) > len(plan.edges) * 5 // 7


def test_the_arrays_are_the_two_bases():
    plan = sliding_window(memory_graph(3, 15), window=5, commit=2)
    assert sorted(v for component in plan.components for v in component) == list(range(40))
    assert [len(component) for component in plan.components] == [20, 20]
    array_of = {v: k for k, component in enumerate(plan.components) for v in component}
    assert all(array_of[e.u] == array_of[e.v] for e in plan.edges if e.v != BOUNDARY)


def test_a_whole_window_is_the_graph():
    graph = memory_graph(3, 4)
    plan = whole_window(graph)
    reliefs = compile_reliefs(graph)
    assert [(e.u, e.v, e.observables) for e in plan.edges] == [(e.u, e.v, e.observables) for e in graph.edges]
    assert plan.slots == graph.layers
    assert plan.components == graph.components
    assert plan.first_growth == graph.first_growth
    np.testing.assert_array_equal(plan.base_weights(0), graph.weights[[e.weight_class for e in graph.edges]])
    assert plan.reliefs == reliefs.partners
    np.testing.assert_array_equal(plan.weights[[e.classes[0] for e in plan.edges], 1:], reliefs.weights)


def test_the_table_is_a_word_per_class():
    plan = sliding_window(memory_graph(3, 15), window=5, commit=2)
    assert len(plan.table) == 1 + plan.num_classes
    assert plan.table[0] == plan.first_growth
    np.testing.assert_array_equal(
        plan.table[1:].astype("<u4").view(np.uint8).reshape(-1, 4), plan.weights.astype(np.uint8)
    )
    heavier = dataclasses.replace(plan, weights=plan.weights + np.uint16(1))
    assert heavier.structure_hash == plan.structure_hash
    assert heavier.table_hash != plan.table_hash
    assert heavier.table_crc != plan.table_crc
    wide = whole_window(memory_graph(3, 4), levels=None)
    with pytest.raises(ValueError, match="a word of the table holds 4 weights of 8 bits"):
        _ = wide.table


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize(("window", "commit"), [(2, 1), (5, 2), (8, 3), (8, 7)])
def test_the_windows_of_a_shot_tile_it(window, commit, announced):
    plan = sliding_window(memory_graph(3, 15), window=window, commit=commit)
    for layers in range(window + 1, window + 4 * commit + 3):
        steps = plan.schedule(layers, announced=announced)
        settled = 0
        for step in steps:
            assert step.base + step.settled == settled
            settled = step.base + step.commit
        assert settled == layers
        assert [step.kind for step in steps] == [0, *[1] * (len(steps) - 2), 2]
        assert steps[-1].base == layers - window
        assert all(step.commit <= commit for step in steps[:-1])
        assert all(step.commit == commit for step in steps[1:-1])
        assert 0 <= steps[-1].settled < commit
        if announced:
            assert all(step.settled == 0 for step in steps)
    with pytest.raises(ValueError, match=f"take at least {window + 1} layers or a window of the whole shot"):
        plan.schedule(window, announced=announced)


def test_a_window_of_a_whole_shot_has_one_step():
    plan = whole_window(memory_graph(3, 4))
    assert [(s.base, s.kind, s.commit) for s in plan.schedule(5)] == [(0, 0, 5)]
    with pytest.raises(ValueError, match="holds shots of 5 layers, not 6"):
        plan.schedule(6)


def test_rounds_are_packed_by_place():
    long, short = memory_graph(3, 15), memory_graph(3, 9)
    plan = sliding_window(long, window=5, commit=2)
    stream = StreamMap.build(plan, short)
    rng = np.random.default_rng(1)
    events = rng.random((20, short.num_detectors)) < 0.3
    words = stream.pack(events)
    assert words.shape == (20, len(short.layers), 1)
    for detector, column in enumerate(events.T):
        place = plan.places.index(short.coordinates[detector][:2])
        layer = int(short.coordinates[detector][2])
        np.testing.assert_array_equal(words[:, layer, 0] >> np.uint32(place) & 1, column)
    assert np.unpackbits(words.view(np.uint8)).sum() == events.sum()
    whole = memory_graph(3, 4)
    some = rng.random((20, whole.num_detectors)) < 0.3
    np.testing.assert_array_equal(
        StreamMap.build(whole_window(whole), whole).pack(some), whole.pack_events(some)
    )


def test_what_does_not_fit_is_refused():
    graph = memory_graph(3, 15)
    plan = sliding_window(graph, window=5, commit=2)
    with pytest.raises(GraphError, match="16 layers is too short to cut windows of 13 layers"):
        sliding_window(graph, window=13, commit=2)
    with pytest.raises(ValueError, match="commit must be 1 to 4 layers for a window of 5, not 5"):
        sliding_window(graph, window=5, commit=5)
    with pytest.raises(ValueError, match="window must be at least 2 layers, not 1"):
        sliding_window(graph, window=1, commit=1)
    with pytest.raises(ValueError, match="no slot for detector"):
        StreamMap.build(plan, memory_graph(5, 21))
    other_basis = stim.Circuit.generated(
        "surface_code:rotated_memory_x", distance=3, rounds=15, after_clifford_depolarization=0.003
    )
    with pytest.raises(ValueError, match="compile it from a shot with the same ends"):
        StreamMap.build(plan, compile_graph(other_basis.detector_error_model(decompose_errors=True)))
    with pytest.raises(ValueError, match=r"shape \(2, 3\), the graph needs"):
        StreamMap.build(plan, graph).pack(np.zeros((2, 3), dtype=bool))


def chain(layers, edit=()):
    """Repetition code of two checks over so many layers, with edits appended."""
    lines = [f"detector({x}, {t}) D{2 * t + x}" for t in range(layers) for x in (0, 1)]
    for t in range(layers):
        lines += [
            f"error(0.01) D{2 * t} D{2 * t + 1}",
            f"error(0.01) D{2 * t} L0",
            f"error(0.01) D{2 * t + 1}",
        ]
        if t:
            lines += [f"error(0.02) D{2 * t - 2 + x} D{2 * t + x}" for x in (0, 1)]
    return compile_graph(stim.DetectorErrorModel("\n".join([*lines, *edit])))


def test_layers_that_do_not_repeat_are_refused():
    assert sliding_window(chain(12), window=4, commit=1).num_vertices == 8
    with pytest.raises(GraphError, match="layer 4 differs from layer 6 in edge D8 D9"):
        sliding_window(chain(12, ["error(0.2) D8 D9"]), window=4, commit=1)
    with pytest.raises(GraphError, match="layer 3 differs from layer 6 in edge D6 D9"):
        sliding_window(chain(12, ["error(0.1) D6 D9"]), window=4, commit=1)
    with pytest.raises(GraphError, match="edge D6 D12 spans layers 3 to 6"):
        sliding_window(chain(12, ["error(0.1) D6 D12"]), window=4, commit=1)
    with pytest.raises(GraphError, match="detector 24 of layer 3 has no counterpart in layer 6"):
        sliding_window(chain(12, ["detector(5, 3) D24", "error(0.1) D24"]), window=4, commit=1)


def test_the_default_window_grows_with_the_distance():
    assert [default_window(d) for d in (3, 5, 7, 9)] == [(5, 2), (8, 3), (11, 4), (14, 5)]
    with pytest.raises(ValueError, match="distance must be odd and at least 3, not 4"):
        default_window(4)
