# SPDX-License-Identifier: BSD-2-Clause
"""Set-up of a readout line from measured shots: linear discriminant, integration weights, and both as register values.

The discriminant is Fisher's with a common covariance: for Gaussian clouds of one covariance it is the most likely
state, and its log-likelihood ratios are linear in the integral, which is what the hardware computes. Weights are those
of a matched filter: the conjugate of the difference of the mean traces, over the variance of the noise.

Points are integrals, float or integer (shots, 2), column 0 = i, column 1 = q, in the units of `layouts`: an integral is
the sum of sample * weight * phasor with a weight of 2**15 for 1, divided by 2**16 * 2**15 / (2**15 - 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.readout.layouts import (
    COEFFICIENT_BITS,
    INTEGRAL_SHIFT,
    OFFSET_BITS,
    SOFT_SHIFTS,
    TRACE_SHIFT,
    WEIGHT_BITS,
    Discriminant,
)

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int64]

NATS_PER_STEP = 0.125
"""Step of a soft value: 8 bits then reach log-likelihood ratios of -16 to 16, errors of one in nine million."""

LEAST_SHOTS = 3
"""Shots of each state that a covariance in two dimensions needs."""

_NO_THIRD_STATE = -(1 << OFFSET_BITS - 1)


class ReadoutCalibrationError(ValueError):
    """Shots that nothing can be fitted to; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class LinearDiscriminant:
    """Log-likelihood ratios of two or three states.

    Attributes:
        means: float64 (states, 2), of the clouds.
        covariance: float64 (2, 2), common to them, unbiased.
        priors: float64 (states,).
        coefficients, offsets: float64 (states - 1, 2) and (states - 1,), in nats: coefficients[k] @ point + offsets[k]
            is the log of how much likelier state k + 1 is than state 0.
    """

    means: Floats
    covariance: Floats
    priors: Floats
    coefficients: Floats
    offsets: Floats

    def ratios(self, points: npt.ArrayLike) -> Floats:
        """Log-likelihood ratios against state 0: float64 (shots, states - 1)."""
        found: Floats = np.asarray(points, dtype=np.float64) @ self.coefficients.T + self.offsets
        return found

    def decide(self, points: npt.ArrayLike) -> States:
        """Most likely state of each point: int64 (shots,); of equally likely ones the one with the least number."""
        ratios = self.ratios(points)
        decided: States = np.concatenate([np.zeros((len(ratios), 1)), ratios], axis=1).argmax(axis=1)
        return decided


def fit_discriminant(
    points: npt.ArrayLike, states: npt.ArrayLike, *, priors: npt.ArrayLike | None = None
) -> LinearDiscriminant:
    """Fits the linear discriminant of labelled shots.

    Args:
        points: (shots, 2).
        states: (shots,), the state prepared, 0 to 1 or 0 to 2.
        priors: (states,), what share of shots is in each state where it is used; None: as in these shots.

    Raises:
        ReadoutCalibrationError: a state is missing or has too few shots, there are other than two or three, the points
            are not finite, or all lie on a line.

    Examples:
        >>> rng = np.random.default_rng(1)
        >>> states = np.repeat([0, 1, 2], 1000)
        >>> points = rng.normal(size=(3000, 2)) + np.array([[0, 0], [8, 0], [0, 8]])[states]
        >>> float(np.mean(fit_discriminant(points, states).decide(points) == states)) > 0.999
        True
    """
    x, labels = np.asarray(points, dtype=np.float64), np.asarray(states)
    if x.ndim != 2 or x.shape[1] != 2 or labels.shape != x.shape[:1]:
        raise ReadoutCalibrationError(
            f"points must be (shots, 2) and states (shots,), not {x.shape} and {labels.shape}"
        )
    if not np.isfinite(x).all():
        raise ReadoutCalibrationError(f"{int((~np.isfinite(x)).any(axis=1).sum())} points are not finite")
    found = np.unique(labels).tolist()
    if found not in ([0, 1], [0, 1, 2]):
        raise ReadoutCalibrationError(f"the states of the shots must be 0 and 1, or 0, 1 and 2, not {found}")
    counts = np.bincount(labels.astype(np.int64))
    if counts.min() < LEAST_SHOTS:
        raise ReadoutCalibrationError(
            f"state {int(counts.argmin())} has {counts.min()} shots; take at least {LEAST_SHOTS} of each"
        )
    means = np.array([x[labels == k].mean(axis=0) for k in found])
    centred = x - means[labels.astype(np.int64)]
    covariance = centred.T @ centred / (len(x) - len(found))
    if np.linalg.cond(covariance) > 1e12:
        raise ReadoutCalibrationError("all points of a state lie on a line; is one of i and q not connected?")
    share = counts / counts.sum() if priors is None else np.asarray(priors, dtype=np.float64)
    if share.shape != (len(found),) or (share <= 0).any():
        raise ReadoutCalibrationError(f"priors must be {len(found)} numbers above 0, not {share.tolist()}")
    whitened = np.linalg.solve(covariance, means.T).T
    scores = np.log(share / share.sum()) - 0.5 * (means * whitened).sum(axis=1)
    return LinearDiscriminant(
        means, covariance, share / share.sum(), whitened[1:] - whitened[0], scores[1:] - scores[0]
    )


