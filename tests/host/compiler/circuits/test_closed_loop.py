# SPDX-License-Identifier: BSD-2-Clause
"""Circuits on the simulated board with emulated qubits behind it have the distributions that Aer gives them."""

import math

import pytest
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit_aer import AerSimulator

REFERENCE_SHOTS = 100_000


def bell():
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def against_the_coupling():
    """A cx from right to left, on qubits that are not neighbours, with angles that tell all axes apart."""
    circuit = QuantumCircuit(3, 3)
    circuit.rx(0.7, 2)
    circuit.rz(0.4, 2)
    circuit.ry(1.2, 0)
    circuit.cx(2, 0)
    circuit.rx(-0.9, 0)
    circuit.cx(0, 1)
    circuit.u(0.8, 0.3, -1.1, 2)
    circuit.measure([0, 1, 2], [0, 1, 2])
    return circuit


def teleportation():
    circuit = QuantumCircuit(3, 3)
    circuit.ry(0.8, 0)
    circuit.rz(0.5, 0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.x(2)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.z(2)
    circuit.rz(-0.5, 2)
    circuit.ry(-0.8, 2)
    circuit.measure(2, 2)
    return circuit


def active_reset():
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.reset([0, 1])
    circuit.ry(0.6, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def repeat_until_success():
    circuit = QuantumCircuit(2, 3)
    circuit.ry(1.0, 0)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.ry(1.0, 0)
        circuit.ry(0.5, 1)
        circuit.measure(0, 0)
    circuit.measure([0, 1], [1, 2])
    return circuit


def switched():
    circuit = QuantumCircuit(3, 1)
    picked = ClassicalRegister(2, "picked")
    circuit.add_register(picked)
    circuit.h(0)
    circuit.ry(1.1, 1)
    circuit.measure([0, 1], picked)
    with circuit.switch(picked) as case:
        with case(0):
            circuit.x(2)
        with case(1):
            circuit.ry(0.7, 2)
        with case(2, 3):
            circuit.h(2)
    circuit.measure(2, 0)
    return circuit


def nested():
    """Conditions in conditions, four deep, with virtual Z and measurements within."""
    circuit = QuantumCircuit(4, 4)
    for qubit, angle in enumerate((1.9, 1.2, 1.7)):
        circuit.ry(angle, qubit)
    circuit.measure([0, 1, 2], [0, 1, 2])
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.sx(3)
        with circuit.if_test((circuit.clbits[1], 0)) as inner:
            circuit.s(3)
            with circuit.if_test((circuit.clbits[2], 1)):
                circuit.rz(0.7, 3)
                circuit.ry(1.4, 3)
                circuit.measure(3, 3)
                with circuit.if_test((circuit.clbits[3], 1)):
                    circuit.x(0)
        with inner:
            circuit.t(3)
    with otherwise:
        circuit.ry(0.9, 3)
    circuit.sx(3)
    circuit.measure([0, 3], [0, 3])
    return circuit


def ghz_by_measurement():
    """Five qubits by two measurements in place of the middle of the chain."""
    circuit = QuantumCircuit(5, 5)
    circuit.h([0, 2, 4])
    for control, target in ((0, 1), (2, 1), (2, 3), (4, 3)):
        circuit.cx(control, target)
    circuit.measure([1, 3], [1, 3])
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.x(2)
        circuit.x(4)
    with circuit.if_test((circuit.clbits[3], 1)):
        circuit.x(4)
    circuit.h([0, 2, 4])
    circuit.measure([0, 2, 4], [0, 2, 4])
    return circuit


def iterative_phase_estimation():
    """Four bits of a phase of 5.3 sixteenths of a turn: bits decide angles."""
    turn = 2 * math.pi * 5.3 / 16
    circuit = QuantumCircuit(2, 4)
    circuit.x(1)
    for k in range(4):
        if k:
            circuit.reset(0)
        circuit.h(0)
        circuit.cp(turn * 2 ** (3 - k), 0, 1)
        for j in range(k):
            with circuit.if_test((circuit.clbits[j], 1)):
                circuit.p(-math.pi / 2 ** (k - j), 0)
        circuit.h(0)
        circuit.measure(0, k)
    return circuit


def looped():
    """A hardware loop, with a frame that turns in it, left early."""
    circuit = QuantumCircuit(2, 2)
    with circuit.for_loop(range(4)):
        circuit.ry(0.4, 0)
        circuit.rz(0.6, 0)
        circuit.ry(0.9, 1)
        circuit.measure(1, 1)
        with circuit.if_test((circuit.clbits[1], 1)):
            circuit.t(0)
            circuit.break_loop()
    circuit.ry(0.3, 0)
    circuit.measure(0, 0)
    return circuit


@pytest.mark.parametrize(
    ("make", "shots"),
    [
        (bell, 200),
        (against_the_coupling, 400),
        (teleportation, 200),
        (active_reset, 150),
        (repeat_until_success, 200),
        (switched, 200),
        (nested, 300),
        (ghz_by_measurement, 300),
        (iterative_phase_estimation, 200),
        (looped, 300),
    ],
)
def test_a_circuit_has_the_distribution_that_aer_gives_it(outcomes, agrees, make, shots):
    circuit = make()
    counts = AerSimulator(seed_simulator=1).run(circuit, shots=REFERENCE_SHOTS).result().get_counts()
    reference = {int(value.replace(" ", ""), 2): count for value, count in counts.items()}
    agrees(outcomes(circuit, shots), reference)


@pytest.mark.parametrize("seed", [1, 3])
def test_random_circuits_have_the_distribution_that_aer_gives_them(outcomes, agrees, scrambled, seed):
    circuit = scrambled(seed, qubits=3, gates=14)
    counts = AerSimulator(seed_simulator=1).run(circuit, shots=REFERENCE_SHOTS).result().get_counts()
    agrees(outcomes(circuit, 200), {int(value, 2): count for value, count in counts.items()})
