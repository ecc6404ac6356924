# SPDX-License-Identifier: BSD-2-Clause
import math

import numpy as np
import pymatching
import pytest
import stim
from hypothesis import given, settings
from hypothesis import strategies as st

from triplane.gateware.decoder.graph import BOUNDARY, GraphError, compile_graph


def graph_of(text: str, **options):
    return compile_graph(stim.DetectorErrorModel(text), **options)


def surface(
    distance: int, rounds: int, p: float = 0.003, task: str = "rotated_memory_x"
) -> stim.DetectorErrorModel:
    return stim.Circuit.generated(
        f"surface_code:{task}",
        distance=distance,
        rounds=rounds,
        after_clifford_depolarization=p,
        before_round_data_depolarization=p,
        before_measure_flip_probability=p,
        after_reset_flip_probability=p,
    ).detector_error_model(decompose_errors=True)


def test_an_edge_has_ends_observables_and_log_likelihood():
    graph = graph_of("error(0.1) D1 D0 L1\nerror(0.2) D1")
    inner, outer = graph.edges
    assert (inner.u, inner.v, inner.observables, inner.probability) == (0, 1, 0b10, 0.1)
    assert inner.weight == pytest.approx(math.log(9))
    assert (outer.u, outer.v, outer.observables) == (1, BOUNDARY, 0)


def test_parallel_edges_merge_by_probability():
    (edge,) = graph_of("error(0.1) D0 D1\nerror(0.2) D1 D0").edges
    assert edge.probability == pytest.approx(0.1 * 0.8 + 0.2 * 0.9)


def test_of_conflicting_observables_the_likelier_stand():
    graph = graph_of("error(0.1) D0 L0\nerror(0.3) D0\nerror(0.2) D0 L0")
    (edge,) = graph.edges
    assert edge.observables == 0
    assert graph.ambiguous == ((0, BOUNDARY, 1, pytest.approx(0.1 * 0.8 + 0.2 * 0.9)),)


def test_hyperedges_follow_the_decomposition():
    graph = graph_of("error(0.01) D0 D1 ^ D2 D3 L0\nerror(0.05) D0 D1\nerror(0.07) D2 D3 L0")
    assert [(e.u, e.v) for e in graph.edges] == [(0, 1), (2, 3)]
    assert graph.edges[0].probability == pytest.approx(0.01 * 0.95 + 0.99 * 0.05)
    assert graph.correlations == ((0, 1, 0.01),)


def test_targets_act_by_parity():
    graph = graph_of("error(0.1) D0 D0 D1 L0 L0")
    assert [(e.u, e.v, e.observables) for e in graph.edges] == [(1, BOUNDARY, 0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "error(0.1) D0 D1 D2",
            r"'error\(0.1\) D0 D1 D2' flips 3 detectors at once and has no decomposition",
        ),
        ("error(0.1) D0 ^ D1 D2 D3 D4", r"flips 4 detectors at once"),
        ("error(0.7) D0 D1", r"probability 0.7 of 'error\(0.7\) D0 D1' is outside 0 to 0.5"),
        ("error(0.1) D0 L32", r"33 observables; a result record holds 32"),
        ("", r"no detectors"),
        ("detector D4", r"no error that any detector sees"),
        ("error(0.1) L0\ndetector D0", r"no error that any detector sees"),
        ("error(0) D0", r"no error that any detector sees"),
    ],
)
def test_what_no_graph_can_hold_is_refused_with_its_text(text, message):
    with pytest.raises(GraphError, match=message):
        graph_of(text)


@pytest.mark.parametrize("bits", [0, 1, 13, -5])
def test_weight_bits_out_of_range(bits):
    with pytest.raises(ValueError, match=f"weight_bits must be 2 to 12, not {bits}"):
        graph_of("error(0.1) D0", weight_bits=bits)


def test_sharing_must_be_known():
    with pytest.raises(ValueError, match="'auto', 'round' or 'edge', not 'none'"):
        graph_of("error(0.1) D0", sharing="none")


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_weights_use_the_whole_register_and_keep_their_order(bits):
    graph = compile_graph(surface(5, 5), weight_bits=bits, sharing="edge")
    assert graph.weights.max() == 2**bits - 1
    assert graph.weights.min() >= 1
    exact = np.array([e.weight for e in graph.edges])
    assert np.all(np.diff(graph.weights[np.argsort(exact)].astype(int)) >= 0)
    assert np.abs(graph.weights - exact * graph.units_per_nat).max() <= 0.5 + 1e-9


def test_the_least_probability_has_a_weight():
    graph = graph_of("error(5e-324) D0\nerror(0.1) D0 D1")
    assert graph.edges[0].weight == pytest.approx(744.44, abs=0.01)


def test_an_outlier_saturates_instead_of_squeezing_the_rest():
    graph = graph_of("error(0.01) D0 D1\nerror(0.02) D1 D2\nerror(1e-30) D0 D2", sharing="edge")
    assert graph.weights.tolist() == [16, 31, 13]  # twice the median of 4.6 nats is the top code


