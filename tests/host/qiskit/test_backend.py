# SPDX-License-Identifier: BSD-2-Clause
"""A board as a backend of Qiskit: its primitives run on it, and agree with those of state vectors."""

import threading
import time

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Parameter
from qiskit.circuit.classical import expr, types
from qiskit.primitives import (
    BackendEstimatorV2,
    BackendSamplerV2,
    StatevectorEstimator,
    StatevectorSampler,
)
from qiskit.providers import JobError, JobStatus
from qiskit.quantum_info import SparsePauliOp

from triplane.hal.errors import BoardError
from triplane.host.compiler.circuits import CircuitError, Options, compile_circuit
from triplane.host.compiler.qasm import loads
from triplane.host.provenance import Store
from triplane.host.qiskit import TriplaneBackend
from triplane.host.qiskit.task import hexadecimal
from triplane.host.runtime.circuits import run_points

SPECIFICATION = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; c[0] = measure q[0]; '
    "if (c[0] == 1) { x q[1]; } c[1] = measure q[1];"
)


def bell():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def test_the_program_of_the_specification_runs_as_it_stands(backend):
    counts = backend.run(loads(SPECIFICATION).circuit, shots=400).result().get_counts()
    assert set(counts) <= {"00", "11"}
    assert abs(counts["11"] - 200) < 60


def test_a_result_says_where_it_comes_from(backend):
    circuit = bell()
    result = backend.run(circuit, shots=50, memory=True).result()
    assert result.backend_name == "triplane_line5"
    assert len(result.get_memory()) == 50
    about = result.to_dict()["triplane"]
    assert about["simulated"] is True
    assert len(about["gateware"]) == 64
    entry = result.to_dict()["results"][0]["triplane"]
    assert set(entry["levels"]) == {"circuit.qpy", "transpiled.qpy", "scheduled.json", "program.tasm"}
    assert entry["cycles"] > 50 * 100
    assert entry["shot_us"] > 0.5


def test_equal_seeds_give_equal_shots(backend):
    runs = [
        backend.run(bell(), shots=60, memory=True, seed_simulator=seed).result().get_memory()
        for seed in (5, 5, 6)
    ]
    assert runs[0] == runs[1] != runs[2]


def test_several_registers_and_none(backend):
    circuit = QuantumCircuit(3)
    for name, size in (("low", 1), ("high", 2)):
        circuit.add_register(ClassicalRegister(size, name))
    circuit.x(2)
    circuit.measure([0, 1, 2], [0, 1, 2])
    silent = QuantumCircuit(1)
    silent.x(0)
    results = backend.run([circuit, silent], shots=20, memory=True).result()
    assert results.get_counts(0) == {"10 0": 20}
    # Qiskit formats 0x0 of no classical bits like this.
    assert results.get_memory(1) == ["0"] * 20


def test_qiskits_own_sampler_broadcasts_parameters(backend, agree):
    theta = Parameter("theta")
    circuit = QuantumCircuit(2)
    circuit.ry(theta, 0)
    circuit.cx(0, 1)
    circuit.measure_all()
    values = np.linspace(0, np.pi, 6).reshape(2, 3)
    shots = 300
    found = BackendSamplerV2(backend=backend).run([(circuit, values)], shots=shots).result()[0].data.meas
    expected = StatevectorSampler(seed=1).run([(circuit, values)], shots=shots).result()[0].data.meas
    assert found.shape == expected.shape == (2, 3)
    for place in np.ndindex(2, 3):
        assert agree(found[place].get_counts(), expected[place].get_counts())


def test_qiskits_own_estimator(backend):
    circuit = QuantumCircuit(2)
    circuit.ry(0.7, 0)
    circuit.cx(0, 1)
    observables = [[SparsePauliOp("ZZ")], [SparsePauliOp("XX")], [SparsePauliOp(["ZI", "IZ"], [0.5, -1.0])]]
    found = BackendEstimatorV2(backend=backend).run([(circuit, observables)], precision=0.05).result()[0].data
    exact = StatevectorEstimator().run([(circuit, observables)]).result()[0].data
    assert found.evs.shape == exact.evs.shape == (3, 1)
    assert (np.abs(found.evs - exact.evs) < 4 * 0.05).all()


