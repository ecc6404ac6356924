# SPDX-License-Identifier: BSD-2-Clause
"""A small board that decodes for real: distance-3 repetition code over 3 rounds."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import stim

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.table import TableShape, observed_detectors
from triplane.gateware.decoder.window import StreamMap, whole_window
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.compile import slots_by_qubit, syndrome_table
from triplane.sim.models.decoder.lut import fill_table
from triplane.sim.signals import BitTones


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


CONTROL_TONES = BitTones(8, 32)


@pytest.fixture(scope="session")
def control():
    """One drive, one line, and a lookup table for two rounds of the distance-3 repetition code."""
    circuit = stim.Circuit.generated(
        "repetition_code:memory",
        distance=3,
        rounds=2,
        before_round_data_depolarization=0.02,
        before_measure_flip_probability=0.01,
    )
    model = circuit.detector_error_model(decompose_errors=True)
    graph = compile_graph(model)
    table = TableShape(observed_detectors(graph), 1)
    syndrome = syndrome_table(circuit, slots_by_qubit(circuit), graph)
    shape = FabricShape(
        1,
        1,
        dataclasses.replace(syndrome.shape, slots=8),
        pulse_entries=16,
        envelope_clocks=64,
        window_samples=32,
        windows=4,
        trace_samples=64,
        partial_values=16,
        program_words=64,
        groups=8,
        queue_events=8,
    )
    return SimpleNamespace(
        circuit=circuit,
        graph=graph,
        table=table,
        shape=shape,
        tones=CONTROL_TONES,
        syndrome=syndrome,
        decoder=hal.DecoderProgram.from_table(hal.TableTarget(graph, table), fill_table(model, table).words),
    )


@pytest.fixture
def controlled(control):
    with hal.connect("sim", graph=control.graph, table=control.table, fabric=control.shape) as board:
        yield board