def test_rounds_become_layers():
    graph = compile_graph(surface(3, 4))
    assert [len(layer) for layer in graph.layers] == [4, 8, 8, 8, 4]
    for r, layer in enumerate(graph.layers):
        assert all(graph.coordinates[d][2] == r for d in layer)


def test_without_coordinates_there_is_one_layer():
    assert graph_of("error(0.1) D0 D1\nerror(0.1) D1 D2").layers == ((0, 1, 2),)


def test_the_two_bases_are_two_components():
    graph = compile_graph(surface(5, 5))
    assert [len(c) for c in graph.components] == [72, 48]


def test_copies_of_the_repeating_round_share_a_register():
    long = compile_graph(surface(3, 12))
    assert long.sharing == "round"
    assert long.num_classes == compile_graph(surface(3, 20)).num_classes < len(long.edges) / 2
    for members in long.class_members:
        assert len({round(long.edges[k].weight, 6) for k in members}) == 1


def test_copies_that_differ_get_their_own_registers():
    dem = surface(3, 6)
    skewed = stim.DetectorErrorModel()
    for number, instruction in enumerate(dem.flattened()):
        if instruction.type == "error":
            (p,) = instruction.args_copy()
            instruction = stim.DemInstruction("error", [p * (1 + number % 7)], instruction.targets_copy())
        skewed.append(instruction)
    graph = compile_graph(skewed)
    assert graph.sharing == "edge"
    assert graph.num_classes == len(graph.edges)
    shared = compile_graph(skewed, sharing="round")
    assert shared.num_classes < len(shared.edges)


def test_structure_and_tables_are_hashed_apart():
    low, high = compile_graph(surface(3, 3, 0.001)), compile_graph(surface(3, 3, 0.008))
    assert low.structure_hash == high.structure_hash
    assert low.table_hash != high.table_hash
    assert compile_graph(surface(3, 4)).structure_hash != low.structure_hash
    assert compile_graph(surface(3, 3, 0.001)).table_hash == low.table_hash


def test_events_are_packed_by_round():
    graph = graph_of(
        "error(0.1) D0 D1\nerror(0.1) D2 D1\ndetector(0, 1) D0\ndetector(0, 0) D1\ndetector(1, 1) D2"
    )
    assert graph.layers == ((1,), (0, 2))
    packed = graph.pack_events([[1, 0, 0], [0, 1, 1]])
    assert packed.dtype == np.uint32
    assert packed.tolist() == [[[0], [1]], [[1], [2]]]


def test_wide_rounds_take_several_words():
    graph = graph_of("\n".join(f"error(0.1) D{k} D{k + 1}" for k in range(69)))
    events = np.zeros((1, 70), dtype=bool)
    events[0, [0, 33, 69]] = True
    assert graph.pack_events(events).tolist() == [[[1, 2, 32]]]


def test_events_of_another_model_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 7\), the graph needs \(shots, 2\)"):
        graph_of("error(0.1) D0 D1").pack_events(np.zeros((2, 7)))


@pytest.mark.parametrize("task", ["rotated_memory_x", "unrotated_memory_z"])
def test_the_graph_is_pymatchings_graph(task):
    dem = surface(3, 3, task=task)
    graph = compile_graph(dem)
    theirs = {}
    for u, v, data in pymatching.Matching(dem).edges():
        key = (u, BOUNDARY) if v is None else (min(u, v), max(u, v))
        theirs[key] = (data["weight"], sum(1 << k for k in data["fault_ids"]))
    assert {(e.u, e.v) for e in graph.edges} == set(theirs)
    for e in graph.edges:
        assert (e.weight, e.observables) == (pytest.approx(theirs[e.u, e.v][0]), theirs[e.u, e.v][1])


@st.composite
def model_texts(draw) -> str:
    target = st.builds("{}{}".format, st.sampled_from("DDDL"), st.integers(0, 40))
    part = st.lists(target, max_size=4).map(" ".join)
    error = st.builds(
        lambda p, parts: f"error({p:g}) {' ^ '.join(parts)}",
        st.floats(0, 1),
        st.lists(part.filter(len), min_size=1, max_size=3),
    )
    other = st.sampled_from(
        ["shift_detectors(0, 0, 1) 3", "detector(1, 2, 0) D1", "logical_observable L3", "detector D50"]
    )
    return "\n".join(draw(st.lists(error | other, max_size=6)))


@settings(max_examples=300, deadline=None)
@given(model_texts())
def test_any_model_is_a_graph_or_a_clear_error(text):
    try:
        graph = graph_of(text)
    except GraphError:
        return
    for edge in graph.edges:
        assert 0 < edge.probability <= 0.5
        assert 0 <= edge.u < graph.num_detectors
        assert edge.v == BOUNDARY or edge.u < edge.v < graph.num_detectors
    assert sorted(d for layer in graph.layers for d in layer) == list(range(graph.num_detectors))
    assert sorted(d for c in graph.components for d in c) == list(range(graph.num_detectors))
