# SPDX-License-Identifier: BSD-2-Clause
"""`triplane calibrate-qubit`: what it finds, keeps, refuses, and says of snapshots that are stale."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from triplane.hal.device import Device, dump_device, load_device
from triplane.hal.errors import LinkError
from triplane.host.calibration.qubit import Snapshot, SnapshotError, command
from triplane.host.calibration.qubit.command import CalibrationError, Plan, calibrate
from triplane.host.calibration.qubit.report import check
from triplane.host.provenance.report import show as report

RABI_MISSED = 1.08


def short_lived(**qubit):
    """A qubit whose life is short, so that its board need not be simulated for long."""
    content = load_device("one_qubit").model_dump(mode="json") | {"name": "short_lived"}
    content["qubits"][0] |= {"t1_us": 4.0, "t2_us": 3.0} | qubit
    content["lines"][0]["tones"][0]["t1_us"] = None
    content["lines"][0]["noise_lsb"] /= 3
    return Device.model_validate(content)


@pytest.fixture
def known():
    return short_lived()


@pytest.fixture
def true(known):
    return short_lived(rabi_hz=known.qubits[0].rabi_hz * RABI_MISSED)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_HOME", str(tmp_path / "home"))


def plan(*routines, **more):
    return Plan((0,), routines, **{"points": 15, "shots": 40, "readout_shots": 64} | more)


def run(known, true, *routines, **more):
    return calibrate(["triplane"], known, plan(*routines), emulated=true, seed=5, ttl_s=3600, **more)


def test_what_is_found_is_kept_and_is_what_the_next_one_begins_with(known, true, tmp_path, capsys):
    files = {
        name: tmp_path / f"first.{kind}"
        for name, kind in (("snapshot_file", "snapshot"), ("json_file", "json"), ("figure", "png"))
    }
    # Routines are run in their order, whatever the order in which they are asked for.
    assert run(known, true, "rabi", "readout", **files)
    printed = capsys.readouterr()
    assert "q0 readout: 176 of 176 shots" in printed.err
    assert "q0 rabi: 15 of 15 points" in printed.err
    assert "pulse of half a turn" in printed.out
    result = json.loads(files["json_file"].read_text())
    assert [found["routine"] for found in result["results"]] == ["readout", "rabi"]
    assert result["failures"] == {}
    scale, error = result["results"][1]["found"]["x_scale"]
    assert abs(scale - 1 / RABI_MISSED) < 4 * error
    assert files["figure"].read_bytes().startswith(b"\x89PNG")
    snapshot = Snapshot.load(files["snapshot_file"])
    assert snapshot.model_dump(mode="json") == result["snapshot"]
    assert snapshot.qubits[0].x_scale.value == scale
    report(result["run"], as_json=False)
    assert "snapshot" in capsys.readouterr().out
    # A second time: the pulse is right then.
    again = tmp_path / "second.json"
    assert run(known, true, "readout", "rabi", begin=files["snapshot_file"], json_file=again)
    assert "begins with first.snapshot: " in capsys.readouterr().out
    scale, error = json.loads(again.read_text())["results"][1]["found"]["x_scale"]
    assert abs(scale - 1) < 4 * error < abs(1 / RABI_MISSED - 1)


def test_what_cannot_be_found_is_said_and_the_rest_goes_on(known, tmp_path, capsys):
    """A qubit that no pulse turns has no Rabi oscillation, and both of its states look the same."""
    dead = short_lived(rabi_hz=known.qubits[0].rabi_hz * 1e-3)
    out = tmp_path / "out.json"
    assert not run(known, dead, "rabi", "ramsey", json_file=out, snapshot_file=tmp_path / "no.json")
    result = json.loads(out.read_text())
    found = {"q0 rabi", "q0 ramsey"}
    believed = {f"q{each['qubit']} {each['routine']}" for each in result["results"] if not each["complaints"]}
    assert not believed & found
    assert result["snapshot"] is None
    assert not (tmp_path / "no.json").exists()
    assert "What is not believed is in no snapshot." in capsys.readouterr().out


def kept(known, true, *routines, files, **more):
    """Files and printed text of a plan that something goes wrong in."""
    paths = {name: files / name for name in ("snapshot_file", "json_file")} | {"figure": files / "figure.png"}
    assert not run(known, true, *routines, **paths, **more)
    return paths


def test_a_sweep_that_is_too_long_leaves_the_rest(known, true, tmp_path, capsys):
    paths = kept(short_lived(t1_us=400.0), true, "readout", "relaxation", files=tmp_path)
    assert "q0 relaxation: a body of " in capsys.readouterr().out
    assert set(Snapshot.load(paths["snapshot_file"]).qubits[0].evidence) == {"readout"}
    failures = json.loads(paths["json_file"].read_text())["failures"]
    assert "longer than the sequencer waits, 131072 cycles (533 us)" in failures["q0 relaxation"]
    assert paths["figure"].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("error", [LinkError("the board is gone"), KeyboardInterrupt()])
def test_what_ends_a_plan_leaves_what_was_found(known, true, tmp_path, capsys, monkeypatch, error):
    def gone(*_, **__):
        raise error

    monkeypatch.setattr(command, "rabi", gone)
    with pytest.raises(type(error)):
        kept(known, true, "readout", "rabi", "relaxation", files=tmp_path)
    assert f"q0 rabi: {str(error) or 'KeyboardInterrupt'}" in capsys.readouterr().out
    result = json.loads((tmp_path / "json_file").read_text())
    assert [found["routine"] for found in result["results"]] == ["readout"]
    assert len(result["run"]) == 64
    assert set(Snapshot.load(tmp_path / "snapshot_file").qubits[0].evidence) == {"readout"}
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_refusals_before_anything_is_built(known, true, tmp_path):
    with pytest.raises(CalibrationError, match="--qubit 7: qubit 7 of short_lived has no readout tone"):
        Plan((7,), ("rabi",)).checked(known)
    with pytest.raises(CalibrationError, match="--only drag: there are readout, rabi, ramsey, relaxation"):
        Plan((0,), ("drag",)).checked(known)
    with pytest.raises(CalibrationError, match="--emulate is for the simulated board"):
        run(known, true, "rabi", url="udp://127.0.0.1:1")
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(SnapshotError, match=r"a\.json is no calibration snapshot: device: Field required"):
        run(known, true, "rabi", begin=tmp_path / "a.json")
    other = Snapshot(device="two_qubit", build_hash="ab" * 32, measured_at=datetime.now(UTC), qubits={})
    other.save(tmp_path / "b.json")
    with pytest.raises(SnapshotError, match="is of two_qubit, and the device is short_lived"):
        run(known, true, "rabi", begin=tmp_path / "b.json")


@pytest.mark.parametrize(("hours", "fresh"), [(2, True), (30, False)])
def test_a_stale_snapshot_is_said_to_be_stale(tmp_path, capsys, hours, fresh):
    qubits = {0: {"t1_us": {"value": 41.0, "error": 0.8}}}
    path = tmp_path / "old.json"
    then = datetime.now(UTC) - timedelta(hours=hours)
    Snapshot(device="one_qubit", build_hash="ab" * 32, measured_at=then, qubits=qubits).save(path)
    assert check(path) is fresh
    said = capsys.readouterr().out
    assert "41.00 ± 0.80 µs" in said
    assert ("stale: 30 h old, and was to be believed for 24 h" in said) is not fresh
    assert ("calibrate again" in said) is not fresh
    words = [sys.executable, "-m", "triplane.host", "calibrate-qubit", "--check", str(path)]
    assert subprocess.run(words, capture_output=True, check=False).returncode == (0 if fresh else 1)


def test_a_device_from_a_file(known, tmp_path):
    """The command line takes files as `load_device` does, and says what is wrong with a plan in one line."""
    path = tmp_path / "mine.yaml"
    path.write_text(dump_device(known))
    words = [sys.executable, "-m", "triplane.host", "calibrate-qubit", str(path), "--qubit", "3"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: --qubit 3: qubit 3 of short_lived has no readout tone\n"
