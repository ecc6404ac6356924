# SPDX-License-Identifier: BSD-2-Clause
"""Inner loops of the trajectory, compiled: a shot of one qubit would otherwise be mostly calls of NumPy.

All work in place on a state seen from one qubit: complex128 (left, 3, right), levels of that qubit in the middle.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

Amplitudes = npt.NDArray[np.complex128]
Reals = npt.NDArray[np.float64]

DRAWS = 8
"""Uniform random numbers that `relax` may need: two for dephasing, two for each of up to three intervals."""


@numba.njit(cache=True)
def populations(view: Amplitudes) -> Reals:
    """Of the levels, (3,)."""
    found = np.zeros(3)
    for left in range(view.shape[0]):
        for level in range(3):
            for right in range(view.shape[2]):
                value = view[left, level, right]
                found[level] += value.real * value.real + value.imag * value.imag
    return found


@numba.njit(cache=True)
def scale(view: Amplitudes, factors: Amplitudes) -> None:
    """Multiply the levels."""
    for left in range(view.shape[0]):
        for level in range(3):
            for right in range(view.shape[2]):
                view[left, level, right] *= factors[level]


@numba.njit(cache=True)
def turn(view: Amplitudes, unitary: Amplitudes) -> None:
    """Apply a unitary (3, 3)."""
    for left in range(view.shape[0]):
        for right in range(view.shape[2]):
            zero, one, two = view[left, 0, right], view[left, 1, right], view[left, 2, right]
            for level in range(3):
                view[left, level, right] = (
                    unitary[level, 0] * zero + unitary[level, 1] * one + unitary[level, 2] * two
                )


@numba.njit(cache=True)
def move(view: Amplitudes, level: int, to: int) -> None:
    """Keep what has a level, as another, normalised."""
    norm = 1 / math.sqrt(populations(view)[level])
    for left in range(view.shape[0]):
        for right in range(view.shape[2]):
            kept = view[left, level, right] * norm
            for other in range(3):
                view[left, other, right] = 0
            view[left, to, right] = kept


@numba.njit(cache=True)
def relax(view: Amplitudes, left_t1: float, spread_rad: float, drawn: Reals) -> None:
    """Relaxation for a time in units of T1, and a random phase.

    Args:
        view: the state.
        left_t1: time over T1.
        spread_rad: standard deviation of the phase of level 1; level 2 has twice that phase.
        drawn: uniform random numbers (`DRAWS`,).
    """
    used = 2
    while True:
        p0, p1, p2 = populations(view)
        decay = math.exp(-left_t1)
        stays = p0 + p1 * decay + p2 * decay * decay
        level_norm = drawn[used] * (p0 + p1 + p2)
        if p1 + p2 == 0 or level_norm <= stays:
            break
        # The norm falls to what was drawn at p2 x^2 + p1 x + p0 = drawn, x = exp(-t / T1).
        if p2 < 1e-12:
            x = (level_norm - p0) / p1
        else:
            x = (-p1 + math.sqrt(p1 * p1 + 4 * p2 * (level_norm - p0))) / (2 * p2)
        left_t1 += math.log(x)
        from_two = drawn[used + 1] * (p1 * x + 2 * p2 * x * x) < 2 * p2 * x * x
        move(view, 2 if from_two else 1, 1 if from_two else 0)
        used += 2
    # Box and Muller; 1 - u is never 0.
    phase = spread_rad * math.sqrt(-2 * math.log(1 - drawn[0])) * math.cos(2 * math.pi * drawn[1])
    factors = np.empty(3, dtype=np.complex128)
    norm = 1 / math.sqrt(stays)
    factors[0] = norm
    factors[1] = norm * math.exp(-left_t1 / 2) * complex(math.cos(phase), math.sin(phase))
    factors[2] = norm * math.exp(-left_t1) * complex(math.cos(2 * phase), math.sin(2 * phase))
    scale(view, factors)
