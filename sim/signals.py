# SPDX-License-Identifier: BSD-2-Clause
"""ADC samples that mean chosen bits: noiseless tones, orthogonal over a window, whose sign is the bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.readout.layouts import Discriminant, Window
from triplane.hal.control import Demodulation

UNIT = 2**15 - 1
"""Weight of 1."""

AMPLITUDE = 3000
"""Of a tone, in steps of the converter: eight stay within its range."""

SOFT_SHIFT = 3
"""Soft values of a clean tone are then at their limits."""


@dataclass(frozen=True)
class BitTones:
    """Tone k turns k + 1 times in a window, wherever the window lies.

    Attributes:
        tones: per line.
        window: samples; a power of two, more than twice the tones.
    """

    tones: int
    window: int

    def __post_init__(self) -> None:
        if self.window & (self.window - 1) or self.window <= 2 * self.tones:
            raise ValueError(
                f"the window is a power of two of more than {2 * self.tones} samples, not {self.window}"
            )

    def demodulation(self, *windows: Window) -> Demodulation:
        """Set-up of a line that reads these bits, with the epoch 0."""
        weights = np.zeros((self.tones, self.window, 2), dtype=np.int16)
        weights[:, :, 0] = UNIT
        return Demodulation(
            frequencies=tuple((k + 1) * 2**32 // self.window for k in range(self.tones)),
            weights=weights,
            discriminants=(Discriminant(1, 0, 0, soft_shift=SOFT_SHIFT),) * self.tones,
            windows=windows,
        )

    def samples(self, start: int, bits: Sequence[int], count: int | None = None) -> npt.NDArray[np.int16]:
        """Samples from a cycle on: int16 (count, 2), a window's by default; bit k is that of tone k."""
        cycles = start + np.arange(self.window if count is None else count)
        wave = np.zeros(len(cycles), dtype=np.complex128)
        for k, bit in enumerate(bits):
            wave += (2 * bit - 1) * np.exp(2j * np.pi * (k + 1) / self.window * cycles)
        return np.rint(AMPLITUDE * np.stack([wave.real, wave.imag], axis=1)).astype(np.int16)
