# SPDX-License-Identifier: BSD-2-Clause
"""Discriminants, weights and their register values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triplane.gateware.readout.layouts import SOFT_SHIFTS
from triplane.host.calibration.readout import (
    NATS_PER_STEP,
    ReadoutCalibrationError,
    confusion,
    fit_discriminant,
    matched_weights,
    mean_samples,
    quantise,
    quantise_weights,
)
from triplane.sim.models.readout.discriminator import discriminate
from triplane.sim.models.readout.integrator import decimate, integrate


def clouds(states: int, *, scale: float = 20_000, shots: int = 4000, seed: int = 1):
    """Points and states: clouds of one covariance, 5 standard deviations apart."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(states), shots))
    shape = np.array([[1.0, 0.3], [0.0, 0.7]])
    centres = np.array([[2.0, -1.0], [6.0, 1.0], [3.0, 4.0]])
    return scale * (rng.normal(size=(len(labels), 2)) @ shape + centres[labels]), labels


def bayes(points, means, covariance, priors):
    """Most likely state by the distance of Mahalanobis: the textbook's form, no projections."""
    inverse = np.linalg.inv(covariance)
    away = points[:, None, :] - means
    return (np.log(priors) - 0.5 * np.einsum("nki,ij,nkj->nk", away, inverse, away)).argmax(axis=1)


@pytest.mark.parametrize("states", [2, 3])
@pytest.mark.parametrize("priors", [None, (0.6, 0.3, 0.1)])
def test_the_discriminant_is_the_textbooks(states, priors):
    points, labels = clouds(states)
    fit = fit_discriminant(points, labels, priors=None if priors is None else priors[:states])
    np.testing.assert_array_equal(fit.decide(points), bayes(points, fit.means, fit.covariance, fit.priors))
    shares = confusion(labels, fit.decide(points), states)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert np.diag(shares).min() > 0.95


@settings(max_examples=40, deadline=None)
@given(states=st.sampled_from([2, 3]), exponent=st.floats(5, 24), seed=st.integers(0, 1000))
def test_registers_decide_as_floating_point_does(states, exponent, seed):
    """At every scale of the integrals that the hardware can have, but for shots on the boundary."""
    points, labels = clouds(states, scale=2.0**exponent / 8, shots=1000, seed=seed)
    points = np.clip(np.rint(points), -(2**26), 2**26 - 1).astype(np.int64)
    fit = fit_discriminant(points, labels)
    registers = quantise(fit)
    found = discriminate(points[:, 0], points[:, 1], registers)
    decided = np.where(found.leaked, 2, found.bit)
    assert np.mean(decided != fit.decide(points)) < 0.001
    ratios = fit.ratios(points)[:, 0]
    inside = np.abs(ratios) < 15
    soft = (found.soft + 0.5) * NATS_PER_STEP
    assert np.abs(soft - ratios)[inside].max() < 0.5 * NATS_PER_STEP + 0.02
    if states == 2:
        assert not found.leaked.any()
    assert max(map(abs, (registers.a1, registers.b1, registers.a2, registers.b2))) >= 1 << 12


def test_the_largest_factor_that_fits_is_taken():
    shifts = [
        SOFT_SHIFTS[quantise(fit_discriminant(*clouds(3, scale=scale))).soft_shift]
        for scale in (50, 5000, 5e5)
    ]
    assert shifts == sorted(set(shifts))


@pytest.mark.parametrize(
    ("points", "states", "text"),
    [
        (np.zeros((4, 3)), [0, 0, 1, 1], r"not \(4, 3\) and \(4,\)"),
        (np.full((6, 2), np.nan), [0, 0, 0, 1, 1, 1], "6 points are not finite"),
        (np.ones((6, 2)), [0, 0, 0, 2, 2, 2], r"0, 1 and 2, not \[0, 2\]"),
        (np.ones((4, 2)), [0, 0, 0, 1], "state 1 has 1 shots; take at least 3"),
        (np.arange(12).reshape(6, 2), [0, 0, 0, 1, 1, 1], "lie on a line"),
    ],
)
def test_shots_without_a_fit(points, states, text):
    with pytest.raises(ReadoutCalibrationError, match=text):
        fit_discriminant(points, states)


def test_what_cannot_be_quantised():
    points, labels = clouds(2, scale=1e-3)
    with pytest.raises(ReadoutCalibrationError, match="use larger weights"):
        quantise(fit_discriminant(points, labels))
    with pytest.raises(ValueError, match="nats_per_step must be above 0, not 0"):
        quantise(fit_discriminant(points, labels), nats_per_step=0)
    with pytest.raises(ReadoutCalibrationError, match="do not differ"):
        matched_weights([1, 2], [1, 2])
    with pytest.raises(ReadoutCalibrationError, match="weights reach 1.5"):
        quantise_weights([1.5])


def test_weights_from_traces_of_the_line():
    """Ring-up traces through the model: decimated traces give the means, the means the weights, and these help."""
    length, decimation, frequency, start = 200, 8, 0x1A000000, 777
    rng = np.random.default_rng(4)
    times = start + np.arange(length)
    ramp = 1 - np.exp(-np.arange(length) / 100)
    carrier = np.exp(2j * np.pi * frequency * times / 2**32)
    envelopes = [900 * ramp * np.exp(1j * angle) for angle in (0.4, 1.1)]

    def shots(state: int, count: int) -> np.ndarray:
        noise = rng.normal(size=(count, length, 2)) @ [1, 1j] * 1000
        stream = envelopes[state] * carrier + noise
        return np.rint(np.stack([stream.real, stream.imag], axis=-1)).astype(np.int16)

    flat = quantise_weights(np.ones(length))
    means = []
    for state in (0, 1):
        traces = [decimate(s, start, frequency, flat, decimation) for s in shots(state, 150)]
        means.append(mean_samples(np.mean(traces, axis=0), decimation, length))
        expected = envelopes[state].reshape(-1, decimation).mean(axis=1)
        assert np.abs(means[state] - expected).max() < 5 * 1000 / np.sqrt(150 * decimation)
    weights = quantise_weights(matched_weights(*(np.repeat(m, decimation) for m in means)))

    def contrast(w: np.ndarray) -> float:
        points = [
            np.stack(integrate(shots(k, 2000), np.full(2000, start), frequency, w), axis=1) for k in (0, 1)
        ]
        fit = fit_discriminant(np.concatenate(points), np.repeat([0, 1], 2000))
        return float(fit.coefficients[0] @ (fit.means[1] - fit.means[0]))

    assert contrast(weights) > 1.08 * contrast(flat)
