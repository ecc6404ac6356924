# SPDX-License-Identifier: BSD-2-Clause
"""What was found, and what a snapshot holds, for people at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from triplane.host.calibration.qubit.drawing import Result
from triplane.host.calibration.qubit.saying import said_of
from triplane.host.calibration.qubit.snapshot import Snapshot


def check(path: Path) -> bool:
    """Show a snapshot and its age; True where it is still believed."""
    snapshot = Snapshot.load(path)
    console = Console()
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("qubit", "found", "value"):
        table.add_column(name)
    for number, found in snapshot.qubits.items():
        for name, value in found.model_dump(exclude={"evidence"}).items():
            if value is not None:
                table.add_row(f"q{number}", *said_of(name, value["value"], value["error"]))
    console.print(f"{snapshot.device}, measured {snapshot.measured_at:%Y-%m-%d %H:%M} UTC", highlight=False)
    console.print(table)
    style = "bold red" if snapshot.is_stale() else "green"
    console.print(snapshot.said_age(), style=style, highlight=False)
    if snapshot.is_stale():
        console.print(
            f"calibrate again: triplane calibrate-qubit {snapshot.device} --snapshot {path}", highlight=False
        )
    return not snapshot.is_stale()


def show(results: Sequence[Result], failures: Mapping[str, str], console: Console) -> None:
    """What was found, for people."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("qubit", "routine", "found", "value", "believed"):
        table.add_column(name)
    for result in results:
        verdict = "yes" if result.good else "[bold red]no[/bold red]"
        head = (f"q{result.qubit}", result.routine)
        for number, (name, found) in enumerate(result.found.items()):
            table.add_row(*(("", "") if number else head), *said_of(name, *found), "" if number else verdict)
    console.print(table)
    for result in results:
        for complaint in result.complaints:
            console.print(f"q{result.qubit} {result.routine}: {escape(complaint)}", highlight=False)
    for name, text in failures.items():
        console.print(f"{name}: {escape(text)}", highlight=False)
    if failures or not all(result.good for result in results):
        console.print("What is not believed is in no snapshot.", highlight=False)
