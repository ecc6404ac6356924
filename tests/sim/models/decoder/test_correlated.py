# SPDX-License-Identifier: BSD-2-Clause
"""Correlated passes against one pass, PyMatching and correlated PyMatching on the same shots."""

import numpy as np
import pymatching
import pytest
import stim

from triplane.gateware.decoder.graph import compile_graph
from triplane.host.replay.datasets import load_dataset
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.models.decoder.correlated import CorrelatedModel
from triplane.sim.models.decoder.unionfind import UnionFindModel


def test_the_first_pass_is_the_array():
    circuit = memory_circuit(distance=5, rounds=5, probability=0.005)
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    events, _ = circuit.compile_detector_sampler(seed=3).sample(2000, separate_observables=True)
    first = UnionFindModel(graph).decode(events)
    passes = CorrelatedModel(graph, passes=2).decode(events)
    np.testing.assert_array_equal(passes.observables[0], first.observables)
    np.testing.assert_array_equal(passes.cycles[0], first.cycles)
    # Peeling sees at least that there is nothing to peel.
    assert np.all(passes.cycles[1] >= passes.cycles[0] + 1)


def test_a_model_without_correlations_says_the_same_in_every_pass():
    circuit = stim.Circuit.generated(
        "repetition_code:memory", distance=5, rounds=5, before_round_data_depolarization=0.1
    )
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    assert graph.correlations == ()
    events, _ = circuit.compile_detector_sampler(seed=3).sample(2000, separate_observables=True)
    result = CorrelatedModel(graph, passes=3).decode(events)
    for number in (1, 2):
        np.testing.assert_array_equal(result.observables[number], result.observables[0])


def test_two_passes_fail_less_often_than_matching():
    circuit = memory_circuit(distance=7, rounds=7, probability=0.005)
    dem = circuit.detector_error_model(decompose_errors=True)
    events, flips = circuit.compile_detector_sampler(seed=11).sample(20_000, separate_observables=True)
    one, two = (
        np.count_nonzero(o != flips[:, 0])
        for o in CorrelatedModel(compile_graph(dem), passes=2).decode(events).observables
    )
    matching = np.count_nonzero(pymatching.Matching(dem).decode_batch(events)[:, 0] != flips[:, 0])
    assert one > matching > two * 1.2


@pytest.mark.parametrize(
    ("name", "limit"),
    [("surface_code_bX_d5_r05_center_5_5", 0.134), ("surface_code_bX_d3_r05_center_3_5", 0.151)],
)
def test_sycamore(name, limit, published_data):
    folder = published_data("google_sycamore_2022") / name
    dataset = load_dataset([folder])
    result = CorrelatedModel(compile_graph(dataset.model), passes=2).decode(dataset.events)
    assert np.mean(result.observables[1] != dataset.observables[:, 0]) <= limit


def test_arguments_out_of_range():
    graph = compile_graph(stim.DetectorErrorModel("error(0.1) D0 D1"))
    with pytest.raises(ValueError, match="passes must be at least 1, not 0"):
        CorrelatedModel(graph, passes=0)
    with pytest.raises(ValueError, match=r"shape \(4, 3\), the graph needs \(shots, 2\)"):
        CorrelatedModel(graph).decode(np.zeros((4, 3), dtype=bool))
