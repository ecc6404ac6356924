# SPDX-License-Identifier: BSD-2-Clause
"""A small board that decodes for real: distance-3 repetition code over 3 rounds."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import stim

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.window import StreamMap, whole_window


@pytest.fixture(scope="session")
def code():
    circuit = stim.Circuit.generated(
        "repetition_code:memory",
        distance=3,
        rounds=3,
        before_round_data_depolarization=0.05,
        before_measure_flip_probability=0.05,
    )
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    events, flips = circuit.compile_detector_sampler(seed=5).sample(500, separate_observables=True)
    plan = whole_window(graph)
    # The same structure, every weight of another size
    other = dataclasses.replace(plan, weights=np.maximum(plan.weights // 2, 1).astype(np.uint16))
    return SimpleNamespace(
        plan=plan,
        other=other,
        stream=StreamMap.build(plan, graph),
        graph=graph,
        events=events,
        flips=flips[:, 0].astype(np.uint32),
        rounds=graph.pack_events(events),
    )


@pytest.fixture
def board(code):
    with hal.connect("sim", graph=code.graph) as board:
        yield board


@pytest.fixture
def loaded(board, code):
    board.load(hal.DecoderProgram.from_graph(code.graph))
    return board
