# SPDX-License-Identifier: BSD-2-Clause
"""Figures of a run, as PNG: how long decoding took, and how often it was wrong beside other decoders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from triplane.host.plots.style import ACCENT, BOARD, INK, LIMIT, OTHERS, Picture, cycles_and_ns, titled
from triplane.host.replay.ledger import Stage
from triplane.host.replay.references import CONFIDENCE, Rate
from triplane.host.replay.report import format_rate

if TYPE_CHECKING:
    from triplane.host.replay.result import ReplayResult

MOST_BINS = 120


def plot_replay(result: ReplayResult, path: Path) -> None:
    """Write the figure of a replay; the file appears whole or not at all."""
    figure = Picture(12, 4.8)
    latency, rates = figure.subplots(1, 2, width_ratios=(3, 2))
    figure.suptitle(
        f"{result.dataset.name}: {result.dataset.shots:,} shots"
        + (" on the simulated board" if result.simulated else ""),
        fontsize=13,
        x=0.01,
        ha="left",
    )
    draw_latency(latency, result.ledger["decode"])
    named = [("Triplane " + result.decoder.replace(", ", "\n", 1), result.rate)]
    named += [
        (ref.label.replace(", ", "\n").replace(": ", ":\n"), ref.rate)
        for ref in result.references
        if ref.rate
    ]
    draw_rates(rates, named)
    figure.save(path)


def draw_latency(axes: Axes, stage: Stage, *, counted: str = "shots") -> None:
    """Histogram of a stage's cycles, shots on a logarithmic scale, with its 99.9th percentile, maximum and
    bound.

    A bound far beyond the slowest shot is written at the right edge instead of squeezing the histogram to a
    line.
    """
    summary = stage.summary()
    low, high = int(summary["min"]), int(summary["max"])
    # Arrays that look and act in turn take even numbers of cycles only: bins of one cycle would draw a comb.
    step = int(np.gcd.reduce(np.unique(stage.cycles).astype(np.int64) - low)) or 1
    width = step * max(1, -(-(high - low + 1) // (MOST_BINS * step)))
    edges = np.arange(low, high + width + 1, width) - width / 2
    axes.hist(
        stage.cycles,
        bins=edges.tolist(),
        color=BOARD,
        rwidth=0.9,
        log=True,
        label=f"{len(stage.cycles):,} {counted}",
    )
    right = summary["max"] * 1.12 + 2
    axes.axvline(
        summary["mean"],
        color=INK,
        linestyle=":",
        label=f"mean {summary['mean']:.1f} cycles ({stage.ns(summary['mean']):,.0f} ns)",
    )
    axes.axvline(
        summary["p999"],
        color=ACCENT,
        linestyle="--",
        label=f"p99.9 {summary['p999']:,} cycles ({stage.ns(summary['p999']):,.0f} ns)",
    )
    axes.axvline(
        summary["max"],
        color=OTHERS,
        linestyle="-.",
        linewidth=1,
        label=f"max {summary['max']:,} cycles ({stage.ns(summary['max']):,.0f} ns)",
    )
    for limit, name in ((stage.deadline_cycles, "deadline"), (stage.bound, "bound")):
        if limit is None:
            continue
        asked = stage.deadline_ns if name == "deadline" else None
        label = f"{name} {limit:,} cycles ({stage.ns(limit) if asked is None else asked:,.0f} ns)"
        if limit <= 3 * summary["max"]:
            right = max(right, limit * 1.05)
            axes.axvline(limit, color=LIMIT, linewidth=2, label=label)
        else:
            axes.plot([], [], color=LIMIT, linewidth=2, label=f"{label} \N{RIGHTWARDS ARROW}")
            axes.annotate(
                "",
                xy=(1.0, 0.5),
                xytext=(0.94, 0.5),
                xycoords="axes fraction",
                arrowprops={"arrowstyle": "->", "color": LIMIT, "linewidth": 2},
            )
            axes.annotate(
                f"{name} {limit:,}",
                xy=(0.93, 0.5),
                xycoords="axes fraction",
                ha="right",
                va="center",
                color=LIMIT,
            )
    axes.set_xlim(0, right)
    axes.set_ylim(bottom=0.7)
    axes.set_xlabel(f"{stage.name} latency, cycles at {stage.clock_hz / 1e6:g} MHz")
    axes.set_ylabel(counted)
    axes.legend(facecolor="white", edgecolor="none", framealpha=1.0, fontsize=9)
    above = axes.secondary_xaxis("top", functions=cycles_and_ns(stage.clock_hz))
    above.set_xlabel("ns", fontsize=9)
    titled(axes, f"Latency of {stage.name}")


def draw_rates(axes: Axes, rates: list[tuple[str, Rate]]) -> None:
    """Logical error rates with their intervals, one line each, the first one (the board's) set off."""
    for row, (_, rate) in enumerate(rates):
        low, high = rate.interval
        colour = BOARD if row == 0 else OTHERS
        axes.errorbar(
            rate.rate,
            row,
            xerr=[[max(0.0, rate.rate - low)], [max(0.0, high - rate.rate)]],
            fmt="o",
            color=colour,
            capsize=4,
            markersize=8 if row == 0 else 6,
            linewidth=2,
        )
        axes.annotate(
            format_rate(rate)[0],
            (rate.rate, row),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=colour,
        )
    axes.axvline(rates[0][1].rate, color=BOARD, linewidth=0.8, alpha=0.4)
    axes.set_yticks(range(len(rates)), [name for name, _ in rates], fontsize=9)
    axes.set_ylim(len(rates) - 0.4, -0.7)
    axes.margins(x=0.15)
    axes.set_xlim(left=max(0.0, axes.get_xlim()[0]))
    axes.set_xlabel(f"logical error rate per shot, {CONFIDENCE:.0%} interval")
    axes.grid(axis="x", alpha=0.3)
    titled(axes, "Logical error rate")
