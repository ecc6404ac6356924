# SPDX-License-Identifier: BSD-2-Clause
"""The command as people run it: a process of its own, judged by what it prints, writes and returns."""

import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pymatching
import pytest
import stim
import typer

from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.layouts import RESULT
from triplane.hal import Pacing
from triplane.host.cli.common import Outputs, errors
from triplane.host.cli.decoding import run_replay
from triplane.host.provenance import RunRecorder, StoreWriteError
from triplane.host.replay import session
from triplane.host.replay.ledger import LatencyLedger, Stage
from triplane.host.replay.references import Rate
from triplane.host.replay.result import ReplayOptions, ReplayResult
from triplane.host.replay.sampling import memory_circuit, sample_dataset

HEAVY = ("numpy", "stim", "pymatching", "scipy", "matplotlib", "numba", "migen", "litex", "pydantic")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "TRIPLANE_HOME": str(tmp_path / "home"),
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }


@pytest.fixture
def sycamore_d3(published_data: Callable[[str], Path]) -> Path:
    return published_data("google_sycamore_2022") / "surface_code_bX_d3_r05_center_3_5"


@pytest.fixture
def replayed() -> ReplayResult:
    """A result that no board computed."""
    circuit = memory_circuit(distance=3, rounds=3, probability=0.01)
    dataset = sample_dataset(circuit, name="sampled", shots=500, seed=7, properties={})
    return ReplayResult(
        dataset=dataset,
        graph=compile_graph(dataset.model),
        records=np.zeros(500, RESULT.dtype),
        rate=Rate(3, 500),
        references=(),
        ledger=LatencyLedger((Stage("decode", np.arange(500, dtype=np.uint16), 600),)),
        clock_hz=245_760_000,
        simulated=True,
        cycles=1000,
        pacing=Pacing(3000, 0, 0, 65_535),
        stream_s=1.0,
        connect_s=1.0,
        build_hash="ab" * 32,
        structure_hash="cd" * 32,
        table_hash="ef" * 32,
        options=ReplayOptions(),
    )


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "triplane.host", *map(str, arguments)]


def triplane(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), env=environment, capture_output=True, text=True, check=False)


def test_help_lists_and_teaches(environment: dict[str, str]) -> None:
    overview = triplane(environment, "--help")
    assert overview.returncode == 0
    for name in (
        "demo",
        "sample",
        "replay",
        "calibrate-decoder",
        "calibrate-qubit",
        "assemble",
        "timeline",
        "report",
        "bench",
        "version",
    ):
        assert name in overview.stdout
        text = triplane(environment, name, "--help")
        assert text.returncode == 0
        assert name == "version" or "Example" in text.stdout


def test_version(environment: dict[str, str]) -> None:
    assert triplane(environment, "--version").stdout.startswith("triplane 0.")
    assert f"stim {stim.__version__}" in triplane(environment, "version").stdout


def test_first_line_needs_nothing_heavy(environment: dict[str, str]) -> None:
    code = f"import sys, triplane.host.cli; print(sorted(set({HEAVY}) & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [["frobnicate"], ["replay"], ["demo", "--shots", "0"], ["sample", "--weight-bits", "1"], ["report"]],
)
def test_usage_errors(environment: dict[str, str], arguments: list[str]) -> None:
    done = triplane(environment, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_one_message_for_one_error(environment: dict[str, str], tmp_path: Path) -> None:
    done = triplane(environment, "replay", tmp_path / "absent")
    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path / 'absent'}: no such file or directory\n"
    assert done.stdout == ""


def test_outputs_are_refused_before_the_run(environment: dict[str, str], tmp_path: Path) -> None:
    done = triplane(environment, "demo", "--shots", "1", "--json", tmp_path / "absent" / "out.json")
    assert done.returncode == 1
    assert "absent does not exist; create it first" in done.stderr


def test_unusable_model(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "m.dem").write_text("error(0.1) D0 D1 D2 L0\n")
    (tmp_path / "s.dets").write_text("shot D0 L0\n")
    done = triplane(environment, "replay", tmp_path)
    assert done.returncode == 1
    assert "m.dem: 'error(0.1) D0 D1 D2 L0' flips 3 detectors" in done.stderr
    assert "Traceback" not in done.stderr


