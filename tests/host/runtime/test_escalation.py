# SPDX-License-Identifier: BSD-2-Clause
"""The shot loop on the simulated board: frames are those that PyMatching and the records give, computed here."""

import numpy as np
import pymatching
import pytest

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.layouts import HARD
from triplane.gateware.decoder.window import StreamMap, sliding_window
from triplane.hal import errors
from triplane.host.replay.sampling import memory_circuit
from triplane.host.runtime import escalation as module
from triplane.host.runtime.escalation import Escalation, EscalationError, run_escalated
from triplane.host.runtime.outer import OuterDecoder, OuterDecoderError

SHOTS = 600
CIRCUIT = memory_circuit(distance=3, rounds=3, probability=0.02)
DEM = CIRCUIT.detector_error_model(decompose_errors=True)
GRAPH = compile_graph(DEM)


def correlated(dem, events):
    matching = pymatching.Matching.from_detector_error_model(dem, enable_correlations=True)
    return matching.decode_batch(events, enable_correlations=True)[:, 0].astype(np.uint32)


@pytest.fixture(scope="module")
def shots():
    events, flips = CIRCUIT.compile_detector_sampler(seed=11).sample(SHOTS, separate_observables=True)
    return events, flips[:, 0].astype(np.uint32)


@pytest.fixture(scope="module")
def board():
    with hal.connect("sim", graph=GRAPH) as board:
        board.load(hal.DecoderProgram.from_graph(GRAPH, passes=2))
        yield board


@pytest.fixture(scope="module")
def fabric(board, shots):
    """Records of the same shots in one stream, nothing escalated."""
    return np.concatenate(list(board.run(GRAPH.pack_events(shots[0]), round_period_cycles=0)))


def escalate(board, events, **options):
    options = {"answer_cycles": 100, "amend_within_cycles": 400} | options
    return run_escalated(board, OuterDecoder(DEM), events, GRAPH.pack_events(events), Escalation(**options))


@pytest.mark.parametrize("hard_above", [hal.PASSES_DISAGREE, 4])
def test_hard_shots_get_the_frame_of_correlated_matching(board, shots, fabric, hard_above):
    events, _ = shots
    found = escalate(board, events, hard_above=hard_above)
    hard = fabric["hardness"] > hard_above
    expected = np.where(hard, correlated(DEM, events), fabric["frame"])
    np.testing.assert_array_equal(found.frames, expected)
    np.testing.assert_array_equal(found.fabric, fabric["frame"])
    np.testing.assert_array_equal(found.escalated, hard)
    np.testing.assert_array_equal(found.in_time, hard)
    np.testing.assert_array_equal(found.frames, found.fabric ^ found.corrections)
    assert 0 < hard.sum() < SHOTS
    assert (expected != fabric["frame"]).any()
    state = board.barrier_state()
    assert (state.released, state.amended, state.expired, state.refused) == (SHOTS, hard.sum(), 0, 0)
    # Who is not escalated is not kept waiting; who is, for as long as the answer takes.
    records = found.records[:, 0]
    latency = records["decode_cycles"][~hard] + records["waited"][~hard] + 1
    np.testing.assert_array_equal(found.reaction_cycles[~hard], latency)
    assert found.reaction_cycles[hard].min() > 100
    assert found.reaction_cycles[hard].max() < 400 + fabric["decode_cycles"].max()
    assert ((found.outer_s > 0) == hard).all()


def test_all_shots_escalated_are_correlated_matching(board, shots, fabric):
    events, flips = shots
    busy = np.flatnonzero(fabric["hardness"] > 0)[:100]
    found = escalate(board, events[busy], hard_above=0)
    expected = correlated(DEM, events[busy])
    np.testing.assert_array_equal(found.frames, expected)
    assert (found.frames != flips[busy]).sum() == (expected != flips[busy]).sum() > 0


