# SPDX-License-Identifier: BSD-2-Clause
"""Rabi, Ramsey and T1 on a board: points, the curve through them, and whether to believe it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from triplane.gateware.dsp.layouts import SCALE_BITS
from triplane.gateware.sequencer.expression import TURN
from triplane.host.calibration.experiments import (
    Fit,
    counting_spread,
    fit_decay,
    fit_rabi,
    fit_ramsey,
    oscillation,
)
from triplane.host.calibration.qubit.station import CYCLE_HZ, Station, cycles_of
from triplane.sim.qpu.gates import X_SAMPLES, turn_pulse

Reals = npt.NDArray[np.float64]

POINTS = 41
SHOTS = 200

RABI_TURNS = 0.5
"""Of a unit of the pulse's amplitude, where that makes half a turn."""

RABI_AMPLITUDE = 1.9
"""Largest of a sweep, in units of the pulse that is known; below the generator's limit of 2."""
HEADROOM = 0.99
"""Of the converter's full scale, that a sweep of amplitudes may reach."""

FRINGES = 6
"""Periods of a Ramsey fringe in a sweep: what the frame is turned ahead for, beside the detuning."""

COARSE_HZ, COARSE_POINTS = 1e6, 32
"""Frequency that the frame is turned ahead with in a short sweep, for detunings of less than that, and its points."""

RAMSEY_SPAN, DECAY_SPAN = 1.5, 2.5
"""Longest delay of a sweep, in units of the time that is expected."""

LEAST_VISIBILITY, MOST_VISIBILITY = 0.5, 1.2
MOST_CHI_SQUARE = 3.0
MOST_ERROR = 0.15
"""Relative, of the parameter that a routine is for."""


@dataclass(frozen=True)
class Calibration:
    """What a routine has found of a qubit.

    Attributes:
        routine: its name.
        qubit: number.
        axis: what was swept, with its unit.
        x, populations: float64 (points,), and the share of shots that were read as 1.
        shots: of each point.
        fit: the curve.
        found: name with its unit -> (value, standard deviation), what the routine is for.
        complaints: why not to believe it; empty for a good one.
    """

    routine: str
    qubit: int
    axis: str
    x: Reals
    populations: Reals
    shots: int
    fit: Fit
    found: dict[str, tuple[float, float]]
    complaints: tuple[str, ...] = field(default=())

    @property
    def good(self) -> bool:
        """Whether to believe it."""
        return not self.complaints

    def _repr_html_(self) -> str:
        from triplane.host.calibration.qubit.drawing import shown

        return shown(self)

    def as_json(self) -> dict[str, Any]:
        """For the store."""
        return {
            "routine": self.routine,
            "qubit": self.qubit,
            "axis": self.axis,
            "x": self.x.tolist(),
            "populations": self.populations.tolist(),
            "shots": self.shots,
            "fit": {"values": self.fit.values, "errors": self.fit.errors},
            "found": {name: list(value) for name, value in self.found.items()},
            "complaints": list(self.complaints),
        }


def rabi(station: Station, qubit: int, *, points: int = POINTS, shots: int = SHOTS) -> Calibration:
    """Population against the amplitude of the pulse that is to be half a turn: `x_scale`, by which it must be scaled.

    Raises:
        FitError: no oscillation.
        BoardError: of the board.
    """
    peak = float(np.abs(turn_pulse(station.device.qubits[qubit], math.pi)).max())
    step = int(min(RABI_AMPLITUDE, HEADROOM / peak) * 2**SCALE_BITS / (points - 1))
    body = f"    amp drive_{qubit}, r8, +4\n    x_{qubit}\n    amp drive_{qubit}, {1 << SCALE_BITS}, +4"
    populations = station.populations(
        qubit, body, [(0, step)], points=points, shots=shots, cycles=X_SAMPLES + 40
    )
    x = np.arange(points) * step / 2**SCALE_BITS
    fit = fit_rabi(x, populations, sigma=counting_spread(populations, shots))
    turns, error = fit["turns"], fit.errors["turns"]
    found = {"x_scale": (RABI_TURNS / turns, RABI_TURNS * error / turns**2)}
    axis = "amplitude of the pulse, as it is known"
    return judged(Calibration("rabi", qubit, axis, x, populations, shots, fit, found), "x_scale")


