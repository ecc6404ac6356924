# SPDX-License-Identifier: BSD-2-Clause
"""State vector of up to ten transmons of three levels, one quantum trajectory at a time.

Why trajectories of three levels: a shot is a trajectory, so one state vector (3^10 amplitudes) takes the place of a
density matrix (3^20); leakage is coherent, so that a level for it has to have a phase; and a projected state
lets the record of a readout and the state after it agree. Pulses are unitary; relaxation and dephasing act
before and after, each for half of the pulse (Strang splitting), by quantum jumps (Dalibard et al., PRL 68, 580
(1992)): without a jump level n decays as exp(-n t / 2 T1), and jumps take one level down. Dephasing is white: a
phase with variance 2 t / Tphi.
"""

from __future__ import annotations

import math

import numpy as np

from triplane.hal.device import Device
from triplane.sim.qpu.addressing import Action, Addressing
from triplane.sim.qpu.events import EventError, PulseEvent
from triplane.sim.qpu.kernels import DRAWS, Reals, move, populations, relax, turn
from triplane.sim.qpu.transmon import LEVELS, Matrix, rotate_frame

MAX_QUBITS = 10

Path = list[tuple[float, int]]
"""Levels that a qubit has been in during a readout: when each began, in seconds, and its number."""


class Trajectory:
    """Back end of few qubits.

    Args:
        device: at most ten qubits.
        addressing: resolves pulses.
        seed: of all its random numbers; every qubit has its own.
    """

    def __init__(self, device: Device, addressing: Addressing, seed: int) -> None:
        if len(device.qubits) > MAX_QUBITS:
            raise EventError(
                f"the state vector has room for {MAX_QUBITS} qubits, and {device.name} has {len(device.qubits)}; "
                "take the stabilizer back end"
            )
        self.device = device
        self.addressing = addressing
        self._t1_s = [qubit.t1_us * 1e-6 for qubit in device.qubits]
        self._dephasing_hz = [1e6 * (1 / qubit.t2_us - 1 / (2 * qubit.t1_us)) for qubit in device.qubits]
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """All qubits in 0 at time 0."""
        count = len(self.device.qubits)
        self.psi: Matrix = np.zeros((LEVELS,) * count, dtype=np.complex128)
        self.relax()
        self.time_s = [0.0] * count
        self._random = [np.random.default_rng([seed, number]) for number in range(count)]

    def relax(self) -> None:
        """All qubits in 0, now."""
        self.psi[:] = 0
        self.psi[(0,) * self.psi.ndim] = 1

    def pulse(self, action: Action, event: PulseEvent) -> None:
        """Play a pulse."""
        unitary = self.addressing.propagator(action, event)
        unitary = rotate_frame(unitary, action.start_rad, action.start_rad + action.turned_rad)
        for qubit in action.qubits:
            self.idle(qubit, action.middle_s)
        if action.coupling is None:
            turn(self._view(action.qubit), unitary)
            return
        pair = (action.coupling.control, action.qubit)
        moved = np.moveaxis(self.psi, pair, (0, 1))
        turned = unitary @ moved.reshape(LEVELS, LEVELS, -1)
        self.psi = np.ascontiguousarray(np.moveaxis(turned.reshape(moved.shape), (0, 1), pair))

    def measure(self, qubit: int, begin_s: float, end_s: float, t1_s: float) -> Path:
        """Project a qubit; it relaxes on while it is read out. Returns its levels until `end_s`."""
        self.idle(qubit, begin_s)
        random = self._random[qubit]
        zero, one, _ = self.populations(qubit).tolist()
        drawn = random.random()
        level = 0 if drawn < zero else 1 if drawn < zero + one else 2
        path = [(begin_s, level)]
        time_s = begin_s
        while path[-1][1]:
            time_s += random.exponential(t1_s / path[-1][1])
            if time_s >= end_s:
                break
            path.append((time_s, path[-1][1] - 1))
        move(self._view(qubit), level, path[-1][1])
        self.time_s[qubit] = max(self.time_s[qubit], end_s)
        return path

    def idle(self, qubit: int, until_s: float) -> None:
        """Relaxation and dephasing of a qubit until a time; nothing if that is past."""
        left_s = until_s - self.time_s[qubit]
        if left_s <= 0:
            return
        self.time_s[qubit] = until_s
        drawn = self._random[qubit].random(DRAWS)
        spread = math.sqrt(2 * left_s * self._dephasing_hz[qubit])
        relax(self._view(qubit), left_s / self._t1_s[qubit], spread, drawn)

    def populations(self, qubit: int) -> Reals:
        """Of the three levels of a qubit, (3,), as far as its time has come."""
        found: Reals = populations(self._view(qubit))
        return found

    def _view(self, qubit: int) -> Matrix:
        return self.psi.reshape(LEVELS**qubit, LEVELS, -1)
