# SPDX-License-Identifier: BSD-2-Clause
"""The stabilizer back end against the trajectories, and its noise against Stim's own sampling and against formulas."""

import math

import numpy as np
import pytest
import stim

from triplane.hal.device import DAC_HZ
from triplane.sim.qpu import EventError, Processor, PulseEvent, Readout, Sequence, Tone, noise_model
from triplane.sim.qpu.gates import turn_pulse

from .conftest import device, line, qubit

GATES = ("x90", "x180", "hadamard", "s", "cnot01", "cnot10", "zx01")


def random_sequence(described, random, length):
    sequence = Sequence(described)
    for gate in random.choice(GATES, length):
        number = int(random.integers(2))
        if gate == "s":
            sequence.rz(number, math.pi / 2)
        elif gate == "zx01":
            sequence.zx90(0, 1, math.pi / 2 * int(random.integers(4)))
        elif gate.startswith("cnot"):
            sequence.cnot(int(gate[4]), int(gate[5]))
        else:
            getattr(sequence, gate)(number)
        sequence.wait(2 * int(random.integers(20)), [number])
    return sequence


@pytest.mark.parametrize("seed", range(12))
def test_both_back_ends_come_to_the_same_state(pair, seed):
    """Populations of two qubits after random gates, without noise; each once as it is and once turned."""
    random = np.random.default_rng(seed)
    for turn in (False, True):
        sequence = random_sequence(pair, random, 12)
        if turn:
            sequence.x90(0)
            sequence.x90(1)
        trajectory = Processor(pair)
        trajectory.run(sequence.schedule)
        amplitudes = trajectory.state()[:2, :2]
        stabilizer = Processor(pair, backend="stabilizer")
        stabilizer.run(sequence.schedule)
        expected = np.abs(stabilizer.state().state_vector(endian="big").reshape(2, 2)) ** 2
        assert np.abs(np.abs(amplitudes) ** 2 - expected).max() < 0.03, f"seed {seed}"


def test_noise_of_waiting_is_twirled():
    described = device(qubit(0, t1_us=20, t2_us=15))
    wait = 2 * round(2e-6 * DAC_HZ / 2)
    sequence = Sequence(described)
    sequence.x90(0)
    sequence.wait(wait)
    sequence.measure([0])
    circuit = noise_model(described, sequence.schedule)
    (channel,) = [
        each for each in circuit if each.name == "PAULI_CHANNEL_1" and each.gate_args_copy()[0] > 1e-4
    ]
    # The second half of the pulse belongs to the wait.
    time_us = (wait + len(turn_pulse(described.qubits[0], math.pi / 2)) / 2) / DAC_HZ * 1e6
    flip = (1 - math.exp(-time_us / 20)) / 4
    assert channel.gate_args_copy() == pytest.approx(
        [flip, flip, (1 - math.exp(-time_us / 15)) / 2 - flip], rel=1e-3
    )


def test_readout_errors_are_those_of_noise_and_jumps():
    described = device(qubit(0, t1_us=30, t2_us=30), lines=(line(0, noise_lsb=3500),))
    sequence = Sequence(described)
    sequence.measure([0])
    circuit = noise_model(described, sequence.schedule)
    assert [each.name for each in circuit] == ["R", "X_ERROR", "M", "X_ERROR"]
    early, wrong, late = (each.gate_args_copy()[0] for each in circuit[1:])
    assert early + late == pytest.approx((1 - math.exp(-240 / DAC_HZ / 30e-6)) / 2)
    assert 0.3 < late / (early + late) < 0.6
    assert 1e-4 < wrong < 0.05
    assert noise_model(described, sequence.schedule, overlap=0.25)[2].gate_args_copy() == [0.25]


def test_detuning_slips():
    """Between two quarter turns the frame of a detuned qubit turns: Z with sin^2(pi f t)."""
    described = device(qubit(0, detuning_hz=20e3))
    sequence = Sequence(described)
    sequence.x90(0)
    sequence.wait(200)
    sequence.x90(0)
    circuit = noise_model(described, sequence.schedule)
    slips = [each.gate_args_copy()[0] for each in circuit if each.name == "Z_ERROR"]
    assert slips == pytest.approx([math.sin(math.pi * 20e3 * 224 / DAC_HZ) ** 2], rel=0.02)


def test_a_pulse_between_gates_is_refused(single):
    processor = Processor(single, backend="stabilizer")
    weak = (0.7 * turn_pulse(single.qubits[0], math.pi / 2)).astype(np.complex64)
    with pytest.raises(
        EventError, match=r"channel 0 at sample 40 turns by 63.\d degrees: 27.\d degrees from"
    ):
        processor.play(PulseEvent(0, 40, weak, 0.0))


def test_a_phase_between_gates_is_refused(single):
    processor = Processor(single, backend="stabilizer")
    quarter = turn_pulse(single.qubits[0], math.pi / 2)
    processor.play(PulseEvent(0, 0, quarter, 0.0, 0.2))
    processor.play(PulseEvent(0, 100, quarter, 0.0, 0.2 + math.pi / 2))
    with pytest.raises(EventError, match=r"phase of a pulse on qubit 0 is 17.2 degrees from a quarter turn"):
        processor.play(PulseEvent(0, 200, quarter, 0.0, 0.5))


def test_a_measured_qubit_has_no_phase_to_slip_from(single):
    processor = Processor(single, backend="stabilizer")
    quarter = turn_pulse(single.qubits[0], math.pi / 2)
    processor.play(PulseEvent(0, 0, quarter, 0.0, 0.2))
    processor.readout(0, 100, [Tone(-1.2e6, np.ones(100, dtype=np.complex64))])
    processor.play(PulseEvent(0, 300, quarter, 0.0, 0.9))


@pytest.mark.parametrize("t1_us", [1.0, 20.0])
def test_flips_in_the_window_are_sampled_as_predicted(t1_us):
    """Bits and later bits of the back end, with hardly any noise of samples, against Stim's sampling of the model."""
    described = device(qubit(0, t1_us=t1_us, t2_us=t1_us))
    sequence = Sequence(described)
    for _ in range(3):
        sequence.measure([0])
    circuit = noise_model(described, sequence.schedule)
    shots = 600
    expected = circuit.compile_sampler(seed=1).sample(100_000).mean(axis=0)
    processor = Processor(described, backend="stabilizer")
    from triplane.sim.qpu.lab import Lab

    found = Lab(processor).bits_of(sequence.schedule, shots).mean(axis=0)
    assert np.abs(found - expected).max() < 4.5 * math.sqrt(0.25 / shots)
    assert isinstance(circuit, stim.Circuit)
    assert sum(isinstance(event, Readout) for event in sequence.schedule) == 3
