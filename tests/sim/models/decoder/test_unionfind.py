# SPDX-License-Identifier: BSD-2-Clause
"""The golden model against PyMatching, Stim, real data, Helios' vectors and a union-find written for this test."""

import dataclasses
import itertools
from collections import Counter

import numpy as np
import pymatching
import pytest
import stim
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from triplane.gateware.decoder.graph import BOUNDARY, DecodingGraph, compile_graph
from triplane.gateware.decoder.layouts import UNMATCHED
from triplane.gateware.decoder.unionfind.plan import ArrayEdge, plan_arrays
from triplane.sim.models.decoder.unionfind import ArrayTables, UnionFindModel, committed_by, decode_array


def memory(distance: int, p: float, basis: str = "z", rounds: int | None = None) -> stim.Circuit:
    return stim.Circuit.generated(
        f"surface_code:rotated_memory_{basis}",
        distance=distance,
        rounds=rounds or distance,
        after_clifford_depolarization=p,
        before_round_data_depolarization=p,
        before_measure_flip_probability=p,
        after_reset_flip_probability=p,
    )


def check(graph: DecodingGraph, events: np.ndarray) -> np.ndarray:
    """Every correction explains its events and crosses the predicted observables; returns the predictions."""
    result = UnionFindModel(graph).decode(events, correction=True)
    assert result.correction is not None
    matched = (result.flags & UNMATCHED) == 0
    np.testing.assert_array_equal(graph.syndrome_of(result.correction)[matched], events[matched])
    np.testing.assert_array_equal(
        graph.observables_of(result.correction)[matched], result.observables[matched]
    )
    assert result.cycles.max() <= max(plan.bound for plan in plan_arrays(graph))
    return result.observables


@pytest.mark.parametrize(("distance", "p"), [(3, 0.01), (5, 0.003), (5, 0.01), (7, 0.005)])
@pytest.mark.parametrize("basis", ["x", "z"])
def test_corrections_explain_their_events_and_fail_little_more_than_matching(distance, p, basis):
    circuit = memory(distance, p, basis)
    dem = circuit.detector_error_model(decompose_errors=True)
    events, flips = circuit.compile_detector_sampler(seed=distance).sample(4000, separate_observables=True)
    predicted = check(compile_graph(dem), events)
    failures = np.count_nonzero(predicted != flips[:, 0])
    matching = np.count_nonzero(pymatching.Matching(dem).decode_batch(events)[:, 0] != flips[:, 0])
    assert failures <= 1.35 * matching + 4 * np.sqrt(matching + 1)


def sycamore(published_data, name: str) -> tuple[stim.DetectorErrorModel, np.ndarray, np.ndarray, np.ndarray]:
    folder = published_data("google_sycamore_2022") / name
    dem = stim.DetectorErrorModel.from_file(folder / "circuit_detector_error_model.dem")
    events = stim.read_shot_data_file(
        path=folder / "detection_events.b8", format="b8", num_detectors=dem.num_detectors
    )
    actual, google = (
        stim.read_shot_data_file(path=folder / f"obs_flips_{kind}.01", format="01", num_observables=1)[:, 0]
        for kind in ("actual", "predicted_by_pymatching")
    )
    return dem, events, actual, google


@pytest.mark.parametrize(
    ("name", "limit", "published"),
    [
        ("surface_code_bX_d5_r05_center_5_5", 0.162, 0.1482),
        ("surface_code_bX_d3_r05_center_3_5", 0.166, 0.1565),
        ("surface_code_bX_d3_r01_center_3_5", 0.018, 0.0159),
    ],
)
def test_sycamore(published_data, name, limit, published):
    dem, events, actual, google = sycamore(published_data, name)
    assert np.mean(google != actual) == pytest.approx(
        published, abs=1e-4
    )  # the data are what we think they are
    assert np.mean(check(compile_graph(dem), events) != actual) <= limit


def test_unit_weights_fail_more_often_than_log_likelihoods(published_data):
    dem, events, actual, _ = sycamore(published_data, "surface_code_bX_d5_r05_center_5_5")
    graph = compile_graph(dem)
    unit = dataclasses.replace(graph, weights=np.ones_like(graph.weights))
    assert (
        np.mean(check(unit, events[:10000]) != actual[:10000])
        > np.mean(check(graph, events[:10000]) != actual[:10000]) + 0.02
    )


def test_peers_own_shots(published_data):
    folder = published_data("beliefmatching_tests")
    dem = stim.DetectorErrorModel.from_file(next(folder.glob("*.dem")))
    shots = stim.read_shot_data_file(
        path=next(folder.glob("*.b8")), format="b8", num_detectors=336, num_observables=1
    )
    events, flips = shots[:, :336], shots[:, 336]
    failures = np.count_nonzero(check(compile_graph(dem), events) != flips)
    assert failures <= 22  # matching fails 11 of the 500


