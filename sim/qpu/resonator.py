# SPDX-License-Identifier: BSD-2-Clause
"""Dispersive readout: what comes back of a tone, and how well it tells the levels apart.

The field of a resonator that is driven at f, in the frame of the drive, with its frequency f_n = frequency + 2 chi n
for level n (Blais et al., Rev. Mod. Phys. 93, 025005 (2021), section V), K = kappa, turns per second:

    da/dt = -pi (K - 2i (f_n - f)) a + pi K s

so that a tone of full scale in resonance settles at 1. It is linear: two fields of the same drive differ by a
free decay, which is how a jump in the middle of a readout is made of responses without one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
from scipy.special import erfc

from triplane.hal.device import ADC_HZ, DAC_HZ, Device, Line, Resonator
from triplane.sim.qpu.events import Envelope, Tone
from triplane.sim.qpu.transmon import LEVELS

Field = npt.NDArray[np.complex128]
FieldType = TypeVar("FieldType", npt.NDArray[np.complex128], npt.NDArray[np.complex64])

RING_DOWN = 7.0
"""Decay times of the amplitude until a field counts as gone: 1e-3 of it is left."""

JUMPS = 32
"""Times of a jump that errors are averaged over."""


def resonance_hz(resonator: Resonator, level: int) -> float:
    """Frequency of a resonator for a level of its qubit."""
    return resonator.frequency_hz + 2 * resonator.chi_hz * level


def best_tone_hz(resonator: Resonator) -> float:
    """Between the resonances of 0 and 1, where they differ most in phase."""
    return resonator.frequency_hz + resonator.chi_hz


def readout_t1_s(device: Device, resonator: Resonator) -> float:
    """T1 of a qubit while it is read out."""
    return (resonator.t1_us or device.qubits[resonator.qubit].t1_us) * 1e-6


def decay_per_sample(resonator: Resonator, frequency_hz: float, level: int, rate_hz: float) -> complex:
    """Factor of the free field from one sample to the next, in the frame of a drive."""
    shift_hz = resonance_hz(resonator, level) - frequency_hz
    return complex(np.exp(-math.pi * (resonator.kappa_hz - 2j * shift_hz) / rate_hz))


def ring_down_samples(resonator: Resonator) -> int:
    """ADC samples after the end of a tone until its field counts as gone."""
    return math.ceil(RING_DOWN * ADC_HZ / (math.pi * resonator.kappa_hz))


def respond(resonator: Resonator, envelope: Envelope, frequency_hz: float, level: int) -> Field:
    """Field of a resonator whose qubit stays in a level, at ADC samples from the start of the tone, ring-down and all.

    Args:
        resonator: driven.
        envelope: of the tone, at `DAC_HZ`; two of its samples make one of the ADC.
        frequency_hz: of the tone at the device.
        level: of the qubit.
    """
    samples = -(-len(envelope) // 2) + ring_down_samples(resonator)
    drive = np.zeros(2 * samples, dtype=np.complex128)
    drive[: len(envelope)] = envelope
    factor = decay_per_sample(resonator, frequency_hz, level, DAC_HZ)
    shift_hz = resonance_hz(resonator, level) - frequency_hz
    settled = resonator.kappa_hz / (resonator.kappa_hz - 2j * shift_hz)
    field = np.asarray(lfilter([settled * (1 - factor)], [1, -factor], drive))
    return np.asarray(field.reshape(samples, 2).mean(axis=1))


def jump(before: FieldType, after: FieldType, sample: int, decays: FieldType) -> FieldType:
    """Field whose qubit changes level at a sample: like `after` from there on, plus what is left over of `before`.

    `decays` are powers of `decay_per_sample` after the jump, from 0 on.
    """
    field = after.copy()
    field[:sample] = before[:sample]
    field[sample:] += (before[sample] - after[sample]) * decays[: len(after) - sample]
    return field


@dataclass(frozen=True)
class Separation:
    """How well a tone tells 0 from 1 where the samples of the window are weighed by the difference of the means.

    Attributes:
        snr: distance of the means in standard deviations of the weighed sum.
        overlap: share of wrong bits from noise alone, `erfc(snr / (2 sqrt 2)) / 2`.
        late_flip: share of jumps in the window that leave the bit as it was before the jump.
    """

    snr: float
    overlap: float
    late_flip: float


def separation(line: Line, resonator: Resonator, tone: Tone, window: int | None = None) -> Separation:
    """Of a tone, integrated over the first `window` ADC samples from its arrival; None for as long as it lasts."""
    frequency_hz = line.lo_hz + tone.frequency_hz
    window = len(tone.envelope) // 2 if window is None else window
    fields = [
        resonator.amplitude_lsb * respond(resonator, tone.envelope, frequency_hz, level)[:window]
        for level in (0, 1)
    ]
    weights = fields[1] - fields[0]
    distance = float(np.linalg.norm(weights))
    if not line.noise_lsb:
        return Separation(math.inf, 0.0, 0.5)
    snr = distance / line.noise_lsb
    middle = (fields[0] + fields[1]) / 2
    late = []
    for before, after in ((0, 1), (1, 0)):
        factor = decay_per_sample(resonator, frequency_hz, after, ADC_HZ)
        decays = np.asarray(factor ** np.arange(window), dtype=np.complex128)
        for sample in np.linspace(0, window, JUMPS, endpoint=False).astype(int):
            field = jump(fields[before], fields[after], int(sample), decays)
            score = float((weights.conj() * (field - middle)).real.sum())
            toward = score / (distance * line.noise_lsb) * (1 if before else -1)
            late.append(0.5 * erfc(-toward / math.sqrt(2)))
    return Separation(snr, float(0.5 * erfc(snr / (2 * math.sqrt(2)))), float(np.mean(late)))


def all_levels(resonator: Resonator, tone: Tone, frequency_hz: float) -> Field:
    """Responses for the three levels, (3, samples)."""
    return np.stack([respond(resonator, tone.envelope, frequency_hz, level) for level in range(LEVELS)])
