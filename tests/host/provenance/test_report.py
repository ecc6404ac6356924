# SPDX-License-Identifier: BSD-2-Clause
import io
import json

import pytest
from rich.console import Console

from triplane.host.provenance import (
    CorruptLedgerError,
    CorruptObjectError,
    ManifestError,
    MissingObjectError,
    ProvenanceError,
    RunRecorder,
    UnknownRunError,
    verify_run,
)
from triplane.host.provenance.ledger import Ledger
from triplane.host.provenance.manifest import Manifest
from triplane.host.provenance.report import flatten, show


def shown(run, store, **options):
    output = io.StringIO()
    show(run, store=store, console=Console(file=output, width=120), **options)
    return output.getvalue()


def artefact(store, run, name):
    return store.path(Manifest.from_bytes(store.get(run), run).inputs[name].sha256)


def test_a_run_says_what_it_was_made_of(store, record):
    run = record()
    text = shown(run[:8], store)
    for expected in (
        run,
        "triplane replay 'some dir'",
        "model.dem",
        "table_hash ab",
        "sampler 5",
        "input events",
        "events.b8",
        "0.25",
        "latency.decode.max",
        "every byte verified",
    ):
        assert expected in text


def test_json_holds_the_whole_manifest(store, record, capsys):
    run = record()
    show(run, as_json=True, store=store)
    content = json.loads(capsys.readouterr().out)
    assert (content["run"], content["verified"], content["problems"]) == (run, True, {})
    assert content["ledger"]["entries"] == 1
    assert content["manifest"]["result"] == {"logical_error_rate": 0.25, "latency": {"decode": {"max": 31}}}
    assert content["manifest"]["inputs"]["events"]["bytes"] == 3
    assert content["manifest"]["packages"]["numpy"]
    assert content["manifest"]["host"]["python"].startswith("3.")


def test_the_id_is_the_hash_of_the_manifest(store, record):
    run = record()
    manifest = Manifest.from_bytes(store.get(run), run)
    assert manifest.run == run
    assert manifest.to_bytes() == store.get(run)


def test_a_flipped_byte_in_an_object_is_shown_and_refused(store, record, flip, capsys):
    run = record()
    path = artefact(store, run, "events")
    flip(path)
    output = io.StringIO()
    with pytest.raises(
        CorruptObjectError, match=f"run {run[:12]}: object {path.parent.name}{path.name} is damaged"
    ):
        show(run, store=store, console=Console(file=output, width=120))
    assert "DAMAGED" in output.getvalue()
    with pytest.raises(CorruptObjectError):
        show(run, as_json=True, store=store)
    content = json.loads(capsys.readouterr().out)
    assert not content["verified"]
    assert list(content["problems"]) == [path.parent.name + path.name]


def test_a_deleted_object_is_named(store, record):
    run = record()
    artefact(store, run, "model").unlink()
    with pytest.raises(MissingObjectError, match="copy it from a backup"):
        shown(run, store)


def test_all_damaged_objects_are_counted(store, record, flip):
    run = record()
    flip(artefact(store, run, "events"))
    artefact(store, run, "model").unlink()
    with pytest.raises(ProvenanceError, match=r"\(and 1 more\)"):
        shown(run, store)


def test_a_flipped_byte_in_the_manifest_is_refused(store, record, flip):
    run = record()
    flip(store.path(run), 40)
    with pytest.raises(CorruptObjectError, match=f"object {run} is damaged"):
        shown(run, store)


def test_a_flipped_byte_in_the_ledger_is_refused(store, record, flip):
    run = record()
    record(second=1)
    flip(Ledger(store).path, 40)
    with pytest.raises(CorruptLedgerError, match="line 1"):
        shown(run, store)


def test_an_interrupted_record_is_told_and_harms_no_other_run(store, record):
    run = record()
    with Ledger(store).path.open("ab") as file:
        file.write(b'{"half')
    assert "6 bytes of an unfinished line" in shown(run, store)


def test_runs_are_found_by_their_first_digits(store, record):
    runs = [record(number=number) for number in range(20)]
    assert verify_run(f" {runs[7][:16].upper()} ", store).run == runs[7]
    with pytest.raises(UnknownRunError, match="at least 4 digits"):
        verify_run(runs[7][:1], store)
    with pytest.raises(UnknownRunError, match="'zzzz' is not among the 20 runs"):
        verify_run("zzzz", store)


def test_an_ambiguous_id_lists_the_runs(store):
    ledger = Ledger(store)
    for last in "ab":
        ledger.append("1234" + "0" * 59 + last)
    with pytest.raises(UnknownRunError, match="'1234' fits 2 runs"):
        verify_run("1234", store)


def test_an_empty_store_says_how_to_make_a_run(store):
    with pytest.raises(UnknownRunError, match="holds no runs yet; `triplane demo` makes one"):
        verify_run("abcd", store)


def test_a_manifest_of_another_schema_is_refused(store):
    run = store.put(b'{"schema_version":2}')
    Ledger(store).append(run)
    with pytest.raises(ManifestError, match="schema version 2, this Triplane reads 1; use the version"):
        verify_run(run, store)


@pytest.mark.parametrize("content", [b"[]", b"not JSON", b'{"schema_version":1}', b'{ "schema_version":1}'])
def test_what_is_no_manifest_is_refused(store, content):
    run = store.put(content)
    Ledger(store).append(run)
    with pytest.raises(ManifestError, match=f"run {run}"):
        verify_run(run, store)


def test_markup_in_names_is_printed_as_it_is(store):
    recorder = RunRecorder(["triplane", "[red]x"], store)
    recorder.add_input("[bold]", b"1", source="[/]")
    text = shown(recorder.commit({"[blink]": "[/red]"}), store)
    assert all(item in text for item in ("[red]x", "[bold]", "[/]", "[blink]", "[/red]"))


def test_flatten_names_every_leaf():
    value = {"a": {"b": 1, "c": [1, 2.5]}, "d": [{"e": None}], "f": {}}
    assert list(flatten(value)) == [("a.b", "1"), ("a.c", "1, 2.5"), ("d[0].e", "-")]
