# SPDX-License-Identifier: BSD-2-Clause
"""Pulses recognised as gates, their errors as Pauli noise, and what is refused."""

import math

import numpy as np
import pytest
from scipy.linalg import expm

from triplane.sim.qpu import EventError
from triplane.sim.qpu.clifford import PAULIS, recognise_cross, recognise_turn
from triplane.sim.qpu.gates import turn_pulse
from triplane.sim.qpu.transmon import drive_propagator

from .conftest import qubit

X, Y, Z = PAULIS[1:]


def embedded(unitary):
    whole = np.eye(3, dtype=np.complex128)
    whole[:2, :2] = unitary
    return whole


def about(phase, angle):
    """A turn about cos(p) X - sin(p) Y."""
    return expm(-1j * angle / 2 * (math.cos(phase) * X - math.sin(phase) * Y))


@pytest.mark.parametrize("quarters", [1, 2])
@pytest.mark.parametrize("phase", [0.0, 0.4, math.pi / 2, -2.0])
def test_turns(quarters, phase):
    found = recognise_turn(embedded(about(phase, quarters * math.pi / 2)), "pulse")
    assert found.quarters == quarters
    apart = math.remainder(found.axis_rad - phase, 2 * math.pi if quarters == 1 else math.pi)
    assert apart == pytest.approx(0, abs=1e-6)
    assert max(found.errors) < 1e-12


def test_nothing_is_a_gate_too():
    assert recognise_turn(np.eye(3, dtype=np.complex128), "pulse").quarters == 0


def test_errors_are_twirled():
    """Too far by 0.06: X with sin^2(0.03); a slip of 0.05 about Z before and after the turn: hardly any X."""
    far = recognise_turn(embedded(about(0.7, math.pi / 2 + 0.06)), "pulse")
    assert far.errors == pytest.approx((math.sin(0.03) ** 2, 0, 0), abs=1e-9)
    slip = expm(-1j * 0.02 * Z)
    slipped = recognise_turn(embedded(slip @ about(0.0, math.pi) @ slip.conj().T), "pulse")
    assert slipped.axis_rad == pytest.approx(-0.04, abs=1e-6)


def test_leakage_is_spread():
    envelope = turn_pulse(qubit(0, rabi_hz=200e6), math.pi, 10)
    done = drive_propagator(qubit(0, rabi_hz=200e6), envelope, 0.0)
    leaked = (abs(done[2, 0]) ** 2 + abs(done[2, 1]) ** 2) / 2
    assert sum(recognise_turn(done, "pulse").errors) >= 0.74 * leaked


@pytest.mark.parametrize("angle", [1.2, 0.3, 2.5])
def test_a_turn_between_gates_is_refused(angle):
    message = (
        rf"pulse 7 turns by {math.degrees(angle):.1f} degrees: .* 5.7 are tolerated; calibrate its amplitude"
    )
    with pytest.raises(EventError, match=message):
        recognise_turn(embedded(about(0.0, angle)), "pulse 7")


@pytest.mark.parametrize("phase", [0.0, 1.0, math.pi])
@pytest.mark.parametrize("control", [0.0, 0.8, -2.9])
def test_cross(phase, control):
    quarter = math.pi / 2
    blocks = np.stack([embedded(about(phase, angle)) for angle in (quarter, -quarter, -quarter)])
    blocks[1] *= np.exp(1j * control)
    found = recognise_cross(blocks, "pulse")
    assert math.remainder(found.axis_rad - phase, 2 * math.pi) == pytest.approx(0, abs=1e-6)
    assert found.control_rad == pytest.approx(control)
    assert max(found.errors) < 1e-12


def test_errors_of_a_cross_resonance():
    """Turns too far by a and b: IX with ((a - b) / 4)^2, ZX with ((a + b) / 4)^2."""
    quarter = math.pi / 2
    blocks = np.stack([embedded(about(0.0, angle)) for angle in (quarter + 0.06, -quarter - 0.02, -quarter)])
    errors = recognise_cross(blocks, "pulse").errors
    assert errors[0] == pytest.approx(math.sin(0.01) ** 2, rel=0.01)
    assert errors[12] == pytest.approx(math.sin(0.02) ** 2, rel=0.01)
    assert sum(errors) == pytest.approx(errors[0] + errors[12], rel=1e-3)


def test_half_of_an_echo_is_refused():
    blocks = np.stack([embedded(about(0.0, angle)) for angle in (math.pi / 4, -math.pi / 4, 0)])
    with pytest.raises(
        EventError, match="turns its target by 45.0 and 45.0 degrees for a control in 0 and 1"
    ):
        recognise_cross(blocks, "pulse")