def test_a_toric_code_has_no_boundary(published_data):
    folder = published_data("pymatching_data")
    dem = stim.DetectorErrorModel.from_file(next(folder.glob("toric*.dem")))
    shots = stim.read_shot_data_file(
        path=next(folder.glob("toric*.b8")),
        format="b8",
        num_detectors=dem.num_detectors,
        num_observables=dem.num_observables,
    )
    events = shots[:, : dem.num_detectors]
    flips = np.packbits(shots[:, dem.num_detectors :], axis=1, bitorder="little")[:, 0]
    graph = compile_graph(dem)
    assert not any(edge.v == BOUNDARY for edge in graph.edges)
    failures = np.count_nonzero(check(graph, events) != flips)
    predictions = pymatching.Matching(dem).decode_batch(events)
    matching = np.count_nonzero(np.packbits(predictions, axis=1, bitorder="little")[:, 0] != flips)
    assert failures <= 1.5 * matching + 4 * np.sqrt(matching + 1)


def test_an_odd_syndrome_without_boundary_is_flagged():
    graph = compile_graph(stim.DetectorErrorModel("error(0.1) D0 D1\nerror(0.1) D1 D2\ndetector D3"))
    events = np.array([[1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]], dtype=bool)
    assert UnionFindModel(graph).decode(events).flags.tolist() == [UNMATCHED, 0, UNMATCHED, UNMATCHED]


def test_single_errors_are_corrected():
    circuit = memory(5, 0.001)
    dem = circuit.detector_error_model(decompose_errors=True)
    graph = compile_graph(dem)
    events = np.zeros((len(graph.edges), graph.num_detectors), dtype=bool)
    for row, edge in enumerate(graph.edges):
        events[row, [d for d in (edge.u, edge.v) if d != BOUNDARY]] = True
    np.testing.assert_array_equal(check(graph, events), [edge.observables for edge in graph.edges])


def test_nothing_seen_is_nothing_done():
    graph = compile_graph(memory(3, 0.001).detector_error_model(decompose_errors=True))
    result = UnionFindModel(graph).decode(np.zeros((1, graph.num_detectors), dtype=bool), correction=True)
    assert (result.observables[0], result.cycles[0], result.grow_steps[0], result.merge_steps[0]) == (
        0,
        2,
        0,
        0,
    )
    assert result.correction is not None
    assert not result.correction.any()


def test_the_commit_flood_takes_the_clusters_of_its_seeds():
    graph = compile_graph(memory(5, 0.001).detector_error_model(decompose_errors=True))
    plan = plan_arrays(graph)[0]
    tables = ArrayTables.build(plan, graph)
    rng = np.random.default_rng(5)
    events = rng.random((300, len(plan.vertices))) < 0.12
    seeds = events & (rng.random(events.shape) < 0.3)
    forest = decode_array(tables, events).forest
    committed, cycles = committed_by(tables, forest, seeds)
    ends = np.array([(e.u, e.v) for e in plan.edges])
    inner = ends[:, 1] != BOUNDARY
    for shot, joined in enumerate(forest):
        u, v = ends[joined & inner].T
        matrix = coo_array((np.ones(len(u)), (u, v)), shape=(len(plan.vertices),) * 2)
        _, label = connected_components(matrix, directed=False)
        np.testing.assert_array_equal(committed[shot], np.isin(label, label[seeds[shot]]))
    assert (cycles == 1).any()
    assert 3 < cycles.max() <= plan.flood_bound


def test_a_dead_edge_is_not_there():
    graph = compile_graph(memory(3, 0.001).detector_error_model(decompose_errors=True))
    plan = plan_arrays(graph)[0]
    rng = np.random.default_rng(6)
    alive = rng.random(len(plan.edges)) < 0.8
    smaller = dataclasses.replace(
        plan, edges=tuple(e for e, lives in zip(plan.edges, alive, strict=True) if lives)
    )
    events = rng.random((500, len(plan.vertices))) < 0.2
    dead = decode_array(ArrayTables.build(plan, graph), events, alive=alive)
    absent = decode_array(ArrayTables.build(smaller, graph), events)
    assert not dead.correction[:, ~alive].any()
    np.testing.assert_array_equal(dead.correction[:, alive], absent.correction)
    for name in ("observables", "cycles", "unmatched", "grow_steps", "merge_steps", "peel_cycles"):
        np.testing.assert_array_equal(getattr(dead, name), getattr(absent, name))


def test_the_cheaper_of_two_boundary_edges_is_used():
    graph = compile_graph(stim.DetectorErrorModel("error(0.1) D0 L0\nerror(0.01) D0 D1\nerror(0.1) D1"))
    (plan,) = plan_arrays(graph)
    second = ArrayEdge(len(plan.edges), 0, BOUNDARY, 2, graph.edges[0].weight_class)
    tables = ArrayTables.build(dataclasses.replace(plan, edges=(*plan.edges, second)), graph)
    events = np.array([[1, 0]], dtype=bool)
    for weights, edge, flips in (([4, 30, 4, 9], 0, 1), ([9, 30, 4, 4], 3, 2)):
        found = decode_array(tables, events, weights=weights, first_growth=4)
        assert np.flatnonzero(found.correction[0]).tolist() == [edge]
        assert found.observables.tolist() == [flips]


