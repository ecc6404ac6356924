# SPDX-License-Identifier: BSD-2-Clause
"""Figures of calibrations: points with their spread and the curve through them, and blobs with their threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from triplane.hal.html import grid
from triplane.hal.html import picture as html_picture
from triplane.host.calibration.qubit.readout import ReadoutResult
from triplane.host.calibration.qubit.routines import Calibration
from triplane.host.calibration.qubit.saying import said_of
from triplane.host.plots.style import ACCENT, BOARD, INK, LIMIT, SCREEN_DPI, Picture, titled

FINE = 400
"""Points of a curve."""

BINS = 40
STATES = ((BOARD, "prepared in 0"), (LIMIT, "prepared in 1"))

Result = Calibration | ReadoutResult


def draw_calibration(axes: Axes, result: Calibration) -> None:
    """Points and curve of a sweep; times in µs."""
    scale, axis = (
        (1e6, result.axis.replace(", s", " / µs")) if result.axis.endswith(", s") else (1.0, result.axis)
    )
    spread = np.sqrt(
        np.maximum(result.populations * (1 - result.populations), 1 / result.shots) / result.shots
    )
    axes.errorbar(
        scale * result.x, result.populations, spread, fmt="o", ms=4, lw=1, color=BOARD,
        label=f"{result.shots:,} shots a point",
    )  # fmt: skip
    fine = np.linspace(result.x[0], result.x[-1], FINE)
    axes.plot(scale * fine, result.fit.curve(fine), color=ACCENT, lw=1.8, label="fit")
    said = ", ".join(" = ".join(said_of(name, *found)) for name, found in result.found.items())
    titled(axes, f"{_heading(result)}\n{said}")
    axes.set_xlabel(axis)
    axes.set_ylabel("share read as 1")
    axes.set_ylim(-0.05, 1.05)
    axes.legend(fontsize=8.5, facecolor="white", edgecolor="none", framealpha=0.8)


def draw_blobs(axes: Axes, result: ReadoutResult) -> None:
    """Single shots in the plane of integrals, the centres of both blobs, and the line between them."""
    unit, name = _unit(result)
    for cloud, (colour, label) in zip((result.zero, result.one), STATES, strict=True):
        i, q = (cloud / unit).T
        axes.scatter(i, q, s=7, alpha=0.45, color=colour, label=label, linewidths=0)
        axes.plot(i.mean(), q.mean(), marker="+", ms=11, mew=2, color=INK)
    (a, b), c = result.discriminant.coefficients[0], result.discriminant.offsets[0] / unit
    axes.set_aspect("equal", "datalim")
    # The point of the line that is nearest to the origin, and its direction.
    x, y = -a * c / (a * a + b * b), -b * c / (a * a + b * b)
    axes.axline((x, y), (x - b, y + a), color=INK, lw=1.4, label="decision")
    errors = [result.found[f"readout_error{state}"] for state in range(2)]
    told = ", ".join(
        f"{state} read as {1 - state}: {share:.1%} ± {error:.1%}"
        for state, (share, error) in enumerate(errors)
    )
    titled(axes, f"{_heading(result)}\n{told}")
    axes.set_xlabel(f"I{name}")
    axes.set_ylabel(f"Q{name}")
    axes.legend(fontsize=8.5, facecolor="white", edgecolor="none", framealpha=0.8)


def draw_projections(axes: Axes, result: ReadoutResult) -> None:
    """Log-likelihood ratios of the same shots: above 0 they are read as 1."""
    ratios = [result.discriminant.ratios(cloud)[:, 0] for cloud in (result.zero, result.one)]
    edges = np.linspace(min(map(np.min, ratios)), max(map(np.max, ratios)), BINS + 1).tolist()
    for found, (colour, label) in zip(ratios, STATES, strict=True):
        axes.hist(found, edges, color=colour, alpha=0.55, label=label)
    axes.axvline(0, color=INK, lw=1.4, label="decision")
    titled(axes, f"Both states apart by {_separation(ratios):.1f} standard deviations")
    axes.set_xlabel("log-likelihood ratio of 1 to 0")
    axes.set_ylabel("shots")
    axes.legend(fontsize=8.5, facecolor="white", edgecolor="none", framealpha=0.8)


def blobs_figure(result: ReadoutResult) -> Picture:
    """Blobs, and the same shots along the axis that tells them apart."""
    picture = Picture(11, 4.3)
    left, right = picture.subplots(1, 2)
    draw_blobs(left, result)
    draw_projections(right, result)
    return picture


def figure_of(results: Sequence[Result]) -> Picture:
    """A panel for each result, two beside each other."""
    rows = -(-len(results) // 2)
    picture = Picture(11, 3.9 * rows)
    panels = picture.subplots(rows, 2, squeeze=False).ravel()
    for axes, result in zip(panels, results, strict=False):
        if isinstance(result, ReadoutResult):
            draw_blobs(axes, result)
        else:
            draw_calibration(axes, result)
    for axes in panels[len(results) :]:
        axes.set_axis_off()
    return picture


def shown(result: Result) -> str:
    """A result for a notebook: its figure, and what speaks against it."""
    if isinstance(result, ReadoutResult):
        picture = blobs_figure(result)
    else:
        picture = Picture(6.5, 3.9)
        draw_calibration(picture.subplots(), result)
    doubts = grid(("not to be believed, because",), ((complaint,) for complaint in result.complaints))
    return html_picture(picture.png(SCREEN_DPI), f"{result.routine} of qubit {result.qubit}") + doubts


def plot(results: Sequence[Result], path: Path) -> None:
    """Write the figure; the file appears whole or not at all."""
    figure_of(results).save(path)


def _heading(result: Result) -> str:
    return f"q{result.qubit}, {result.routine}" + ("" if result.good else ": NOT BELIEVED")


def _unit(result: ReadoutResult) -> tuple[float, str]:
    """A power of ten by which integrals become numbers that can be read, and what to add to their name."""
    largest = max(float(np.abs(cloud).max()) for cloud in (result.zero, result.one))
    power = int(np.floor(np.log10(largest))) if largest > 0 else 0
    return (1.0, "") if power < 3 else (10.0**power, f" / $10^{power}$")


def _separation(ratios: Sequence[npt.NDArray[np.float64]]) -> float:
    """Distance of the medians, in units of the spread of a blob: that of the middle two thirds of its shots."""
    low, high = zip(*(np.quantile(found, (0.16, 0.84)) for found in ratios), strict=True)
    spread = float(np.mean([(b - a) / 2 for a, b in zip(low, high, strict=True)]))
    return float(np.median(ratios[1]) - np.median(ratios[0])) / spread
