# SPDX-License-Identifier: BSD-2-Clause
"""How many shots an expectation value needs: a pilot says how far outcomes scatter, and the rest is given by that.

An expectation value is a sum over groups of terms; each group is measured by shots of its own, and has one number per
shot, between -range and +range. Its variance per shot is unknown before. A fixed budget has to take it for the largest
that it can be. Here a pilot of few shots estimates it, and the main run has as many as the wanted standard error asks
for, shared among the groups as their standard deviations are (J. Neyman, J. R. Stat. Soc. 97, 558 (1934)).

The pilot's outcomes are not in the result: how many shots the main run has depends on them, and a mean over both would
lean towards pilots that scattered little. So the result has no bias, whatever the pilot said.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

PILOT_SHARE = 16
"""A pilot is this part of the fixed budget."""

PILOT_SHOTS = 50
"""A pilot's shots, at least."""

CONFIDENCE = 1.645
"""Standard deviations by which a pilot's variance is taken larger, so that it is seldom too small (95 % one-sided)."""


def fixed_budget(ranges: Floats, precision: float) -> Counts:
    """Shots of each group that are enough for a standard error, whatever the state is.

    Args:
        ranges: float (values, groups): largest number of a shot, for each value; 0 where a group is not in it.
        precision: wanted standard error of each value.

    Returns:
        int (groups,): enough for the most demanding value.
    """
    return _shared(ranges, precision)


def pilot_budget(fixed: Counts) -> Counts:
    """Shots of a pilot, int (groups,); 0 everywhere where it would be no saving: the fixed budget is then used."""
    pilot = np.maximum(-(-fixed // PILOT_SHARE), PILOT_SHOTS) * (fixed > 0)
    if np.sum(pilot) * 2 > np.sum(fixed):
        return np.zeros_like(fixed)
    return np.asarray(pilot, np.int64)


def upper_deviation(samples: Floats, limit: float) -> float:
    """Standard deviation per shot that is seldom too small, of what a pilot has given.

    Two shots at the limits are added, as in the interval of A. Agresti and B. Coull (Am. Stat. 52, 119 (1998)): a
    pilot in which all were equal does not mean that all will be. The error of the variance is that of its fourth
    moment.

    Args:
        samples: float (shots,), numbers of the shots.
        limit: largest number that a shot can give.
    """
    if not limit:
        return 0.0
    padded = np.concatenate([samples, [limit, -limit]])
    squares = (padded - padded.mean()) ** 2
    variance = squares.mean()
    error = squares.std() / math.sqrt(len(padded))
    return float(min(math.sqrt(variance + CONFIDENCE * error), limit))


def main_budget(deviations: Floats, precision: float, most: Counts) -> Counts:
    """Shots of each group in the main run, int (groups,).

    Args:
        deviations: float (values, groups), per shot.
        precision: wanted standard error of each value.
        most: int (groups,), the fixed budget, which is never exceeded.
    """
    return np.minimum(_shared(deviations, precision), most)


def _shared(deviations: Floats, precision: float) -> Counts:
    """Neyman's allocation for each value, and of each group the largest."""
    if not precision > 0:
        raise ValueError(f"a precision is a standard error above 0, not {precision}")
    wanted = deviations * deviations.sum(axis=1, keepdims=True) / precision**2
    used = (deviations > 0).any(axis=0)
    return np.asarray(np.maximum(np.ceil(wanted.max(axis=0, initial=0.0)), 2 * used), np.int64)
