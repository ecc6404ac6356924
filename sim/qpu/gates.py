# SPDX-License-Identifier: BSD-2-Clause
"""Calibrated pulses of a device whose parameters are known, and sequences of them with virtual Z.

A real device gives its pulses up to calibration only; here they are computed, for tests, for predictions of
noise, and for whoever fills pulse tables of a simulated board. They are exact for the known frequencies: a
device's `detuning_hz` is left in, as an error that calibration has not found.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from triplane.hal.device import DAC_HZ, Coupling, Device, Qubit
from triplane.sim.qpu.events import Envelope, Event, PulseEvent, Readout, Tone, carrier_phase
from triplane.sim.qpu.resonator import best_tone_hz
from triplane.sim.qpu.transmon import drive_propagator

X_SAMPLES = 24
"""Of a turn of one qubit: 49 ns."""

CROSS_RISE = 16
"""Samples in which a cross-resonance pulse rises, and in which it falls."""

CROSS_PEAK = 0.9
"""Largest amplitude of a cross-resonance pulse."""

READOUT_SAMPLES = 240
"""Of a readout tone: 120 clocks, 488 ns."""

HALF_DRAG = 0.5
"""Factor of the derivative that keeps the phase of a turn; 1 keeps leakage least (Motzoi et al., PRL 103, 110501)."""

TONE_SCALE = 0.99
"""Amplitude of readout tones."""


def bump(
    samples: int, peak: float, *, anharmonicity_hz: float = math.inf, drag: float = HALF_DRAG
) -> Envelope:
    """Raised cosine with its derivative in quadrature: complex64 (samples,)."""
    turns = 2 * math.pi * (np.arange(samples) + 0.5) / samples
    slope = math.pi * DAC_HZ / samples * np.sin(turns)
    return (peak * ((1 - np.cos(turns)) / 2 + 1j * drag * slope / (2 * math.pi * anharmonicity_hz))).astype(
        np.complex64
    )


def flat_top(samples: int, peak: float) -> Envelope:
    """A constant with cosine edges of `CROSS_RISE` samples: complex64 (samples,)."""
    edge = (1 - np.cos(math.pi * (np.arange(CROSS_RISE) + 0.5) / CROSS_RISE)) / 2
    shape = np.concatenate([edge, np.ones(samples - 2 * CROSS_RISE), edge[::-1]])
    return (peak * shape).astype(np.complex64)


@functools.lru_cache(maxsize=1024)
def turn_pulse(qubit: Qubit, angle_rad: float, samples: int = X_SAMPLES) -> Envelope:
    """Pulse that turns a qubit about x by an angle up to pi."""
    wanted = np.array([math.cos(angle_rad / 2), -1j * math.sin(angle_rad / 2)])
    rough = angle_rad / (math.pi * qubit.rabi_hz * samples / DAC_HZ)

    def infidelity(peak: float) -> float:
        envelope = bump(samples, peak, anharmonicity_hz=qubit.anharmonicity_hz)
        done = drive_propagator(qubit, envelope, 0.0)
        overlap = (wanted.conj() * done[:2, 0]).sum() + (wanted.conj() * done[1::-1, 1]).sum()
        return 1 - float(abs(overlap)) / 2

    found = minimize_scalar(
        infidelity, bounds=(0.8 * rough, 1.2 * rough), method="bounded", options={"xatol": 1e-7}
    )
    return bump(samples, float(found.x), anharmonicity_hz=qubit.anharmonicity_hz)


@functools.lru_cache(maxsize=1024)
def cross_pulse(coupling: Coupling) -> Envelope:
    """Pulse on the control's channel that makes a quarter turn of ZX."""
    area = DAC_HZ / (4 * coupling.zx_hz)
    plateau = math.ceil(area / CROSS_PEAK) - CROSS_RISE
    # Whole clocks; the edges together weigh as one of them held.
    samples = max(plateau + 2 * CROSS_RISE, 2 * CROSS_RISE)
    samples += samples % 2
    return flat_top(samples, area / (samples - CROSS_RISE))


@dataclass
class _Cursor:
    sample: int = 0
    frame_rad: float = 0.0


