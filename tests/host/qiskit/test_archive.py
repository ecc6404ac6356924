# SPDX-License-Identifier: BSD-2-Clause
"""Jobs outlive the process that began them."""

import subprocess
import sys
import time

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from triplane.host.qiskit import EstimatorV2, SamplerV2, TriplaneBackend
from triplane.host.qiskit.archive import UnknownJobError

LATER = """
import sys
from qiskit import QuantumCircuit
from triplane.hal.device import load_device
from triplane.host.provenance import Store
from triplane.host.qiskit import SamplerV2, TriplaneBackend
from triplane.sim.qpu.noiseless import noiseless

circuit = QuantumCircuit(1)
circuit.h(0)
circuit.measure_all()
backend = TriplaneBackend(noiseless(load_device("line5")), store=Store(sys.argv[1]))
shots = [50, 60, int(sys.argv[2])]
job = SamplerV2(backend, options={"seed_simulator": 11}).run([(circuit, None, count) for count in shots])
print(job.job_id(), flush=True)
job.result()
"""


@pytest.fixture
def other(ideal, kept_jobs):
    """A backend of a later process, as far as jobs are concerned; it is given no board unless it needs one."""
    with TriplaneBackend(ideal, store=kept_jobs) as backend:
        yield backend


def test_results_are_found_again(backend, other):
    theta = Parameter("theta")
    circuit = QuantumCircuit(1)
    circuit.ry(theta, 0)
    sampled = circuit.copy()
    sampled.measure_all()
    jobs = [
        SamplerV2(backend).run([(sampled, np.array([[0.1], [0.2]]), 20)]),
        EstimatorV2(backend).run([(circuit, [[SparsePauliOp("Z")], ["X"]], [0.3, 0.4])], precision=0.1),
        backend.run(sampled.assign_parameters([1.0]), shots=30, memory=True),
    ]
    results = [job.result() for job in jobs]
    found = [other.job(job.job_id()).result() for job in jobs]
    assert np.array_equal(found[0][0].data.meas.array, results[0][0].data.meas.array)
    assert np.array_equal(found[1][0].data.evs, results[1][0].data.evs)
    assert np.array_equal(found[1][0].data.stds, results[1][0].data.stds)
    assert found[1][0].metadata == results[1][0].metadata
    assert found[2].get_memory() == results[2].get_memory()
    assert not other._connection.is_open
    assert other.jobs()[:3] == [job.job_id() for job in jobs[::-1]]


def test_a_job_whose_process_was_killed_goes_on_where_it_was(other, backend, kept_jobs):
    many = 1_500
    command = [sys.executable, "-c", LATER, str(kept_jobs.root), str(many)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            name = process.stdout.readline().strip()
            second = kept_jobs.root / "jobs" / name / "part-1.json"
            deadline = time.monotonic() + 240
            while not second.exists() and time.monotonic() < deadline:
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            process.kill()
    assert second.exists()
    assert not (kept_jobs.root / "jobs" / name / "part-2.json").exists()
    before = (kept_jobs.root / "jobs" / name / "part-0.json").stat().st_mtime_ns
    job = other.job(name)
    result = job.result()
    assert job.done_shots == many
    assert (kept_jobs.root / "jobs" / name / "part-0.json").stat().st_mtime_ns == before

    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.measure_all()
    whole = SamplerV2(backend, options={"seed_simulator": 11}).run(
        [(circuit, None, shots) for shots in (50, 60, many)]
    )
    for found, expected in zip(result, whole.result(), strict=True):
        assert np.array_equal(found.data.meas.array, expected.data.meas.array)


@pytest.mark.parametrize("name", ["no-such-job", "../jobs", ""])
def test_unknown_jobs(other, name):
    with pytest.raises(UnknownJobError, match="there is no job"):
        other.job(name)


def test_nothing_is_kept_where_that_is_not_wanted(ideal, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_HOME", str(tmp_path))
    with TriplaneBackend(ideal, record_jobs=False) as backend:
        circuit = QuantumCircuit(1)
        circuit.measure_all()
        job = SamplerV2(backend).run([circuit], shots=1)
        job.cancel()
        assert backend.jobs() == []
    assert not (tmp_path / "jobs").exists()
