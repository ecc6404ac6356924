# SPDX-License-Identifier: BSD-2-Clause
"""Budgets of shots, against what is known of coins."""

import numpy as np
import pytest

from triplane.host.runtime.adaptive import fixed_budget, main_budget, pilot_budget, upper_deviation

PRECISION = 0.02


def coins(rng, mean, shots):
    return rng.choice([-1.0, 1.0], size=shots, p=[(1 - mean) / 2, (1 + mean) / 2])


def estimated(rng, means, coefficients, precision=PRECISION):
    """(estimate, its standard error, all shots, mean over pilot and main run) of a weighted sum of coins."""
    ranges = np.abs(coefficients)[None, :]
    fixed = fixed_budget(ranges, precision)
    pilot = pilot_budget(fixed)
    first = [c * coins(rng, m, n) for c, m, n in zip(coefficients, means, pilot, strict=True)]
    deviations = np.array([[upper_deviation(x, abs(c)) for x, c in zip(first, coefficients, strict=True)]])
    shots = main_budget(deviations, precision, fixed)
    second = [c * coins(rng, m, n) for c, m, n in zip(coefficients, means, shots, strict=True)]
    pooled = sum(np.concatenate(both).mean() for both in zip(first, second, strict=True))
    error = np.sqrt(sum(x.var(ddof=1) / len(x) for x in second))
    return sum(x.mean() for x in second), error, pilot.sum() + shots.sum(), pooled


def test_a_fixed_budget_is_enough_for_any_state():
    """Standard error of coins that scatter most, with the shots that it gives."""
    ranges = np.array([[1.0, 0.5, 0.0], [0.2, 0.0, 2.0]])
    shots = fixed_budget(ranges, PRECISION)
    assert (np.sqrt((ranges**2 / np.maximum(shots, 1)).sum(axis=1)) <= PRECISION).all()
    assert fixed_budget(np.array([[1.0]]), PRECISION)[0] == 2500


@pytest.mark.parametrize(
    ("means", "coefficients"), [((0.0,), (1.0,)), ((0.9,), (1.0,)), ((0.99, 0.5, -0.95), (1.0, 0.3, 0.6))]
)
def test_the_precision_is_met(means, coefficients):
    rng = np.random.default_rng(1)
    means, coefficients = np.array(means), np.array(coefficients)
    errors = np.array([estimated(rng, means, coefficients)[1] for _ in range(400)])
    assert np.mean(errors <= PRECISION * 1.02) > 0.93


def test_the_estimate_is_unbiased_and_a_pooled_one_would_not_be():
    rng = np.random.default_rng(2)
    means, coefficients = np.array([0.97]), np.array([1.0])
    runs = np.array([estimated(rng, means, coefficients, 0.03)[::3] for _ in range(20_000)])
    error = runs.std(axis=0) / np.sqrt(len(runs))
    bias = runs.mean(axis=0) - 0.97
    assert abs(bias[0]) < 4 * error[0]
    assert bias[1] > 6 * error[1]


def test_shots_are_saved_where_outcomes_scatter_little():
    rng = np.random.default_rng(3)
    fixed = fixed_budget(np.array([[1.0]]), PRECISION).sum()
    saved = [1 - estimated(rng, np.array([mean]), np.array([1.0]))[2] / fixed for mean in (0.0, 0.9, 0.99)]
    assert -0.07 < saved[0] < 0
    assert saved[1] > 0.5
    assert saved[2] > 0.75


def test_a_pilot_of_equal_shots_does_not_mean_certainty():
    assert upper_deviation(np.ones(60), 1.0) > 0.2
    assert upper_deviation(np.zeros(10), 0.0) == 0.0
    assert upper_deviation(np.array([1.0, -1.0]), 1.0) == 1.0


def test_small_budgets_have_no_pilot():
    assert not pilot_budget(np.array([90, 0])).any()
    assert pilot_budget(np.array([8_000, 160])).tolist() == [500, 50]


def test_a_precision_is_above_zero():
    with pytest.raises(ValueError, match="a standard error above 0, not 0"):
        fixed_budget(np.ones((1, 1)), 0)
