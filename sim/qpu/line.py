# SPDX-License-Identifier: BSD-2-Clause
"""A readout line: tones in, samples of its ADC out, the same whatever blocks they are asked for in.

A readout's fields are known in full once its qubits' levels are, so a request for samples draws nothing but noise, and
the noise of a sample depends on seed, line and sample alone: blocks of `BLOCK` samples from a counter-based generator.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from triplane.hal.device import ADC_HZ, DAC_HZ, Device, Line
from triplane.sim.qpu.addressing import kept
from triplane.sim.qpu.events import EventError, Readout, Tone
from triplane.sim.qpu.resonator import all_levels, best_tone_hz, decay_per_sample, jump
from triplane.sim.qpu.trajectory import Path
from triplane.sim.qpu.transmon import LEVELS

Samples = npt.NDArray[np.int16]

BLOCK = 256
"""Samples whose noise is drawn together."""

MEMORY = 1 << 13
"""Samples that may be asked for again."""

MOST_FIELDS = 64
"""Readouts that are kept before old ones are looked for."""

CAPTURE_WIDTHS = 10.0
"""Widths kappa from its resonances within which a tone measures the qubit."""

_LIMITS = np.iinfo(np.int16)


def addressed(device: Device, readout: Readout) -> list[tuple[int, bool]]:
    """For every tone of a readout: the tone of the line that is nearest in frequency, and whether it is measured.

    Raises:
        EventError: no such line, no tones, a tone that the ADC does not see, or two tones for one resonator.
    """
    if not 0 <= readout.line < len(device.lines):
        raise EventError(
            f"there is no readout line {readout.line}; {device.name} has lines 0 to {len(device.lines) - 1}"
        )
    if not readout.tones:
        raise EventError(f"readout at {readout.start} has no tones")
    try:
        return _addressed(
            device.lines[readout.line], readout.line, tuple([tone.frequency_hz for tone in readout.tones])
        )
    except EventError as error:
        raise EventError(f"readout at {readout.start}: {error}") from None


@functools.lru_cache(maxsize=4096)
def _addressed(line: Line, number: int, frequencies_hz: tuple[float, ...]) -> list[tuple[int, bool]]:
    found: list[tuple[int, bool]] = []
    for frequency_hz in frequencies_hz:
        if abs(frequency_hz) > ADC_HZ / 2:
            raise EventError(
                f"tone at {frequency_hz / 1e6:g} MHz is outside what the ADC of line {number} sees, "
                f"+-{ADC_HZ / 2e6:g} MHz around its local oscillator"
            )
        distances = [abs(line.lo_hz + frequency_hz - best_tone_hz(resonator)) for resonator in line.tones]
        nearest = distances.index(min(distances))
        resonator = line.tones[nearest]
        reach = CAPTURE_WIDTHS * resonator.kappa_hz + abs(resonator.chi_hz)
        if any(nearest == place for place, _ in found):
            raise EventError(f"two tones drive the resonator of qubit {resonator.qubit}; play one")
        found.append((nearest, distances[nearest] <= reach))
    return found


def readout_times(line: Line, readout: Readout, samples: int) -> tuple[float, float]:
    """When a tone of some DAC samples reaches its resonator and leaves it, in seconds: half the line's delay later."""
    begin_s = readout.start / DAC_HZ + line.delay_ns * 0.5e-9
    return begin_s, begin_s + samples / DAC_HZ


class _Plan:
    """What is the same in all readouts with the same tones."""

    def __init__(self, line: Line, tones: Sequence[Tone], places: Sequence[int]) -> None:
        resonators = [line.tones[place] for place in places]
        self.frequencies_hz = [line.lo_hz + tone.frequency_hz for tone in tones]
        found = [
            all_levels(resonator, tone, frequency)
            for resonator, tone, frequency in zip(resonators, tones, self.frequencies_hz, strict=True)
        ]
        for tone in tones:
            tone.check()
        samples = max(field.shape[1] for field in found)
        self.fields = np.zeros((LEVELS, len(tones), samples), dtype=np.complex64)
        for k, field in enumerate(found):
            self.fields[:, k, : field.shape[1]] = field
        turns = np.array([tone.frequency_hz / ADC_HZ for tone in tones])[:, None] * np.arange(samples)
        amplitudes = np.array([resonator.amplitude_lsb for resonator in resonators])[:, None]
        self.carriers = (amplitudes * np.exp(2j * math.pi * turns)).astype(np.complex64)
        self.sent = self.carriers * self.fields
        factors = [
            [decay_per_sample(resonator, frequency, level, ADC_HZ) for level in range(LEVELS)]
            for resonator, frequency in zip(resonators, self.frequencies_hz, strict=True)
        ]
        self.decays = (np.array(factors).T[:, :, None] ** np.arange(samples)).astype(np.complex64)
        self.crosstalk = None
        if line.crosstalk:
            self.crosstalk = np.array(line.crosstalk, dtype=np.complex64)[np.ix_(places, places)]
        self.rows = np.arange(len(tones))


