# SPDX-License-Identifier: BSD-2-Clause
"""The engine's model against the windowed model, which was written for speed and not from it."""

import functools

import numpy as np
import pytest

from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.layouts import LAST, LATE, UNMATCHED
from triplane.gateware.decoder.window import StreamMap, sliding_window, whole_window
from triplane.host.replay.sampling import memory_circuit, without_resets
from triplane.sim.models.decoder.engine import CHANGED, EngineModel
from triplane.sim.models.decoder.window import WindowModel


@functools.cache
def code(rounds, kind="sliding"):
    circuit = memory_circuit(distance=3, rounds=rounds, probability=0.02)
    return without_resets(circuit) if kind == "kept" else circuit


@functools.cache
def graph(rounds, kind="sliding"):
    return compile_graph(code(rounds, kind).detector_error_model(decompose_errors=True))


@functools.cache
def plan(kind):
    """Of a kind; "kept" is sliding, of ancillas that are not reset."""
    return whole_window(graph(3)) if kind == "whole" else sliding_window(graph(12, kind), window=4, commit=2)


def layers(kind, rounds, shots):
    events = code(rounds, kind).compile_detector_sampler(seed=rounds).sample(shots)
    return StreamMap.build(plan(kind), graph(rounds, kind)).layers(events)


@pytest.mark.parametrize("passes", [1, 2, 3])
@pytest.mark.parametrize(
    ("kind", "rounds", "shots"),
    [("whole", 3, 200), ("sliding", 14, 20), ("sliding", 13, 20), ("kept", 14, 20)],
)
def test_both_models_say_the_same(kind, rounds, shots, passes):
    seen = layers(kind, rounds, shots)
    records, used = EngineModel(plan(kind), passes, correction=True).decode(seen)
    fast = WindowModel(plan(kind), passes).decode(seen, correction=True)
    for field, values in (
        ("observables", fast.observables),
        ("decode_cycles", fast.cycles),
        ("grow_steps", fast.grow_steps),
        ("merge_steps", fast.merge_steps),
    ):
        np.testing.assert_array_equal(records[field], values.ravel(), err_msg=field)
    np.testing.assert_array_equal(records["flags"] & UNMATCHED, fast.flags.ravel())
    np.testing.assert_array_equal(used, fast.correction.reshape(used.shape))
    last = records[records["flags"] & LAST != 0]
    np.testing.assert_array_equal(last["frame"], fast.frame)
    assert (last["rounds"] == seen.shape[1]).all()


def test_a_deadline_falls_back_to_the_pass_before():
    seen = layers("whole", 3, 200)
    (one, _), (two, _) = (EngineModel(plan("whole"), passes).decode(seen) for passes in (1, 2))
    (cut, _) = EngineModel(plan("whole"), 2, deadline=30).decode(seen)
    late = cut["flags"] & LATE != 0
    assert 0 < late.sum() < len(cut)
    np.testing.assert_array_equal(cut[~late], two[~late])
    np.testing.assert_array_equal(late, two["decode_cycles"] > cut["decode_cycles"])
    begun = late & (one["decode_cycles"] < 30)
    np.testing.assert_array_equal(cut["observables"][begun], one["observables"][begun])
    assert (two["observables"] != one["observables"])[two["hardness"] & CHANGED != 0].all()
