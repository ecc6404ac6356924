# SPDX-License-Identifier: BSD-2-Clause
import subprocess
import sys

import pytest

from triplane.host.provenance import (
    CorruptLedgerError,
    Ledger,
    ManifestError,
    ProvenanceError,
    RunRecorder,
    Store,
    StoreWriteError,
    verify_run,
)
from triplane.host.provenance.recorder import checkout, host_facts

RECORD_15 = """
import sys
from triplane.host.provenance import RunRecorder, Store
worker = int(sys.argv[2])
for number in range(15):
    recorder = RunRecorder(sys.argv, Store(sys.argv[1]))
    recorder.add_input("shared", b"the same input of everybody")
    recorder.add_input("own", f"{worker} {number}".encode())
    recorder.commit({"worker": worker, "number": number})
"""


def test_files_and_bytes_are_kept(store, tmp_path):
    path = tmp_path / "model.dem"
    path.write_text("error(0.1) D0")
    recorder = RunRecorder(["triplane"], store)
    digest = recorder.add_input("model", path)
    recorder.add_output("figure", b"png", source="plot.png")
    found = verify_run(recorder.commit({}), store)
    assert store.get(digest) == b"error(0.1) D0"
    assert found.manifest.inputs["model"].source == str(path)
    assert [(kind, name, item.bytes) for kind, name, item in found.objects] == [
        ("input", "model", 13),
        ("output", "figure", 3),
    ]


def test_the_copy_outlives_the_file(store, tmp_path):
    path = tmp_path / "events.b8"
    path.write_bytes(b"\x05")
    recorder = RunRecorder(["triplane"], store)
    recorder.add_input("events", path)
    path.unlink()
    assert not verify_run(recorder.commit({}), store).problems


def test_processes_record_runs_at_once(store):
    command = [sys.executable, "-c", RECORD_15, str(store.root)]
    workers = [subprocess.Popen([*command, str(worker)]) for worker in range(3)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0, 0]
    entries = Ledger(store).verify().entries
    results = [verify_run(entry.object, store).manifest.result for entry in entries]
    assert sorted((result["worker"], result["number"]) for result in results) == [
        (worker, number) for worker in range(3) for number in range(15)
    ]


def test_a_name_is_given_once(store):
    recorder = RunRecorder(["triplane"], store)
    recorder.add_input("model", b"a")
    with pytest.raises(ProvenanceError, match="input 'model' is there already"):
        recorder.add_input("model", b"b")


def test_unknown_facts_are_refused(store):
    with pytest.raises(ProvenanceError, match="a run has no 'seed' to set; there are model, tables"):
        RunRecorder(["triplane"], store).set(seed=3)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"rate": float("nan")}, "result.rate is nan"),
        ({"latency": {"max": object()}}, "result.latency.max is a builtins.object"),
    ],
)
def test_a_result_that_json_cannot_hold_records_nothing(store, result, message):
    recorder = RunRecorder(["triplane"], store)
    with pytest.raises(ManifestError, match=message):
        recorder.commit(result)
    assert Ledger(store).verify().entries == ()


def test_arguments_that_are_not_utf8_are_kept_readable(store):
    run = RunRecorder(["triplane", "dir\udcff"], store).commit({})
    assert verify_run(run, store).manifest.command == ["triplane", "dir\\udcff"]


def test_a_missing_input_file_is_the_systems_error(store, tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        RunRecorder(["triplane"], store).add_input("events", tmp_path / "absent")


def test_a_checkout_is_named_by_its_commit(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    assert checkout(tmp_path) is None
    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    clean = checkout(tmp_path)
    assert clean is not None
    assert (len(clean.commit), clean.dirty) == (40, False)
    (tmp_path / "file").write_text("2")
    dirty = checkout(tmp_path)
    assert dirty is not None
    assert dirty.dirty


def test_nobody_is_named():
    assert set(host_facts()) == {"python", "implementation", "platform", "machine", "cpus"}


def test_a_store_that_cannot_be_written_is_told_before_the_run(tmp_path):
    (tmp_path / "file").touch()
    recorder = RunRecorder(["triplane"], Store(tmp_path / "file" / "home"))
    for fails in (recorder.check, lambda: recorder.add_input("a", b"a"), lambda: recorder.commit({})):
        with pytest.raises(
            StoreWriteError, match=r"file/home: runs cannot .* \(Not a directory.*TRIPLANE_HOME"
        ):
            fails()


def test_a_damaged_ledger_is_told_before_the_run(store, record, flip):
    record()
    RunRecorder(["triplane"], store).check()
    assert len(Ledger(store).verify().entries) == 1
    flip(Ledger(store).path)
    with pytest.raises(CorruptLedgerError, match=r"is damaged .* nothing was run.* set TRIPLANE_HOME"):
        RunRecorder(["triplane"], store).check()
    assert not list(store.root.rglob("*.partial"))
