# SPDX-License-Identifier: BSD-2-Clause
import io
import json

import numpy as np
import pytest
from rich.console import Console

from triplane.host import bench
from triplane.host.bench import registry
from triplane.host.bench.goals import GoalError
from triplane.host.provenance import RunRecorder, Store, StoreWriteError, verify_run

COLUMNS = ["work", "measure", "value", "unit", "goal", "ok", "command"]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_HOME", str(tmp_path / "home"))


@pytest.fixture
def add(monkeypatch):
    """Registers a benchmark for the length of a test."""
    bench.find_benchmarks()  # the real ones register once, when they are imported
    monkeypatch.setattr(registry, "_benchmarks", {})

    def register(function, name="sample"):
        return bench.benchmark(name, help="For a test.")(function)

    return register


def measure(ctx):
    ctx.row(work="d=5", measure="rate", value=0.158, unit="per shot", goal="<= 0.162", command="triplane a")
    ctx.row(
        work="d=5", measure="mean", value=np.float32(81.5), unit="cycles", goal="<= 80", command="triplane b"
    )
    ctx.row(
        work="d=3", measure="speed", value=np.int64(12_345), unit="shots/s", goal=None, command="triplane c"
    )
    ctx.skip(work="[d=7]", reason="data are absent", command="triplane d")


def run(name="sample", **options):
    output = io.StringIO()
    content = bench.run_benchmark(
        name, console=Console(file=output, width=140), command=["triplane", "bench"], **options
    )
    return content, output.getvalue()


def test_rows_are_written_by_the_convention(add, tmp_path):
    add(measure)
    path = tmp_path / "bench.json"
    content, text = run(json_file=path)
    assert json.loads(path.read_text()) == content
    assert list(content) == ["clock_hz", "run", "rows"]
    assert content["clock_hz"] == 245_760_000
    assert all(list(row) == COLUMNS for row in content["rows"])
    assert [row["ok"] for row in content["rows"]] == [True, False, None, None]
    assert [row["value"] for row in content["rows"]] == [0.158, 81.5, 12_345, None]
    assert isinstance(content["rows"][2]["value"], int)
    assert f"result: {path}" in text.replace("\n", "")


def test_a_missed_goal_is_shown_and_is_no_error(add):
    add(measure)
    _, text = run()
    (missed,) = [
        line for line in text.splitlines() if "mean" in line and "MISSED" in line and "goal" not in line
    ]
    assert "81.5" in missed
    assert "1 of 2 goals met, 1 missed, 1 not run" in text


def test_what_was_not_measured_is_a_row(add):
    add(measure)
    content, text = run()
    assert content["rows"][3] == {
        "work": "[d=7]",
        "measure": "skipped: data are absent",
        "value": None,
        "unit": "",
        "goal": None,
        "ok": None,
        "command": "triplane d",
    }
    assert "[d=7]" in text
    assert "not run" in text


@pytest.mark.parametrize("quick", [False, True])
def test_quick_reaches_the_benchmark(add, quick):
    seen = []
    add(lambda ctx: seen.append(ctx.quick))
    _, text = run(quick=quick)
    assert seen == [quick]
    assert ("--quick" in text) == quick


def test_the_run_is_in_the_ledger(add):
    add(measure)
    content, _ = run(quick=True)
    manifest = verify_run(content["run"], Store()).manifest
    assert manifest.command == ["triplane", "bench"]
    assert manifest.parameters == {"benchmark": "sample", "quick": True}
    assert manifest.result == {"clock_hz": content["clock_hz"], "rows": content["rows"]}


def test_what_figures_rest_on_is_in_the_manifest(add, tmp_path):
    (tmp_path / "m.dem").write_text("error(0.1) D0 L0")

    def benchmark(ctx):
        ctx.add_input("model", tmp_path / "m.dem")
        ctx.add_input("circuit", b"M 0", source="stim")
        with pytest.raises(bench.BenchError, match="input 'circuit' is there already"):
            ctx.add_input("circuit", b"M 1")
        ctx.tables["d3"] = {"table_hash": "ab"}
        ctx.gateware["d3"] = {"build_hash": "cd"}
        ctx.seeds["sampler"] = 7

    add(benchmark)
    found = verify_run(run()[0]["run"], Store())
    assert [(name, item.bytes, item.source) for _, name, item in found.objects] == [
        ("circuit", 3, "stim"),
        ("model", 16, str(tmp_path / "m.dem")),
    ]
    assert found.manifest.tables == {"d3": {"table_hash": "ab"}}
    assert found.manifest.gateware == {"d3": {"build_hash": "cd"}}
    assert found.manifest.seeds == {"sampler": 7}


def test_figures_are_not_lost_with_the_store(add, tmp_path, monkeypatch):
    def full(*_):
        raise StoreWriteError("the store is full")

    monkeypatch.setattr(RunRecorder, "commit", full)
    add(measure)
    with pytest.raises(StoreWriteError, match="full"):
        run(json_file=tmp_path / "out.json")
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["run"] is None
    assert len(content["rows"]) == 4


def test_another_clock_is_written(add):
    def half_rate(ctx):
        ctx.clock_hz = 122_880_000

    add(half_rate)
    assert run()[0]["clock_hz"] == 122_880_000


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_figures_are_finite(value):
    with pytest.raises(bench.BenchError, match="d=5, rate: value (nan|inf) is no finite number"):
        bench.BenchContext().row(work="d=5", measure="rate", value=value, unit="", goal=None, command="")


def test_a_goal_that_is_none_is_refused():
    with pytest.raises(GoalError, match="'about 80'"):
        bench.BenchContext().row(work="w", measure="m", value=1, unit="", goal="about 80", command="")


def test_an_unknown_benchmark_lists_those_there_are():
    with pytest.raises(
        bench.BenchError, match=r"no benchmark 'repaly' \(did you mean 'replay'\?\); there are: .*replay"
    ):
        run("repaly")


def test_a_name_is_taken_once(add):
    add(measure)

    def other(ctx):
        """Of another module."""

    other.__module__ = "elsewhere"
    with pytest.raises(bench.BenchError, match="'sample' is in .*test_runner already"):
        add(other)


def test_the_list_shows_names_and_help():
    output = io.StringIO()
    bench.list_benchmarks(Console(file=output, width=140))
    assert "replay" in output.getvalue()
    assert bench.find_benchmarks()["replay"].help.split(":")[0] in output.getvalue()
