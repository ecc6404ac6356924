# SPDX-License-Identifier: BSD-2-Clause
"""Tables for people, files for programs."""

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from triplane.host.replay.ledger import LatencyLedger
from triplane.host.replay.progress import ProgressView, pace
from triplane.host.replay.references import Rate
from triplane.host.replay.report import format_rate, print_report
from triplane.host.replay.result import ReplayOptions
from triplane.host.replay.session import replay


def test_tables(sampled: Any, fake_board: Any) -> None:
    result = replay(sampled, ReplayOptions(round_ns=1000), connect=fake_board.connect)
    out = io.StringIO()
    print_report(result, Console(file=out, width=120))
    text = out.getvalue()
    for expected in (
        "sampled: 500 shots",
        "Triplane union-find, 5-bit weights",
        "PyMatching, correlated",
        "2 of 3,000 started",
    ):
        assert expected in text
    assert f"{result.rate.rate:.4f}" in text
    assert f"{result.ledger['decode'].bound:,}" in text


def test_eighty_columns(sampled: Any, fake_board: Any) -> None:
    result = replay(sampled, ReplayOptions(round_ns=1000, deadline_ns=100.5), connect=fake_board.connect)
    slow = dataclasses.replace(result.ledger["decode"], cycles=np.full(500, 65_535, np.uint16), bound=65_535)
    pacing = dataclasses.replace(result.pacing, backlog_max=65_535)
    result = dataclasses.replace(result, ledger=LatencyLedger((slow,)), pacing=pacing, run="ab" * 32)
    out = io.StringIO()
    print_report(result, Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    (header,) = (line.split() for line in lines if "p99.9" in line)
    assert header == ["stage", "unit", "min", "median", "mean", "p99.9", "max", "bound"]
    (cycles,) = (line.split() for line in lines if " cycles " in line and "decode " in line)
    assert cycles == ["decode", "cycles", "65,535", "65,535", "65,535.0", "65,535", "65,535", "65,535"]
    text = " ".join(out.getvalue().split())
    assert "deadline of decode: 100.5 ns (24 whole cycles), missed by 500 of 500 shots" in text
    assert "at least 65,535 were due at once (the counter was full)" in text
    assert lines[-1] == "  triplane report abababababab"


def test_digits_follow_the_interval() -> None:
    assert format_rate(Rate(7413, 50_000)) == ("0.1483", "0.1452 to 0.1514")
    assert format_rate(Rate(3, 1_000_000))[0] == "0.0000030"


def test_plain_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    clock = iter(float(n) for n in range(0, 1000, 2))
    monkeypatch.setattr("triplane.host.replay.progress.time.monotonic", lambda: next(clock))
    with ProgressView(Console(file=out)) as view:
        view.step("graph [5 rounds]")
        counter = view.count("streaming", 100)
        for done in range(10, 101, 10):
            counter.to(done)
    lines = out.getvalue().splitlines()
    assert lines[0] == "graph [5 rounds]"
    assert lines[1] == "streaming: 30 of 100 shots, 6 s, 14 s left"
    assert lines[-1] == "streaming: 100 of 100 shots, 20 s"
    assert len(lines) == 5


def test_bar_on_a_terminal() -> None:
    out = io.StringIO()
    with ProgressView(Console(file=out, force_terminal=True, width=100)) as view:
        view.step("graph")
        view.count("streaming", 100).to(40)
    assert "40 of 100 shots" in out.getvalue()
    assert out.getvalue().endswith("\x1b[?25h")  # the cursor is shown again


def test_build_lines_that_count_move_one_bar() -> None:
    out = io.StringIO()
    with ProgressView(Console(file=out, force_terminal=True, width=100)) as view:
        view.build("verilating")
        view.build("compiling 1 of 2")
        view.build("compiling 2 of 2")
        assert len(view._bars.tasks) == 1
    assert "2 of 2 files" in out.getvalue()


def test_pace() -> None:
    assert pace(0, 10, "shots", 1.0) == "0 of 10 shots"
    assert pace(1000, 4000, "shots", 2.0) == "1,000 of 4,000 shots, 500 shots/s, 6 s left"
    assert pace(15, 15, "files", 30.0) == "15 of 15 files, 30 s"


def test_quiet() -> None:
    out = io.StringIO()
    with ProgressView(Console(file=out), quiet=True) as view:
        view.step("graph")
        view.count("streaming", 1).to(1)
    assert not out.getvalue()
