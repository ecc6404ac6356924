# SPDX-License-Identifier: BSD-2-Clause
import itertools
import math

import numpy as np
import pytest
import stim
from hypothesis import given
from hypothesis import strategies as st

from triplane.gateware.decoder.correlations import compile_reliefs, group_weights
from triplane.gateware.decoder.graph import compile_graph


def y_errors(p_y: float = 0.03) -> stim.DetectorErrorModel:
    """Two edges that a Y error joins, each with errors of its own, and one that nothing joins."""
    return stim.DetectorErrorModel(
        f"error({p_y}) D0 D1 ^ D2 D3 L0\nerror(0.01) D0 D1\nerror(0.02) D2 D3 L0\nerror(0.001) D1 D2"
    )


def test_the_conditional_weight_is_bayes():
    graph = compile_graph(y_errors(), weight_bits=10, sharing="edge")
    reliefs = compile_reliefs(graph)
    a, b = (next(k for k, e in enumerate(graph.edges) if (e.u, e.v) == ends) for ends in ((0, 1), (2, 3)))
    assert [p for p, _ in reliefs.partners[b]] == [a]
    # P(edge b | edge a), by enumeration of the three mechanisms
    given_a = both = 0.0
    for y, x, z in itertools.product((0, 1), repeat=3):
        weight = math.prod(q if happens else 1 - q for happens, q in ((y, 0.03), (x, 0.01), (z, 0.02)))
        given_a += weight * (y ^ x)
        both += weight * (y ^ x) * (y ^ z)
    expected = min(both / given_a, 0.5)
    weight = round(math.log((1 - expected) / expected) * graph.units_per_nat) if expected < 0.5 else 1
    # Joint and own probability are both close to that of the Y error: the approximation is first order in them.
    assert reliefs.weights[b, 0] == pytest.approx(max(weight, 1), abs=0.02 * 2**10)
    lonely = next(k for k, e in enumerate(graph.edges) if (e.u, e.v) == (1, 2))
    assert reliefs.partners[lonely] == ()
    assert set(reliefs.weights[lonely]) == {graph.weights[graph.edges[lonely].weight_class]}


def test_relief_is_always_lighter_than_the_edge():
    circuit = stim.Circuit.generated(
        "surface_code:rotated_memory_x", distance=5, rounds=5, after_clifford_depolarization=0.004
    )
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    reliefs = compile_reliefs(graph)
    assert reliefs.weights.shape == (len(graph.edges), 3)
    assert np.all(np.diff(reliefs.weights.astype(int), axis=1) >= 0)
    for edge, pairs in enumerate(reliefs.partners):
        own = graph.weights[graph.edges[edge].weight_class]
        for partner, level in pairs:
            assert partner != edge
            assert 1 <= reliefs.weights[edge, level] < own


def test_no_correlations_no_relief():
    reliefs = compile_reliefs(compile_graph(stim.DetectorErrorModel("error(0.1) D0 D1\nerror(0.2) D1")))
    assert reliefs.partners == ((), ())


def test_levels_out_of_range():
    with pytest.raises(ValueError, match="levels must be at least 1, not 0"):
        compile_reliefs(compile_graph(y_errors()), 0)


@given(st.lists(st.integers(1, 31), min_size=1, max_size=14).map(sorted), st.integers(1, 4))
def test_grouping_is_the_best_split_into_runs(values, levels):
    groups = group_weights(values, levels)
    assert [v for group in groups for v in group] == values
    assert len(groups) <= levels

    def spread(runs):
        return sum(float(np.var(run)) * len(run) for run in runs)

    cuts = itertools.chain.from_iterable(
        itertools.combinations(range(1, len(values)), k) for k in range(min(levels, len(values)))
    )
    best = min(spread(np.split(np.array(values), list(c))) for c in cuts)
    assert spread(groups) <= best + 1e-9
