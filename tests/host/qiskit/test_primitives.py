# SPDX-License-Identifier: BSD-2-Clause
"""Primitives of our own: Qiskit's contract for them, and results as those of its state vectors."""

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.random import random_circuit
from qiskit.primitives import (
    BaseEstimatorV2,
    BasePrimitiveJob,
    BaseSamplerV2,
    BitArray,
    PrimitiveResult,
    StatevectorEstimator,
    StatevectorSampler,
)
from qiskit.providers import JobStatus
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector, random_pauli_list

from triplane.host.compiler.circuits import CircuitError
from triplane.host.qiskit import EstimatorV2, SamplerV2

THETA, PHI = Parameter("theta"), Parameter("phi")


@pytest.fixture
def sampler(backend):
    return SamplerV2(backend)


@pytest.fixture
def estimator(backend):
    return EstimatorV2(backend, options={"default_precision": 0.08})


def turned():
    circuit = QuantumCircuit(2)
    circuit.ry(THETA, 0)
    circuit.rz(PHI, 0)
    circuit.cx(0, 1)
    circuit.rx(PHI, 1)
    return circuit


def measured(circuit):
    found = circuit.copy()
    found.measure_all()
    return found


# Sampler


def test_a_sweep_is_one_upload_and_one_start(sampler, agree):
    values = np.stack(np.meshgrid([0.3, 1.4, 2.9], [0.1, 1.0]), axis=-1)
    job = sampler.run([(measured(turned()), values)], shots=150)
    result = job.result()[0]
    expected = StatevectorSampler(seed=1).run([(measured(turned()), values)], shots=150).result()[0]
    assert result.data.meas.shape == expected.data.meas.shape == (2, 3)
    assert result.data.meas.num_shots == 150
    for place in np.ndindex(2, 3):
        assert agree(result.data.meas[place].get_counts(), expected.data.meas[place].get_counts())
    assert result.metadata["triplane"]["starts"] == 1
    assert job.done_shots == 6 * 150


def test_points_that_a_program_does_not_hold_are_several(sampler, backend):
    circuit = measured(turned())
    most = backend.compiled(circuit).max_points
    values = np.zeros((most + 1, 2))
    values[-1] = 0.0, np.pi  # phi, theta: parameters are sorted by name
    result = sampler.run([(circuit, values)], shots=2).result()[0]
    assert result.metadata["triplane"]["starts"] == 2
    assert result.data.meas[-1].get_counts() == {"11": 2}
    assert result.data.meas[0].get_counts() == {"00": 2}


@pytest.mark.parametrize("seed", range(4))
def test_samples_of_random_circuits(sampler, agree, seed):
    circuit = measured(random_circuit(3, 3, max_operands=2, seed=seed))
    found = sampler.run([circuit], shots=400).result()[0].data.meas.get_counts()
    expected = StatevectorSampler(seed=seed).run([circuit], shots=400).result()[0].data.meas.get_counts()
    assert agree(found, expected)


def test_the_contract_of_samplers(sampler):
    registers = [ClassicalRegister(1, "first"), ClassicalRegister(2, "second")]
    circuit = QuantumCircuit(QuantumRegister(3), *registers, metadata={"of": "a test"})
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    job = sampler.run([circuit, (circuit, None, 7)], shots=5)
    assert isinstance(sampler, BaseSamplerV2)
    assert isinstance(job, BasePrimitiveJob)
    result = job.result()
    assert isinstance(result, PrimitiveResult)
    assert job.done()
    assert job.in_final_state()
    assert not job.running()
    assert not job.cancelled()
    assert job.status() is JobStatus.DONE
    assert len(result) == 2
    assert set(result[0].data) == {"first", "second"}
    assert isinstance(result[0].data.first, BitArray)
    assert result[0].data.second.get_counts() == {"10": 5}
    assert result[1].data.second.get_counts() == {"10": 7}
    assert [each.data.shape for each in result] == [(), ()]
    assert result[0].metadata["circuit_metadata"] == {"of": "a test"}
    assert [each.metadata["shots"] for each in result] == [5, 7]
    assert result.metadata["version"] == 2
    assert result.metadata["triplane"]["job_id"] == job.job_id()
    assert len(result.metadata["triplane"]["gateware"]) == 64


def test_a_parameter_that_changes_nothing_takes_a_value_all_the_same(sampler):
    circuit = QuantumCircuit(1)
    circuit.rz(THETA, 0)
    found = sampler.run([(measured(circuit), [[0.1], [0.2]])], shots=3).result()[0].data.meas
    assert found.shape == (2,)
    assert found.get_counts() == {"0": 6}


def test_what_a_sampler_refuses(sampler):
    with pytest.raises(ValueError, match="shots must be a whole number"):
        sampler.run([measured(turned())], shots=0)
    with pytest.raises(ValueError, match="parameters"):
        sampler.run([measured(turned())])
    with pytest.raises(CircuitError, match="6 qubits, line5 has 5"):
        sampler.run([measured(QuantumCircuit(6))])
    with pytest.raises(CircuitError, match="SamplerOptions has no 'wanted'"):
        SamplerV2(sampler.backend, options={"wanted": 1})
    with pytest.warns(UserWarning, match="circuit 0 has no classical registers"):
        assert not len(sampler.run([QuantumCircuit(1)], shots=1).result()[0].data)


