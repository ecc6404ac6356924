# SPDX-License-Identifier: BSD-2-Clause
"""p_ij of every pair of detectors: what the shots show, what a model says, and what it leaves unexplained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.host.calibration.estimate import SIGNIFICANT
from triplane.host.calibration.structure import Structure, probability

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Pairwise correlations.

    Attributes:
        measured: float64 (detectors, detectors), p_ij from the shots: the probability that an odd number of the
            mechanisms that flip both detectors happened. Symmetric, NaN on the diagonal and where shots say nothing.
        error: float64 (detectors, detectors), its standard deviation.
        modelled: float64 (detectors, detectors), the same of the model.
        joined: bool (detectors, detectors), whether any mechanism of the model flips both.
    """

    measured: Floats
    error: Floats
    modelled: Floats
    joined: npt.NDArray[np.bool_]

    def strangers(self) -> list[tuple[int, int, float, float]]:
        """(i, j, p_ij, error) of pairs that no mechanism joins though the shots say so, the most significant first.

        The bar is `SIGNIFICANT` standard deviations, raised with the number of pairs so that fewer than one stranger
        is expected by chance.
        """
        from scipy.stats import norm

        first, second = np.nonzero(np.triu(~self.joined, 1) & np.isfinite(self.measured) & (self.error > 0))
        if len(first) == 0:
            return []
        bar = max(SIGNIFICANT, float(norm.isf(0.1 / len(first))))
        p, error = self.measured[first, second], self.error[first, second]
        order = np.argsort(-p / error, kind="stable")
        return [
            (int(first[k]), int(second[k]), float(p[k]), float(error[k]))
            for k in order
            if p[k] > bar * error[k]
        ]


def correlate(structure: Structure, strengths: npt.ArrayLike, events: npt.ArrayLike) -> Pairs:
    """p_ij of all pairs, from detection events, bool (shots, detectors), and of a model's strengths, (groups,)."""
    bits = np.asarray(events, dtype=bool)
    shots, count = bits.shape
    ones = bits.astype(np.float32)
    both = (ones.T @ ones).astype(np.float64) / shots  # counts are exact in float32 up to 2**24 shots
    rate = bits.mean(axis=0)
    single = 1 - 2 * rate
    parity = 1 - 2 * (rate[:, None] + rate[None, :] - 2 * both)
    with np.errstate(divide="ignore", invalid="ignore"):
        theta = (np.log(parity) - np.log(single)[:, None] - np.log(single)[None, :]) / 2
        variance = _variance(single, parity) / shots
    modelled = np.zeros((count, count))
    joined = np.zeros((count, count), dtype=np.bool_)
    for group, value in zip(structure.groups, np.asarray(strengths, dtype=np.float64), strict=True):
        at = np.ix_(group, group)
        modelled[at] += value
        joined[at] = True
    for matrix in (theta, variance, modelled):
        np.fill_diagonal(matrix, np.nan)
    theta = np.where(np.isfinite(theta), theta, np.nan)
    measured = probability(theta)
    return Pairs(measured, np.sqrt(variance) * (0.5 - measured), probability(modelled), joined)


def _variance(single: Floats, parity: Floats) -> Floats:
    """Variance of one shot's influence on theta_ij, (z_ij / E_ij - z_i / E_i - z_j / E_j) / 2.

    The product of any two of z_i, z_j and z_ij is the third, so all moments are known.
    """
    i, j = single[:, None], single[None, :]
    own = (1 - i**2) / i**2 + (1 - j**2) / j**2 + (1 - parity**2) / parity**2
    crossed = (parity - i * j) / (i * j) - (j - i * parity) / (i * parity) - (i - j * parity) / (j * parity)
    return np.asarray(np.maximum(own + 2 * crossed, 0) / 4, dtype=np.float64)
