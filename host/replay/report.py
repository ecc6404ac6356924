# SPDX-License-Identifier: BSD-2-Clause
"""A replay's result for people: tables that fit into 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from triplane.host.replay.references import CONFIDENCE, Rate

if TYPE_CHECKING:
    from triplane.host.replay.result import ReplayResult


def print_report(result: ReplayResult, console: Console) -> None:
    """The tables of a replay: logical error rates side by side, the latency ledger, throughput and run."""
    dataset = result.dataset
    console.print()
    model = "" if dataset.files is None else f", model {dataset.files.model.name}"
    console.print(
        f"[bold]{dataset.name}[/bold]: {dataset.shots:,} shots"
        + (f" of {dataset.shots_in_files:,}" if dataset.shots != dataset.shots_in_files else "")
        + f", {result.graph.num_detectors} detectors in {len(result.graph.layers)} rounds{model}",
        highlight=False,
    )
    console.print(_rates(result))
    console.print(_latency(result))
    for stage in result.ledger.stages:
        if stage.deadline_cycles is not None:
            asked = stage.ns(stage.deadline_cycles) if stage.deadline_ns is None else stage.deadline_ns
            console.print(
                f"deadline of {stage.name}: {asked:,.12g} ns ({stage.deadline_cycles:,} whole cycles), missed by "
                f"{stage.misses:,} of {len(stage.cycles):,} shots",
                highlight=False,
            )
    for line in _escalation(result):
        console.print(line, highlight=False)
    rate = dataset.shots / result.stream_s
    board = "simulated board" if result.simulated else "board"
    console.print(
        f"{board}: {result.cycles:,} cycles in {result.stream_s:.1f} s: {rate:,.0f} shots/s, "
        f"{result.cycles / result.stream_s / 1e3:,.0f} kilocycles/s; gateware {result.build_hash[:12]}",
        highlight=False,
    )
    if result.options.round_ns is not None:
        console.print(
            f"a round every {result.options.round_ns:g} ns: {result.pacing.stalled:,} of "
            f"{result.pacing.released:,} started late, {result.pacing.starved:,} waited for the host, "
            + ("at least " if result.backlog_saturated else "at most ")
            + f"{result.pacing.backlog_max:,} were due at once"
            + (" (the counter was full)" if result.backlog_saturated else ""),
            highlight=False,
        )
    if result.run:
        console.print(
            f"run {result.run[:12]}: every input, version and result is kept; see it with\n"
            f"  [bold]triplane report {result.run[:12]}[/bold]",
            highlight=False,
            soft_wrap=True,
        )


def format_rate(rate: Rate) -> tuple[str, str]:
    """A rate and its interval with as many digits as the interval makes meaningful."""
    low, high = rate.interval
    width = high - low
    digits = 4
    while width < 10 ** (1 - digits) and digits < 8:
        digits += 1
    return f"{rate.rate:.{digits}f}", f"{low:.{digits}f} to {high:.{digits}f}"


def _rates(result: ReplayResult) -> Table:
    table = Table(
        title="logical error rate per shot", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    table.add_column("decoder")
    table.add_column("failures", justify="right")
    table.add_column("rate", justify="right")
    table.add_column(f"{CONFIDENCE:.0%} interval", justify="right")
    table.add_row(
        f"[bold]Triplane {result.decoder}[/bold]",
        f"{result.rate.failures:,}",
        f"[bold]{format_rate(result.rate)[0]}[/bold]",
        format_rate(result.rate)[1],
    )
    if result.fabric_rate is not None:
        table.add_row(
            "the same, nothing amended", f"{result.fabric_rate.failures:,}", *format_rate(result.fabric_rate)
        )
    for reference in result.references:
        if reference.rate is None:
            table.add_row(
                reference.label, "-", "-", f"cannot decode these shots: {reference.error}", style="yellow"
            )
        else:
            table.add_row(reference.label, f"{reference.rate.failures:,}", *format_rate(reference.rate))
    return table


def _escalation(result: ReplayResult) -> list[str]:
    """Lines on what was escalated and what became of it; none without escalation."""
    found, options = result.escalation, result.options.escalate
    if found is None or options is None:
        return []
    hard = found.escalated
    count, in_time = int(hard.sum()), int(found.in_time.sum())
    lines = [
        (
            f"escalated: {count:,} of {len(hard):,} shots ({hard.mean():.3%}); {in_time:,} answers in time, "
            f"{count - in_time:,} refused; {int((found.frames != found.fabric).sum()):,} frames changed"
        )
    ]
    reaction = ", ".join(
        f"{found.reaction_cycles[which].mean():,.0f} cycles {name}"
        for name, which in (("where not escalated", ~hard), ("where escalated", hard))
        if which.any()
    )
    lines.append(f"last round to the barrier's release, mean: {reaction}")
    if count:
        took_us = found.outer_s[hard] * 1e6
        within = int((took_us * 1e3 <= options.amend_ns).sum())
        lines.append(
            f"answers were taken to need {options.answer_ns:,.12g} ns (assumed), and may be amended for "
            f"{options.amend_ns:,.12g} ns; on this machine PyMatching took {took_us.mean():,.0f} us, at most "
            f"{took_us.max():,.0f}, and {within:,} of {count:,} would have been in time"
        )
    return lines


def _latency(result: ReplayResult) -> Table:
    table = Table(
        title=f"latency ledger at {result.clock_hz / 1e6:g} MHz",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("stage")
    table.add_column("unit")
    for column in ("min", "median", "mean", "p99.9", "max", "bound"):
        table.add_column(column, justify="right", no_wrap=True)
    for stage in result.ledger.stages:
        figures = [*stage.summary().values(), stage.bound]
        table.add_row(
            stage.name,
            "cycles",
            *("-" if f is None else f"{f:,.1f}" if isinstance(f, float) else f"{f:,}" for f in figures),
        )
        table.add_row("", "ns", *("-" if f is None else f"{stage.ns(f):,.0f}" for f in figures))
    return table
