# SPDX-License-Identifier: BSD-2-Clause
"""Limits, barriers and amendments through the Board protocol, on the simulated board."""

import dataclasses

import numpy as np
import pytest

from triplane import hal
from triplane.gateware.decoder.layouts import HARD, LATE
from triplane.gateware.decoder.table import TableShape, observed_detectors
from triplane.hal import errors
from triplane.sim.models.decoder.engine import EngineModel


@pytest.fixture(scope="module")
def hardest(code):
    """Number of the shot that takes most growth steps."""
    return int(np.argmax(EngineModel(code.plan).decode(code.stream.layers(code.events))[0]["hardness"]))


@pytest.mark.parametrize(
    ("kind", "values", "complaint"),
    [
        (
            hal.DecodeLimits,
            {"deadline_cycles": 65536},
            r"deadline_cycles must be 0 to 65535, not 65536; give cyc",
        ),
        (
            hal.DecodeLimits,
            {"deadline_cycles": 1.5},
            r"deadline_cycles must be a whole number, not 1\.5; give",
        ),
        (hal.DecodeLimits, {"hard_above": -1}, r"hard_above must be 0 to 65535, not -1; give 32767 to flag"),
        (hal.DecodeLimits, {"hard_above": True}, r"hard_above must be a whole number, not True"),
        (hal.BarrierRequest, {"shot": -1, "rounds": 4}, r"shot must be 0 to 4294967295, not -1; shots count"),
        (
            hal.BarrierRequest,
            {"shot": 0, "rounds": 0},
            r"rounds must be 1 to 4294967295, not 0; a barrier waits",
        ),
        (
            hal.BarrierRequest,
            {"shot": 0, "rounds": 4, "amend_within_cycles": 2**24},
            r"amend_within_cycles must be 0 to 16777215, not 16777216; give cycles after the shot's end",
        ),
    ],
)
def test_bad_values(kind, values, complaint):
    with pytest.raises(errors.RegisterValueError, match=complaint):
        kind(**values)


def test_shot_by_shot_is_the_same_run(loaded, code):
    rounds = code.rounds[:60]
    at_once = np.concatenate(list(loaded.run(rounds, round_period_cycles=20)))
    run = loaded.run(rounds, round_period_cycles=20, shot_by_shot=True)
    assert loaded.get("decoder_rounds_in") == 0
    chunks = []
    for number, chunk in enumerate(run):
        chunks.append(chunk)
        assert len(chunk) == 1
        assert loaded.get("decoder_windows") == number + 1
        loaded.elapse(500)
    records = np.concatenate(chunks)
    for field in ("sequence", "decode_cycles", "observables", "frame", "hardness", "tables"):
        np.testing.assert_array_equal(records[field], at_once[field], err_msg=field)
    assert (run.pacing.released, run.received) == (60 * len(code.graph.layers), 60)
    assert run.cycles > 60 * 500
    assert loaded.fault() is None


def test_limits(loaded, code):
    rounds = code.rounds[:200]
    free = np.concatenate(list(loaded.run(rounds, round_period_cycles=0)))
    assert not (free["flags"] & (HARD | LATE)).any()
    middle = int(np.median(free["hardness"][free["hardness"] > 0]))
    loaded.limit(hal.DecodeLimits(hard_above=middle))
    records = np.concatenate(list(loaded.run(rounds, round_period_cycles=0)))
    np.testing.assert_array_equal(records["flags"] & HARD != 0, free["hardness"] > middle)
    assert 0 < (free["hardness"] > middle).sum() < len(rounds)
    loaded.limit(hal.DecodeLimits(deadline_cycles=2))
    cut = np.concatenate(list(loaded.run(rounds, round_period_cycles=0)))
    assert (cut["flags"] & LATE).any()
    assert cut["decode_cycles"].max() < free["decode_cycles"].max()
    loaded.limit(hal.DecodeLimits())
    again = np.concatenate(list(loaded.run(rounds, round_period_cycles=0)))
    np.testing.assert_array_equal(again["frame"], free["frame"])
    assert not (again["flags"] & (HARD | LATE)).any()