class LineOutput:
    """Samples of one line.

    Args:
        line: of the device.
        number: of the line, for its noise and for messages.
        seed: of the noise.
    """

    def __init__(self, line: Line, number: int, seed: int) -> None:
        self.line = line
        self.number = number
        self._plans: dict[tuple[tuple[float, bytes], ...], _Plan] = {}
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Silence; sample 0 comes next."""
        self._fields: list[tuple[int, npt.NDArray[np.complex64]]] = []
        self._longest = 0
        self._delivered = 0
        self._bits = np.random.Philox(key=[seed, self.number])
        self._state = self._bits.state
        self._normal = np.random.Generator(self._bits).standard_normal
        self._block = -1
        self._noise = np.zeros((BLOCK, 2), dtype=np.float32)

    def first_sample(self, start: int) -> int:
        """ADC sample in which a tone arrives that starts at a sample of the DAC.

        Raises:
            EventError: that sample has been delivered.
        """
        first = round(start / 2 + self.line.delay_ns * 1e-9 * ADC_HZ)
        if first < self._delivered:
            raise EventError(
                f"readout at {start} reaches the ADC of line {self.number} with sample {first}, but samples up to "
                f"{self._delivered - 1} were delivered already; ask for fewer samples ahead of the events"
            )
        return first

    def add(
        self, readout: Readout, places: Sequence[int], paths: Sequence[Path | None], begin_s: float
    ) -> None:
        """Play tones whose qubits take given levels; None for a tone that leaves its qubit alone."""
        tones = readout.tones
        key = tuple((tone.frequency_hz, tone.key) for tone in tones)
        plan = kept(self._plans, key, lambda: _Plan(self.line, tones, places))
        first = self.first_sample(readout.start)
        levels = [path[0][1] if path else 0 for path in paths]
        # Without crosstalk and jumps all but the phases is known.
        fields = (plan.sent if plan.crosstalk is None else plan.fields)[levels, plan.rows]
        for k, path in enumerate(paths):
            if path and len(path) > 1:
                row = plan.fields[levels[k], k]
                for time_s, level in path[1:]:
                    sample = min(round((time_s - begin_s) * ADC_HZ), len(row) - 1)
                    row = jump(row, plan.fields[level, k], sample, plan.decays[level, k])
                fields[k] = row if plan.crosstalk is not None else row * plan.carriers[k]
        if plan.crosstalk is not None:
            fields = plan.carriers * (plan.crosstalk @ fields)
        # Envelopes move to the nearest clock; the carrier keeps its phase exactly.
        late = first / ADC_HZ - readout.start / (2 * ADC_HZ)
        delay_s = self.line.delay_ns * 1e-9
        phases = [
            tone.phase_rad
            + 2 * math.pi * (tone.frequency_hz * (late - delay_s) - math.fmod(self.line.lo_hz * delay_s, 1.0))
            for tone in tones
        ]
        self._longest = max(self._longest, fields.shape[1])
        self._fields.append((first, np.exp(1j * np.array(phases)).astype(np.complex64) @ fields))

    def adc(self, start: int, count: int) -> Samples:
        """Samples from `start` on: int16 (count, 2), i and q.

        Raises:
            EventError: before 0, or so long ago that they are forgotten.
        """
        oldest = max(self._delivered - MEMORY, 0)
        if count < 0 or start < oldest:
            raise EventError(
                f"line {self.number}: {count} samples from {start} on cannot be had; the oldest kept is {oldest}"
            )
        stop = start + count
        sums = np.empty((count, 2), dtype=np.float32)
        for block in range(start // BLOCK, -(-stop // BLOCK)):
            low, high = max(start, block * BLOCK), min(stop, (block + 1) * BLOCK)
            noise = self._noise_of(block)
            sums[low - start : high - start] = noise[low - block * BLOCK : high - block * BLOCK]
        pairs = sums.view(np.complex64)[:, 0]
        for first, field in reversed(self._fields):
            if first + self._longest <= start:
                break  # readouts of a line come in the order of their time
            low, high = max(start, first), min(stop, first + len(field))
            if low < high:
                pairs[low - start : high - start] += field[low - first : high - first]
        if stop > self._delivered:
            self._delivered = stop
            if len(self._fields) > MOST_FIELDS:
                self._fields = [
                    (first, field) for first, field in self._fields if first + len(field) > stop - MEMORY
                ]
        sums += np.float32(0.5)
        np.floor(sums, out=sums)
        np.minimum(sums, _LIMITS.max, out=sums)
        np.maximum(sums, _LIMITS.min, out=sums)
        return sums.astype(np.int16)

    def _noise_of(self, block: int) -> npt.NDArray[np.float32]:
        if block != self._block:
            self._state["state"]["counter"][:] = (0, 0, block, 0)
            self._bits.state = self._state
            drawn = self._normal((BLOCK, 2), dtype=np.float32)
            self._noise = drawn * np.float32(self.line.noise_lsb)
            self._block = block
        return self._noise
