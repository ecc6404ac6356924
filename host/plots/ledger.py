# SPDX-License-Identifier: BSD-2-Clause
"""The latency ledger as bars: the stages of each latency one after the other, and what is only assumed set apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from triplane.hal.descriptor import Delay, Timing
from triplane.host.plots.style import BOARD, FAINT, INK, OTHERS, Picture, titled

FIGURES = ("min", "median", "mean", "p99.9", "max")
TOTAL = "total"

SHADES = {
    "discriminate": "#1f5fa8", "collect": "#6f94c4", "form": "#9db8d8", "queue": "#c3d3e8", "decode": "#d9822b",
    "frame": "#2e7d4f", "branch": "#8a5a9e", "generate": "#b59bc4",
}  # fmt: skip

THROUGH_CONVERTERS = ("feedback", "reaction")
"""Latencies from a sample to a pulse: converters and cable come on top of them."""


def ledger_figure(
    latencies: Mapping[str, Mapping[str, float]], timing: Timing, *, figure: str = "median"
) -> Picture:
    """A bar for each latency, its stages in cycles, with converters and cable behind a gap.

    Args:
        latencies: latency -> "stage, figure" -> cycles, as in `docs/latency-ledger.json`; see `bench.latency_ledger`.
        timing: of the board's descriptor: its clock, and the delays that the gateware cannot see.
        figure: of `FIGURES`.

    Raises:
        ValueError: no such figure, or a latency without it.
    """
    picture = Picture(12, 1.6 + 0.62 * len(latencies))
    draw_ledger(picture.subplots(), latencies, timing, figure=figure)
    return picture


def draw_ledger(
    axes: Axes, latencies: Mapping[str, Mapping[str, float]], timing: Timing, *, figure: str = "median"
) -> None:
    """The same on axes that are given."""
    if figure not in FIGURES:
        raise ValueError(f"figure is one of {', '.join(FIGURES)}, not {figure!r}")
    ns = 1e9 / timing.clock_hz
    named: dict[str, str] = {}
    longest = 0.0
    for row, (name, found) in enumerate(latencies.items()):
        stages = _stages(name, found, figure)
        left = 0.0
        for stage, cycles in stages.items():
            colour = SHADES.get(stage, BOARD)
            if cycles:
                axes.barh(
                    row, cycles * ns, left=left, height=0.55, color=colour, edgecolor="white", linewidth=0.8
                )
                _inside(axes, left, row, cycles, ns, colour)
            if stage != TOTAL and cycles:
                named[stage] = colour
            left += cycles * ns
        total = f"{left / ns:g} cycles, {left:.0f} ns"
        if name.startswith(THROUGH_CONVERTERS):
            end = _converters(axes, row, left, timing)
            axes.text(end, row, f"  {total} + {end - left:.0f} ns assumed", va="center", fontsize=9)
            longest = max(longest, end)
        else:
            axes.text(left, row, f"  {total}", va="center", fontsize=9)
            longest = max(longest, left)
    axes.set_yticks(range(len(latencies)), list(latencies))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(latencies) - 0.5, -0.6)
    axes.set_xlim(0, longest * 1.35)
    axes.set_xlabel(f"ns at {timing.clock_hz / 1e6:g} MHz; numbers in the bars are cycles")
    titled(axes, f"Latencies by stage, {figure}")
    axes.spines["left"].set_visible(False)
    shown = [Patch(facecolor=colour, label=stage) for stage, colour in named.items()]
    shown.append(Patch(facecolor="white", edgecolor=OTHERS, hatch="////", label=_assumed(timing)))
    axes.legend(
        handles=shown, loc="upper center", bbox_to_anchor=(0.45, -0.24), ncols=5, frameon=False, fontsize=8.5
    )


def _stages(name: str, found: Mapping[str, float], figure: str) -> dict[str, float]:
    """Stage -> cycles; the total where there is nothing else."""
    suffix = f", {figure}"
    stages = {key.removesuffix(suffix): value for key, value in found.items() if key.endswith(suffix)}
    if TOTAL not in stages:
        raise ValueError(f"{name} has no {TOTAL}{suffix}; it has {', '.join(found) or 'nothing'}")
    return stages if len(stages) == 1 else {key: value for key, value in stages.items() if key != TOTAL}


def _inside(axes: Axes, left: float, row: int, cycles: float, ns: float, colour: str) -> None:
    light = colour in ("#9db8d8", "#c3d3e8", "#b59bc4")
    axes.text(
        left + cycles * ns / 2, row, f"{cycles:g}", ha="center", va="center", fontsize=8,
        color=INK if light else "white",
    )  # fmt: skip


def _delays(timing: Timing) -> Iterable[tuple[str, Delay]]:
    return ("ADC", timing.adc_delay), ("DAC", timing.dac_delay), ("cable", timing.cable_delay)


def _converters(axes: Axes, row: int, left: float, timing: Timing) -> float:
    """Draw what comes on top; returns where it ends."""
    for name, delay in _delays(timing):
        axes.barh(
            row, delay.ns, left=left, height=0.55, facecolor="white", edgecolor=OTHERS, hatch="////", linewidth=0.8
        )  # fmt: skip
        axes.text(
            left + delay.ns / 2, row, name, ha="center", va="center", fontsize=7.5, color=INK,
            bbox={"facecolor": "white", "edgecolor": FAINT, "pad": 1.0},
        )  # fmt: skip
        left += delay.ns
    return left


def _assumed(timing: Timing) -> str:
    status = {delay.status for _, delay in _delays(timing)}
    return f"converters and cable: {' or '.join(sorted(status))}, in no latency of the ledger"
