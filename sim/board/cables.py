# SPDX-License-Identifier: BSD-2-Clause
"""Cables from the DACs of readout lines to their ADCs, in the place of a processor: what `triplane doctor` measures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from triplane.hal.device import ADC_HZ, DAC_HZ, TONE_SHARE
from triplane.sim.qpu.events import PulseEvent, Tone

FULL_SCALE = 2**15 - 1
DECIMATION = round(DAC_HZ / ADC_HZ)

LOSS = 0.5
"""Of amplitude, in cable and attenuator: a DAC's full scale is no ADC's overflow."""


class Cables:
    """What lines play comes back to them, later and weaker; drives lead nowhere.

    An ADC's sample is that DAC sample, of the two of a cycle, which leaves first: filters are not emulated.

    Args:
        delays_ns: of each line, converters and cable together; rounded to whole ADC samples.
        loss: what remains of the amplitude. 0: the cable is not plugged in.

    Raises:
        ValueError: a delay is negative.
    """

    name = "loopback cables"

    def __init__(self, delays_ns: Sequence[float], loss: float = LOSS) -> None:
        if any(delay < 0 for delay in delays_ns):
            raise ValueError(f"delays of cables are 0 ns or more, not {min(delays_ns):g}")
        self.delays_ns = tuple(delays_ns)
        self._delays = [round(delay * 1e-9 * ADC_HZ) for delay in delays_ns]
        self._loss = loss
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        """Nothing is under way; the seed is for processors, here nothing is random."""
        self._coming: list[list[tuple[int, npt.NDArray[np.complex128]]]] = [[] for _ in self._delays]

    def play(self, event: PulseEvent) -> None:
        """A pulse of a drive, which leads nowhere."""

    def readout(self, line: int, start: int, tones: Iterable[Tone]) -> None:
        """Tones leave a line's DAC from sample `start` on."""
        begins = start // DECIMATION + self._delays[line]
        for tone in tones:
            envelope = tone.envelope[::DECIMATION].astype(np.complex128)
            turns = tone.frequency_hz / ADC_HZ * np.arange(len(envelope))
            carrier = np.exp(1j * (tone.phase_rad + 2 * math.pi * turns))
            self._coming[line].append((begins, envelope * carrier * (TONE_SHARE * self._loss)))

    def adc(self, line: int, start: int, count: int) -> npt.NDArray[np.int16]:
        """Samples of a line from `start` on: int16 (count, 2), i and q, what is beyond full scale clipped."""
        samples = np.zeros(count, np.complex128)
        for begins, values in self._coming[line]:
            first, last = max(begins, start), min(begins + len(values), start + count)
            if first < last:
                samples[first - start : last - start] += values[first - begins : last - begins]
        self._coming[line] = [item for item in self._coming[line] if item[0] + len(item[1]) > start + count]
        parts = np.stack([samples.real, samples.imag], axis=1) * FULL_SCALE
        return np.clip(np.rint(parts), -FULL_SCALE - 1, FULL_SCALE).astype(np.int16)
