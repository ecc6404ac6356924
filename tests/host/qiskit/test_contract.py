# SPDX-License-Identifier: BSD-2-Clause
"""What a backend says before it runs something: late feed-forward, stale calibration, qubits that others hold."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from qiskit.providers import JobError, JobStatus

from triplane.hal.device import load_device
from triplane.host.calibration.qubit.snapshot import (
    Measured,
    QubitSnapshot,
    Snapshot,
    SnapshotError,
    StaleSnapshotWarning,
)
from triplane.host.compiler.circuits import CircuitError, CoherenceWarning, Options
from triplane.host.provenance import verify_run
from triplane.host.qiskit import EstimatorV2, SamplerV2, TriplaneBackend
from triplane.host.runtime import leases as module
from triplane.host.runtime.leases import LeaseConflictError, LeaseLostError, Leases

PLACE = "udp://192.0.2.1:1234"


@pytest.fixture
def made(backend, tmp_path_factory, kept_jobs):
    """Backends of the device with its noise, on the board of the others."""

    def make(**options):
        return TriplaneBackend(board=backend.board(), store=kept_jobs, **options)

    return make


def runs(backend, circuit):
    """A job of each kind, and what its result says of itself."""
    measured = circuit.copy()
    measured.measure_all()
    yield backend.run(circuit, shots=3), lambda result: result.to_dict()["triplane"]
    yield SamplerV2(backend).run([(measured, None, 3)]), lambda result: result.metadata["triplane"]
    yield (
        EstimatorV2(backend).run([(circuit, "ZZ")], precision=0.5),
        lambda result: result.metadata["triplane"],
    )


def test_late_feed_forward_is_a_warning_and_in_the_results(made, decided):
    tight = Options(reset_first=False, budget=0.001)
    with made(options=tight) as backend, pytest.warns(CoherenceWarning, match="its budget of 0.1%") as warned:
        results = [about(job.result()) for job, about in runs(backend, decided)]
    assert {warning.filename for warning in warned} == {__file__}
    for result in results:
        (text,) = result["warnings"]
        assert re.search(r": decided: feed-forward by slot \d takes 154 cycles, 0.\d% of the coherence", text)
        assert text in [str(warning.message) for warning in warned]


def test_late_feed_forward_is_refused_where_that_is_asked_for(made, decided):
    options = Options(reset_first=False, budget=0.001, refuse_late=True)
    with made(options=options) as backend, pytest.raises(CircuitError, match="times its budget of 0.1%"):
        backend.run(decided)


def test_a_circuit_within_its_budgets_has_no_warnings(made, decided):
    with made() as backend:
        assert [about(job.result())["warnings"] for job, about in runs(backend, decided)] == [[], [], []]


def snapshot(age_s, ttl_s=3600):
    found = QubitSnapshot(t1_us=Measured(value=60.0, error=1.0), detuning_hz=Measured(value=2e3, error=100.0))
    then = datetime.now(UTC) - timedelta(seconds=age_s)
    return Snapshot(device="line5", build_hash="ab" * 32, measured_at=then, ttl_s=ttl_s, qubits={0: found})


def test_programs_are_for_the_device_as_it_was_found(made, kept_jobs, decided):
    fresh = snapshot(60)
    with made(snapshot=fresh) as backend:
        assert backend.device.qubits[0].t1_us == 60
        assert backend.device.qubits[0].frequency_hz == load_device("line5").qubits[0].frequency_hz + 2e3
        with made() as known:
            assert backend.target["sx"][0,].error > known.target["sx"][0,].error
        about = backend.run(decided, shots=2).result().to_dict()["triplane"]
    assert about["warnings"] == []
    kept = verify_run(about["manifest"], kept_jobs).manifest.inputs["snapshot.json"].sha256
    assert Snapshot.get(kept_jobs, kept) == fresh


def test_a_backend_of_a_stale_snapshot_says_how_old_it_is():
    with pytest.warns(StaleSnapshotWarning, match="stale: 2 h old, and was to be believed for 1 h") as warned:
        TriplaneBackend(snapshot=snapshot(7200), record_jobs=False).close()
    assert warned[0].filename == __file__


def test_a_snapshot_of_another_device(made):
    with pytest.raises(SnapshotError, match="is of line5, and the device is one_qubit"):
        made(device="one_qubit", snapshot=snapshot(60))


def test_a_job_that_begins_when_the_snapshot_has_become_stale_says_so(made, monkeypatch, decided):
    with made(snapshot=snapshot(60)) as backend:
        backend.snapshot = snapshot(7200)
        with pytest.warns(StaleSnapshotWarning, match="the calibration of line5 is stale: 2 h old"):
            result = backend.run(decided, shots=2).result()
    (text,) = result.to_dict()["triplane"]["warnings"]
    assert text.startswith("the calibration of line5 is stale: 2 h old")


@pytest.fixture
def reached(made, backend, kept_jobs, monkeypatch):
    """A backend on a board that others can reach, and the leases of all."""
    monkeypatch.setattr(backend.board(), "place", PLACE)
    with made() as reached:
        yield reached, Leases(kept_jobs.root)


def test_a_job_holds_the_qubits_of_its_device(reached, decided):
    backend, leases = reached
    job = backend.run(decided, shots=5_000)
    while not job.done_shots:
        assert job.status() in (JobStatus.QUEUED, JobStatus.RUNNING)
    (lease,) = leases.held(PLACE)
    assert lease.qubits == (0, 1, 2, 3, 4)
    assert job.job_id() in lease.holder
    job.cancel()
    with pytest.raises(JobError, match="was cancelled"):
        job.result()
    assert leases.held(PLACE) == []


def test_a_job_is_refused_while_others_hold_a_qubit(reached, decided):
    backend, leases = reached
    theirs = leases.take(PLACE, [4], holder="ann", ttl_s=50)
    job = backend.run(decided, shots=5)
    with pytest.raises(LeaseConflictError, match=f"qubits 4 of {PLACE} are held by ann for another [45]. s"):
        job.result()
    assert job.status() is JobStatus.ERROR
    leases.release(theirs)
    assert sum(backend.run(decided, shots=5).result().get_counts().values()) == 5
    found = backend.job(job.job_id()).result()  # as in a later process
    assert sum(found.get_counts().values()) == 5


def test_a_job_whose_lease_was_lost_ends(reached, decided, monkeypatch):
    backend, leases = reached
    monkeypatch.setattr(module, "RENEWALS", 300)  # soon
    job = backend.run(decided, shots=100_000)
    while not job.done_shots:
        assert job.status() in (JobStatus.QUEUED, JobStatus.RUNNING)
    (lease,) = leases.held(PLACE)
    leases.release(lease)
    with pytest.raises(LeaseLostError, match="has ended"):
        job.result(60)


def test_a_simulation_of_its_own_takes_no_lease(backend, kept_jobs, decided):
    backend.run(decided, shots=2).result()
    assert Leases(kept_jobs.root).held() == []
