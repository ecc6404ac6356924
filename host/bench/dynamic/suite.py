# SPDX-License-Identifier: BSD-2-Clause
"""Dynamic circuits that are compared with Aer: by tests with few shots, by `bench circuits` with many."""

from __future__ import annotations

import math
from collections.abc import Callable

from qiskit import ClassicalRegister, QuantumCircuit
from qiskit_aer import AerSimulator


def bell() -> QuantumCircuit:
    """Two qubits that agree."""
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def against_the_coupling() -> QuantumCircuit:
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


def teleportation() -> QuantumCircuit:
    """A state goes from the first qubit to the last, where it is turned back to 0."""
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


def active_reset() -> QuantumCircuit:
    """Two entangled qubits, reset, and one of them used again."""
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.reset([0, 1])
    circuit.ry(0.6, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def repeat_until_success() -> QuantumCircuit:
    """A `while` whose passes turn a second qubit."""
    circuit = QuantumCircuit(2, 3)
    circuit.ry(1.0, 0)
    circuit.measure(0, 0)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.ry(1.0, 0)
        circuit.ry(0.5, 1)
        circuit.measure(0, 0)
    circuit.measure([0, 1], [1, 2])
    return circuit


def switched() -> QuantumCircuit:
    """Three ways by two bits."""
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


def nested() -> QuantumCircuit:
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


def ghz_by_measurement() -> QuantumCircuit:
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


def iterative_phase_estimation() -> QuantumCircuit:
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


def looped() -> QuantumCircuit:
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


def entanglement_swapping() -> QuantumCircuit:
    """Two pairs; a Bell measurement of one half of each entangles the others, which have never met."""
    circuit = QuantumCircuit(4, 4)
    circuit.h([0, 3])
    circuit.cx(0, 1)
    circuit.cx(3, 2)
    circuit.cx(1, 2)
    circuit.h(1)
    circuit.measure([1, 2], [1, 2])
    with circuit.if_test((circuit.clbits[2], 1)):
        circuit.x(3)
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.z(3)
    circuit.ry(0.4, [0, 3])
    circuit.measure([0, 3], [0, 3])
    return circuit


def repetition_code(rounds: int = 2) -> QuantumCircuit:
    """A bit in three qubits of a line; an error in every round, found by two ancillas and corrected before the next."""
    circuit = QuantumCircuit(5, 3)
    syndrome = ClassicalRegister(2, "syndrome")
    circuit.add_register(syndrome)
    circuit.x([0, 2, 4])
    for number in range(rounds):
        circuit.rx(0.9, 2 * (number % 3))
        circuit.barrier()
        for data, ancilla in ((0, 1), (4, 3), (2, 1), (2, 3)):
            circuit.cx(data, ancilla)
        circuit.measure([1, 3], syndrome)
        with circuit.switch(syndrome) as case:
            with case(1):
                circuit.x(0)
            with case(2):
                circuit.x(4)
            with case(3):
                circuit.x(2)
        circuit.reset([1, 3])
    circuit.rx(0.5, 2)
    circuit.measure([0, 2, 4], [0, 1, 2])
    return circuit


SUITE: dict[str, Callable[[], QuantumCircuit]] = {
    "Bell pair": bell,
    "against the coupling": against_the_coupling,
    "teleportation": teleportation,
    "active reset": active_reset,
    "repeat until success": repeat_until_success,
    "switch": switched,
    "nested if, depth 4": nested,
    "GHZ by measurement": ghz_by_measurement,
    "iterative phase estimation, 4 bits": iterative_phase_estimation,
    "for with break": looped,
    "entanglement swapping": entanglement_swapping,
    "repetition code, d=3, with feedback": repetition_code,
}
"""Name -> what makes the circuit. Each fits five qubits in a line."""


def outcomes(circuit: QuantumCircuit, shots: int, *, seed: int = 1) -> dict[int, int]:
    """Aer's outcomes of a circuit: value of all its bits, bit 0 the least significant -> how often."""
    simulator = AerSimulator(seed_simulator=seed)
    counts = simulator.run(circuit, shots=shots).result().get_counts()
    return {int(value.replace(" ", ""), 2): count for value, count in counts.items()}
