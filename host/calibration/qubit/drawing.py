# SPDX-License-Identifier: BSD-2-Clause
"""Figures of calibrations: points with their spread and the curve through them, and blobs with their threshold."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triplane.host.calibration.qubit.readout import ReadoutResult
from triplane.host.calibration.qubit.routines import Calibration
from triplane.host.outputs import write_whole

POINTS, CURVE, ONE = "#1f5fa8", "#d9822b", "#b3261e"
FINE = 400
"""Points of a curve."""

Result = Calibration | ReadoutResult


def draw_calibration(axes: Axes, result: Calibration) -> None:
    """Points and curve of a sweep."""
    spread = np.sqrt(
        np.maximum(result.populations * (1 - result.populations), 1 / result.shots) / result.shots
    )
    axes.errorbar(result.x, result.populations, spread, fmt="o", ms=3.5, lw=1, color=POINTS, label="measured")
    fine = np.linspace(result.x[0], result.x[-1], FINE)
    axes.plot(fine, result.fit.curve(fine), color=CURVE, label="fit")
    said = ", ".join(f"{name} {value:.4g} +- {error:.2g}" for name, (value, error) in result.found.items())
    doubt = "" if result.good else "  (not believed)"
    axes.set_title(f"qubit {result.qubit}, {result.routine}: {said}{doubt}", fontsize=9)
    axes.set_xlabel(result.axis)
    axes.set_ylabel("share read as 1")
    axes.set_ylim(-0.05, 1.05)
    axes.legend(frameon=False, fontsize=8)


def draw_blobs(axes: Axes, result: ReadoutResult) -> None:
    """Single shots in the plane of integrals, and the line between both states."""
    for cloud, color, label in ((result.zero, POINTS, "prepared in 0"), (result.one, ONE, "prepared in 1")):
        axes.scatter(cloud[:, 0], cloud[:, 1], s=4, alpha=0.5, color=color, label=label, linewidths=0)
    (a, b), c = result.discriminant.coefficients[0], result.discriminant.offsets[0]
    low, high = axes.get_ylim()
    q = np.array([low, high])
    if abs(a) >= abs(b):
        axes.plot(-(b * q + c) / a, q, color="#111111", lw=1, label="threshold")
    else:
        i = np.array(axes.get_xlim())
        axes.plot(i, -(a * i + c) / b, color="#111111", lw=1, label="threshold")
    axes.set_ylim(low, high)
    errors = [result.found[f"readout_error{state}"][0] for state in range(2)]
    axes.set_title(
        f"qubit {result.qubit}, readout: {errors[0]:.2%} and {errors[1]:.2%} read wrongly", fontsize=9
    )
    axes.set_xlabel("i")
    axes.set_ylabel("q")
    axes.set_aspect("equal", "datalim")
    axes.legend(frameon=False, fontsize=8)


def figure_of(results: Sequence[Result]) -> Figure:
    """A panel for each result, two beside each other."""
    rows = -(-len(results) // 2)
    figure = Figure(figsize=(11, 3.6 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes, result in zip(panels, results, strict=False):
        if isinstance(result, ReadoutResult):
            draw_blobs(axes, result)
        else:
            draw_calibration(axes, result)
    for axes in panels[len(results) :]:
        axes.set_axis_off()
    return figure


def plot(results: Sequence[Result], path: Path) -> None:
    """Write the figure; the file appears whole or not at all."""
    image = io.BytesIO()
    figure_of(results).savefig(image, format="png", dpi=150)
    write_whole(path, image.getvalue())
