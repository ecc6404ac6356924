# SPDX-License-Identifier: BSD-2-Clause
"""What benchmarks there are, and what one hands in."""

import dataclasses
import difflib
import importlib
import math
import numbers
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import SupportsFloat

from triplane.host.bench.goals import Goal
from triplane.host.replay.ledger import CLOCK_HZ


class BenchError(RuntimeError):
    """A benchmark is not there, or handed in what is no row."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        work: what was measured on, such as the data set and its shots.
        measure: what was measured.
        value: the figure; None where it could not be measured, and `measure` says why.
        unit: of the value; "" for a ratio.
        goal: such as "<= 80"; None where there is none.
        ok: whether the goal is met; None without goal or value.
        command: repeats this row.
    """

    work: str
    measure: str
    value: float | None
    unit: str
    goal: str | None
    ok: bool | None
    command: str


@dataclasses.dataclass(frozen=True)
class Input:
    """What figures rest on: bytes under a name, and where they came from."""

    name: str
    content: bytes
    source: str


class BenchContext:
    """Handed to a benchmark while it runs.

    Attributes:
        quick: whether to take a fraction of the work, such as the first 2,000 shots.
        clock_hz: of the cycle counts in the rows.
        rows: handed in so far.
        inputs: handed in so far, for the run's manifest.
        tables, gateware: part of the work -> its hashes, for the manifest.
        seeds: name -> seed, for the manifest.
        plot: PNG to draw; None where none was asked for.
    """

    def __init__(
        self,
        *,
        quick: bool = False,
        on_row: Callable[[Row], None] | None = None,
        plot: Path | None = None,
    ) -> None:
        self.quick = quick
        self.plot = plot
        self.clock_hz = CLOCK_HZ
        self.rows: list[Row] = []
        self.inputs: list[Input] = []
        self.tables: dict[str, dict[str, str]] = {}
        self.gateware: dict[str, dict[str, str]] = {}
        self.seeds: dict[str, int] = {}
        self._on_row = on_row

    def row(
        self, *, work: str, measure: str, value: SupportsFloat, unit: str, goal: str | None, command: str
    ) -> Row:
        """Hand in a figure.

        Raises GoalError for a goal that is no comparison, BenchError for a value that is not finite.
        """
        number = float(value)
        if not math.isfinite(number):
            raise BenchError(f"{work}, {measure}: value {value!r} is no finite number")
        # A count stays a whole number in JSON, NumPy's as well.
        plain = int(value) if isinstance(value, numbers.Integral) else number
        ok = None if goal is None else Goal.parse(goal).met_by(number)
        return self._add(Row(work, measure, plain, unit, goal, ok, command))

    def skip(self, *, work: str, reason: str, command: str) -> Row:
        """Say that something could not be measured here, and why."""
        return self._add(Row(work, f"skipped: {reason}", None, "", None, None, command))

    def add_input(self, name: str, content: bytes | Path, *, source: str | None = None) -> None:
        """Keep what figures rest on: bytes, or a file, which is read now. `source` says where bytes came from."""
        if any(known.name == name for known in self.inputs):
            raise BenchError(f"input {name!r} is there already; give each its own name")
        data = content if isinstance(content, bytes) else content.read_bytes()
        where = "memory" if isinstance(content, bytes) else str(content.resolve())
        self.inputs.append(Input(name, data, source or where))

    def _add(self, row: Row) -> Row:
        self.rows.append(row)
        if self._on_row is not None:
            self._on_row(row)
        return row


Function = Callable[[BenchContext], None]


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A function that measures, under the name that `triplane bench NAME` takes. plots: whether it draws a figure."""

    name: str
    help: str
    function: Function
    plots: bool = False


_benchmarks: dict[str, Benchmark] = {}


def benchmark(
    name: str,
    *,
    help: str,  # noqa: A002 (the word Typer has for it)
    plots: bool = False,
) -> Callable[[Function], Function]:
    """Register a function as benchmark `name`; `help` is its line in the list, `plots` whether it heeds `ctx.plot`."""

    def register(function: Function) -> Function:
        known = _benchmarks.get(name)
        if known is not None and known.function.__module__ != function.__module__:
            raise BenchError(
                f"benchmark {name!r} is in {known.function.__module__} already; name this one otherwise"
            )
        _benchmarks[name] = Benchmark(name, help, function, plots)
        return function

    return register


def find_benchmarks() -> dict[str, Benchmark]:
    """Name -> benchmark, of every module in this folder."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")
    return dict(sorted(_benchmarks.items()))


def find_benchmark(name: str) -> Benchmark:
    """A benchmark by name; raises BenchError listing those there are."""
    benchmarks = find_benchmarks()
    if name not in benchmarks:
        near = difflib.get_close_matches(name, benchmarks, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise BenchError(f"there is no benchmark {name!r}{meant}; there are: {', '.join(benchmarks)}")
    return benchmarks[name]
