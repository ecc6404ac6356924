# SPDX-License-Identifier: BSD-2-Clause
"""From ADC samples back to bits, as the best linear discriminator does it: for tests and shot loops in Python."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from triplane.hal.device import ADC_HZ, Device
from triplane.sim.qpu.events import Readout
from triplane.sim.qpu.line import Samples, addressed
from triplane.sim.qpu.resonator import respond

Complexes = npt.NDArray[np.complex128]


class MatchedFilter:
    """Weighs each tone's samples by the difference of its mean traces for 0 and 1, over the length of the tone.

    Made once for readouts that differ in their start only.

    Args:
        device: its parameters.
        readout: whose samples come.

    Attributes:
        window: samples, from `first` on.
    """

    def __init__(self, device: Device, readout: Readout) -> None:
        self.line = readout.line
        line = device.lines[readout.line]
        self.window = max(len(tone.envelope) for tone in readout.tones) // 2
        self.delay_s = line.delay_ns * 1e-9
        self._frequencies_hz = np.array([tone.frequency_hz for tone in readout.tones])
        self._local_rad = 2 * math.pi * math.fmod(line.lo_hz * self.delay_s, 1.0)
        weights, thresholds = [], []
        for tone, (place, _) in zip(readout.tones, addressed(device, readout), strict=True):
            resonator = line.tones[place]
            traces = [
                resonator.amplitude_lsb
                * respond(resonator, tone.envelope, line.lo_hz + tone.frequency_hz, level)[: self.window]
                for level in (0, 1)
            ]
            weight = (traces[1] - traces[0]).conj()
            weights.append(weight)
            thresholds.append(float((weight * (traces[0] + traces[1]) / 2).real.sum()))
        carriers = np.exp(
            -2j * math.pi * self._frequencies_hz[:, None] * np.arange(self.window)[None, :] / ADC_HZ
        )
        self._weights = np.array(weights) * carriers
        self._thresholds = np.array(thresholds)

    def first(self, start: int) -> int:
        """First sample of the window of a readout that starts at a DAC sample."""
        return round(start / 2 + self.delay_s * ADC_HZ)

    def soft(self, readout: Readout, samples: Samples) -> npt.NDArray[np.float64]:
        """Weighed sums less their thresholds, (tones,), above 0 for a bit of 1; `samples` are those of the window."""
        received = samples.astype(np.float32).view(np.complex64)[:, 0]
        late_s = (self.first(readout.start) - readout.start / 2) / ADC_HZ - self.delay_s
        phases = np.array([tone.phase_rad for tone in readout.tones])
        turned = np.exp(1j * (self._local_rad - phases - 2 * math.pi * self._frequencies_hz * late_s))
        return np.asarray((turned * (self._weights @ received)).real - self._thresholds)

    def bits(self, readout: Readout, samples: Samples) -> npt.NDArray[np.bool_]:
        """Of the tones, (tones,)."""
        return np.asarray(self.soft(readout, samples) > 0)
