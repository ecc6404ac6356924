# SPDX-License-Identifier: BSD-2-Clause
"""What Qiskit writes as OpenQASM 3 we read as the same circuit; what its own importer reads we read alike."""

import importlib.resources
import warnings

import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm3, transpile
from qiskit.circuit import Gate
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator
from qiskit_aer import AerSimulator

from triplane.host.bench.dynamic.corpus import examples
from triplane.host.compiler.qasm import Program, gates, loads

STANDARD_TEXT = (importlib.resources.files("qiskit.qasm.libs") / "stdgates.inc").read_text()
"""The standard library's definitions, as the specification's authors wrote them."""

PROGRAMS = [example for example in examples() if example.refusal is None]

PLAIN = [
    "h",
    "x",
    "y",
    "z",
    "s",
    "t",
    "sdg",
    "tdg",
    "sx",
    "rx",
    "ry",
    "rz",
    "p",
    "cx",
    "cz",
    "swap",
    "ccx",
    "cp",
]


def dumped(circuit):
    return qasm3.dumps(circuit, allow_aliasing=False)


@pytest.mark.parametrize("seed", range(30))
def test_a_random_circuit_comes_back_with_its_unitary_and_phase(seed):
    circuit = random_circuit(4, 6, max_operands=4, seed=seed)
    again = loads(dumped(circuit)).circuit
    difference = Operator(again).adjoint() @ Operator(circuit)
    # The exporter leaves the global phase away, so that a common one is all that may differ.
    phase = difference.data[0, 0]
    assert abs(phase) == pytest.approx(1)
    np.testing.assert_allclose(difference.data, phase * np.eye(16), atol=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_a_random_dynamic_circuit_comes_back_with_its_distribution(seed, distribution):
    circuit = random_circuit(3, 5, measure=True, conditional=True, reset=True, max_operands=2, seed=seed)
    program = loads(dumped(circuit))
    found = distribution(program)
    simulator = AerSimulator()
    shots = 4000
    result = simulator.run(transpile(circuit, simulator), shots=shots, seed_simulator=seed).result()
    (name,) = (register.name for register in circuit.cregs)
    for key, count in result.get_counts().items():
        probability = found[f"{name}={key}"]
        assert abs(count - shots * probability) <= 5 * np.sqrt(shots * probability * (1 - probability)) + 1e-6
    assert sum(found.values()) == pytest.approx(1)


def test_control_flow_that_qiskit_writes_comes_back(distribution):
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], True)) as otherwise:
        circuit.x(1)
    with otherwise:
        circuit.h(1)
    with circuit.for_loop(range(3)):
        circuit.x(1)
    with circuit.switch(circuit.cregs[0]) as case:
        with case(0):
            circuit.x(0)
        with case(1, 2):
            circuit.z(0)
        with case(case.DEFAULT):
            circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    found = distribution(loads(dumped(circuit)))
    # With 0 (half): h and three flips leave q[1] even, q[0] is flipped to 1. With 1: q[1] is 1, flipped to 0, q[0] 1.
    assert {key: value for key, value in found.items() if value > 1e-9} == pytest.approx(
        {"c=01": 0.75, "c=11": 0.25}
    )


# CX apart, which is the CNOT of OpenQASM 2: its definition by U has lost a phase on the way to OpenQASM 3.
@pytest.mark.parametrize("name", sorted({*gates.STANDARD} - {"CX"}))
def test_a_standard_gate_is_what_its_definition_says(name):
    known = gates.STANDARD[name]
    angles = ", ".join(str(0.3 + 0.5 * number) for number in range(known.parameters))
    operands = ", ".join(f"q[{number + 1}]" for number in range(known.qubits))
    # Under a control, where a wrong phase shows.
    call = f"qubit[{known.qubits + 1}] q; ctrl @ {name}{f'({angles})' if angles else ''} q[0], {operands};"
    ours = loads(f'OPENQASM 3.0; include "stdgates.inc"; {call}').circuit
    spelled = loads(f"OPENQASM 3.0;\n{STANDARD_TEXT}\n{call}").circuit
    np.testing.assert_allclose(Operator(ours).data, Operator(spelled).data, atol=1e-9)
    assert all(isinstance(instruction.operation, Gate) for instruction in ours.data)


@pytest.mark.parametrize("seed", range(10))
def test_qiskits_own_importer_reads_the_same_circuit(seed):
    random = np.random.default_rng(seed)
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', "qubit[3] q;"]
    for name in random.choice(PLAIN, 20):
        known = gates.STANDARD[name]
        angles = ", ".join(f"{random.uniform(-3, 3):.6f}" for _ in range(known.parameters))
        operands = ", ".join(f"q[{qubit}]" for qubit in random.permutation(3)[: known.qubits])
        lines.append(f"{name}{f'({angles})' if angles else ''} {operands};")
    source = "\n".join(lines)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls itself experimental
        theirs = qasm3.loads_experimental(source)
    np.testing.assert_allclose(Operator(loads(source).circuit).data, Operator(theirs).data, atol=1e-9)


@pytest.mark.parametrize("exponent", [0.5, -0.5, 1 / 3, 1.7])
@pytest.mark.parametrize("gate", ["x", "h", "s", "cx", "swap", "ry(1.1)", "u3(0.3, 0.4, 0.5)"])
def test_a_power_is_the_principal_one(gate, exponent):
    from scipy.linalg import expm, logm

    wires = "q[0], q[1]" if gate in ("cx", "swap") else "q[0]"
    once = loads(f'include "stdgates.inc"; qubit[2] q; {gate} {wires};').circuit
    powered = loads(f'include "stdgates.inc"; qubit[2] q; pow({exponent}) @ {gate} {wires};').circuit
    # The logarithm of scipy, with eigenvalues at -1 taken to i pi, as the specification wants.
    nudged = Operator(once).data * np.exp(-1e-12j)
    principal = expm(exponent * (logm(nudged) + 1e-12j * np.eye(4)))
    np.testing.assert_allclose(Operator(powered).data, principal, atol=1e-6)


@pytest.mark.parametrize("example", PROGRAMS, ids=lambda example: example.name)
def test_a_lowered_program_written_by_qiskit_is_the_same_program(example, distribution):
    program = loads(example.source)
    again = loads(dumped(program.circuit))
    # The exporter renames registers that are called like a gate, but keeps their order.
    order = {register.name: number for number, register in enumerate(program.circuit.cregs)}
    outputs = tuple(again.circuit.cregs[order[name]].name for name in program.outputs)
    found = distribution(Program(again.circuit, {}, outputs, ()))
    for key, probability in distribution(program).items():
        renamed = " ".join(
            f"{name}={word.split('=')[1]}" for name, word in zip(outputs, key.split(" "), strict=True)
        )
        assert found[renamed] == pytest.approx(probability, abs=1e-9)