class Sequence:
    """Events of gates, one after the other, each as soon as its qubits are free.

    Args:
        device: its parameters.
        start: DAC sample that all qubits are free from.

    Attributes:
        events: so far, in the order of their calls; `schedule` has them in the order of time.
        read: qubits in the order of their readouts: of measurements in `noise_model`.
    """

    def __init__(self, device: Device, start: int = 0) -> None:
        self.device = device
        self.events: list[Event] = []
        self.read: list[int] = []
        self._cursors = [_Cursor(start) for _ in device.qubits]
        self._couplings = {(each.control, each.target): each for each in device.couplings}

    @property
    def schedule(self) -> list[Event]:
        """Events in the order of their start; those of one start in the order of their calls."""
        return sorted(self.events, key=lambda event: event.start)

    def rz(self, qubit: int, angle_rad: float) -> None:
        """Rotate about Z: the phase of all later pulses."""
        cursor = self._cursors[qubit]
        cursor.frame_rad = math.remainder(cursor.frame_rad + angle_rad, 2 * math.pi)

    def x90(self, qubit: int, axis_rad: float = 0.0) -> None:
        """A quarter turn about `cos(axis) X - sin(axis) Y`."""
        self._turn(qubit, math.pi / 2, axis_rad)

    def x180(self, qubit: int, axis_rad: float = 0.0) -> None:
        """A half turn."""
        self._turn(qubit, math.pi, axis_rad)

    def hadamard(self, qubit: int) -> None:
        """One pulse between two virtual Z."""
        self.rz(qubit, math.pi / 2)
        self.x90(qubit)
        self.rz(qubit, math.pi / 2)

    def zx90(self, control: int, target: int, axis_rad: float = 0.0) -> None:
        """A quarter turn of ZX by cross-resonance; the control's own shift is undone by its frame.

        Raises ValueError for a pair that is not coupled in this direction.
        """
        coupling = self._couplings.get((control, target))
        if coupling is None:
            raise ValueError(f"{self.device.name} has no coupling from control {control} to target {target}")
        self.barrier((control, target))
        envelope = cross_pulse(coupling)
        driven, turned = self.device.qubits[control], self.device.qubits[target]
        # The pulse takes the control's cable, and its phase arrives with that delay.
        cable_rad = (
            2 * math.pi * math.fmod(turned.frequency_hz * (driven.delay_ns - turned.delay_ns) * 1e-9, 1)
        )
        self._play(driven, envelope, turned.frequency_hz, self._cursors[target], axis_rad + cable_rad)
        self._cursors[control].sample = self._cursors[target].sample
        self.rz(control, 2 * math.pi * coupling.stark_hz * float((np.abs(envelope) ** 2).sum()) / DAC_HZ)

    def cnot(self, control: int, target: int) -> None:
        """Cross-resonance by minus a quarter turn, a quarter turn of the target, a virtual one of the control."""
        self.zx90(control, target, math.pi)
        self.x90(target)
        self.rz(control, math.pi / 2)

    def barrier(self, qubits: Iterable[int] | None = None) -> int:
        """All of the qubits go on together; returns when."""
        chosen = list(range(len(self._cursors)) if qubits is None else qubits)
        latest = max(self._cursors[qubit].sample for qubit in chosen)
        for qubit in chosen:
            self._cursors[qubit].sample = latest
        return latest

    def wait(self, samples: int, qubits: Iterable[int] | None = None) -> None:
        """Leave qubits, or all, alone for a time, in whole clocks."""
        for qubit in range(len(self._cursors)) if qubits is None else qubits:
            self._cursors[qubit].sample += samples + samples % 2

    def measure(self, qubits: Iterable[int], samples: int = READOUT_SAMPLES) -> int:
        """Read qubits out, all together; each line plays its tones at once. Returns when, in DAC samples."""
        wanted = list(qubits)
        start = self.barrier(wanted)
        for number, line in enumerate(self.device.lines):
            tones = []
            for resonator in line.tones:
                if resonator.qubit in wanted:
                    offset_hz = best_tone_hz(resonator) - line.lo_hz
                    tones.append(Tone(offset_hz, _constant(samples), carrier_phase(offset_hz, start)))
                    self.read.append(resonator.qubit)
            if tones:
                self.events.append(Readout(number, start, tuple(tones)))
        # Tones arrive half a line's delay later than they are played.
        late = max(line.delay_ns for line in self.device.lines) * 0.5e-9 * DAC_HZ
        for qubit in wanted:
            self._cursors[qubit].sample += samples
        self.wait(math.ceil(late), wanted)
        return start

    def _turn(self, qubit: int, angle_rad: float, axis_rad: float) -> None:
        described = self.device.qubits[qubit]
        envelope = turn_pulse(described, angle_rad)
        self._play(described, envelope, described.frequency_hz, self._cursors[qubit], axis_rad)

    def _play(
        self, driver: Qubit, envelope: Envelope, frequency_hz: float, cursor: _Cursor, phase_rad: float
    ) -> None:
        offset_hz = frequency_hz - driver.lo_hz
        phase_rad = carrier_phase(offset_hz, cursor.sample, phase_rad + cursor.frame_rad)
        self.events.append(PulseEvent(driver.channel, cursor.sample, envelope, offset_hz, phase_rad))
        cursor.sample += len(envelope)


@functools.lru_cache(maxsize=64)
def _constant(samples: int) -> Envelope:
    return np.full(samples, TONE_SCALE, dtype=np.complex64)
