# SPDX-License-Identifier: BSD-2-Clause
"""Benchmarks by one convention.

A benchmark is a function with a name. It does its work and hands in rows: what was measured, on what, in which unit,
against which goal, and the command that repeats that row alone. Running it prints a table, files a manifest, and
with `--json` writes

    {"clock_hz": 245760000, "run": "<manifest id>",
     "rows": [{"work", "measure", "value", "unit", "goal", "ok", "command"}, ...]}

A goal is a comparison as text, such as "<= 80"; a row without one is a figure for information, and its `ok` is null.
A missed goal is marked in the table and in `ok`, and the command still exits 0: a benchmark that ran has done its job,
and what to make of a miss is for people to say. What could not be measured here (a data set that is not there) is a
row too, with value null and the reason in `measure`: nothing drops out of a table unseen.

To add one, put a module in this folder; it is found by being there:

    @benchmark("link", help="Throughput of the record stream.")
    def bench_link(ctx: BenchContext) -> None:
        command = "triplane bench link"
        ctx.row(work="1 MiB", measure="rate", value=megabytes_per_s(), unit="MB/s", goal=">= 400", command=command)
"""

from triplane.host.bench.registry import (
    BenchContext,
    BenchError,
    Row,
    benchmark,
    find_benchmark,
    find_benchmarks,
)
from triplane.host.bench.runner import list_benchmarks, run_benchmark

__all__ = [
    "BenchContext",
    "BenchError",
    "Row",
    "benchmark",
    "find_benchmark",
    "find_benchmarks",
    "list_benchmarks",
    "run_benchmark",
]
