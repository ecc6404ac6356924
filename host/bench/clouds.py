# SPDX-License-Identifier: BSD-2-Clause
"""Figure of `triplane bench readout`: clouds of integrals over the regions of a discriminant."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from triplane.host.bench.resynthesis import Integers, Recorded
from triplane.host.calibration.readout import LinearDiscriminant
from triplane.host.outputs import write_whole

COLOURS = ("#1f5fa8", "#d9822b", "#3b8f5a")
SHOWN = 3000
"""Shots of each state that are drawn."""

Decided = tuple[Integers, Integers]
"""Integrals, (shots, 2), and the state that was decided of each, (shots,)."""


def plot_readout(
    shots: Recorded, fit: LinearDiscriminant, outcomes: Mapping[str, Decided], path: Path
) -> None:
    """Clouds and boundaries, a panel for each way that the shots were fed; the file appears whole or not at all."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    panels = figure.subplots(1, len(outcomes), squeeze=False)[0]
    figure.suptitle("Recorded three-state shots, decided by the readout line", fontsize=13, x=0.01, ha="left")
    for axes, (title, (integrals, decided)) in zip(panels, outcomes.items(), strict=True):
        draw_clouds(axes, shots, fit, integrals)
        axes.set_title(
            f"{title}: {np.mean(decided == shots.states):.2%} as prepared", loc="left", fontsize=11
        )
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=100)
    write_whole(path, image.getvalue())


def draw_clouds(axes: Axes, shots: Recorded, fit: LinearDiscriminant, integrals: Integers) -> None:
    """Integrals coloured by the state prepared, over the regions of the discriminant."""
    points = integrals / 1000
    low, high = points.min(axis=0), points.max(axis=0)
    i, q = np.meshgrid(*(np.linspace(low[k], high[k], 600) for k in (0, 1)))
    regions = fit.decide(1000 * np.stack([i.ravel(), q.ravel()], axis=1)).reshape(i.shape)
    axes.pcolormesh(i, q, regions, cmap=ListedColormap(COLOURS), alpha=0.15, rasterized=True)
    axes.contour(i, q, regions, levels=[0.5, 1.5], colors="#111111", linewidths=0.8)
    for state, colour in enumerate(COLOURS):
        chosen = np.flatnonzero(shots.states == state)[:SHOWN]
        axes.plot(
            *points[chosen].T,
            ".",
            color=colour,
            markersize=1.5,
            alpha=0.35,
            label=f"prepared {state}",
            rasterized=True,
        )
    axes.set_xlabel("integral i, thousands")
    axes.set_ylabel("integral q, thousands")
    axes.set_aspect("equal")
    legend = axes.legend(loc="upper right", markerscale=8, frameon=True, edgecolor="none")
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)
