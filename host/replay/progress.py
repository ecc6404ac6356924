# SPDX-License-Identifier: BSD-2-Clause
"""Progress of a long run: a live bar on a terminal, plain lines elsewhere. Both go to stderr; results go to
stdout.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

LINE_EVERY_S = 5.0
"""Time between plain lines of a count that goes on; first and last are always printed."""


class ProgressView:
    """Shows steps (without a count) and counts (shots of a total).

    Use as a context manager, so that the terminal is left as it was found when a run is cancelled.
    """

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._live = self._console.is_terminal and not quiet
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            _CountColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=False,
        )

    def __enter__(self) -> Self:
        if self._live:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._bar.stop()

    def step(self, text: str) -> None:
        """One line: what is done now."""
        if not self._quiet:
            self._console.print(text, markup=False)

    def count(self, text: str, total: int) -> Counter:
        """A count from 0 to total under a heading."""
        return Counter(self, text, total)


class Counter:
    """A running count; call `to(done)` as often as you like."""

    def __init__(self, view: ProgressView, text: str, total: int) -> None:
        self._view, self._text, self._total = view, text, total
        self._started = self._printed = time.monotonic()
        self._task = view._bar.add_task(text, total=total) if view._live else None

    def to(self, done: int) -> None:
        """Set how many are done."""
        if self._task is not None:
            self._view._bar.update(self._task, completed=done)
            return
        now = time.monotonic()
        if done < self._total and now - self._printed < LINE_EVERY_S:
            return
        self._printed = now
        self._view.step(f"{self._text}: {_pace(done, self._total, now - self._started)}")


class _CountColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(_pace(int(task.completed), int(task.total or 0), task.elapsed or 0.0))


def _pace(done: int, total: int, elapsed_s: float) -> str:
    shown = f"{done:,} of {total:,} shots"
    if done == 0 or elapsed_s <= 0:
        return shown
    rate = done / elapsed_s
    shown += f", {rate:,.0f} shots/s"
    return shown if done >= total else f"{shown}, {(total - done) / rate:,.0f} s left"
