# SPDX-License-Identifier: BSD-2-Clause
"""The committed latency ledger: what `triplane bench latency --quick` gives, row by row, to the cycle.

    python -m triplane.host.bench.latency_ledger docs/latency-ledger.json [--check]

Only latencies that no shot's content changes are in it, so that it does not depend on what Stim draws.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from triplane.host.bench.latency import COMMAND, bench_latency
from triplane.host.bench.registry import BenchContext, Row
from triplane.host.outputs import write_json

QUICK = f"{COMMAND} --quick"
REGENERATE = "make regenerate"

Ledger = dict[str, dict[str, float]]
"""Latency -> stage and figure -> cycles."""


def ledger(rows: Iterable[Row]) -> Ledger:
    """The cycles among the rows of the benchmark."""
    found: Ledger = {}
    for row in rows:
        if row.unit == "cycles" and row.value is not None:
            found.setdefault(row.work, {})[row.measure] = row.value
    return found


def measure() -> Ledger:
    """Run the quick benchmark."""
    ctx = BenchContext(quick=True)
    bench_latency(ctx)
    return ledger(ctx.rows)


def differences(committed: Ledger, measured: Ledger) -> list[str]:
    """A line for each figure that differs, or that only one of them has; empty where they are equal."""
    lines = []
    for work in dict.fromkeys([*committed, *measured]):
        before, now = committed.get(work, {}), measured.get(work, {})
        for stage in dict.fromkeys([*before, *now]):
            if before.get(stage) != now.get(stage):
                told = [f"{side.get(stage, 'nothing')}" for side in (before, now)]
                lines.append(f"{work}: {stage}: committed {told[0]}, measured {told[1]} cycles")
    return lines


def read(path: Path) -> Ledger:
    """The latencies of a committed file."""
    found: Ledger = json.loads(path.read_text())["latencies"]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m triplane.host.bench.latency_ledger", description="The committed latency ledger."
    )
    parser.add_argument("path", type=Path, help="docs/latency-ledger.json")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a figure differs")
    options = parser.parse_args(arguments)
    measured = measure()
    if not options.check:
        write_json(options.path, {"command": QUICK, "regenerate": REGENERATE, "latencies": measured})
        return 0
    lines = differences(read(options.path), measured)
    if lines:
        print(
            *lines,
            f"where this is intended, run `{REGENERATE}` and commit {options.path}",
            sep="\n",
            file=sys.stderr,
        )
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
