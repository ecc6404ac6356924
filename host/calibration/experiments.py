# SPDX-License-Identifier: BSD-2-Clause
"""Fits of calibration experiments: measured points in, parameters with their uncertainties out.

Nothing here knows where points come from, an emulator or a refrigerator. Populations are shares of shots that were read
as 1; readout errors shrink and shift a curve, so offset and visibility are always fitted along.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.special import erfc

Reals = npt.NDArray[np.float64]

BINS = 60
"""Of the histograms that blobs are fitted in."""


class FitError(ValueError):
    """Points that no such curve can be laid through; the message says which and why."""


@dataclass(frozen=True)
class Fit:
    """Parameters of a curve.

    Attributes:
        values: name -> fitted value; units are in the names.
        errors: name -> its standard deviation.
        curve: the fitted curve: abscissae in, ordinates out.
    """

    values: dict[str, float]
    errors: dict[str, float]
    curve: Callable[[Reals], Reals]

    def __getitem__(self, name: str) -> float:
        return self.values[name]


def counting_spread(population: Reals, shots: int) -> Reals:
    """Standard deviations of shares of so many shots; with a count more, so that a share of 0 is not certain."""
    smooth = (population * shots + 1) / (shots + 2)
    spread: Reals = np.sqrt(smooth * (1 - smooth) / shots)
    return spread


def fit_rabi(amplitude: Reals, population: Reals, *, sigma: Reals | None = None) -> Fit:
    """Oscillation against a pulse's amplitude: `turns` for a unit of it, `visibility`, `offset`.

    Amplitudes are evenly spaced, see `oscillation`. `sigma`: standard deviations of the populations; None: equal ones.
    """

    def curve(x: Reals, turns: float, visibility: float, offset: float) -> Reals:
        return offset - visibility / 2 * np.cos(2 * math.pi * turns * x)

    guess = [oscillation(amplitude, population), float(np.ptp(population)), float(population.mean())]
    return _fit("Rabi", curve, ("turns", "visibility", "offset"), amplitude, population, guess, sigma)


def fit_ramsey(delay_s: Reals, population: Reals, *, sigma: Reals | None = None) -> Fit:
    """Decaying fringe: `frequency_hz`, `t2_s`, `visibility`, `offset`, `phase_rad`.

    Delays are evenly spaced, see `oscillation`, and less than half a period of the fringe apart. `sigma`: as of
    `fit_rabi`.
    """

    def curve(x: Reals, frequency: float, t2: float, visibility: float, offset: float, phase: float) -> Reals:
        return offset + visibility / 2 * np.exp(-x / t2) * np.cos(2 * math.pi * frequency * x + phase)

    names = ("frequency_hz", "t2_s", "visibility", "offset", "phase_rad")
    span_s = float(np.ptp(delay_s))
    guess = [
        oscillation(delay_s, population),
        span_s / 2,
        float(np.ptp(population)),
        float(population.mean()),
        0.0,
    ]
    return _fit("Ramsey", curve, names, delay_s, population, guess, sigma)


def fit_decay(
    delay_s: Reals, population: Reals, *, offset: float | None = None, sigma: Reals | None = None
) -> Fit:
    """Exponential decay, of a relaxation as of an echo: `time_s`, `visibility`, `offset`.

    Args:
        delay_s, population: points.
        offset: where the curve goes to, if that is known, from qubits read in 0 and in 1: the time is then found from
            a quarter of the shots.
        sigma: as of `fit_rabi`.
    """
    guess = [float(np.ptp(delay_s)) / 3, float(population[0] - population[-1]), float(population[-1])]

    def curve(x: Reals, time: float, visibility: float, end: float) -> Reals:
        return end + visibility * np.exp(-x / time)

    if offset is None:
        return _fit("decay", curve, ("time_s", "visibility", "offset"), delay_s, population, guess, sigma)
    known = float(offset)

    def ending(x: Reals, time: float, visibility: float) -> Reals:
        return curve(x, time, visibility, known)

    found = _fit("decay", ending, ("time_s", "visibility"), delay_s, population, guess[:2], sigma)
    return Fit({**found.values, "offset": known}, {**found.errors, "offset": 0.0}, found.curve)


def fit_resonance(frequency_hz: Reals, power: Reals) -> Fit:
    """Lorentzian of transmitted power: `frequency_hz`, `kappa_hz` (full width at half maximum), `peak`, `floor`."""

    def curve(x: Reals, centre: float, kappa: float, peak: float, floor: float) -> Reals:
        return floor + peak / (1 + (2 * (x - centre) / kappa) ** 2)

    peak = int(power.argmax())
    above = power > (power.max() + power.min()) / 2
    width = float(above.sum()) * float(np.ptp(frequency_hz)) / len(frequency_hz)
    guess = [float(frequency_hz[peak]), width, float(np.ptp(power)), float(power.min())]
    names = ("frequency_hz", "kappa_hz", "peak", "floor")
    return _fit("resonance", curve, names, frequency_hz, power, guess)


def fit_blobs(zero: Reals, one: Reals) -> Fit:
    """Two states on the axis that tells them apart: `centre0`, `centre1`, `sigma`, and what follows from them.

    The shots of each preparation are two Gaussians of the same width: some are not what was prepared. `snr` is
        the distance of
    the centres in standard deviations, `overlap` the share of wrong bits that this alone makes at a threshold in the
    middle, `stray0` and `stray1` are the shares that lie in the other blob.

    Args:
        zero, one: projected shots of qubits prepared in 0 and in 1, (shots,).
    """
    low, high = float(min(zero.min(), one.min())), float(max(zero.max(), one.max()))
    edges = np.linspace(low, high, BINS + 1)
    width = edges[1] - edges[0]
    middles = (edges[:-1] + edges[1:]) / 2
    counts = np.concatenate([np.histogram(shots, edges)[0] for shots in (zero, one)]).astype(np.float64)

    def gauss(x: Reals, centre: float, sigma: float) -> Reals:
        return np.asarray(
            width * np.exp(-(((x - centre) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
        )

    def curve(x: Reals, c0: float, c1: float, sigma: float, stray0: float, stray1: float) -> Reals:
        a, b = gauss(middles, c0, sigma), gauss(middles, c1, sigma)
        first = len(zero) * ((1 - stray0) * a + stray0 * b)
        second = len(one) * ((1 - stray1) * b + stray1 * a)
        return np.concatenate([first, second])

    guess = [float(np.median(zero)), float(np.median(one)), float(zero.std()), 0.0, 0.0]
    names = ("centre0", "centre1", "sigma", "stray0", "stray1")
    weights = np.sqrt(counts + 1)
    found = _fit("blobs", curve, names, np.concatenate([middles, middles]), counts, guess, weights)
    snr = abs(found["centre1"] - found["centre0"]) / abs(found["sigma"])
    spread = math.hypot(found.errors["centre0"], found.errors["centre1"]) / abs(found["sigma"])
    error = math.hypot(spread, snr * found.errors["sigma"] / abs(found["sigma"]))
    slope = math.exp(-(snr**2) / 8) / (2 * math.sqrt(2 * math.pi))
    values = {**found.values, "snr": snr, "overlap": float(erfc(snr / (2 * math.sqrt(2)))) / 2}
    return Fit(values, {**found.errors, "snr": error, "overlap": slope * error}, found.curve)


def oscillation(x: Reals, y: Reals) -> float:
    """Strongest frequency of points at evenly spaced abscissae, to a quarter of the resolution of their span.

    Raises:
        FitError: fewer than eight points, or uneven ones.
    """
    steps = np.diff(x)
    if len(x) < 8 or not np.allclose(steps, steps[0], rtol=1e-3):
        raise FitError(
            f"an oscillation needs eight evenly spaced points or more, not {len(x)} in steps of {steps[:3]}..."
        )
    power = np.abs(np.fft.rfft(y - y.mean(), 4 * len(x)))
    frequencies = np.fft.rfftfreq(4 * len(x), float(steps[0]))
    return float(frequencies[1 + power[1:].argmax()])


def _fit(
    name: str,
    curve: Callable[..., Reals],
    names: tuple[str, ...],
    x: Reals,
    y: Reals,
    guess: list[float],
    sigma: Reals | None = None,
) -> Fit:
    # The optimiser works on multiples of the guess: frequencies and populations are of one size then.
    scale = np.array([abs(value) if value else 1.0 for value in guess])

    def scaled(points: Reals, *parameters: float) -> Reals:
        return curve(points, *(np.array(parameters) * scale))

    try:
        with warnings.catch_warnings():
            # Said again below, with what to make of it.
            warnings.simplefilter("ignore", OptimizeWarning)
            found, covariance = curve_fit(scaled, x, y, np.array(guess) / scale, sigma=sigma, maxfev=20_000)
    except RuntimeError as error:
        raise FitError(f"{name}: no curve fits these {len(x)} points: {error}") from error
    values = found * scale
    errors = np.sqrt(np.diag(covariance)) * scale
    if not np.isfinite(errors).all():
        raise FitError(f"{name}: {len(x)} points do not determine {', '.join(names)}")
    return Fit(
        dict(zip(names, values.tolist(), strict=True)),
        dict(zip(names, errors.tolist(), strict=True)),
        lambda points: curve(points, *values),
    )
