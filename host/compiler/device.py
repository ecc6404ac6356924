# SPDX-License-Identifier: BSD-2-Clause
"""Tables for a device whose parameters are known: what calibration would have to find, in the form it is loaded in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from triplane.gateware.dsp.layouts import PULSE, SCALE_BITS, TONES
from triplane.gateware.readout.layouts import Discriminant, Window
from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.sequencer.expression import TURN
from triplane.gateware.sequencer.generator import PulseGenerator
from triplane.hal.control import Demodulation, Pulses, Tones
from triplane.hal.device import ADC_HZ, TONE_SHARE, Device
from triplane.host.calibration.readout import LinearDiscriminant, matched_weights, quantise, quantise_weights
from triplane.host.compiler.alignment import frequency_word
from triplane.sim.qpu.gates import READOUT_SAMPLES, TONE_SCALE
from triplane.sim.qpu.resonator import best_tone_hz, respond
from triplane.sim.signals import UNIT

CHAINED = 1
"""Cycles by which a CAPTURE leaves after a PLAY of the same time and channel."""

ADC_UNIT = UNIT / 2**31
"""An integral per step of the converter at a weight of 1 and for one sample, see `host.calibration.readout`."""


def packed(
    pulses: Mapping[int, tuple[npt.NDArray[np.complex64], Mapping[str, int]]], fields: Sequence[object]
) -> tuple[tuple[Mapping[str, int], ...], npt.NDArray[np.int16]]:
    """Entries and envelope memory of pulses: number -> samples and further fields. Missing numbers play nothing.

    Equal envelopes are stored once.
    """
    names = [field.name for field in fields]  # type: ignore[attr-defined]
    entries = [
        dict.fromkeys(names, 0) | {"amplitude": 1 << SCALE_BITS} for _ in range(1 + max(pulses, default=-1))
    ]
    stored: dict[bytes, int] = {}
    memory: list[npt.NDArray[np.int16]] = []
    used = 0
    for number, (samples, more) in sorted(pulses.items()):
        parts = np.stack([samples.real, samples.imag], axis=1)
        words = np.rint(parts * UNIT).astype(np.int16)
        words = np.concatenate([words, np.zeros((len(words) % 2, 2), dtype=np.int16)])
        key = words.tobytes()
        if key not in stored:
            stored[key] = used
            memory.append(words)
            used += len(words) // 2
        entries[number] |= {"start": stored[key], "length": len(words) // 2, **more}
    envelope = np.concatenate(memory) if memory else np.zeros((0, 2), dtype=np.int16)
    return tuple(entries), envelope


def drive_pulses(
    pulses: Mapping[int, tuple[npt.NDArray[np.complex64], Mapping[str, int]]],
) -> Pulses:
    """A drive channel's tables: entry -> envelope of full scale 1, and fields such as slot and phase."""
    return Pulses(*packed(pulses, PULSE))


def line_tones(device: Device, line: int, masks: Sequence[int], samples: int = READOUT_SAMPLES) -> Tones:
    """A readout line's tables: entry k sounds the tones of masks[k], each at its full scale for so many DAC samples."""
    envelope = np.full(samples, TONE_SCALE * TONE_SHARE, dtype=np.complex64)
    entries, memory = packed({k: (envelope, {"mask": mask}) for k, mask in enumerate(masks)}, TONES)
    return Tones(entries, memory, (1 << SCALE_BITS,) * len(device.lines[line].tones))


def tone_frequencies(device: Device, line: int) -> tuple[float, ...]:
    """Frequencies of a line's tones relative to its local oscillator: the slots of its channel."""
    described = device.lines[line]
    return tuple(best_tone_hz(tone) - described.lo_hz for tone in described.tones)


def demodulation_of(
    device: Device,
    line: int,
    windows: Sequence[int],
    samples: int = READOUT_SAMPLES,
) -> Demodulation:
    """Weights and discriminants of a line whose tones a program has aligned.

    A window is as long as the tone, and begins with the sample in which a tone arrives whose PLAY was given the time of
    the CAPTURE.

    Args:
        device: its parameters.
        line: number.
        windows: entry k gives results of the tones of windows[k].
        samples: of the tone, at the DAC.
    """
    described = device.lines[line]
    length = samples // 2
    arrives = PulseGenerator.LATENCY + round(described.delay_ns * 1e-9 * ADC_HZ)
    frequencies, rows, discriminants = [], [], []
    for tone, offset_hz in zip(described.tones, tone_frequencies(device, line), strict=True):
        envelope = np.full(samples, TONE_SCALE, dtype=np.complex64)
        fields = np.array(
            [respond(tone, envelope, described.lo_hz + offset_hz, level)[:length] for level in range(3)]
        )
        # From the phase of the line's oscillator to that of the tone as it comes back
        turns = -offset_hz * (PulseGenerator.LATENCY / ADC_HZ + described.delay_ns * 1e-9)
        turns -= math.fmod(described.lo_hz * described.delay_ns * 1e-9, 1.0)
        received = tone.amplitude_lsb * fields * np.exp(2j * math.pi * turns)
        weights, discriminant = told_apart(received[0], received[1], described.noise_lsb)
        discriminants.append(discriminant)
        rows.append(weights)
        frequencies.append(2 * frequency_word(offset_hz) % TURN)
    return Demodulation(
        tuple(frequencies),
        np.array(rows),
        tuple(discriminants),
        tuple(Window(mask, length, delay=arrives - ReadoutLine.LEAD - CHAINED) for mask in windows),
    )


def told_apart(
    zero: npt.NDArray[np.complex128], one: npt.NDArray[np.complex128], noise_lsb: float
) -> tuple[npt.NDArray[np.int16], Discriminant]:
    """Weights and discriminant of a tone by what comes back of it, in steps of the converter.

    Args:
        zero, one: complex128 (samples,), mixed down to the tone's frequency, in state 0 and in state 1.
        noise_lsb: standard deviation of each part of a sample.

    Returns:
        int16 (samples, 2), and the registers of the discriminator.

    Raises:
        ReadoutCalibrationError: both are the same.
    """
    weights = quantise_weights(matched_weights(zero, one))
    complex_weights = weights @ np.array([1, 1j]) * ADC_UNIT
    integrals = np.array([zero, one]) @ complex_weights
    variance = float((np.abs(complex_weights) ** 2).sum()) * noise_lsb**2
    means = np.stack([integrals.real, integrals.imag], axis=1)
    return weights.astype(np.int16), quantise(_discriminant(means, variance))


def _discriminant(means: npt.NDArray[np.float64], variance: float) -> LinearDiscriminant:
    """Of states 0 and 1 in noise of one variance, equally likely."""
    scores = -0.5 * (means**2).sum(axis=1) / variance
    return LinearDiscriminant(
        means,
        variance * np.eye(2),
        np.full(2, 0.5),
        (means[1:] - means[0]) / variance,
        scores[1:] - scores[0],
    )
