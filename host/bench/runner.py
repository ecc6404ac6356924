# SPDX-License-Identifier: BSD-2-Clause
"""Runs a benchmark: rows as they come, the table, the manifest, the JSON file."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triplane.host.bench.registry import BenchContext, BenchError, Row, find_benchmark, find_benchmarks

VERDICT = {True: "[green]met[/green]", False: "[bold red]MISSED[/bold red]", None: ""}


def list_benchmarks(console: Console | None = None) -> None:
    """Print the benchmarks there are."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("benchmark", style="cyan", no_wrap=True)
    table.add_column("measures")
    for found in find_benchmarks().values():
        table.add_row(found.name, escape(found.help))
    console = console or Console()
    console.print(table)
    console.print("run one with [bold]triplane bench NAME[/bold], shortened with --quick", highlight=False)


def run_benchmark(
    name: str,
    *,
    quick: bool = False,
    json_file: Path | None = None,
    plot: Path | None = None,
    console: Console | None = None,
    command: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Run a benchmark, print its table, file its manifest, and write `json_file`; returns what that file holds.

    command: as typed, for the manifest; None takes this process's own. Raises BenchError for a name that is not there,
    and for a plot of a benchmark that draws none.
    """
    from triplane.host.outputs import write_json
    from triplane.host.provenance import RunRecorder

    console = console or Console()
    found = find_benchmark(name)
    if plot is not None and not found.plots:
        raise BenchError(f"benchmark {name!r} draws no figure; leave --plot out")
    recorder = RunRecorder(command=list(sys.argv if command is None else command))
    recorder.check()
    ctx = BenchContext(
        quick=quick,
        on_row=lambda row: console.print(_line(row), highlight=False, soft_wrap=True),
        plot=plot,
    )
    found.function(ctx)
    rows = [dataclasses.asdict(row) for row in ctx.rows]
    recorder.set(parameters={"benchmark": name, "quick": quick})
    content: dict[str, Any] = {"clock_hz": ctx.clock_hz, "run": None, "rows": rows}
    try:
        for item in ctx.inputs:
            recorder.add_input(item.name, item.content, source=item.source)
        recorder.set(tables=ctx.tables, gateware=ctx.gateware, seeds=ctx.seeds)
        content["run"] = recorder.commit({"clock_hz": ctx.clock_hz, "rows": rows})
    finally:  # an hour's figures are not lost with the place to record them
        console.print(table(name, ctx.rows, quick=quick))
        console.print(summary(ctx.rows), highlight=False)
        if content["run"] is not None:
            console.print(f"run {content['run'][:12]}", highlight=False)
        if json_file is not None:
            write_json(json_file, content)
            console.print(f"result: {json_file}", highlight=False, markup=False, soft_wrap=True)
        if plot is not None:
            console.print(f"figure: {plot}", highlight=False, markup=False, soft_wrap=True)
    return content


def table(name: str, rows: Sequence[Row], *, quick: bool = False) -> Table:
    """Rows as people read them: the work is named once, a missed goal stands out."""
    title = f"bench {name}" + (" --quick: a part of the work, figures are rough" if quick else "")
    result = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    result.add_column("work", style="cyan", overflow="fold")
    result.add_column("measure", overflow="fold")
    result.add_column("value", justify="right", no_wrap=True)
    result.add_column("unit", no_wrap=True)
    result.add_column("goal", no_wrap=True)
    result.add_column("", no_wrap=True)
    previous = None
    for row in rows:
        if previous is not None and row.work != previous:
            result.add_section()
        result.add_row(
            "" if row.work == previous else escape(row.work),
            escape(row.measure),
            format_value(row.value),
            escape(row.unit),
            escape(row.goal or ""),
            "[yellow]not run[/yellow]" if row.value is None else VERDICT[row.ok],
        )
        previous = row.work
    return result


def summary(rows: Sequence[Row]) -> str:
    """One sentence: goals met, missed, and what was not run."""
    goals = [row for row in rows if row.ok is not None]
    missed = sum(not row.ok for row in goals)
    skipped = sum(row.value is None for row in rows)
    text = f"{len(goals) - missed} of {len(goals)} goals met"
    if missed:
        text += f", [bold red]{missed} missed[/bold red]"
    return text + (f", {skipped} not run" if skipped else "")


def format_value(value: float | None) -> str:
    """A figure with four significant digits, or all digits of a whole number."""
    if value is None:
        return "-"
    if isinstance(value, int) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _line(row: Row) -> str:
    """What is printed as soon as a row is known: a benchmark may run for an hour."""
    verdict = f", goal {escape(row.goal)} {VERDICT[row.ok]}" if row.goal else ""
    return escape(f"{row.work}: {row.measure} {format_value(row.value)} {row.unit}".rstrip()) + verdict
