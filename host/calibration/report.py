# SPDX-License-Identifier: BSD-2-Clause
"""A calibration for people: tables that fit into 80 columns, and the figure."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table

from triplane.host.calibration.judge import DECODERS
from triplane.host.calibration.pairs import Pairs
from triplane.host.calibration.result import Calibration
from triplane.host.calibration.structure import probability
from triplane.host.outputs import write_whole
from triplane.host.plots.style import BOARD, LIMIT, OTHERS
from triplane.host.replay.report import format_rate

MOST_LISTED = 5
LEAST_SHOWN = 1e-3
"""Correlations below this are drawn on a linear scale, those above on a logarithmic one."""


def print_report(result: Calibration, console: Console) -> None:
    """Logical error rates by model and decoder, what was estimated, what was clipped, what nothing explains."""
    found = result.estimate
    console.print()
    console.print(
        f"[bold]{result.dataset.name}[/bold]: {found.shots:,} {'' if result.fit == 'all' else result.fit + ' '}shots "
        f"fitted, {len(found.structure.groups):,} probabilities for {len(found.structure.group_of):,} mechanisms",
        highlight=False,
    )
    console.print(_rates(result))
    console.print(_sizes(result))
    strangers = result.pairs.strangers()
    if strangers:
        console.print(_strangers(strangers))
        console.print(
            f"{len(strangers):,} pairs of detectors are correlated though no mechanism of the reference joins them "
            "(leakage? crosstalk?); all are in the JSON",
            highlight=False,
            soft_wrap=True,
        )
    for warning in result.warnings:
        console.print(f"[yellow]warning:[/yellow] {warning}", highlight=False, soft_wrap=True)
    if result.board:
        console.print(
            f"simulated board: table {result.board['table_hash'][:12]} (CRC {result.board['table_crc']}) loaded and "
            "read back "
            f"(the reference's is {result.board['reference_table_hash'][:12]}); "
            f"gateware {result.board['build_hash'][:12]}",
            highlight=False,
            soft_wrap=True,
        )
    if result.run:
        console.print(f"run {result.run[:12]}", highlight=False)


def _rates(result: Calibration) -> Table:
    which = {"even": "odd ", "odd": "even "}.get(result.fit, "")
    table = Table(
        title=f"logical error rate of {result.judged:,} {which}shots",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("decoder")
    for each in result.judgements:
        table.add_column(each.name, justify="right")
    for decoder, label in DECODERS.items():
        cells = (
            format_rate(each.rates[decoder])[0] if decoder in each.rates else "-"
            for each in result.judgements
        )
        table.add_row(label, *cells)
    return table


def _sizes(result: Calibration) -> Table:
    table = Table(
        title="probabilities by the detectors that a mechanism flips",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    columns = (
        "detectors",
        "number",
        "reference sum",
        "fitted sum",
        "median error",
        "clipped",
        "not told from 0",
    )
    for column in columns:
        table.add_column(column, justify="right")
    found = result.estimate
    sizes = np.array([len(group) for group in found.structure.groups])
    for size in sorted(set(sizes.tolist())):
        here = sizes == size
        errors = found.error[here & ~found.kept]
        table.add_row(
            str(size),
            f"{here.sum():,}",
            f"{probability(found.structure.reference[here]).sum():.4g}",
            f"{probability(found.strengths[here]).sum():.4g}",
            f"{np.median(errors) / 2:.2g}" if errors.size else "-",
            f"{found.clipped[here].sum():,}",
            f"{found.unresolved[here].sum():,}",
        )
    return table


def _strangers(strangers: list[tuple[int, int, float, float]]) -> Table:
    table = Table(title="unexplained pairs", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in ("detectors", "p", "error"):
        table.add_column(column, justify="right")
    for i, j, p, error in strangers[:MOST_LISTED]:
        table.add_row(f"{i}, {j}", f"{p:.2g}", f"{error:.1g}")
    return table


def plot_calibration(result: Calibration, path: Path) -> None:
    """Write the figure: p_ij as measured and as the model has it, and probabilities against the reference's."""
    figure = Figure(figsize=(13, 5.8), layout="constrained")
    matrix, scatter = figure.subplots(1, 2, width_ratios=(1, 1))
    figure.suptitle(
        f"{result.dataset.name}: model of {result.estimate.shots:,} shots", fontsize=13, x=0.01, ha="left"
    )
    image = draw_pairs(matrix, result.pairs)
    figure.colorbar(image, ax=matrix, label="p_ij", shrink=0.85)
    draw_probabilities(scatter, result)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    write_whole(path, content.getvalue())


def draw_pairs(axes: Axes, pairs: Pairs) -> Any:
    """The matrix of p_ij: above the diagonal what the shots show, below it what the model says."""
    shown = np.where(np.tri(len(pairs.measured), dtype=bool), pairs.modelled, pairs.measured)
    largest = max(float(np.nanmax(np.abs(shown), initial=0)), 10 * LEAST_SHOWN)
    image = axes.imshow(
        shown,
        cmap="RdBu_r",
        norm=SymLogNorm(LEAST_SHOWN, vmin=-largest, vmax=largest),
        interpolation="nearest",
    )
    axes.set_title("Correlations: measured above the diagonal, model below", loc="left", fontsize=11)
    axes.set_xlabel("detector")
    axes.set_ylabel("detector")
    return image


def draw_probabilities(axes: Axes, result: Calibration) -> None:
    """Every probability against the reference's, with its standard deviation; clipped ones are set off."""
    groups = [group for group in result.groups() if not group["kept"] and group["reference"] > 0]
    for clipped, colour, label in ((False, BOARD, "estimated"), (True, LIMIT, "clipped")):
        chosen = [group for group in groups if group["clipped"] == clipped]
        if not chosen:
            continue
        axes.errorbar(
            [group["reference"] for group in chosen],
            [group["probability"] for group in chosen],
            yerr=None if clipped else [group["error"] for group in chosen],
            fmt=".",
            color=colour,
            ecolor=OTHERS,
            elinewidth=0.4,
            markersize=4,
            label=f"{label} ({len(chosen):,})",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    low, high = axes.get_xlim()
    axes.plot([low, high], [low, high], color=OTHERS, linewidth=0.8)
    axes.set_xlabel("probability in the reference")
    axes.set_ylabel("probability in the fitted model")
    axes.set_title("Probabilities", loc="left", fontsize=11)
    axes.legend(loc="upper left", fontsize=9)
    axes.spines[["right", "top"]].set_visible(False)