# Estimator


def test_values_are_broadcast_as_qiskit_does(estimator):
    """Observables (2, 1) and values (3): shape (2, 3)."""
    observables = [[SparsePauliOp(["XX", "IZ"], [0.5, 0.5])], [SparsePauliOp(["YY", "II"], [0.8, -1.0])]]
    values = np.array([[0.2, 0.4], [1.5, 2.0], [3.0, -1.0]])
    job = estimator.run([(turned(), observables, values)], precision=0.05)
    found = job.result()[0]
    exact = StatevectorEstimator().run([(turned(), observables, values)]).result()[0].data
    assert isinstance(estimator, BaseEstimatorV2)
    assert isinstance(job, BasePrimitiveJob)
    assert found.data.evs.shape == found.data.stds.shape == exact.evs.shape == (2, 3)
    assert (np.abs(found.data.evs - exact.evs) < 4.5 * 0.05).all()
    assert found.metadata["target_precision"] == 0.05
    assert sorted(found.metadata["bases"]) == ["IZ", "XX", "YY"]
    assert 0 < found.metadata["pilot_shots"] < found.metadata["shots"]


def test_shots_go_where_outcomes_scatter(estimator):
    """A Bell pair has three certain values: half of all shots are saved, and the uncertain value is as precise."""
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    observable = SparsePauliOp(["XX", "YY", "ZZ", "IZ"], [0.4, 0.4, 0.4, 0.3])
    found = estimator.run([(circuit, observable)], precision=0.03).result()[0]
    assert found.metadata["shots"] < found.metadata["fixed_shots"] / 2
    assert found.data.stds < 0.03
    assert abs(found.data.evs - 0.4) < 4.5 * 0.03


@pytest.mark.parametrize("seed", range(4))
def test_values_of_random_circuits(estimator, seed):
    circuit = random_circuit(3, 3, max_operands=2, seed=seed)
    terms = random_pauli_list(3, 4, seed=seed, phase=False)
    observable = SparsePauliOp(terms, np.random.default_rng(seed).normal(0, 0.5, 4))
    found = estimator.run([(circuit, observable)]).result()[0].data
    exact = StatevectorEstimator().run([(circuit, observable)]).result()[0].data
    assert found.stds < 0.1
    assert abs(found.evs - exact.evs) < 4.5 * 0.08


def test_projectors_and_identities(estimator):
    circuit = QuantumCircuit(2)
    circuit.ry(1.0, 0)
    circuit.h(1)
    observables = [{"+0": 1.0}, {"r1": 2.0, "II": 0.5}, {"II": 3.0}, {"Il": 1.0}]
    found = estimator.run([(circuit, observables)], precision=0.05).result()[0].data
    half = np.cos(0.5) ** 2
    exact = [half, 2 * 0.5 * (1 - half) + 0.5, 3.0, 0.5]
    assert np.abs(found.evs - exact).max() < 4.5 * 0.05
    assert (found.evs[2], found.stds[2]) == (3.0, 0.0)


def test_a_circuit_that_decides(estimator):
    """Reset by measurement, and a state behind it."""
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
        circuit.x(1)
    found = estimator.run([(circuit, ["IZ", "ZI"])], precision=0.1).result()[0].data
    assert found.evs[0] == 1.0
    assert abs(found.evs[1]) < 4.5 * 0.1


def test_layout_and_routing_are_undone(estimator):
    """A ring on a line: the circuit's qubits end elsewhere than they began."""
    circuit = QuantumCircuit(4)
    circuit.x(0)
    circuit.ry(0.6, 3)
    for a, b in ((0, 2), (1, 3), (3, 0), (2, 1)):
        circuit.cx(a, b)
    labels = ["IIIZ", "IIZI", "IZII", "ZIII", "ZIZI"]
    found = estimator.run([(circuit, labels)], precision=0.1).result()[0].data
    exact = [Statevector(circuit).expectation_value(Operator(SparsePauliOp(label))).real for label in labels]
    assert np.abs(found.evs - exact).max() < 4.5 * 0.1


def test_what_an_estimator_refuses(estimator):
    with pytest.raises(ValueError, match="precision of PUB 0 is nan"):
        estimator.run([(QuantumCircuit(1), "Z")], precision=float("nan"))
    with pytest.raises(ValueError, match="precision"):
        estimator.run([(QuantumCircuit(1), "Z")], precision=-1.0)
    with pytest.raises(CircuitError, match="may take 1,000,000,000,000 shots, 100,000,000 are the most"):
        estimator.run([(QuantumCircuit(1), "Z")], precision=1e-6)
    with pytest.raises(ValueError, match="qubits"):
        estimator.run([(QuantumCircuit(1), "ZZ")])