def test_outputs_are_told_apart(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "m.dem").write_text("error(0.1) D0 L0\n")
    (tmp_path / "s.dets").write_text("shot D0 L0\n")
    done = triplane(environment, "replay", tmp_path, "--json", tmp_path / "m.dem")
    assert done.returncode == 1
    assert "m.dem: --json would overwrite an input of this run" in done.stderr
    done = triplane(environment, "sample", "--json", tmp_path / "out", "--vcd", tmp_path / "out")
    assert done.returncode == 1
    assert "out: is named by --json and by --vcd; give each its own file" in done.stderr
    done = triplane(environment, "demo", "--plot", tmp_path / "out.pdf")
    assert done.returncode == 1
    assert "out.pdf: figures are PNG; name it out.png" in done.stderr


def test_a_store_that_cannot_be_written_is_told_first(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in (["demo"], ["bench", "growth", "--quick"]):
        done = triplane({**environment, "TRIPLANE_HOME": str(tmp_path / "file" / "home")}, *name)
        assert done.returncode == 1
        assert "file/home: runs cannot be recorded there (Not a directory" in done.stderr
        assert "TRIPLANE_HOME" in done.stderr
        assert "graph" not in done.stderr


def test_a_result_that_cannot_be_recorded_is_not_lost(
    replayed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreWriteError("the store is full")

    monkeypatch.setenv("TRIPLANE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(session, "replay", lambda dataset, options, view: replayed)
    monkeypatch.setattr(RunRecorder, "commit", full)
    out = tmp_path / "out.json"
    with pytest.raises(typer.Exit) as exited, errors():
        run_replay(replayed.dataset, replayed.options, Outputs(out, None, None))
    printed = capsys.readouterr()
    assert exited.value.exit_code == 1
    assert printed.err.endswith("error: the store is full\n")
    assert "logical error rate per shot" in printed.out
    result = json.loads(out.read_text())
    assert result["run"] is None
    assert result["shots"] == 500


def failures(model: stim.DetectorErrorModel, events: Any, actual: Any, *, correlated: bool = False) -> int:
    matching = pymatching.Matching.from_detector_error_model(model, enable_correlations=correlated)
    return int((matching.decode_batch(events, enable_correlations=correlated) != actual).any(axis=1).sum())


def check_common(result: dict[str, Any], shots: int) -> None:
    cycles = result["latency"]["decode"]["cycles"]
    assert result["shots"] == shots
    assert 0 < cycles["min"] <= cycles["median"] <= cycles["p999"] <= cycles["max"] <= cycles["bound"]
    assert cycles["min"] <= cycles["mean"] <= cycles["max"]
    assert result["latency"]["decode"]["ns"]["max"] == pytest.approx(
        cycles["max"] * 1e9 / result["clock_hz"], abs=1e-3
    )
    assert result["clock_hz"] == 245_760_000
    assert result["simulated"] is True
    assert result["throughput"]["shots_per_s"] > 0
    assert int(result["run"], 16)


def test_replay_of_sycamore(environment: dict[str, str], tmp_path: Path, sycamore_d3: Path) -> None:
    out, figure = tmp_path / "out.json", tmp_path / "out.png"
    done = triplane(environment, "replay", sycamore_d3, "--shots", "2000", "--json", out, "--plot", figure)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    check_common(result, 2000)
    model = stim.DetectorErrorModel.from_file(sycamore_d3 / "circuit_detector_error_model.dem")
    events = stim.read_shot_data_file(
        path=str(sycamore_d3 / "detection_events.b8"), format="b8", num_detectors=model.num_detectors
    )[:2000]
    actual = np.loadtxt(sycamore_d3 / "obs_flips_actual.01", dtype=bool)[:2000, None]
    published = np.loadtxt(sycamore_d3 / "obs_flips_predicted_by_pymatching.01", dtype=bool)[:2000, None]
    references = result["references"]
    assert references["pymatching"] == failures(model, events, actual) / 2000
    assert references["correlated_pymatching"] == failures(model, events, actual, correlated=True) / 2000
    assert references["published_pymatching"] == (published != actual).mean()
    assert references["pymatching"] - 0.01 < result["logical_error_rate"] < references["pymatching"] + 0.02
    assert result["latency"]["decode"]["cycles"]["mean"] < 80
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert f"{result['logical_error_rate']:.4f}" in done.stdout

    report = triplane(environment, "report", result["run"][:12])
    assert report.returncode == 0, report.stderr
    assert result["run"][:12] in report.stdout


def test_model_of_one_half(environment: dict[str, str], tmp_path: Path, sycamore_d3: Path) -> None:
    out = tmp_path / "out.json"
    model = "pij_from_even_for_odd.dem"
    done = triplane(environment, "replay", sycamore_d3, "--model", model, "--shots", "300", "--json", out)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    dem = stim.DetectorErrorModel.from_file(sycamore_d3 / model)
    events = stim.read_shot_data_file(
        path=str(sycamore_d3 / "detection_events.b8"), format="b8", num_detectors=dem.num_detectors
    )[1:600:2]
    actual = np.loadtxt(sycamore_d3 / "obs_flips_actual.01", dtype=bool)[1:600:2, None]
    assert result["references"]["pymatching"] == failures(dem, events, actual) / 300


def test_demo(environment: dict[str, str], tmp_path: Path) -> None:
    out, figure = tmp_path / "out.json", tmp_path / "out.png"
    done = triplane(
        environment, "demo", "--shots", "3", "--rounds", "9", "--seed", "2", "--json", out, "--plot", figure
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].endswith("3 shots of 9 rounds, seed 2")
    result = json.loads(out.read_text())
    assert (result["shots"], result["rounds"], result["passes"]) == (3, 9, 2)
    assert result["run"][:12] in done.stdout
    rates = result["logical_errors"]
    assert {rate["shots"] for name, rate in rates.items() if name != "expected"} == {3}
    assert 0 < rates["expected"]["rate"] < 0.05
    events = result["detection_events"]
    assert 0 < events["predicted"] < 0.05
    assert events["measured"] < 0.1
    assert 4 <= result["latency"]["decode"]["cycles"]["min"] <= result["latency"]["decode"]["cycles"]["max"]
    assert figure.read_bytes().startswith(b"\x89PNG")
    shown = triplane(environment, "report", result["run"][:12])
    assert shown.returncode == 0, shown.stderr
    short = triplane(environment, "demo", "--rounds", "5")
    assert short.returncode == 1
    assert "error: --rounds is 5; the decoder's window needs 6" in short.stderr
    other = triplane(environment, "demo", "--distance", "4")
    assert other.returncode == 1
    assert "error: --distance is 4; there are devices of distance 3 and 5" in other.stderr


def test_sample(environment: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = triplane(environment, "sample", "--shots", "400", "--seed", "11", "--json", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].endswith("400 shots, seed 11")
    result = json.loads(out.read_text())
    check_common(result, 400)
    p = 0.001
    circuit = stim.Circuit.generated(
        "surface_code:rotated_memory_z",
        distance=5,
        rounds=5,
        after_clifford_depolarization=p,
        before_round_data_depolarization=p,
        before_measure_flip_probability=p,
        after_reset_flip_probability=p,
    )
    events, actual = circuit.compile_detector_sampler(seed=11).sample(400, separate_observables=True)
    model = circuit.detector_error_model(decompose_errors=True)
    assert result["references"]["pymatching"] == failures(model, events, actual) / 400
    assert result["logical_error_rate"] < 0.01


def test_waveform(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "m.dem").write_text("error(0.1) D0 L0\nerror(0.1) D0 D1\nerror(0.1) D1\n")
    (tmp_path / "s.dets").write_text("shot D0 L0\nshot D0 D1\nshot\n" * 20)
    vcd = tmp_path / "first.vcd"
    done = triplane(environment, "replay", tmp_path, "--vcd", vcd, "--vcd-shots", "2", "--round-ns", "100")
    assert done.returncode == 0, done.stderr
    text = vcd.read_text()
    assert "$enddefinitions" in text
    assert text.count("\n#") > 50
    assert len(text) < 5_000_000


def test_cancelled(environment: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    with subprocess.Popen(
        command("sample", "--shots", "2000000", "--json", out),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores the signal, and its children inherit that.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("streaming"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "cancelled: the board is closed and no file is left half written" in rest
    assert "Traceback" not in rest
    assert not out.exists()
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".partial"]


def test_bench_lists(environment: dict[str, str]) -> None:
    done = triplane(environment, "bench")
    assert done.returncode == 0, done.stderr
    assert "replay" in done.stdout
    unknown = triplane(environment, "bench", "frobnicate")
    assert unknown.returncode in (1, 2)
    assert "Traceback" not in unknown.stderr