def test_amended_in_time_late_and_unasked(loaded, code, hardest):
    layers = len(code.graph.layers)
    loaded.limit(hal.DecodeLimits(hard_above=0))
    quiet = int(np.flatnonzero(~code.events.any(axis=1))[0])
    run = loaded.run(code.rounds[[hardest, hardest, quiet]], round_period_cycles=0, shot_by_shot=True)

    loaded.barrier(hal.BarrierRequest(0, layers, 3_000))
    (record,) = next(run)
    state = loaded.barrier_state()
    assert record["flags"] & HARD
    assert (state.waiting, state.open, state.frame) == (True, True, record["frame"])
    loaded.elapse(1_000)
    assert loaded.amend(0, 1)
    state = loaded.barrier_state()
    assert (state.waiting, state.open, state.frame) == (False, False, record["frame"] ^ 1)
    assert 1_000 < state.reaction_cycles < 1_500
    assert (state.released, state.amended, state.expired, state.refused) == (1, 1, 0, 0)

    loaded.barrier(hal.BarrierRequest(1, layers, 3_000))
    (record,) = next(run)
    loaded.elapse(3_100)
    state = loaded.barrier_state()
    assert (state.waiting, state.open, state.released, state.expired) == (False, False, 2, 1)
    assert not loaded.amend(1, 1)
    state = loaded.barrier_state()
    assert (state.frame, state.amended, state.refused) == (record["frame"], 1, 1)

    loaded.barrier(hal.BarrierRequest(2, layers, 3_000))
    (record,) = next(run)
    assert not record["flags"] & HARD
    assert not loaded.amend(2, 1)  # nothing of it is hard
    state = loaded.barrier_state()
    assert (state.frame, state.waiting, state.refused) == (record["frame"], False, 2)


def test_what_cannot_be_amended(loaded, code):
    with pytest.raises(
        errors.ProgramError, match=r"shot 0 cannot be amended, the barrier waits for none; call"
    ):
        loaded.amend(0, 1)
    loaded.run(code.rounds[:2], round_period_cycles=0, shot_by_shot=True)
    loaded.barrier(hal.BarrierRequest(0, len(code.graph.layers), 100))
    with pytest.raises(errors.ProgramError, match="shot 1 cannot be amended, the barrier waits for shot 0"):
        loaded.amend(1, 1)
    with pytest.raises(errors.RegisterValueError, match=r"flips must be 0 to 1, not 2; .* the decoder has 1"):
        loaded.amend(0, 2)
    with pytest.raises(errors.RegisterValueError, match="cycles must be 0 to 4294967295, not -1"):
        loaded.elapse(-1)


def test_a_barrier_left_waiting_holds_no_later_run(loaded, code, hardest):
    loaded.limit(hal.DecodeLimits(hard_above=0))
    run = loaded.run(code.rounds[[hardest]], round_period_cycles=0, shot_by_shot=True)
    loaded.barrier(hal.BarrierRequest(0, len(code.graph.layers), 2**24 - 1))
    next(run)
    assert loaded.barrier_state().waiting
    before = loaded.simulation.cycles
    records = np.concatenate(list(loaded.run(code.rounds[:20], round_period_cycles=0)))
    assert len(records) == 20
    assert loaded.simulation.cycles - before < 100_000
    state = dataclasses.replace(loaded.barrier_state(), reaction_cycles=0)
    assert state == hal.BarrierState(False, False, int(records["frame"][-1]), 0, 0, 0, 0, 0)


def test_a_run_shot_by_shot_ends_in_time(loaded, code):
    run = loaded.run(code.rounds[:2], round_period_cycles=0, shot_by_shot=True, timeout_s=1e-9)
    with pytest.raises(errors.RunTimeoutError, match="after 1e-09 s with 0 of 2 shots; allow more time"):
        next(run)


def test_a_board_without_the_feature_refuses(loaded):
    features = loaded.descriptor.features.model_copy(update={"escalation": False})
    loaded.descriptor = loaded.descriptor.model_copy(update={"features": features})
    for ask in (
        lambda: loaded.limit(hal.DecodeLimits()),
        lambda: loaded.barrier(hal.BarrierRequest(0, 1)),
        lambda: loaded.amend(0, 1),
        loaded.barrier_state,
    ):
        with pytest.raises(errors.UnsupportedError, match="sim has no escalation feature: no deadlines"):
            ask()


def test_a_lookup_table_refuses(code):
    shape = TableShape(observed_detectors(code.graph), 1)
    with (
        hal.connect("sim", graph=code.graph, table=shape) as board,
        pytest.raises(errors.UnsupportedError, match="is a lookup table, whose shots are never hard"),
    ):
        board.barrier(hal.BarrierRequest(0, 1))


def test_limits_outlive_a_trace(loaded, code, tmp_path):
    limits = hal.DecodeLimits(deadline_cycles=500, hard_above=7)
    loaded.limit(limits)
    loaded.trace(tmp_path / "a.vcd", 100)
    assert (loaded.get("decoder_deadline"), loaded.get("decoder_hard_above")) == dataclasses.astuple(limits)
