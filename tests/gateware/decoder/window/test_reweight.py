# SPDX-License-Identifier: BSD-2-Clause
"""Other models' weights in a window that is built, against the models themselves."""

import functools
import math

import numpy as np
import pymatching
import pytest
import stim

from triplane.gateware.decoder.graph import BOUNDARY, GraphError, compile_graph
from triplane.gateware.decoder.window import StreamMap, reweighted, sliding_window, whole_window
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.models.decoder.window import WindowModel


@functools.cache
def dem(distance, rounds, probability):
    return memory_circuit(distance=distance, rounds=rounds, probability=probability).detector_error_model(
        decompose_errors=True
    )


@functools.cache
def built(kind):
    graph = compile_graph(dem(3, 15, 0.003))
    return whole_window(graph) if kind == "whole" else sliding_window(graph, window=5, commit=2)


def scattered(model, spread, seed=3):
    """The model with every probability multiplied by a factor of its own."""
    rng = np.random.default_rng(seed)
    found = stim.DetectorErrorModel()
    for instruction in model.flattened():
        if instruction.type == "error":
            (p,) = instruction.args_copy()
            found.append("error", min(p * math.exp(rng.normal(0, spread)), 0.4), instruction.targets_copy())
        else:
            found.append(instruction)
    return found


def without(model, targets):
    """The model without the errors of just these targets."""
    found = stim.DetectorErrorModel()
    for instruction in model.flattened():
        if instruction.type != "error" or str(instruction).split(") ")[1] not in targets:
            found.append(instruction)
    return found


@pytest.mark.parametrize("kind", ["whole", "sliding"])
def test_the_model_of_the_plan_gives_its_own_weights(kind):
    plan = built(kind)
    again = reweighted(plan, compile_graph(dem(3, 15, 0.003)))
    ascending = np.maximum.accumulate(again.weights[:, 1:].astype(int), axis=1)
    near = {"atol": 0 if kind == "whole" else 1, "rtol": 0}
    np.testing.assert_allclose(again.weights[:, 0].astype(int), plan.weights[:, 0].astype(int), **near)
    np.testing.assert_allclose(ascending, plan.weights[:, 1:].astype(int), **near)
    assert again.structure_hash == plan.structure_hash


@pytest.mark.parametrize(("kind", "rounds"), [("whole", 15), ("sliding", 15), ("sliding", 9)])
def test_another_noise_strength_gives_the_weights_of_a_plan_compiled_for_it(kind, rounds):
    plan = built(kind)
    other = compile_graph(dem(3, rounds, 0.02))
    found = reweighted(plan, other)
    assert found.structure_hash == plan.structure_hash
    assert found.table_crc != plan.table_crc
    assert found.units_per_nat == other.units_per_nat != plan.units_per_nat
    assert found.first_growth == found.weights[:, 0].min()
    assert found.weights.min() >= 1
    long = compile_graph(dem(3, 15, 0.02))
    own = whole_window(long) if kind == "whole" else sliding_window(long, window=5, commit=2, tolerance=0)
    for number in range(len(plan.kinds)):
        difference = found.base_weights(number).astype(int) - own.base_weights(number).astype(int)
        assert np.abs(difference).max() <= (0 if kind == "whole" else 1)


def test_a_class_takes_the_mean_probability_of_its_edges():
    """Against probabilities that are merged edge by edge by PyMatching."""
    plan = built("whole")
    model = scattered(dem(3, 15, 0.003), 0.5)
    found = reweighted(plan, compile_graph(model))
    matching = pymatching.Matching.from_detector_error_model(model)
    chance = {}
    for u, v, data in matching.edges():
        ends = (u, BOUNDARY) if v is None else (min(u, v), max(u, v))
        chance[ends] = data["error_probability"]
    members = {}
    for edge in plan.edges:
        members.setdefault(edge.classes[0], []).append(chance[edge.u, edge.v])
    assert max(map(len, members.values())) > 10
    for number, chances in members.items():
        mean = np.mean(chances)
        weight = math.log((1 - mean) / mean) * found.units_per_nat
        assert found.weights[number, 0] == np.clip(round(weight), 1, 31)


@pytest.mark.parametrize("kind", ["whole", "sliding"])
def test_alternatives_lie_where_their_partners_conditional_weights_do(kind):
    plan = built(kind)
    graph = compile_graph(scattered(dem(3, 15, 0.003), 0.3))
    found = reweighted(plan, graph)
    joint = {}
    for a, b, p in graph.correlations:
        joint[a, b] = joint[b, a] = p
    if kind == "whole":
        for number, edge in enumerate(plan.edges):
            members = [k for k, e in enumerate(plan.edges) if e.classes == edge.classes]
            for level in {level for _, level in plan.reliefs[number]}:
                weights = []
                for k in members:
                    p = graph.edges[k].probability
                    for partner in (a for a, own in plan.reliefs[k] if own == level):
                        shared = joint[k, partner] / graph.edges[partner].probability
                        rest = (p - joint[k, partner]) / (1 - 2 * joint[k, partner])
                        q = shared * (1 - rest) + rest * (1 - shared)
                        own = math.log((1 - p) / p) * found.units_per_nat
                        weights.append(np.clip(min(math.log((1 - q) / q) * found.units_per_nat, own), 1, 31))
                # Half a unit for each rounding
                assert abs(found.weights[edge.classes[0], 1 + level] - np.mean(weights)) <= 1
    assert (found.weights != plan.weights).mean() > 0.1
    assert np.all(found.weights[:, 1:] <= found.weights[:, :1])


