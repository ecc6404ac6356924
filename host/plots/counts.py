# SPDX-License-Identifier: BSD-2-Clause
"""How often each outcome came, with intervals, beside what is expected."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from triplane.host.plots.style import ACCENT, BOARD, INK, Picture, titled
from triplane.host.replay.references import CONFIDENCE, Rate

MOST_BARS = 32

LETTERS_AN_INCH = 7.5
"""Of labels side by side; more are turned."""

Counts = Mapping[str, int]


def counts_figure(
    counts: Counts, *, expected: Mapping[str, float] | None = None, title: str = "", most: int = MOST_BARS
) -> Picture:
    """A bar for each outcome, with its 95 % interval; what is expected as marks.

    Args:
        counts: outcome -> how often, as Qiskit gives it.
        expected: outcome -> probability, or counts of a reference: it is scaled to 1. The title then has the total
            variation distance between both.
        title: of the figure.
        most: outcomes that are drawn, the most frequent ones; the others are one bar.

    Raises:
        ValueError: there are no counts.
    """
    picture = Picture(_width(len({*counts, *(expected or {})})), 3.4)
    draw_counts(picture.subplots(), counts, expected=expected, title=title, most=most)
    return picture


def draw_counts(
    axes: Axes,
    counts: Counts,
    *,
    expected: Mapping[str, float] | None = None,
    title: str = "",
    most: int = MOST_BARS,
) -> None:
    """The same on axes that are given."""
    shots = sum(counts.values())
    if not shots:
        raise ValueError("there are no counts; run more than no shots")
    total = sum((expected or {}).values()) or 1.0
    means = {name: value / total for name, value in (expected or {}).items()}
    ranked = sorted({*counts, *means}, key=lambda name: max(counts.get(name, 0) / shots, means.get(name, 0)))
    names = sorted(ranked[-most:], key=lambda name: (len(name), name))  # also numbers are in their order
    rest = sorted(ranked[:-most])
    groups = [[name] for name in names] + ([rest] if rest else [])
    labels = names + ([f"{len(rest)} others"] if rest else [])
    found = [sum(counts.get(name, 0) for name in group) for group in groups]
    places = np.arange(len(groups))
    shares = np.array(found) / shots
    intervals = [Rate(count, shots).interval for count in found]
    errors = [
        [max(share - low, 0.0) for share, (low, _) in zip(shares, intervals, strict=True)],
        [max(high - share, 0.0) for share, (_, high) in zip(shares, intervals, strict=True)],
    ]
    axes.bar(places, shares, width=0.68, color=BOARD, label=f"{shots:,} shots")
    axes.errorbar(places, shares, errors, fmt="none", ecolor=INK, capsize=3, linewidth=1)
    distance = ""
    if expected is not None:
        wanted = [sum(means.get(name, 0.0) for name in group) for group in groups]
        axes.plot(
            places,
            wanted,
            marker="_",
            markersize=22,
            markeredgewidth=2.4,
            linestyle="",
            color=ACCENT,
            label="expected",
        )
        apart = 0.5 * sum(abs(counts.get(name, 0) / shots - means.get(name, 0.0)) for name in ranked)
        distance = f"total variation {apart:.3f}"
    wide = max(map(len, labels)) * len(labels) > LETTERS_AN_INCH * _width(len(labels))
    axes.set_xticks(places, labels, rotation=60 if wide else 0, ha="right" if wide else "center", fontsize=9)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(f"share of shots, {CONFIDENCE:.0%} intervals")
    axes.set_xlim(-0.6, len(labels) - 0.4)
    axes.set_ylim(0, 1.12 * max([high for _, high in intervals] + [means.get(name, 0.0) for name in names]))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    titled(axes, ", ".join(text for text in (title, distance) if text))


def _width(bars: int) -> float:
    """Of a figure, in inches."""
    return min(max(3.5 + 0.5 * bars, 6.5), 12)