def test_what_cannot_be_run(backend):
    theta = Parameter("theta")
    free = QuantumCircuit(1, 1)
    free.rz(theta, 0)
    with pytest.raises(CircuitError, match="parameter 'theta' has no value"):
        backend.run(free)
    with pytest.raises(CircuitError, match="the circuit has 6 qubits, line5 has 5"):
        backend.run(QuantumCircuit(6))
    for shots in (0, -1, 10**9, 1.5):
        with pytest.raises(CircuitError, match=r"shots must be a whole number from 1 to 10000000"):
            backend.run(bell(), shots=shots)


def test_a_job_is_cancelled_and_the_next_one_runs(backend):
    job = backend.run(bell(), shots=1_000_000)
    waiting = backend.run(bell(), shots=10)
    assert waiting.status() in (JobStatus.QUEUED, JobStatus.RUNNING)
    deadline = time.monotonic() + 60
    while not job.done_shots and time.monotonic() < deadline:
        time.sleep(0.05)
    assert job.status() is JobStatus.RUNNING
    assert job.cancel()
    with pytest.raises(JobError, match=r"was cancelled after \d+ shots"):
        job.result()
    assert job.status() is JobStatus.CANCELLED
    assert not job.cancel()
    assert sum(waiting.result().get_counts().values()) == 10
    assert waiting.status() is JobStatus.DONE


def test_a_job_that_never_began_is_cancelled(backend):
    first, second = backend.run(bell(), shots=100_000), backend.run(bell(), shots=10)
    assert second.cancel()
    with pytest.raises(JobError, match="cancelled before it began"):
        second.result()
    first.cancel()
    with pytest.raises(JobError):
        first.result()


def test_a_job_runs_in_a_thread_of_the_backend(backend):
    before = threading.active_count()
    backend.run(bell(), shots=5).result()
    assert threading.active_count() <= before + 1


def test_bits_as_qiskit_writes_them():
    bits = np.array([[1, 0, 0], [0, 1, 1]], dtype=bool)
    assert hexadecimal(bits) == ["0x1", "0x6"]
    assert hexadecimal(np.zeros((2, 0), dtype=bool)) == ["0x0", "0x0"]
    wide = np.zeros((1, 70), dtype=bool)
    wide[0, 69] = True
    assert hexadecimal(wide) == [hex(1 << 69)]


def test_a_shot_without_pulses_may_compute_for_long(backend):
    """Its instructions take time too, which an estimate of pulses does not count."""
    circuit = QuantumCircuit(1)
    total = ClassicalRegister(8, "total")
    circuit.add_register(total)
    with circuit.for_loop(range(50)):
        circuit.store(total, expr.add(total, 3))
    counts = backend.run(circuit, shots=400).result().get_counts()
    assert counts == {format(150, "08b"): 400}


def test_what_runs_is_cancelled_where_the_block_ends_by_an_exception():
    jobs = []

    def interrupted():
        with TriplaneBackend("line5", record_jobs=False) as own:
            jobs.append(own.run(bell(), shots=1_000_000))
            while not jobs[0].done_shots:
                time.sleep(0.05)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert jobs[0].status() is JobStatus.CANCELLED
    assert jobs[0].done_shots < 1_000_000


def test_a_closed_backend_takes_nothing(tmp_path):
    own = TriplaneBackend("line5", store=Store(tmp_path))
    own.close()
    with pytest.raises(CircuitError, match="is closed"):
        own.run(bell())
    assert own.jobs() == []


def test_a_loop_that_may_take_long_is_given_more_cycles(backend):
    circuit = QuantumCircuit(1, 1)
    passes = circuit.add_var("passes", expr.lift(0, types.Uint(16)))
    with circuit.while_loop(expr.less(passes, 400)):
        circuit.delay(1, 0, unit="us")
        circuit.store(passes, expr.add(passes, 1))
    circuit.measure(0, 0)
    with pytest.raises(BoardError, match="aborted after"):
        run_points(backend.board(), compiled_with(backend, circuit, 2_000), [1])
    done = run_points(backend.board(), compiled_with(backend, circuit, 1_000_000), [1])
    assert done.cycles > 400 * 245


def compiled_with(backend, circuit, limit):
    """For a limit of a shot's cycles."""
    return compile_circuit(circuit, backend.device, backend.shape, Options(shot_limit_cycles=limit))
