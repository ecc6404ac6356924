# SPDX-License-Identifier: BSD-2-Clause
"""Propagators of pulses against SciPy's matrix exponential and the formulas of textbooks."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from triplane.hal.device import DAC_HZ, Coupling
from triplane.sim.qpu.gates import bump, cross_pulse, turn_pulse
from triplane.sim.qpu.transmon import (
    INTERPOLATION,
    TAIL,
    cross_propagators,
    drive_propagator,
    frame,
    interpolate,
    propagator,
    rotate_frame,
)

from .conftest import qubit

LOWER = np.diag(np.sqrt([1.0, 2.0]), 1)
NUMBER = np.diag([0.0, 1.0, 2.0])


def test_the_propagator_is_a_product_of_exponentials():
    seed = 7
    random = np.random.default_rng(seed)
    envelope = (random.normal(size=37) + 1j * random.normal(size=37)).astype(np.complex64) / 4
    expected = np.eye(3)
    for sample in interpolate(envelope):
        drive = 20e6 * sample * LOWER
        energy = -3e6 * NUMBER - 125e6 * NUMBER @ (NUMBER - np.eye(3)) + drive + drive.conj().T
        expected = expm(-2j * math.pi * energy / DAC_HZ / INTERPOLATION) @ expected
    free = np.diag(-3e6 * np.arange(3) - 125e6 * np.array([0, 0, 2]))
    tail = expm(2j * math.pi * free * TAIL / DAC_HZ)
    expected = tail @ expected @ tail
    found = propagator(envelope, rate_hz=40e6, offset_hz=3e6, anharmonicity_hz=-250e6)
    assert np.abs(found - expected).max() < 1e-10, f"seed {seed}"


@pytest.mark.parametrize("detuning_hz", [0.0, 2e6, -5e6, 11e6])
def test_rabi_formula(detuning_hz):
    """A weak constant drive: P1 = R^2 / (R^2 + D^2) sin^2(pi sqrt(R^2 + D^2) t)."""
    for samples in range(10, 200, 17):
        envelope = np.full(samples, 0.1, dtype=np.complex64)
        found = propagator(envelope, rate_hz=40e6, offset_hz=detuning_hz, anharmonicity_hz=-3e9)
        rate = math.hypot(4e6, detuning_hz)
        expected = (4e6 / rate) ** 2 * math.sin(math.pi * rate * samples / DAC_HZ) ** 2
        assert abs(found[1, 0]) ** 2 == pytest.approx(expected, abs=2e-3)


def test_samples_are_as_good_as_the_curve_they_were_taken_from():
    """Schroedinger's equation of a raised cosine, integrated by SciPy."""
    samples, offset_hz = 24, 4e6
    length_s = samples / DAC_HZ

    def slope(t, psi):
        drive = 15e6 * (1 - math.cos(2 * math.pi * t / length_s)) / 2
        hamiltonian = np.diag([0, -offset_hz, -2 * offset_hz - 250e6]) + drive * (LOWER + LOWER.T)
        return -2j * math.pi * hamiltonian @ psi

    expected = solve_ivp(slope, (0, length_s), [1 + 0j, 0, 0], rtol=1e-8, atol=1e-10).y[:, -1]
    found = propagator(bump(samples, 1.0), rate_hz=30e6, offset_hz=offset_hz, anharmonicity_hz=-250e6)[:, 0]
    assert abs(expected[1]) ** 2 > 0.5
    assert np.abs(np.abs(found) ** 2 - np.abs(expected) ** 2).max() < 1e-3


def leakage(samples, drag):
    described = qubit(0, rabi_hz=200e6, anharmonicity_hz=-200e6)
    rough = math.pi / (math.pi * described.rabi_hz * samples / DAC_HZ)
    envelope = bump(samples, rough, anharmonicity_hz=described.anharmonicity_hz, drag=drag)
    return abs(drive_propagator(described, envelope, 0.0)[2, 0]) ** 2


@pytest.mark.parametrize("samples", [8, 10, 12])
def test_drag_takes_leakage_away(samples):
    assert leakage(samples, 0.0) > 1e-5
    assert leakage(samples, 1.0) < leakage(samples, 0.0) / 2.5
    assert leakage(samples, -1.0) > 1.5 * leakage(samples, 0.0)


def test_drag_keeps_the_phase():
    """Half of the derivative: the error of a turn falls by more than ten times."""
    described = qubit(0, rabi_hz=200e6, anharmonicity_hz=-200e6)
    missed = []
    for drag in (0.0, 0.5):
        envelope = bump(12, math.pi / (math.pi * 200e6 * 12 / DAC_HZ), anharmonicity_hz=-200e6, drag=drag)
        missed.append(1 - abs(drive_propagator(described, envelope, 0.0)[1, 0]) ** 2)
    assert missed[1] < missed[0] / 10


def test_longer_pulses_leak_less():
    falling = [leakage(samples, 0.0) for samples in (6, 8, 12, 20)]
    assert sorted(falling, reverse=True) == falling
    assert falling[0] > 100 * falling[-1]


def test_calibrated_turns_are_turns():
    for angle in (math.pi / 2, math.pi):
        done = drive_propagator(qubit(0), turn_pulse(qubit(0), angle), 0.0)[:2, :2]
        x = np.array([[0, 1], [1, 0]])
        overlap = abs(np.trace(done @ expm(1j * angle / 2 * x))) / 2
        assert overlap > 1 - 1e-4


def test_a_phase_is_a_virtual_z():
    """A pulse after Rz(p) is Rz(p) after the pulse with its phase advanced by p."""
    pulse = drive_propagator(qubit(0), turn_pulse(qubit(0), math.pi / 2), 0.0)
    for angle in (0.3, -1.1, math.pi / 2):
        left = pulse @ np.diag(frame(angle))
        right = np.diag(frame(angle)) @ rotate_frame(pulse, angle, angle)
        assert np.allclose(left, right)


def test_cross_resonance_turns_the_target_by_the_control():
    coupling = Coupling(control=0, target=1, zx_hz=1.5e6, ix_hz=0.1e6, stark_hz=0.2e6)
    envelope = cross_pulse(coupling)
    blocks = cross_propagators(coupling, qubit(1), envelope, 0.0)
    area_s = float(envelope.real.sum()) / DAC_HZ
    for level, rate in ((0, 1.6e6), (1, -1.4e6)):
        shift = 2 * math.pi * 0.2e6 * float((np.abs(envelope) ** 2).sum()) / DAC_HZ
        expected = expm(-1j * math.pi * rate * area_s * np.array([[0, 1], [1, 0]])) * np.exp(
            -1j * shift * level
        )
        assert np.abs(blocks[level][:2, :2] - expected).max() < 1e-2
    assert 2 * math.pi * 1.5e6 * area_s == pytest.approx(math.pi / 2, rel=1e-6)
