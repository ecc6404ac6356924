# SPDX-License-Identifier: BSD-2-Clause
"""Whole simulated boards around the decode engine: recorded shots in passes, long shots in windows, barriers."""

import functools

import numpy as np
import pytest

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.layouts import HARD, LAST, RESULT
from triplane.gateware.decoder.window import StreamMap, sliding_window, whole_window
from triplane.hal import errors
from triplane.host.replay.datasets import load_dataset
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.models.decoder.engine import EngineModel

UNTIMED = [f.name for f in RESULT.fields if f.name not in ("timestamp_lo", "timestamp_hi", "waited")]
SHOTS = 400


def compare(board, plan, stream, events, *, passes, correction, period=0):
    """Decode shots on the board and hold every record, and every correction, against the model's."""
    board.load(hal.DecoderProgram.from_plan(plan, passes=passes, correction=correction))
    chunks = list(board.run(stream.pack(events), round_period_cycles=period))
    records = np.concatenate(chunks)
    expected, used = EngineModel(plan, passes, correction=correction).decode(stream.layers(events))
    for field in UNTIMED:
        np.testing.assert_array_equal(records[field], expected[field], err_msg=field)
    if correction:
        np.testing.assert_array_equal(np.concatenate([chunk.corrections for chunk in chunks]), used)
    assert board.fault() is None
    return records


@pytest.fixture(scope="module")
def recorded(published_data):
    folder = published_data("google_sycamore_2022") / "surface_code_bX_d3_r05_center_3_5"
    return load_dataset([folder], shots=SHOTS)


def test_recorded_shots_in_passes(recorded):
    graph = compile_graph(recorded.model)
    plan = whole_window(graph)
    stream = StreamMap.build(plan, graph)
    with hal.connect("sim", graph=graph) as board:
        frames = [
            compare(board, plan, stream, recorded.events, passes=passes, correction=passes == 2)["frame"]
            for passes in (1, 2, 3)
        ]
    assert (frames[0] != frames[1]).any()


@functools.cache
def memory(rounds):
    circuit = memory_circuit(distance=3, rounds=rounds, probability=0.006)
    return circuit, compile_graph(circuit.detector_error_model(decompose_errors=True))


def test_long_shots_in_windows():
    plan = sliding_window(memory(12)[1], window=4, commit=2)
    with hal.connect("sim", plan=plan) as board:
        for rounds, passes, correction, period in ((30, 1, False, 0), (35, 2, True, 20), (4, 2, False, 0)):
            circuit, graph = memory(rounds)
            stream = StreamMap.build(plan, graph)
            events = circuit.compile_detector_sampler(seed=rounds).sample(40)
            records = compare(
                board, plan, stream, events, passes=passes, correction=correction, period=period
            )
            windows = len(plan.schedule(rounds + 1))
            assert len(records) == 40 * windows
            assert (np.flatnonzero(records["flags"] & LAST) % windows == windows - 1).all()
        with pytest.raises(errors.ProgramError, match="a shot of 4 layers does not fill sliding windows"):
            board.run(np.zeros((1, 4, 1), dtype=np.uint32), round_period_cycles=0)


def test_a_barrier_waits_for_its_shot(loaded, code):
    shots = 50
    awaited = 20
    loaded.set("decoder_hard_above", 0)
    run = loaded.run(code.rounds[:shots], round_period_cycles=200)
    loaded.set("decoder_barrier_shot", awaited)
    loaded.set("decoder_barrier_round", len(code.graph.layers))
    loaded._pulse("decoder_barrier_control", "wait")
    assert loaded.get("decoder_barrier_state") & 1
    records = np.concatenate(list(run))
    assert loaded.get("decoder_barrier_released") == 1
    assert not loaded.get("decoder_barrier_state") & 1
    record = records[awaited]
    assert loaded.get("decoder_barrier_reaction") == int(record["decode_cycles"]) + int(record["waited"]) + 1
    assert loaded.get("decoder_barrier_frame") == records["frame"][-1]
    hard = records["flags"] & HARD != 0
    assert loaded.get("decoder_hard_windows") == hard.sum() == (records["hardness"] > 0).sum() > 0


def test_an_outer_decoder_may_amend_the_last_shot(loaded, code):
    hardest = np.argmax(EngineModel(code.plan).decode(code.stream.layers(code.events))[0]["hardness"])
    loaded.set("decoder_hard_above", 0)
    loaded.set("decoder_barrier_timeout", 10_000)
    escalate = loaded.registers["decoder_barrier_control"].fields["escalate"].offset
    loaded.set("decoder_barrier_control", 1 << escalate)
    run = loaded.run(code.rounds[[hardest]], round_period_cycles=0)
    loaded.set("decoder_barrier_shot", 0)
    loaded.set("decoder_barrier_round", len(code.graph.layers))
    loaded._pulse("decoder_barrier_control", "wait", 1 << escalate)
    (record,) = np.concatenate(list(run))
    assert record["flags"] & HARD
    assert loaded.get("decoder_barrier_released") == 0
    loaded.set("decoder_barrier_amend", 1)
    loaded.simulation.run(4)
    assert loaded.get("decoder_barrier_released") == 1
    assert loaded.get("decoder_barrier_frame") == record["frame"] ^ 1
    assert loaded.get("decoder_barrier_amended") == 1
