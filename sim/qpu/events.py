# SPDX-License-Identifier: BSD-2-Clause
"""What enters the emulator: pulses on drive channels, tones on readout lines.

A converter plays `envelope[k] * exp(i (phase_rad + 2 pi frequency_hz k / DAC_HZ))`, and what leaves the up-converter is
the real part of that times `exp(2 pi i lo_hz t)`. So `phase_rad` is the phase at the first sample, as a generator's
`played` tap reports it, and no event depends on the ones before it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from triplane.hal.device import DAC_HZ

Envelope: TypeAlias = npt.NDArray[np.complex64]

FULL_SCALE = 1.0 + 1e-4
"""Largest magnitude of an envelope; a little rounding is no error."""


class EventError(ValueError):
    """An event that cannot be played; the message says why, and what to do."""


@dataclass(frozen=True, eq=False)
class Tone:
    """One tone of a readout line.

    Attributes:
        frequency_hz: relative to the line's local oscillator.
        envelope: complex64 (samples,), full scale 1, at `DAC_HZ`.
        phase_rad: at the first sample.
    """

    frequency_hz: float
    envelope: Envelope
    phase_rad: float = 0.0

    def check(self) -> None:
        """Raises EventError for an envelope of another type or beyond full scale."""
        _check(self.envelope, f"tone at {self.frequency_hz / 1e6:g} MHz")

    @functools.cached_property
    def key(self) -> bytes:
        """Same key, same envelope."""
        return self.envelope.tobytes()


@dataclass(frozen=True, eq=False)
class PulseEvent:
    """A pulse on a drive channel.

    Attributes:
        channel: drive channel.
        start: first sample, counted at `DAC_HZ` since reset.
        envelope: complex64 (samples,), full scale 1.
        frequency_hz: relative to the channel's local oscillator.
        phase_rad: at the first sample.
    """

    channel: int
    start: int
    envelope: Envelope
    frequency_hz: float
    phase_rad: float = 0.0

    def check(self) -> None:
        """Raises EventError for an envelope of another type or beyond full scale."""
        _check(self.envelope, f"pulse on channel {self.channel}")

    @property
    def stop(self) -> int:
        """The sample after the last."""
        return self.start + len(self.envelope)

    @functools.cached_property
    def key(self) -> bytes:
        """Same key, same envelope."""
        return self.envelope.tobytes()


@dataclass(frozen=True, eq=False)
class Readout:
    """Tones that start together on a line, `start` counted at `DAC_HZ` since reset."""

    line: int
    start: int
    tones: tuple[Tone, ...]

    @property
    def stop(self) -> int:
        """The sample after the last of the longest tone."""
        return self.start + max(len(tone.envelope) for tone in self.tones)


Event: TypeAlias = PulseEvent | Readout


def carrier_phase(frequency_hz: float, start: int, offset_rad: float = 0.0) -> float:
    """Phase at a sample of an oscillator that has run since reset: what a phase-coherent slot has."""
    turns = math.fmod(frequency_hz * (start / DAC_HZ), 1.0)
    return 2 * math.pi * turns + offset_rad


def frequency_of_word(word: int, rate_hz: float = DAC_HZ) -> float:
    """Hz of a generator's frequency word: turns a sample times 2**32, two's complement."""
    signed = (word & 0xFFFFFFFF) - ((word & 0x80000000) << 1)
    return signed / 2**32 * rate_hz


def phase_of_word(word: int) -> float:
    """Radians of a phase word: 2**32 is a turn."""
    return (word & 0xFFFFFFFF) / 2**32 * 2 * math.pi


def word_of_frequency(frequency_hz: float, rate_hz: float = DAC_HZ) -> int:
    """The nearest frequency word; raises ValueError beyond half the sample rate."""
    if abs(frequency_hz) > rate_hz / 2:
        raise ValueError(
            f"frequency must be within +-{rate_hz / 2e6:g} MHz of the local oscillator, not {frequency_hz / 1e6:g} MHz"
        )
    return round(frequency_hz / rate_hz * 2**32) & 0xFFFFFFFF


def word_of_phase(phase_rad: float) -> int:
    """The nearest phase word."""
    return round(phase_rad / (2 * math.pi) * 2**32) & 0xFFFFFFFF


def later(event: Event, samples: int) -> Event:
    """The same event some samples later, by oscillators that have run on."""
    if isinstance(event, Readout):
        tones = tuple(
            Tone(tone.frequency_hz, tone.envelope, carrier_phase(tone.frequency_hz, samples, tone.phase_rad))
            for tone in event.tones
        )
        return Readout(event.line, event.start + samples, tones)
    phase_rad = carrier_phase(event.frequency_hz, samples, event.phase_rad)
    return PulseEvent(event.channel, event.start + samples, event.envelope, event.frequency_hz, phase_rad)


def _check(envelope: Envelope, name: str) -> None:
    if envelope.dtype != np.complex64 or envelope.ndim != 1 or not len(envelope):
        raise EventError(
            f"envelope of {name} must be complex64 (samples,), not {envelope.dtype} {envelope.shape}"
        )
    peak = float(np.abs(envelope).max())
    if not peak <= FULL_SCALE:
        raise EventError(f"envelope of {name} reaches {peak:.4g}: full scale is 1")