def quantise(discriminant: LinearDiscriminant, *, nats_per_step: float = NATS_PER_STEP) -> Discriminant:
    """Register values of a discriminant of integrals.

    All coefficients are scaled by one factor, the largest that fits and makes a step of the soft value
    `nats_per_step`: a soft value v stands for a log-likelihood ratio of (v + 1/2) * nats_per_step. Factors are 16
    apart, so the largest coefficient is at least 2**13 and right to 1 in 16,000 (unless the clouds are so wide that
    the largest factor there is makes less of it). Of two states the registers never say leaked.

    Raises:
        ReadoutCalibrationError: the clouds are so narrow, or so far from the origin, that no factor fits.
    """
    if not nats_per_step > 0:
        raise ValueError(f"nats_per_step must be above 0, not {nats_per_step}")
    limit, offset_limit = (1 << COEFFICIENT_BITS - 1) - 1, (1 << OFFSET_BITS - 1) - 1
    for number in reversed(range(len(SOFT_SHIFTS))):
        factor = 2.0 ** SOFT_SHIFTS[number] / nats_per_step
        a = np.rint(discriminant.coefficients * factor)
        c = np.rint(discriminant.offsets * factor)
        if np.abs(a).max() <= limit and np.abs(c).max() <= offset_limit:
            break
    else:
        deviation = math.sqrt(np.linalg.eigvalsh(discriminant.covariance)[0])
        raise ReadoutCalibrationError(
            f"the narrowest standard deviation of the clouds is {deviation:.3g} units of an integral, too few for "
            f"{COEFFICIENT_BITS}-bit coefficients; use larger weights, a longer window or more gain"
        )
    rows = [(int(row[0]), int(row[1]), int(offset)) for row, offset in zip(a, c, strict=True)]
    if len(rows) == 1:
        rows.append((0, 0, _NO_THIRD_STATE))
    return Discriminant(*rows[0], *rows[1], soft_shift=number)


def matched_weights(
    mean0: npt.ArrayLike, mean1: npt.ArrayLike, variance: npt.ArrayLike = 1.0
) -> npt.NDArray[np.complex128]:
    """Weights that tell two states apart best in white noise: complex128 (samples,), the largest component 1.

    The integral of the difference of the two states is then real and positive: it lies along i.

    Args:
        mean0, mean1: complex (samples,), mean traces of the two states, mixed down to the tone's frequency.
        variance: of the noise, per sample or for all.

    Raises:
        ReadoutCalibrationError: the traces are the same.
    """
    difference = np.asarray(mean1, dtype=np.complex128) - np.asarray(mean0, dtype=np.complex128)
    weights = difference.conj() / np.asarray(variance, dtype=np.float64)
    largest = float(np.maximum(np.abs(weights.real), np.abs(weights.imag)).max(initial=0.0))
    if not largest > 0 or not math.isfinite(largest):
        raise ReadoutCalibrationError("the mean traces of the two states do not differ")
    return weights / largest


def quantise_weights(weights: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Register values of weights, complex (samples,), of components -1 to 1: int64 (samples, 2), re and im.

    A weight of 1 becomes 2**15 - 1.

    Raises:
        ReadoutCalibrationError: a component is beyond 1.
    """
    w = np.asarray(weights, dtype=np.complex128)
    parts = np.stack([w.real, w.imag], axis=-1)
    if np.abs(parts).max(initial=0.0) > 1:
        raise ReadoutCalibrationError(f"weights reach {np.abs(parts).max():.4g}; scale them to 1")
    return np.rint(parts * ((1 << WEIGHT_BITS - 1) - 1)).astype(np.int64)


def mean_samples(decimated: npt.ArrayLike, decimation: int, length: int) -> npt.NDArray[np.complex128]:
    """Samples, mixed down and averaged, from a decimated trace that was taken with weights of 1 (32767).

    Args:
        decimated: integers (..., values, 2) as the memory holds them: the integral so far.
        decimation: samples from one value to the next.
        length: samples of the window; the last value may stand for fewer samples than the others.

    Returns:
        complex128 (..., values), in steps of the converter.
    """
    values = np.asarray(decimated, dtype=np.float64)
    half = 1 << INTEGRAL_SHIFT - 1 - TRACE_SHIFT
    running = (values[..., 0] - half) + 1j * (values[..., 1] - half) + (0.5 + 0.5j)
    counts = np.diff(np.minimum(np.arange(running.shape[-1] + 1) * decimation, length))
    blocks = np.diff(running, axis=-1, prepend=0)
    unit = 2.0 ** (20 - TRACE_SHIFT) * (1 - 2.0 ** -(WEIGHT_BITS - 1)) ** 2
    return np.asarray(blocks / (counts * unit), dtype=np.complex128)


def confusion(prepared: npt.ArrayLike, decided: npt.ArrayLike, states: int) -> Floats:
    """Share of shots prepared in state r that were decided to be c: float64 (states, states), row r, column c."""
    counts = np.zeros((states, states))
    np.add.at(counts, (np.asarray(prepared), np.asarray(decided)), 1)
    shares: Floats = counts / counts.sum(axis=1, keepdims=True)
    return shares