def test_wrong_width_is_refused():
    model = UnionFindModel(compile_graph(stim.DetectorErrorModel("error(0.1) D0 D1")))
    with pytest.raises(ValueError, match=r"shape \(4, 3\), the graph needs \(shots, 2\)"):
        model.decode(np.zeros((4, 3), dtype=bool))


# Helios (BSD-3): planar d x (d - 1) x d grid, unit weights, boundaries at both ends of z.


def helios_graph(d: int) -> DecodingGraph:
    def number(k: int, x: int, z: int) -> int:
        return (k * d + x) * (d - 1) + z

    dem = stim.DetectorErrorModel()
    for k, x, z in itertools.product(range(d), range(d), range(d - 1)):
        near = (
            [(k + 1, x, z)] * (k + 1 < d) + [(k, x + 1, z)] * (x + 1 < d) + [(k, x, z + 1)] * (z + 1 < d - 1)
        )
        ends = [[number(k, x, z), number(*n)] for n in near] + [[number(k, x, z)]] * (z in (0, d - 2))
        for end in ends:
            dem.append("error", 0.1, [stim.target_relative_detector_id(v) for v in end])
    graph = compile_graph(dem, weight_bits=2)
    return dataclasses.replace(graph, weights=np.ones_like(graph.weights))


def helios_vectors(published_data, d: int) -> tuple[np.ndarray, np.ndarray]:
    folder = published_data("helios_uf_vectors")
    defects, roots = (
        np.array([int(word, 16) for word in (folder / f"{kind}_data_{d}.txt").read_text().split()]).reshape(
            -1, d * d * (d - 1) + 1
        )
        for kind in ("input", "output")
    )
    np.testing.assert_array_equal(defects[:, 0], roots[:, 0])
    k, x, z = (roots[:, 1:] >> shift & 0xFF for shift in (16, 8, 0))
    return defects[:, 1:].astype(bool), (k * d + x) * (d - 1) + z


# In eight of Helios' 448 published shots, all at high density, its own answer is not a fixed point of union-find. In
# six it is the state after two growth steps with odd clusters left that reach no boundary; in two a cluster at rest
# has grown on.
HELIOS_UNFINISHED = {3: [], 5: [228], 7: [192, 194, 200, 204, 206]}
HELIOS_OVERGROWN = {3: [], 5: [], 7: [190, 197]}


def reference_clusters(
    graph: DecodingGraph, defects: np.ndarray, max_growths: int = 10**6
) -> tuple[np.ndarray, int]:
    """Textbook union-find with unit weights: (least vertex of each vertex's cluster, odd clusters left)."""
    support = [0] * len(graph.edges)
    parent = list(range(graph.num_detectors))
    grounded: set[int] = set()

    def root(v: int) -> int:
        while parent[v] != v:
            v = parent[v]
        return v

    growths = 0
    while True:
        count = Counter(root(int(v)) for v in np.flatnonzero(defects))
        closed = {root(v) for v in grounded}
        active = {c for c, k in count.items() if k % 2 and c not in closed}
        if not active or growths == max_growths:
            return np.array([root(v) for v in range(graph.num_detectors)]), len(active)
        rates = [
            0
            if e.v != BOUNDARY and root(e.u) == root(e.v)
            else (root(e.u) in active) + (e.v != BOUNDARY and root(e.v) in active)
            for e in graph.edges
        ]
        for k, edge in enumerate(graph.edges):
            support[k] += rates[k]
            if support[k] >= 2 and edge.v == BOUNDARY:
                grounded.add(edge.u)
            elif support[k] >= 2:
                a, b = sorted((root(edge.u), root(edge.v)))
                parent[b] = a
        growths += 1


@pytest.mark.parametrize("d", [3, 5, 7])
def test_clusters_are_those_of_helios(published_data, d):
    graph = helios_graph(d)
    defects, roots = helios_vectors(published_data, d)
    clusters = UnionFindModel(graph).clusters(defects)
    different = np.flatnonzero((clusters != roots).any(axis=1)).tolist()
    assert different == sorted(HELIOS_UNFINISHED[d] + HELIOS_OVERGROWN[d])
    for shot in HELIOS_UNFINISHED[d]:
        early, odd = reference_clusters(graph, defects[shot], max_growths=2)
        assert odd > 0
        np.testing.assert_array_equal(early, roots[shot])
    for shot in different:
        np.testing.assert_array_equal(reference_clusters(graph, defects[shot])[0], clusters[shot])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.5))
def test_clusters_are_those_of_textbook_union_find(seed, density):
    graph = helios_graph(3)
    defects = np.random.default_rng(seed).random((1, graph.num_detectors)) < density
    np.testing.assert_array_equal(
        UnionFindModel(graph).clusters(defects)[0], reference_clusters(graph, defects[0])[0]
    )