def test_of_a_late_answer_nothing_is_left(board, shots, fabric):
    events, _ = shots
    found = escalate(board, events, answer_cycles=5_000)
    hard = fabric["hardness"] > hal.PASSES_DISAGREE
    np.testing.assert_array_equal(found.frames, fabric["frame"])
    np.testing.assert_array_equal(found.escalated, hard)
    assert not found.in_time.any()
    assert (found.corrections[hard] != 0).any()
    state = board.barrier_state()
    assert (state.released, state.amended, state.expired) == (SHOTS, 0, hard.sum())
    assert state.refused == hard.sum() > 0
    assert found.reaction_cycles[hard].min() >= 400
    assert found.reaction_cycles.max() < 5_000


def test_limits_do_not_outlive_the_loop(board, shots):
    escalate(board, shots[0][:5], hard_above=0)
    records = np.concatenate(list(board.run(GRAPH.pack_events(shots[0]), round_period_cycles=0)))
    assert not (records["flags"] & HARD).any()


def test_shots_of_several_windows_are_amended_as_a_whole():
    rounds = 12
    circuit = memory_circuit(distance=3, rounds=rounds, probability=0.006)
    dem = circuit.detector_error_model(decompose_errors=True)
    graph = compile_graph(dem)
    plan = sliding_window(graph, window=4, commit=2)
    events = circuit.compile_detector_sampler(seed=3).sample(200)
    with hal.connect("sim", plan=plan) as board:
        board.load(hal.DecoderProgram.from_plan(plan, passes=2))
        words = StreamMap.build(plan, graph).pack(events)
        found = run_escalated(board, OuterDecoder(dem), events, words, Escalation(50, 400, 6))
        windows = len(plan.schedule(rounds + 1))
        plain = np.concatenate(list(board.run(words, round_period_cycles=0))).reshape(-1, windows)
    assert windows > 1
    hard = (plain["hardness"] > 6).any(axis=1)
    assert (hard & ~(plain["hardness"][:, -1] > 6)).any()  # some by an earlier window only
    expected = np.where(hard, correlated(dem, events), plain["frame"][:, -1])
    np.testing.assert_array_equal(found.frames, expected)
    assert 0 < hard.sum() < len(events)
    assert (expected != plain["frame"][:, -1]).any()
    assert found.records.shape == (200, windows)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"answer_cycles": -1}, "answer_cycles must be 0 to 4294967295, not -1"),
        ({"amend_within_cycles": 0}, "amend_within_cycles must be 1 to 16777215, not 0; give cycles after"),
        ({"amend_within_cycles": 2**24}, "amend_within_cycles must be 1 to 16777215, not 16777216"),
        ({"hard_above": 2**16}, "hard_above must be 0 to 65535, not 65536"),
        ({"deadline_cycles": "soon"}, "deadline_cycles must be a whole number, not 'soon'"),
    ],
)
def test_bad_values(values, complaint):
    with pytest.raises(errors.RegisterValueError, match=complaint):
        Escalation(**{"answer_cycles": 1, "amend_within_cycles": 1} | values)


def test_shots_that_do_not_fit(board, shots):
    rounds = GRAPH.pack_events(shots[0])
    with pytest.raises(EscalationError, match="events of 3 shots and rounds of 600; give both of the same"):
        run_escalated(board, OuterDecoder(DEM), shots[0][:3], rounds, Escalation(1, 1))
    other = OuterDecoder(
        memory_circuit(distance=3, rounds=2, probability=0.02).detector_error_model(decompose_errors=True)
    )
    with pytest.raises(
        OuterDecoderError, match=r"events have shape \(1, 24\), the model needs \(shots, 16\)"
    ):
        run_escalated(board, other, shots[0], rounds, Escalation(1, 1))


def test_a_barrier_that_stays_shut_is_told(board, shots, monkeypatch):
    shut = hal.BarrierState(True, True, 0, 0, 0, 0, 0, 0)
    monkeypatch.setattr(module, "RELEASE_LOOKS", 3)
    monkeypatch.setattr(board, "barrier_state", lambda: shut)
    with pytest.raises(EscalationError, match="barrier of shot 0 is not released 400 cycles after its end"):
        escalate(board, shots[0][:2])