def test_a_shot_that_does_not_repeat_is_averaged_over_its_middle():
    plan = built("sliding")
    uneven = compile_graph(scattered(dem(3, 40, 0.003), 0.3))
    with pytest.raises(GraphError, match="needs layers that repeat"):
        sliding_window(uneven, window=5, commit=2)
    found = reweighted(plan, uneven)
    even = reweighted(plan, compile_graph(dem(3, 40, 0.003)))
    middle = sorted({e.classes[1] for e in plan.edges if e.classes[1] >= 0})
    # In nats: a log-normal factor of 0.3 has a mean of exp(0.045), and some 35 copies are averaged.
    difference = found.weights[middle, 0] / found.units_per_nat - even.weights[middle, 0] / even.units_per_nat
    assert abs(difference.mean()) < 0.1
    assert np.abs(difference).max() < 0.5


@pytest.mark.parametrize("kind", ["whole", "sliding"])
def test_loaded_weights_decode_as_well_as_built_ones(kind):
    """The noise grows unevenly: weights of the new model, loaded, fail less often than those that were built."""
    plan = built(kind)
    circuit = memory_circuit(distance=3, rounds=15, probability=0.003)
    model = scattered(dem(3, 15, 0.003), 1.0)
    if kind == "sliding":  # uneven in space alone
        circuit = stim.Circuit(str(circuit).replace("X_ERROR(0.003)", "X_ERROR(0.03)"))
        model = circuit.detector_error_model(decompose_errors=True)
    graph = compile_graph(model)
    events, flips, _ = model.compile_sampler(seed=9).sample(40_000)
    layers = StreamMap.build(plan, graph).layers(events)
    failures = {
        name: np.count_nonzero(WindowModel(each, 2).decode(layers, timing=False).frame != flips[:, 0])
        for name, each in (
            ("old", plan),
            ("loaded", reweighted(plan, graph)),
        )
    }
    print(kind, failures)
    assert failures["loaded"] < failures["old"]


@pytest.mark.parametrize("kind", ["whole", "sliding"])
def test_another_structure_is_refused(kind):
    model = stim.Circuit.generated(
        "repetition_code:memory",
        distance=5,
        rounds=12,
        before_round_data_depolarization=0.05,
        before_measure_flip_probability=0.05,
    ).detector_error_model(decompose_errors=True, flatten_loops=True)
    model = model.flattened()
    graph = compile_graph(model)
    plan = whole_window(graph) if kind == "whole" else sliding_window(graph, window=5, commit=2)
    lacking = without(model, ["D24 D25"])
    with pytest.raises(
        GraphError, match=r"the graph lacks edge .* which the window has; give its error a floor"
    ):
        reweighted(plan, compile_graph(lacking))
    floor = lacking + stim.DetectorErrorModel("error(0.000001) D24 D25")
    assert reweighted(plan, compile_graph(floor)).structure_hash == plan.structure_hash
    extra = model + stim.DetectorErrorModel("error(0.001) D24 D26")
    with pytest.raises(GraphError, match="the window lacks edge D24 D26 of the graph; build"):
        reweighted(plan, compile_graph(extra))
    crossing = model + stim.DetectorErrorModel("error(0.2) D24 D25 L0")
    with pytest.raises(
        GraphError, match="edge D24 D25 flips observables 0b1 in the graph and 0b0 in the window"
    ):
        reweighted(plan, compile_graph(crossing))


def test_other_experiments_are_refused():
    graph = compile_graph(dem(3, 15, 0.003), weight_bits=6)
    with pytest.raises(GraphError, match="weights of 6 bits, the window of 5; compile it with weight_bits=5"):
        reweighted(built("sliding"), graph)
    with pytest.raises(
        GraphError, match="are not the window's 120 in 16; take a model of the same experiment"
    ):
        reweighted(built("whole"), compile_graph(dem(3, 14, 0.003)))
    with pytest.raises(GraphError, match="a graph of 8 layers is too short"):
        reweighted(built("sliding"), compile_graph(dem(3, 7, 0.003)))
    with pytest.raises(GraphError, match="the window has no detector at"):
        reweighted(built("sliding"), compile_graph(dem(5, 15, 0.003)))


def test_a_model_without_correlations_relieves_nothing():
    plan = built("whole")
    parts = stim.DetectorErrorModel()
    for instruction in dem(3, 15, 0.003).flattened():
        if instruction.type == "error":
            for group in instruction.target_groups():
                parts.append("error", instruction.args_copy(), group)
        else:
            parts.append(instruction)
    found = reweighted(plan, compile_graph(parts))
    assert np.all(found.weights == found.weights[:, :1])