def ramsey(
    station: Station,
    qubit: int,
    *,
    points: int = POINTS,
    shots: int = SHOTS,
    expected_t2_s: float | None = None,
    expected_detuning_hz: float | None = None,
) -> Calibration:
    """A fringe against the time between two quarter turns: `detuning_hz` of the qubit from its carrier, and `t2_us`.

    The second pulse is turned ahead from point to point, so that a qubit with the detuning that is expected makes
    `FRINGES` periods: the fringe then says on which side of that the qubit is. A long sweep tells detunings apart that
    lie within a few periods of each other only, so a short one comes first where nothing is expected.

    Raises:
        FitError, BoardError: as `rabi`.
        SweepError: T2 is longer than a sweep can be.
    """
    t2_s = expected_t2_s or station.device.qubits[qubit].t2_us * 1e-6
    step = max(cycles_of(RAMSEY_SPAN * t2_s) // (points - 1), 2)
    periods_hz = FRINGES / points / (step / CYCLE_HZ)
    if expected_detuning_hz is None:
        expected_detuning_hz = 0.0
        if periods_hz < COARSE_HZ / 2:
            expected_detuning_hz = _coarse_detuning(station, qubit, shots=shots)
    ahead_hz = periods_hz + expected_detuning_hz
    x, populations = _fringe(station, qubit, ahead_hz, step=step, points=points, shots=shots)
    fit = fit_ramsey(x, populations, sigma=counting_spread(populations, shots))
    found = {
        # The frame is turned the way in which a faster qubit runs ahead: what it gains, the fringe loses.
        "detuning_hz": (ahead_hz - fit["frequency_hz"], fit.errors["frequency_hz"]),
        "t2_us": (fit["t2_s"] * 1e6, fit.errors["t2_s"] * 1e6),
    }
    return judged(Calibration("ramsey", qubit, "delay, s", x, populations, shots, fit, found), "t2_us")


def _coarse_detuning(station: Station, qubit: int, *, shots: int) -> float:
    """Detuning to some 10 kHz, of less than `COARSE_HZ` either way: from a sweep of a few microseconds."""
    step = cycles_of(1 / (4 * COARSE_HZ))
    x, populations = _fringe(station, qubit, COARSE_HZ, step=step, points=COARSE_POINTS, shots=shots)
    return COARSE_HZ - oscillation(x, populations)


def _fringe(
    station: Station, qubit: int, ahead_hz: float, *, step: int, points: int, shots: int
) -> tuple[Reals, Reals]:
    """Delays in s and populations, the second pulse turned ahead as by an oscillator of that frequency."""
    ahead = round(ahead_hz * step / CYCLE_HZ * TURN) % TURN
    body = (
        f"    sub r5, r0, r9\n    x90_{qubit}\n    wait r8\n    phase drive_{qubit}, r9, +4\n    x90_{qubit}\n"
        f"    phase drive_{qubit}, r5, +4"
    )
    populations = station.populations(
        qubit,
        body,
        [(4, step), (0, ahead)],
        points=points,
        shots=shots,
        cycles=step * points + 2 * X_SAMPLES + 60,
    )
    return (4 + step * np.arange(points)) / CYCLE_HZ, populations


def relaxation(
    station: Station,
    qubit: int,
    *,
    points: int = POINTS,
    shots: int = SHOTS,
    expected_t1_s: float | None = None,
) -> Calibration:
    """Population against the time from a half turn to the measurement: `t1_us`.

    Where the readout was calibrated it is known where the curve goes to, and a quarter of the shots is enough.

    Raises:
        FitError, BoardError: as `rabi`.
        SweepError: T1 is longer than a sweep can be.
    """
    t1_s = expected_t1_s or station.device.qubits[qubit].t1_us * 1e-6
    step = max(cycles_of(DECAY_SPAN * t1_s) // (points - 1), 2)
    body = f"    x_{qubit}\n    wait r8"
    populations = station.populations(
        qubit, body, [(4, step)], points=points, shots=shots, cycles=step * points + X_SAMPLES + 40
    )
    x = (4 + step * np.arange(points)) / CYCLE_HZ
    fit = fit_decay(
        x, populations, offset=station.floors.get(qubit), sigma=counting_spread(populations, shots)
    )
    found = {"t1_us": (fit["time_s"] * 1e6, fit.errors["time_s"] * 1e6)}
    return judged(Calibration("relaxation", qubit, "delay, s", x, populations, shots, fit, found), "t1_us")


def judged(result: Calibration, purpose: str) -> Calibration:
    """With what speaks against it; `purpose` names the parameter that the routine is for."""
    fit, populations, shots = result.fit, result.populations, result.shots
    complaints = []
    visibility = abs(fit["visibility"])
    if not LEAST_VISIBILITY <= visibility <= MOST_VISIBILITY:
        complaints.append(
            f"the curve's visibility is {visibility:.2f}: is this the qubit, and is its readout set up?"
        )
    spread = counting_spread(populations, shots)
    freedom = max(len(result.x) - len(fit.values), 1)
    chi_square = float((((populations - fit.curve(result.x)) / spread) ** 2).sum()) / freedom
    if chi_square > MOST_CHI_SQUARE:
        complaints.append(
            f"the curve misses the points, chi-square {chi_square:.1f} for each degree of freedom"
        )
    value, error = result.found[purpose]
    if not value > 0 or error > MOST_ERROR * value:
        complaints.append(f"{purpose} is {value:.4g} +- {error:.2g}: take more shots, or a longer sweep")
    return replace(result, complaints=tuple(complaints))
