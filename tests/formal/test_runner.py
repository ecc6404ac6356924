# SPDX-License-Identifier: BSD-2-Clause
"""Checks whose outcome is known beforehand, and what a person is told when they cannot be made."""

import os

import pytest
from migen import If, Signal

from triplane.sim.formal import (
    MISSING,
    PROVER,
    SEARCHER,
    FormalBench,
    FormalError,
    check,
    emit,
    installed,
    runner,
)
from triplane.sim.formal.abc import verdict
from triplane.sim.formal.trace import read_vcd, table

needs_tools = pytest.mark.skipif(not installed(), reason=MISSING)
long = pytest.mark.skipif(os.environ.get("FORMAL") != "all", reason="takes long; `make formal` runs it")


class Adder(FormalBench):
    """Adds a constant below 4 when the environment likes, and starts over at 100; claimed to stay below `limit`."""

    def __init__(self, limit):
        super().__init__()
        go = self.free("go", Signal())
        step = self.constant("step", Signal(3))
        total = Signal(8)
        self.sync += If(go, total.eq(total + step), If(total >= 100, total.eq(0)))
        self.assume("small", step < 4)
        self.always("below", total < limit)
        self.sometime("at_seven", total == 7)
        self.sometime("at_200", total == 200)
        self.watch("total", total)


@pytest.fixture(scope="module")
def adder():
    return emit(Adder(10))


@needs_tools
@pytest.mark.parametrize("engine", [SEARCHER, pytest.param("smtbmc z3", marks=long)])
def test_a_counterexample_is_shown_cycle_by_cycle(adder, engine):
    result = check(adder, depth=6, engine=engine)
    assert (result.status, result.failed) == ("FAIL", ("below",))
    signals = read_vcd(result.trace)
    assert int(signals["step"][0], 2) == 3, "four steps of 3 pass 10; none of less do"
    assert [int(v, 2) for v in signals["total"]] == [0, 3, 6, 9, 12]


@long
@needs_tools
def test_the_depth_is_what_is_looked_at(adder):
    assert check(adder, depth=4, engine=SEARCHER), "9 is the most after three cycles"
    assert not check(adder, depth=5, engine=SEARCHER)


@needs_tools
def test_a_start_from_any_registers(adder):
    result = check(adder, depth=1, engine=SEARCHER, any_start=True)
    assert result.status == "FAIL"
    assert int(read_vcd(result.trace)["total"][0], 2) >= 10


@needs_tools
def test_an_invariant_holds_for_runs_of_any_length():
    problem = emit(Adder(103))
    assert check(problem, "prove", depth=5, engine=PROVER), "100 is left for 0, and 99 + 3 is the most"
    refuted = check(emit(Adder(102)), "prove", depth=5, engine=PROVER)
    assert (refuted.status, refuted.failed) == ("FAIL", ("below",)), "the run is longer than 30 cycles"


@needs_tools
def test_what_cannot_be_reached_is_named(adder):
    result = check(adder, "cover", depth=8)
    assert (result.status, result.failed, result.reached) == ("FAIL", ("at_200",), {"at_seven": 7})


def test_results_are_kept(adder, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path))
    monkeypatch.setattr(runner, "installed", lambda: True)
    monkeypatch.setattr(runner, "version", lambda name: "1")
    runs = []
    monkeypatch.setattr(runner, "_run", lambda *_: runs.append(1) or "DONE (PASS, rc=0)")
    assert all(check(adder, depth=depth) for depth in (3, 3, 4))
    assert len(runs) == 2


def test_missing_tools_are_named(adder, monkeypatch):
    monkeypatch.setattr(runner, "installed", lambda: False)
    with pytest.raises(FormalError, match="not installed: needs `uv sync --extra formal`"):
        check(adder, depth=3)


def test_a_tool_that_gives_up_shows_its_last_lines(adder, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path))
    monkeypatch.setattr(runner, "installed", lambda: True)
    monkeypatch.setattr(runner, "version", lambda name: "1")
    monkeypatch.setattr(runner, "_run", lambda *_: "dut.v: no such cell\nDONE (ERROR, rc=16)")
    with pytest.raises(FormalError, match="no verdict.*\ndut.v: no such cell"):
        check(adder, depth=3)


def test_names_are_checked():
    bench = FormalBench()
    bench.always("holds", 1)
    with pytest.raises(ValueError, match="'holds' is used twice"):
        bench.always("holds", 1)
    with pytest.raises(ValueError, match="not 'two words'"):
        bench.always("two words", 1)


@pytest.mark.parametrize(
    ("status", "commands", "line"),
    [
        ("snl_SAT 12 pdr", "pdr -v", "was asserted in frame 12."),
        ("snl_UNSAT -1", "pdr -v", "Property proved."),
        ("snl_UNK 9", "bmc3 -F 10 -v", "No output asserted in 10 frames."),
        ("snl_UNK 8", "bmc3 -F 10 -v", "ABC has no verdict: snl_UNK 8"),
        ("snl_UNK 9", "pdr -v", "ABC has no verdict"),
        ("", "pdr", "ABC has no verdict: no status"),
    ],
)
def test_verdicts_of_abc(status, commands, line):
    assert line in verdict(status, commands)


def test_a_table_has_a_line_a_cycle():
    assert table({"a": ["0", "1"], "word": ["10", "11"]}, ["word", "a", "missing"]).splitlines() == [
        "cycle  word  a",
        "    0    10  0",
        "    1    11  1",
    ]
