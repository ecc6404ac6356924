# SPDX-License-Identifier: BSD-2-Clause
"""`triplane replay --escalate`: frames amended on the board, what is told of it, and what is refused."""

import dataclasses
import io
import json

import numpy as np
import pymatching
import pytest
from rich.console import Console

from triplane.host.provenance import Store, verify_run
from triplane.host.replay.report import print_report
from triplane.host.replay.result import EscalateOptions, OptionsError, ReplayOptions, record
from triplane.host.replay.sampling import memory_circuit, sample_dataset
from triplane.host.replay.session import replay


@pytest.fixture(scope="module")
def dataset():
    circuit = memory_circuit(distance=3, rounds=3, probability=0.02)
    return sample_dataset(circuit, name="hard", shots=800, seed=4, properties={"seed": 4})


def with_escalation(dataset, **options):
    return replay(
        dataset, ReplayOptions(passes=2, escalate=EscalateOptions(**({"answer_ns": 500} | options)))
    )


def test_accuracy_beside_the_fraction_escalated(dataset):
    plain = replay(dataset, ReplayOptions(passes=2))
    found = with_escalation(dataset, hard_above=5)
    matching = pymatching.Matching.from_detector_error_model(dataset.model, enable_correlations=True)
    correlated = matching.decode_batch(dataset.events, enable_correlations=True)[:, 0]
    hard = plain.records["hardness"] > 5
    failures = np.where(hard, correlated, plain.records["frame"]) != dataset.observables[:, 0]
    assert found.rate.failures == failures.sum() != plain.rate.failures
    assert found.fabric_rate == plain.rate
    written = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert written["logical_error_rate"] == failures.mean()
    escalation = written["escalation"]
    assert escalation["fabric"]["logical_error_rate"] == plain.rate.rate
    assert escalation["fraction"] == hard.mean() > 0
    assert escalation["escalated"] == escalation["in_time"] == hard.sum()
    assert escalation["changed"] == (hard & (correlated != plain.records["frame"])).sum() > 0
    assert (escalation["late"], escalation["hard_above"], escalation["answer_ns"]) == (0, 5, 500)
    assert escalation["reaction_cycles"]["others"] < 123 < escalation["reaction_cycles"]["escalated"]
    assert plain.as_json()["escalation"] is None


def test_late_answers_leave_the_fabrics_result(dataset):
    found = with_escalation(dataset, answer_ns=20_000, amend_ns=2_000)
    assert found.rate == found.fabric_rate
    escalation = found.as_json()["escalation"]
    assert (escalation["in_time"], escalation["changed"]) == (0, 0)
    assert escalation["late"] == escalation["escalated"] > 0


def test_report_and_manifest(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_HOME", str(tmp_path / "home"))
    found = with_escalation(dataset)
    text = io.StringIO()
    print_report(found, Console(file=text, width=200))
    said = text.getvalue()
    count = int(found.escalation.escalated.sum())
    assert f"escalated: {count} of 800 shots ({count / 800:.3%}); {count} answers in time, 0 refused" in said
    assert "the same, nothing amended" in said
    assert "500 ns (assumed), and may be amended for 1000000 ns" in said.replace(",000", "000")
    run = record(found, ["triplane", "replay"]).run
    manifest = verify_run(run).manifest
    frames = np.frombuffer(Store().get(manifest.outputs["frames"].sha256), dtype="<u4")
    np.testing.assert_array_equal(frames, found.escalation.frames)
    assert manifest.parameters["escalate"] == dataclasses.asdict(found.options.escalate)
    quiet = dataclasses.replace(found, escalation=None, fabric_rate=None)
    text = io.StringIO()
    print_report(quiet, Console(file=text, width=200))
    assert "escalated" not in text.getvalue()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"escalate": {}}, "with 1 pass no passes disagree, .* give --passes 2, or --hard-above below that"),
        (
            {"decoder": "table", "escalate": {}},
            "a lookup table calls no shot hard; escalate with --decoder array",
        ),
        ({"passes": 2, "escalate": {"hard_above": -1}}, "hard_above must be 0 to 65535, not -1"),
        ({"passes": 2, "escalate": {"answer_ns": -1}}, "answer_ns must be 0 to 1e[+]09 ns, not -1"),
        ({"passes": 2, "escalate": {"amend_ns": 0}}, "amend_ns must be 1 to 1e[+]09 ns, not 0"),
        ({"passes": 2, "escalate": {"amend_ns": 7e7}}, "amend_ns must be 5 to 68266662 ns on this board"),
        ({"passes": 2, "escalate": {"amend_ns": 4}}, "amend_ns must be 5 to 68266662 ns on this board"),
    ],
)
def test_bad_options(dataset, options, complaint):
    with pytest.raises(OptionsError, match=complaint):
        replay(dataset, ReplayOptions(**options | {"escalate": EscalateOptions(**options["escalate"])}))


def test_options_of_nothing():
    assert EscalateOptions.given(False, answer_ns=None, hard_above=None) is None
    assert EscalateOptions.given(True, answer_ns=7, hard_above=None) == EscalateOptions(answer_ns=7)
    with pytest.raises(OptionsError, match="--answer-ns, --hard-above without --escalate: nothing would be"):
        EscalateOptions.given(False, answer_ns=7.0, hard_above=0)
