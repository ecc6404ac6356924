# SPDX-License-Identifier: BSD-2-Clause
"""The noise that `bench circuits` gives to Aer, against curves that are known."""

import math

import pytest
from qiskit import QuantumCircuit

from triplane.hal.device import ADC_HZ, DAC_HZ, load_device
from triplane.host.bench.dynamic.noise import beyond_sampling, noisy_outcomes, separations
from triplane.host.compiler.circuits import Options, compile_circuit
from triplane.host.small import shape_of
from triplane.sim.qpu.gates import READOUT_SAMPLES

SHOTS = 40_000
DELAY = 20_000
LINE5 = load_device("line5")


def share(circuit: QuantumCircuit) -> float:
    """Of shots that end in 1."""
    options = Options(optimization_level=0)
    compiled = compile_circuit(circuit, LINE5, shape_of(LINE5), options)
    return noisy_outcomes(compiled, SHOTS).get(1, 0) / SHOTS


def test_a_qubit_relaxes_as_its_t1_says():
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.delay(DELAY, 0)
    circuit.measure(0, 0)
    apart, t1_s = separations(LINE5)[0], LINE5.qubits[0].t1_us * 1e-6
    window_s = (1 - apart.late_flip) * READOUT_SAMPLES / DAC_HZ
    left = math.exp(-(DELAY / ADC_HZ + window_s) / t1_s)
    expected = left * (1 - apart.overlap) + (1 - left) * apart.overlap
    # Half a pulse, and what the reset has left, are within the margin.
    assert share(circuit) == pytest.approx(expected, abs=0.01)


def test_a_ramsey_fringe_has_detuning_and_t2():
    circuit = QuantumCircuit(1, 1)
    circuit.sx(0)
    circuit.delay(DELAY, 0)
    circuit.rz(math.pi / 2, 0)
    circuit.sx(0)
    circuit.measure(0, 0)
    qubit, passed_s = LINE5.qubits[0], DELAY / ADC_HZ
    fringe = math.exp(-passed_s / (qubit.t2_us * 1e-6))
    turned = -2 * math.pi * qubit.detuning_hz * passed_s + math.pi / 2
    assert share(circuit) == pytest.approx((1 + fringe * math.cos(turned)) / 2, abs=0.012)


def test_sampling_alone_is_not_beyond_sampling():
    expected = {0: 500, 1: 300, 2: 200}
    exact, sampled = beyond_sampling({0: 50, 1: 30, 2: 20}, expected)
    assert exact == 0
    assert sampled > 0.03
    other, _ = beyond_sampling({3: 100}, expected)
    assert other == 1
