# SPDX-License-Identifier: BSD-2-Clause
"""Sequences of calibrated pulses: entangled states of more than two qubits, order, and what is refused."""

import numpy as np
import pytest

from triplane.hal.device import load_device
from triplane.sim.qpu import Processor, PulseEvent, Readout, Sequence
from triplane.sim.qpu.gates import CROSS_PEAK, cross_pulse


def test_a_chain_of_cnots_makes_a_cat():
    """Five qubits of the shipped device, decoherence and all: most of the weight is in the two right states."""
    device = load_device("line5")
    sequence = Sequence(device)
    sequence.hadamard(0)
    for number in range(4):
        sequence.cnot(number, number + 1)
    weights = []
    for seed in range(20):
        processor = Processor(device, seed=seed)
        processor.run(sequence.schedule)
        found = np.abs(processor.state()) ** 2
        weights.append((found[(0,) * 5], found[(1,) * 5]))
    zero, one = np.mean(weights, axis=0)
    assert zero + one > 0.8
    assert zero == pytest.approx(one, abs=0.2)


def test_schedules_are_in_order():
    device = load_device("line5")
    sequence = Sequence(device, 100)
    sequence.x90(1)
    sequence.cnot(0, 1)
    sequence.x90(4)
    start = sequence.measure([0, 1, 4])
    sequence.measure([2])
    starts = [event.start for event in sequence.schedule]
    assert starts == sorted(starts)
    assert starts[0] == 100
    assert all(event.start % 2 == 0 for event in sequence.events)
    assert sequence.read == [0, 1, 4, 2]
    assert start == max(event.stop for event in sequence.schedule if isinstance(event, PulseEvent))
    assert len([event for event in sequence.events if isinstance(event, Readout)]) == 2


def test_cross_resonance_pulses_stay_within_their_peak():
    for name in ("two_qubit", "line5", "surface17", "surface49"):
        for coupling in load_device(name).couplings:
            envelope = cross_pulse(coupling)
            assert np.abs(envelope).max() <= CROSS_PEAK
            assert len(envelope) % 2 == 0


def test_a_direction_without_coupling_is_refused():
    with pytest.raises(ValueError, match="line5 has no coupling from control 1 to target 0"):
        Sequence(load_device("line5")).cnot(1, 0)
