# SPDX-License-Identifier: BSD-2-Clause
"""Pulses as Clifford gates: which one is nearest, and which Pauli noise what is left over makes.

Everything happens in the frame whose x axis is that of the pulse. The unitary of a pulse is `error * gate`; the
error is twirled: Pauli P gets the probability `|tr(P error)|^2 / dim^2`, leakage is spread over all Paulis. A
pulse whose error
turns by more than a tolerance is refused: a stabilizer simulation has no room for it.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np

from triplane.sim.qpu.events import EventError
from triplane.sim.qpu.transmon import Matrix

TOLERANCE_RAD = 0.1
"""Largest rotation from a pulse to its gate; its Pauli noise is then 0.25 %."""

PAULIS: tuple[Matrix, ...] = (
    np.eye(2, dtype=np.complex128),
    np.array([[0, 1], [1, 0]], dtype=np.complex128),
    np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    np.diag([1, -1]).astype(np.complex128),
)


@dataclass(frozen=True)
class Turn:
    """A rotation of one qubit.

    Attributes:
        quarters: 0, 1 or 2 quarter turns.
        axis_rad: phase of the axis, to be added to that of the pulse.
        errors: probability of X, Y and Z afterwards, X along the axis.
    """

    quarters: int
    axis_rad: float
    errors: tuple[float, float, float]

    @property
    def turns(self) -> bool:
        """Whether it does anything."""
        return self.quarters > 0


@dataclass(frozen=True)
class Cross:
    """A quarter turn of ZX.

    Attributes:
        axis_rad: of the target for a control in 0, to be added to the phase of the pulse.
        control_rad: rotation about Z of the control that comes with it.
        errors: of control and target, 15 in the order of Stim's PAULI_CHANNEL_2; the target's X along the axis.
    """

    axis_rad: float
    control_rad: float
    errors: tuple[float, ...]
    turns = True


def recognise_turn(unitary: Matrix, name: str, tolerance_rad: float = TOLERANCE_RAD) -> Turn:
    """Of a pulse of phase 0 on its own qubit; complex128 (3, 3), in the frame of the qubit.

    Raises:
        EventError: no quarter turns within the tolerance. `name` is that of the pulse.
    """
    turned, _, leakage = _qubit_part(unitary)
    angle = 2 * math.atan2(abs(turned[1, 0]), abs(turned[0, 0]))
    quarters = round(angle / (math.pi / 2))
    axis = _axis(turned) if quarters else 0.0
    aligned = _align(turned, axis)
    error = aligned @ _rotation(quarters * math.pi / 2).conj().T
    _refuse_beyond(error, tolerance_rad, f"{name} turns by {math.degrees(angle):.1f} degrees")
    weights = [abs(np.trace(pauli @ error) / 2) ** 2 for pauli in PAULIS[1:]]
    x, y, z = ((1 - leakage) * weight + leakage / 4 for weight in weights)
    return Turn(quarters, axis, (float(x), float(y), float(z)))


def recognise_cross(blocks: Matrix, name: str, tolerance_rad: float = TOLERANCE_RAD) -> Cross:
    """Of a cross-resonance of phase 0; complex128 (3, 3, 3), by the control's level, in the frame of the target.

    Raises:
        EventError: no quarter turn of ZX within the tolerance. `name` is that of the pulse.
    """
    (zero, phase0, leakage0), (one, phase1, leakage1) = _qubit_part(blocks[0]), _qubit_part(blocks[1])
    angles = [2 * math.atan2(abs(part[1, 0]), abs(part[0, 0])) for part in (zero, one)]
    axis = _axis(zero)
    quarter = _rotation(math.pi / 2)
    error0 = _align(zero, axis) @ quarter.conj().T
    error1 = _align(one, axis) @ quarter
    if np.trace(error1).real < 0:
        error1, phase1 = -error1, phase1 + math.pi
    turns = " and ".join(f"{math.degrees(angle):.1f}" for angle in angles)
    for error in (error0, error1):
        _refuse_beyond(
            error, tolerance_rad, f"{name} turns its target by {turns} degrees for a control in 0 and 1"
        )
    leakage = (leakage0 + leakage1) / 2
    errors = []
    for control in range(4):
        for pauli in PAULIS:
            sign = {0: 1, 3: -1}.get(control)
            if sign is None:
                errors.append(leakage / 16)
                continue
            overlap = (np.trace(pauli @ error0) + sign * np.trace(pauli @ error1)) / 4
            errors.append((1 - leakage) * abs(overlap) ** 2 + leakage / 16)
    shift = math.remainder(phase1 - phase0, 2 * math.pi)
    return Cross(axis, shift, tuple(float(p) for p in errors[1:]))


def _qubit_part(unitary: Matrix) -> tuple[Matrix, float, float]:
    """Nearest unitary of determinant 1 on levels 0 and 1 that turns by at most half a turn, its phase, and leakage."""
    part = unitary[:2, :2]
    left, values, right = np.linalg.svd(part)
    nearest = left @ right
    phase = cmath.phase(complex(np.linalg.det(nearest))) / 2
    special = nearest * cmath.exp(-1j * phase)
    if special[0, 0].real < 0:
        special, phase = -special, phase + math.pi
    return special, phase, max(0.0, 1 - float((values**2).mean()))


def _axis(turned: Matrix) -> float:
    """Phase p of the axis `cos(p) X - sin(p) Y` of a rotation."""
    return -cmath.phase(complex(1j * turned[1, 0]))


def _align(turned: Matrix, axis_rad: float) -> Matrix:
    """The same rotation with its axis along x."""
    phases = np.array([1, cmath.exp(1j * axis_rad)])
    aligned: Matrix = phases[:, None] * turned * phases.conj()
    return aligned


def _rotation(angle_rad: float) -> Matrix:
    return math.cos(angle_rad / 2) * PAULIS[0] - 1j * math.sin(angle_rad / 2) * PAULIS[1]


def _refuse_beyond(error: Matrix, tolerance_rad: float, what: str) -> None:
    away = 2 * math.acos(min(1.0, abs(np.trace(error)) / 2))
    if away > tolerance_rad:
        raise EventError(
            f"{what}: {math.degrees(away):.1f} degrees from the nearest gate that a stabilizer simulation can "
            f"play, and {math.degrees(tolerance_rad):.1f} are tolerated; calibrate its amplitude and frequency, "
            "or take the trajectory back end"
        )
