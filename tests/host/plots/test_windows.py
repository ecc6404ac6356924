# SPDX-License-Identifier: BSD-2-Clause
"""The picture of a decoded memory shows the board's events and cycles, and the golden model's correction for them."""

import dataclasses

import numpy as np
import pytest
import stim
from matplotlib.collections import LineCollection

from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.decoder.window import StreamMap, sliding_window
from triplane.host.plots import WindowsError, hardest, windows_figure
from triplane.host.runtime.memory import MemoryRun
from triplane.sim.models.decoder.window import WindowModel

CLOCK_HZ = 245_760_000
ROUNDS, SHOTS = 14, 30


@pytest.fixture(scope="module")
def decoded():
    """Plan of a decoder, and what it says of sampled shots."""
    circuit = stim.Circuit.generated(
        "surface_code:rotated_memory_z", distance=3, rounds=ROUNDS, after_clifford_depolarization=0.01
    )
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    plan = sliding_window(graph, window=5, commit=2)
    events = StreamMap.build(plan, graph).layers(circuit.compile_detector_sampler(seed=2).sample(SHOTS))
    model = WindowModel(plan, 2).decode(events)
    results = np.zeros(model.cycles.shape, RESULT.dtype)
    results["decode_cycles"], results["observables"] = model.cycles, model.observables
    logical = np.zeros(SHOTS, bool)
    return plan, MemoryRun(events, results, logical, logical, np.zeros(SHOTS, np.uint64))


def test_events_correction_and_cycles(decoded):
    plan, run = decoded
    shot = next(hardest(run))
    events = run.events[shot]
    assert events.sum() == run.events.sum(axis=(1, 2)).max()
    above, below = windows_figure(plan, run, shot, passes=2, clock_hz=CLOCK_HZ).axes[:2]
    (dots,) = [line for line in above.lines if line.get_marker() == "o"]
    assert sorted(zip(*dots.get_data(), strict=True)) == sorted(zip(*np.nonzero(events), strict=True))
    # Where an odd number of edges ends, there is an event, and nowhere else.
    (edges,) = [c for c in above.collections if isinstance(c, LineCollection)]
    ends = np.zeros(events.shape, int)
    for segment in edges.get_segments():
        for layer, slot in segment:
            if slot == round(slot):
                ends[int(layer), int(slot)] += 1
    assert (ends % 2 == events).all()
    heights = [patch.get_height() for patch in below.patches]
    assert heights == run.results["decode_cycles"][shot].tolist()
    assert sum(patch.get_width() for patch in below.patches) == len(events)


def test_what_cannot_be_drawn(decoded):
    plan, run = decoded
    with pytest.raises(WindowsError, match="shots 0 to 29, not 30"):
        windows_figure(plan, run, 30, passes=2, clock_hz=CLOCK_HZ)
    wrong = run.results.copy()
    wrong["observables"] ^= 1
    with pytest.raises(WindowsError, match="something else than the board"):
        windows_figure(plan, dataclasses.replace(run, results=wrong), 0, passes=2, clock_hz=CLOCK_HZ)
