# SPDX-License-Identifier: BSD-2-Clause
"""The figure of `triplane bench physics --plot`: points, fitted curves, blobs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from triplane.host.outputs import write_whole
from triplane.host.plots.style import ACCENT, BOARD, OTHERS

if TYPE_CHECKING:
    from triplane.host.bench.physics import Figures

MOST_SHOTS = 2_000
"""Of each state that are drawn."""


def plot(figures: Figures, path: Path) -> None:
    """Write the figure; the file appears whole or not at all."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    axes = figure.subplots(2, -(-(len(figures.panels) + 1) // 2)).ravel()
    figure.suptitle(
        "Experiments on the emulated processor: points are shares of shots, lines are fits", x=0.01, ha="left"
    )
    for axis, panel in zip(axes, figures.panels, strict=False):
        fine = np.linspace(panel.x.min(), panel.x.max(), 600)
        axis.plot(fine, panel.fit.curve(fine), color=ACCENT, linewidth=1.2)
        axis.plot(panel.x, panel.y, ".", color=BOARD, markersize=4)
        axis.set_title(panel.title, loc="left", fontsize=10)
        axis.set_xlabel(panel.label, fontsize=9)
    blobs = axes[len(figures.panels)]
    for state, (shots, colour) in enumerate(zip(figures.blobs, (BOARD, ACCENT), strict=True)):
        drawn = shots[:MOST_SHOTS] / 1e3
        blobs.plot(
            drawn.real, drawn.imag, ".", color=colour, markersize=2, alpha=0.4, label=f"prepared in {state}"
        )
    blobs.set_title("IQ blobs, weighed", loc="left", fontsize=10)
    blobs.set_xlabel("1000 LSB", fontsize=9)
    blobs.legend(fontsize=8, markerscale=4)
    for axis in axes[len(figures.panels) + 1 :]:
        axis.set_visible(False)
    for axis in axes:
        axis.grid(alpha=0.25)
        axis.tick_params(labelsize=8, colors=OTHERS)
        axis.spines[["right", "top"]].set_visible(False)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=130)
    write_whole(path, image.getvalue())
