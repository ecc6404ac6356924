# SPDX-License-Identifier: BSD-2-Clause
"""Progress of a long run: live bars on a terminal, plain lines elsewhere. Both go to stderr; results go to stdout."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

Move = Callable[[int], None]
"""Sets a bar to how many are done."""

LINE_EVERY_S = 5.0
"""Time between plain lines of a count that goes on; its end is always printed."""

COUNTED = re.compile(r"(?P<text>.+) (?P<done>\d+) of (?P<total>\d+)")
"""A line of a build that counts, such as "compiling 3 of 15"."""


class ProgressView:
    """Shows steps (without a count) and counts (shots, or files of a build, of a total).

    Use as a context manager, so that the terminal is left as it was found when a run is cancelled.
    """

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._live = self._console.is_terminal and not quiet
        self._bars = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), _Pace(), console=self._console
        )
        self._build: Counter | None = None

    def __enter__(self) -> Self:
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._bars.stop()

    def step(self, text: str) -> None:
        """One line: what is done now."""
        if not self._quiet:
            self._console.print(text, markup=False)

    def build(self, text: str) -> None:
        """A line of the build; lines that count ("compiling 3 of 15") move one bar."""
        counted = COUNTED.fullmatch(text)
        if counted is None:
            self.step(text)
            return
        name, total = counted["text"], int(counted["total"])
        if self._build is None or (self._build.text, self._build.total) != (name, total):
            self._build = self.count(name, total, unit="files")
        self._build.to(int(counted["done"]))

    def count(self, text: str, total: int, *, unit: str = "shots") -> Counter:
        """A count from 0 to total under a heading."""
        if not self._live:
            return Counter(self, text, total, unit, None)
        bar = self._bars.add_task(text, total=total, unit=unit)
        return Counter(self, text, total, unit, lambda done: self._bars.update(bar, completed=done))


class Counter:
    """A running count; call `to(done)` as often as you like."""

    def __init__(self, view: ProgressView, text: str, total: int, unit: str, bar: Move | None) -> None:
        self.text, self.total = text, total
        self._view, self._unit, self._bar = view, unit, bar
        self._started = self._printed = time.monotonic()

    def to(self, done: int) -> None:
        """Set how many are done."""
        if self._bar is not None:
            self._bar(done)
            return
        now = time.monotonic()
        if done < self.total and now - self._printed < LINE_EVERY_S:
            return
        self._printed = now
        self._view.step(f"{self.text}: {pace(done, self.total, self._unit, now - self._started)}")


class _Pace(ProgressColumn):
    def render(self, task: Task) -> Text:
        elapsed_s = task.finished_time if task.finished_time is not None else task.elapsed
        shown = pace(int(task.completed), int(task.total or 0), task.fields["unit"], elapsed_s or 0.0)
        return Text(shown, no_wrap=True, overflow="ellipsis")


def pace(done: int, total: int, unit: str, elapsed_s: float) -> str:
    """How far a count is, as "30 of 100 shots, 5 s, 12 s left", with shots per second where they are many."""
    shown = f"{done:,} of {total:,} {unit}"
    if done == 0 or elapsed_s <= 0:
        return shown
    rate = done / elapsed_s
    shown += f", {rate:,.0f} {unit}/s" if rate >= 10 else f", {elapsed_s:.0f} s"
    return shown if done >= total else f"{shown}, {(total - done) / rate:,.0f} s left"
