# SPDX-License-Identifier: BSD-2-Clause
"""Belief propagation against exact marginals by enumeration, the textbook's formulas in NumPy, and PyMatching."""

import itertools

import numpy as np
import pymatching
import pytest
import stim

from triplane.gateware.decoder.graph import compile_graph
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.models.decoder.belief import BeliefModel, FactorGraph, Rule
from triplane.sim.models.decoder.unionfind import UnionFindModel

TREE = """
    error(0.1) D0
    error(0.02) D0 D1 ^ D2
    error(0.3) D2
    error(0.05) D1 L0
    error(0.15) D2 D3
    error(0.2) D3
    error(0.01) D3 D4
    error(0.1) D4
"""
"""Mechanisms and detectors without a cycle: belief propagation ends with the exact marginals."""

LOOPS = """
    error(0.1) D0
    error(0.02) D0 D1 ^ D2
    error(0.03) D2
    error(0.05) D1 D0
    error(0.15) D1 D2 L0
    error(0.2) D2 D3 ^ D0
    error(0.01) D3
"""


def build(text, rule, iterations=(1,), **options):
    dem = stim.DetectorErrorModel(text)
    return BeliefModel(dem, compile_graph(dem), rule, iterations, **options)


def incidence(factors):
    """bool (detectors, mechanisms)."""
    found = np.zeros((len(factors.starts) - 1, len(factors.probabilities)), dtype=bool)
    for detector, (start, end) in enumerate(zip(factors.starts, factors.starts[1:], strict=False)):
        found[detector, factors.mechanisms[start:end]] = True
    return found


def exact_posteriors(factors, syndrome):
    flips = incidence(factors)
    p = factors.probabilities
    weight = np.zeros((2, len(p)))
    for errors in itertools.product((0, 1), repeat=len(p)):
        e = np.array(errors)
        if np.array_equal((flips @ e) % 2, syndrome):
            weight[e, np.arange(len(p))] += np.prod(np.where(e, p, 1 - p))
    return np.log(weight[0]) - np.log(weight[1])


def textbook(factors, syndrome, iterations, send):
    """Flooding on dense matrices: `send(messages, sign)` gives a check's message from all messages but one."""
    flips = incidence(factors)
    prior = np.log1p(-factors.probabilities) - np.log(factors.probabilities)
    sent = np.zeros(flips.shape)
    for _ in range(iterations):
        arriving = np.where(flips, prior + sent.sum(axis=0) - sent, 0)
        for check, members in enumerate(flips):
            for m in np.flatnonzero(members):
                others = members.copy()
                others[m] = False
                sent[check, m] = send(arriving[check, others], -1 if syndrome[check] else 1)
    return prior + sent.sum(axis=0)


def product(arriving, sign):
    return 2 * np.arctanh(sign * np.prod(np.tanh(arriving / 2)))


def least(arriving, sign):
    return 0.75 * sign * np.prod(np.sign(arriving)) * np.abs(arriving).min()


