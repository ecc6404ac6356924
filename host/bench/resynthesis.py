# SPDX-License-Identifier: BSD-2-Clause
"""Recorded integrals, and samples that have exactly these integrals.

Eight shots are put into a window, one per tone, in white noise whose part under each tone is replaced so that the exact
integral is the recorded point. What a readout line makes of the samples then differs from the recorded point by the
rounding of samples, phasors and weights, and by nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from triplane.host.calibration.readout import LinearDiscriminant, fit_discriminant, quantise_weights

SEED = 2026
NUM_TONES, LENGTH = 8, 200
SPACING_TURNS = 7
"""Turns in a window from one tone to the next: 8.6 MHz for 200 samples at 245.76 MHz."""
LOWEST_TURNS = -24.5
FARTHEST = 200_000
"""Integral of the recorded point that is farthest from the origin: eight such tones and the noise fit the converter."""

UNIT = 32767 / 2**31
"""Integral of a sample of 1 with a weight of 1, both as integers."""

Points = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Complex = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class Recorded:
    """Recorded shots in units of the integral.

    Attributes:
        points: float64 (shots, 2), shuffled.
        states: int64 (shots,), as prepared.
        train: bool (shots,), the half that discriminants are fitted to; the other half judges them.
    """

    points: Points
    states: Integers
    train: npt.NDArray[np.bool_]

    @classmethod
    def load(cls, path: Path) -> Recorded:
        """Reads float64 (3, shots, 2): every other shot of each state is for training."""
        raw = np.load(path)
        count = raw.shape[1]
        order = np.random.default_rng(SEED).permutation(3 * count)
        points = raw.reshape(-1, 2)[order]
        states = np.repeat(np.arange(3), count)[order]
        train = np.tile(np.arange(count) % 2 == 0, 3)[order]
        return cls(points * (FARTHEST / np.abs(points).max()), states, train)

    def fit(self, states: int) -> LinearDiscriminant:
        """Float64 discriminant of the first two states, or of all three, on the training half."""
        used = self.train & (self.states < states)
        return fit_discriminant(self.points[used], self.states[used])


@dataclass(frozen=True)
class Tones:
    """Eight tones on one line, and how samples become integrals without rounding.

    Attributes:
        frequencies: words.
        weights: int64 (LENGTH, 2), the same for all.
    """

    frequencies: tuple[int, ...]
    weights: Integers

    @classmethod
    def spread(cls) -> Tones:
        """Tones that are orthogonal over a window, up to the resolution of a frequency word."""
        turns = (LOWEST_TURNS + SPACING_TURNS * np.arange(NUM_TONES)) / LENGTH
        words = tuple(int(word) & 0xFFFFFFFF for word in np.rint(turns * 2**32))
        return cls(words, quantise_weights(np.ones(LENGTH)))

    def phasors(self, starts: Integers) -> Complex:
        """exp(2j pi f t): complex128 (windows, tones, samples)."""
        times = (starts[:, None] + np.arange(LENGTH)).astype(np.uint64)
        words = np.array(self.frequencies, dtype=np.uint64)
        phase = (words[:, None] * times[:, None, :]).astype(np.uint32)
        return np.asarray(np.exp(2j * np.pi / 2**32 * phase))

    def integrals(self, samples: Complex, starts: Integers) -> Complex:
        """Exact integrals of any samples, complex (windows, LENGTH), in float64: (windows, tones)."""
        w = self.weights[:, 0] + 1j * self.weights[:, 1]
        found = np.einsum("wn,n,wtn->wt", samples, w, self.phasors(starts).conj(), optimize=True)
        return np.asarray(found * UNIT)

    def resynthesise(
        self, targets: Complex, starts: Integers, deviation: float, rng: np.random.Generator
    ) -> Complex:
        """Samples of tones in noise whose exact integrals are `targets`, (windows, tones): (windows, LENGTH)."""
        noise = rng.normal(scale=deviation, size=(len(targets), LENGTH, 2)) @ np.array([1, 1j])
        phasors = self.phasors(starts)
        w = self.weights[:, 0] + 1j * self.weights[:, 1]
        gram = np.einsum("wtn,n,wsn->wts", phasors.conj(), w, phasors, optimize=True) * UNIT
        missing = targets - self.integrals(noise, starts)
        amplitudes = np.linalg.solve(gram, missing[..., None])[..., 0]
        return np.asarray(noise + np.einsum("wt,wtn->wn", amplitudes, phasors, optimize=True))


def rounded(samples: Complex) -> npt.NDArray[np.int16]:
    """What a converter makes of samples, complex (...): int16 (..., 2), limited to its range."""
    parts = np.stack([samples.real, samples.imag], axis=-1)
    return np.rint(np.clip(parts, -(1 << 15), (1 << 15) - 1)).astype(np.int16)
