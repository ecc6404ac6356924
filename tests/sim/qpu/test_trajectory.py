# SPDX-License-Identifier: BSD-2-Clause
"""Trajectories: their mean against the master equation as SciPy integrates it, gates against their names."""

import math

import numpy as np
import pytest
from scipy.linalg import expm

from triplane.hal.device import DAC_HZ
from triplane.sim.qpu import EventError, Processor, PulseEvent, Sequence
from triplane.sim.qpu.addressing import Addressing
from triplane.sim.qpu.gates import turn_pulse
from triplane.sim.qpu.trajectory import Trajectory

from .conftest import device, line, qubit

LOWER = np.diag(np.sqrt([1.0, 2.0]), 1)
NUMBER = np.diag([0.0, 1.0, 2.0])


def lindblad(hamiltonian_hz, jumps, time_s, rho):
    """exp(L t) of a 3 x 3 density matrix, row by row."""
    unit = np.eye(3)
    generator = -2j * math.pi * (np.kron(hamiltonian_hz, unit) - np.kron(unit, hamiltonian_hz.T))
    for jump in jumps:
        square = jump.conj().T @ jump
        generator += np.kron(jump, jump.conj()) - (np.kron(square, unit) + np.kron(unit, square.T)) / 2
    return (expm(generator * time_s) @ rho.reshape(-1)).reshape(3, 3)


def mean_density(described, psi, shots, program):
    """Of one qubit over many trajectories; each starts at time 0 in `psi`."""
    qubits = Trajectory(described, Addressing(described), 5)
    states = np.empty((shots, 3), dtype=np.complex128)
    for shot in range(shots):
        qubits.psi[:] = psi
        qubits.time_s[0] = 0.0
        program(qubits)
        states[shot] = qubits.psi
    return np.einsum("si,sj->ij", states, states.conj()) / shots


def dissipators(t1_us, t2_us):
    """Distinct photons for 2-1 and 1-0; white noise on the frequency."""
    t1, rate = t1_us * 1e-6, 1e6 * (1 / t2_us - 1 / (2 * t1_us))
    ladder = [np.zeros((3, 3)), np.zeros((3, 3))]
    ladder[0][0, 1], ladder[1][1, 2] = math.sqrt(1 / t1), math.sqrt(2 / t1)
    return [*ladder, math.sqrt(2 * rate) * NUMBER]


@pytest.mark.parametrize(("t1_us", "t2_us"), [(2.0, 1.0), (2.0, 4.0), (1.0, 0.3)])
def test_idling_is_the_master_equation(t1_us, t2_us):
    described = device(qubit(0, t1_us=t1_us, t2_us=t2_us))
    psi = np.array([0.5, 0.7, math.sqrt(1 - 0.25 - 0.49)])
    wait = 2 * round(0.4e-6 * DAC_HZ)

    shots = 6000
    found = mean_density(described, psi, shots, lambda qubits: qubits.idle(0, wait / DAC_HZ))
    start = np.outer(psi, psi).astype(np.complex128)
    expected = lindblad(np.zeros((3, 3)), dissipators(t1_us, t2_us), wait / DAC_HZ, start)
    assert np.abs(found - expected).max() < 4 / math.sqrt(shots)


def test_a_long_pulse_with_decay_is_the_master_equation():
    """Decay before and after half of a pulse: right to second order in its length over T1."""
    described = device(qubit(0, t1_us=1.0, t2_us=0.8))
    samples = 60
    envelope = np.full(samples, 0.1, dtype=np.complex64)

    events = [PulseEvent(0, k * samples, envelope, 0.0) for k in range(3)]

    def program(qubits):
        for event in events:
            qubits.pulse(qubits.addressing.resolve(event), event)
        qubits.idle(0, 3 * samples / DAC_HZ)

    shots = 4000
    found = mean_density(described, [1, 0, 0], shots, program)
    drive = 20e6 * 0.1 * (LOWER + LOWER.T)
    hamiltonian = drive - 165e6 * NUMBER @ (NUMBER - np.eye(3))
    start = np.diag([1.0, 0, 0]).astype(np.complex128)
    expected = lindblad(hamiltonian, dissipators(1.0, 0.8), 3 * samples / DAC_HZ, start)
    assert np.abs(found - expected).max() < 4 / math.sqrt(shots)


def populations(program, described):
    processor = Processor(described)
    sequence = Sequence(described)
    program(sequence)
    processor.run(sequence.schedule)
    return np.abs(processor.state()) ** 2


@pytest.mark.parametrize(("control", "target"), [(0, 1), (1, 0)])
@pytest.mark.parametrize("prepared", range(4))
def test_cnot(pair, control, target, prepared):
    def program(sequence):
        for number in (0, 1):
            if prepared >> number & 1:
                sequence.x180(number)
        sequence.cnot(control, target)

    bits = [prepared & 1, prepared >> 1]
    bits[target] ^= bits[control]
    assert populations(program, pair)[tuple(bits)] > 0.999


def test_cnot_has_its_phases(pair):
    """Between Hadamards control and target change places; twice is nothing."""

    def turned(sequence):
        sequence.x180(1)
        for number in (0, 1):
            sequence.hadamard(number)
        sequence.cnot(0, 1)
        for number in (0, 1):
            sequence.hadamard(number)

    def twice(sequence):
        sequence.hadamard(0)
        sequence.cnot(0, 1)
        sequence.wait(1000)
        sequence.cnot(0, 1)
        sequence.hadamard(0)

    assert populations(turned, pair)[1, 1] > 0.998
    assert populations(twice, pair)[0, 0] > 0.998


def test_ten_qubits_are_the_most():
    qubits = [qubit(k, frequency_hz=4.9e9 + 20e6 * k - 100e6) for k in range(11)]
    assert Processor(device(*qubits[:10], lines=(line(0),))).state().shape == (3,) * 10
    with pytest.raises(EventError, match="room for 10 qubits, and test has 11; take the stabilizer back end"):
        Processor(device(*qubits, lines=(line(0),)), backend="trajectory")


def test_readout_projects_and_lets_decay():
    described = device(qubit(0, t1_us=1.0, t2_us=1.0))
    processor = Processor(described)
    envelope = turn_pulse(described.qubits[0], math.pi)
    shots, decayed, read = 800, 0, 0
    for shot in range(shots):
        processor.reset(shot)
        sequence = Sequence(described)
        sequence.x180(0)
        start = sequence.measure([0], 492)
        processor.run(sequence.schedule)
        read += processor.measured[0]
        decayed += processor.measured[0] and abs(processor.state(start + 492)[0]) ** 2 > 0.5
    half_pulse_s = len(envelope) / DAC_HZ / 2
    assert read / shots == pytest.approx(math.exp(-half_pulse_s / 1e-6), abs=0.02)
    assert decayed / read == pytest.approx(1 - math.exp(-492 / DAC_HZ / 1e-6), abs=0.05)