SYNDROMES = [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize("schedule", ["flooding", "basis", "round", "colour"])
def test_product_sum_is_exact_on_a_tree(schedule):
    model = build(TREE, Rule("product-sum", schedule=schedule), (8,))
    syndromes = np.array(list(itertools.product((0, 1), repeat=5)))
    for found, syndrome in zip(model.posteriors(syndromes)[0], syndromes, strict=True):
        np.testing.assert_allclose(found, exact_posteriors(model.factors, syndrome), atol=1e-6)


@pytest.mark.parametrize(("name", "send"), [("product-sum", product), ("min-sum", least)])
@pytest.mark.parametrize("syndrome", SYNDROMES)
def test_messages_on_a_graph_with_cycles(name, send, syndrome):
    model = build(LOOPS, Rule(name), (1, 2, 7))
    found = model.posteriors(np.array([syndrome]))[:, 0]
    for turn, iterations in enumerate(model.iterations):
        np.testing.assert_allclose(
            found[turn], textbook(model.factors, syndrome, iterations, send), atol=1e-9
        )


def test_messages_of_whole_numbers():
    model = build(LOOPS, Rule("min-sum", message_bits=4, units_per_nat=2.0), (3,))
    flips = incidence(model.factors)
    p = model.factors.probabilities
    prior = np.rint(2 * np.log((1 - p) / p)).astype(int)
    for syndrome in SYNDROMES:
        sent = np.zeros(flips.shape, dtype=int)
        for _ in range(3):
            arriving = np.clip(prior + sent.sum(axis=0) - sent, -7, 7)
            for check, mechanism in np.argwhere(flips):
                others = flips[check].copy()
                others[mechanism] = False
                size = 3 * np.abs(arriving[check, others]).min() >> 2  # three quarters, by shift and add
                negative = syndrome[check] ^ (np.count_nonzero(arriving[check, others] < 0) & 1)
                sent[check, mechanism] = -size if negative else size
        found = model.posteriors(np.array([syndrome]))[0, 0]
        np.testing.assert_array_equal(found, (prior + sent.sum(axis=0)) / 2)


def test_mechanisms_and_shares():
    dem = stim.DetectorErrorModel(
        """
        error(0.1) D0 D1
        error(0.2) D0 ^ D1
        error(0.3) D0
        error(0.05) D0 D1 L0
        error(0) D1
        error(0.4) L0
        """
    )
    factors = FactorGraph.build(dem, compile_graph(dem))
    together = 0.5 * (1 - (1 - 0.2) * (1 - 0.4) * (1 - 0.1))
    np.testing.assert_allclose(factors.probabilities, [together, 0.3])
    np.testing.assert_array_equal(incidence(factors), [[True, True], [True, False]])
    # Edges in order: D0, D0 D1, D1.
    np.testing.assert_array_equal(factors.edge_starts, [0, 2, 3, 4])
    np.testing.assert_array_equal(factors.edge_mechanisms, [0, 1, 0, 0])
    np.testing.assert_allclose(factors.edge_shares, [0.2 / 0.35, 1.0, 0.15 / 0.35, 0.2 / 0.35])


def test_likelihoods_of_edges():
    posteriors = np.array([[2.0, -1.0]])
    text = "error(0.1) D0 D1\nerror(0.2) D0 D1 ^ D2\nerror(0.01) D1"
    summed = build(text, Rule("product-sum"))
    (both, _, alone) = summed.likelihoods(posteriors[:, [0, 1, 0]])[0]
    p = 1 / (1 + np.exp(2.0)) + 1 / (1 + np.exp(-1.0))
    assert both == pytest.approx(np.log((1 - min(p, 0.5)) / min(p, 0.5)))
    assert alone == pytest.approx(0.0)  # likelier than not counts as one half
    least = build(text, Rule("product-sum", combine="min"))
    prior = np.log((1 - least.factors.probabilities) / least.factors.probabilities)
    own = [edge.weight for edge in least.graph.edges]
    np.testing.assert_allclose(least.likelihoods(prior[None])[0], own)


def test_weights_stay_in_their_registers():
    circuit = memory_circuit(distance=3, rounds=3, probability=0.01)
    dem = circuit.detector_error_model(decompose_errors=True)
    graph = compile_graph(dem)
    events, _ = circuit.compile_detector_sampler(seed=5).sample(200, separate_observables=True)
    model = BeliefModel(dem, graph, Rule("product-sum"), (3,))
    weights = model.weights(model.posteriors(events)[0])
    assert weights.min() == 1
    assert weights.max() == 31
    # Without any event most edges grow less likely than they are by themselves.
    quiet = model.weights(model.posteriors(np.zeros_like(events[:1]))[0])[0]
    own = graph.weights[[edge.weight_class for edge in graph.edges]]
    assert np.all(quiet >= own)


def test_colours_share_no_mechanism():
    dem = memory_circuit(distance=3, rounds=3, probability=0.01).detector_error_model(decompose_errors=True)
    model = BeliefModel(dem, compile_graph(dem), Rule("min-sum", schedule="colour"), (1,))
    flips = incidence(model.factors)
    starts, order = model._layers
    assert sorted(order) == list(range(dem.num_detectors))
    assert 2 < model.num_layers < dem.num_detectors
    for start, end in itertools.pairwise(starts):
        assert flips[order[start:end]].sum(axis=0).max() == 1


def test_own_weights_as_each_shots_weights_change_nothing():
    circuit = memory_circuit(distance=5, rounds=5, probability=0.01)
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    events, _ = circuit.compile_detector_sampler(seed=3).sample(500, separate_observables=True)
    own = graph.weights[[edge.weight_class for edge in graph.edges]]
    model = UnionFindModel(graph)
    plain, given = model.decode(events), model.decode(events, weights=np.tile(own, (500, 1)))
    np.testing.assert_array_equal(given.observables, plain.observables)
    assert given.grow_steps.mean() > plain.grow_steps.mean()  # no first growth while loading
    with pytest.raises(ValueError, match=r"weights have shape \(2, 3\), not \(500, \d+\)"):
        model.decode(events, weights=np.ones((2, 3)))


def test_belief_before_growth_fails_less_often_than_matching():
    circuit = memory_circuit(distance=5, rounds=5, probability=0.007)
    dem = circuit.detector_error_model(decompose_errors=True)
    graph = compile_graph(dem)
    events, flips = circuit.compile_detector_sampler(seed=11).sample(10_000, separate_observables=True)
    rules = (
        Rule("product-sum", schedule="colour"),
        Rule("min-sum", message_bits=6, units_per_nat=graph.units_per_nat, schedule="colour", combine="min"),
    )
    matching = np.count_nonzero(pymatching.Matching(dem).decode_batch(events)[:, 0] != flips[:, 0])
    for rule in rules:
        (result,) = BeliefModel(dem, graph, rule, (3,)).decode(events)
        assert result.observables.shape == (10_000,)
        assert np.count_nonzero(result.observables != flips[:, 0]) < 0.85 * matching


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "sum-product"}, "must be 'product-sum' or 'min-sum', not 'sum-product'"),
        ({"name": "min-sum", "combine": "max"}, "combine must be 'sum' or 'min', not 'max'"),
        ({"name": "min-sum", "schedule": "serial"}, "schedule must be .* not 'serial'"),
        ({"name": "min-sum", "scale": 1.5}, "scale must be above 0 and at most 1, not 1.5"),
        (
            {"name": "product-sum", "message_bits": 6, "units_per_nat": 4.0},
            "of min-sum, not 6 of product-sum",
        ),
        ({"name": "min-sum", "message_bits": 6}, "message_bits and units_per_nat go together"),
        ({"name": "min-sum", "message_bits": 6, "units_per_nat": -1.0}, "must be above 0, not -1"),
    ],
)
def test_rules_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        Rule(**options)


def test_arguments_out_of_range():
    with pytest.raises(ValueError, match=r"must ascend from at least 1, not \(2, 2\)"):
        build("error(0.1) D0", Rule("min-sum"), (2, 2))
    with pytest.raises(ValueError, match=r"must ascend from at least 1, not \(0,\)"):
        build("error(0.1) D0", Rule("min-sum"), (0,))
    with pytest.raises(ValueError, match=r"shape \(4, 3\), the graph needs \(shots, 1\)"):
        build("error(0.1) D0", Rule("min-sum")).posteriors(np.zeros((4, 3), dtype=bool))
