# SPDX-License-Identifier: BSD-2-Clause
"""The ledger of the real fabric: stages add up to what is between the converters, and are what the cores declare."""

import json
from pathlib import Path

import numpy as np
import pytest

from triplane.gateware.decoder.table import LOOKUP_CYCLES
from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.sequencer.generator import PulseGenerator
from triplane.gateware.sequencer.layouts import EVENT_TO_RELEASE, RESULT_TO_EVENT
from triplane.host.bench import BenchContext, latency, latency_ledger, latency_stages
from triplane.host.bench.fabric_loop import Loop
from triplane.host.replay.sampling import memory_circuit

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "latency-ledger.json"


@pytest.fixture(scope="module")
def loop():
    return Loop.with_table(latency.TABLE_DISTANCE, latency.TABLE_ROUNDS, latency.P, period=latency.PERIOD)


@pytest.fixture(scope="module")
def board(loop):
    with loop.connect() as board:
        yield board


def test_feedback(board, loop):
    stages = latency_stages.feedback(board, loop, 3, 1)
    assert stages == {
        "discriminate": [ReadoutLine.LATENCY] * 3,
        "branch": [RESULT_TO_EVENT + EVENT_TO_RELEASE] * 3,
        "generate": [PulseGenerator.LATENCY] * 3,
        "total": [19] * 3,
    }


@pytest.fixture(scope="module")
def both_branches(loop):
    """Measurements of which some flip the frame and some do not, from more noise than the table was made for."""
    noisy = memory_circuit(distance=latency.TABLE_DISTANCE, rounds=latency.TABLE_ROUNDS, probability=0.05)
    measured = noisy.compile_sampler(seed=5).sample(200)
    flips = loop.expected(loop.events(measured))["frame"][:, -1]
    return np.concatenate([measured[flips == 0][:4], measured[flips == 1][:4]])


def test_reaction_is_the_same_on_either_branch(board, loop, both_branches):
    found = latency_stages.reaction(board, loop, both_branches)
    stages = dict(found.stages)
    assert found.flips == 4
    assert (found.wrong_rounds, found.wrong_records, found.wrong_branches) == (0, 0, 0)
    assert stages.pop("total") == [25] * 8
    assert [sum(cycles) for cycles in zip(*stages.values(), strict=True)] == [25] * 8
    assert stages["decode"] == [LOOKUP_CYCLES] * 8
    assert stages["generate"] == [PulseGenerator.LATENCY] * 8


def test_what_differs_from_the_model_is_counted(board, loop, both_branches, monkeypatch):
    """The board hears the shots in another order than Stim and the model."""
    bits = Loop.bits
    monkeypatch.setattr(Loop, "bits", lambda self, measured: bits(self, measured)[::-1])
    found = latency_stages.reaction(board, loop, both_branches)
    assert found.wrong_branches == found.wrong_records == 8
    assert found.wrong_rounds > 0


def test_reaction_of_sliding_windows():
    """At distance 3, since the board of distance 5 takes minutes to build."""
    loop = Loop.with_windows(3, 8, 0.02, passes=2, period=64)
    measured = latency_stages.sample(loop, 30, 4)
    with loop.connect() as board:
        found = latency_stages.reaction(board, loop, measured)
    assert (found.wrong_rounds, found.wrong_records, found.wrong_branches) == (0, 0, 0)
    assert 0 < found.flips < 30
    expected = loop.expected(loop.events(measured))["decode_cycles"]
    assert expected.shape == (30, 3)
    assert found.stages["decode"] == expected[:, -1].tolist()
    stages = dict(found.stages)
    assert stages.pop("total") == [sum(cycles) for cycles in zip(*stages.values(), strict=True)]
    around = {name: set(cycles) for name, cycles in stages.items() if name not in ("queue", "decode")}
    assert around == {"collect": {8}, "form": {1}, "frame": {2}, "branch": {3}, "generate": {8}}


def test_rounds_of_sliding_windows():
    """The distance-5 loop, without its board: 49 slots on 7 lines, a first, a middle and a last window."""
    loop = Loop.with_windows(5, 11, 0.003, passes=2, period=98)
    assert (loop.rounds, loop.shape.lines, loop.target.plan.num_layers) == (12, 7, 8)
    text = loop.program()
    assert text.count("capture ancillas, 0, +98") == 11
    assert text.count("capture data, 1") == 1
    measured = latency_stages.sample(loop, 20, 1)
    assert loop.bits(measured).shape == (20, 12, 56)
    events = loop.events(measured)
    assert events.any()
    assert loop.words(events).shape == (20, 12, 1)
    assert loop.expected(events)["frame"].shape == (20, 3)


def test_the_committed_ledger_is_what_is_measured():
    lines = latency_ledger.differences(latency_ledger.read(COMMITTED), latency_ledger.measure())
    assert not lines, "\n".join(
        [*lines, f"where this is intended, run `{latency_ledger.REGENERATE}` and commit {COMMITTED.name}"]
    )


def test_the_ledger_has_all_latencies_and_meets_its_goals():
    committed = latency_ledger.read(COMMITTED)
    assert [name.split(",")[0] for name in committed] == ["discriminate", "feedback", "decode", "reaction"]
    goals = {"discriminate": 8, "feedback": 24, "reaction, d=3, lookup table": 45}
    assert all(committed[name]["total, max"] <= goal for name, goal in goals.items())


def test_a_difference_names_stage_and_both_values():
    before = {"feedback": {"branch, max": 4, "total, max": 19}}
    now = {"feedback": {"branch, max": 5, "total, max": 19}, "decode": {"total, max": 3}}
    assert latency_ledger.differences(before, before) == []
    assert latency_ledger.differences(before, now) == [
        "feedback: branch, max: committed 4, measured 5 cycles",
        "decode: total, max: committed nothing, measured 3 cycles",
    ]


def test_command_writes_and_checks(tmp_path, monkeypatch, capsys):
    path = tmp_path / "ledger.json"
    monkeypatch.setattr(latency_ledger, "measure", lambda: {"feedback": {"total, max": 19}})
    assert latency_ledger.main([str(path)]) == 0
    assert json.loads(path.read_text())["command"] == "triplane bench latency --quick"
    assert latency_ledger.main([str(path), "--check"]) == 0
    monkeypatch.setattr(latency_ledger, "measure", lambda: {"feedback": {"total, max": 20}})
    assert latency_ledger.main([str(path), "--check"]) == 1
    told = capsys.readouterr().err
    assert "feedback: total, max: committed 19, measured 20 cycles" in told
    assert "make regenerate" in told


def test_only_cycles_are_in_the_ledger():
    ctx = BenchContext(quick=True)
    ctx.row(work="a", measure="total, max", value=3, unit="cycles", goal=None, command="c")
    ctx.row(work="a", measure="wrong", value=0, unit="records", goal=None, command="c")
    ctx.skip(work="b", reason="no board", command="c")
    assert latency_ledger.ledger(ctx.rows) == {"a": {"total, max": 3}}
