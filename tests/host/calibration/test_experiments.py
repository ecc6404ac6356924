# SPDX-License-Identifier: BSD-2-Clause
"""Fits of calibration experiments: what was put in comes out, within the uncertainty that they state."""

import math

import numpy as np
import pytest
from scipy.special import erfc

from triplane.host.calibration import experiments
from triplane.host.calibration.experiments import FitError

SHOTS = 2000


@pytest.fixture
def random():
    return np.random.default_rng(5)


def sampled(random, share):
    return random.binomial(SHOTS, share) / SHOTS


def within(fit, name, value, sigmas=4):
    assert abs(fit[name] - value) < sigmas * fit.errors[name]
    assert fit.errors[name] < 0.1 * abs(value)


def test_rabi(random):
    x = np.linspace(0, 1, 50)
    fit = experiments.fit_rabi(x, sampled(random, 0.48 - 0.45 * np.cos(2 * math.pi * 3.7 * x)))
    within(fit, "turns", 3.7)
    within(fit, "visibility", 0.9)
    assert fit.curve(np.array([0.0])) == pytest.approx([0.03], abs=0.02)


def test_ramsey(random):
    x = np.linspace(0, 60e-6, 60)
    y = 0.5 + 0.46 * np.exp(-x / 30e-6) * np.cos(2 * math.pi * 150e3 * x + 0.3)
    fit = experiments.fit_ramsey(x, sampled(random, y))
    within(fit, "frequency_hz", 150e3)
    within(fit, "t2_s", 30e-6)


@pytest.mark.parametrize("offset", [None, 0.02])
def test_decay(random, offset):
    x = np.linspace(0, 150e-6, 40)
    fit = experiments.fit_decay(x, sampled(random, 0.02 + 0.95 * np.exp(-x / 50e-6)), offset=offset)
    within(fit, "time_s", 50e-6)
    assert fit["offset"] == pytest.approx(0.02, abs=0.02)


def test_resonance(random):
    x = 7.1e9 + np.linspace(-6e6, 6e6, 40)
    y = 100 + 2e6 / (1 + (2 * (x - 7.1008e9) / 2.2e6) ** 2) + 1e4 * random.normal(size=40)
    fit = experiments.fit_resonance(x, y)
    assert fit["frequency_hz"] == pytest.approx(7.1008e9, abs=5 * fit.errors["frequency_hz"])
    within(fit, "kappa_hz", 2.2e6)


def test_blobs(random):
    zero = random.normal(-3, 1.1, 5000)
    one = np.where(random.random(5000) < 0.06, random.normal(-3, 1.1, 5000), random.normal(2, 1.1, 5000))
    fit = experiments.fit_blobs(zero, one)
    within(fit, "snr", 5 / 1.1)
    within(fit, "centre0", -3)
    assert fit["stray1"] == pytest.approx(0.06, abs=0.02)
    assert fit["overlap"] == pytest.approx(erfc(5 / 1.1 / math.sqrt(8)) / 2, rel=0.3)


def test_what_cannot_be_fitted():
    with pytest.raises(FitError, match="needs eight evenly spaced points or more, not 4"):
        experiments.fit_rabi(np.arange(4.0), np.zeros(4))
    with pytest.raises(FitError, match="evenly spaced"):
        experiments.fit_ramsey(np.geomspace(1, 10, 20), np.zeros(20))
    x = np.linspace(0, 1, 20)
    with pytest.raises(FitError, match="20 points do not determine time_s, visibility, offset|no curve fits"):
        experiments.fit_decay(x, np.zeros(20))
