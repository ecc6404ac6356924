# SPDX-License-Identifier: BSD-2-Clause
"""Commands that serve jobs: the service itself, and the agent beside a board."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from triplane.host.cli.app import app
from triplane.host.cli.common import errors
from triplane.host.cli.jobs import URL, Service


@app.command(epilog="Example:   triplane serve   (then, in another terminal: triplane agent --board sim)")
def serve(
    folder: Annotated[
        Path | None,
        typer.Option("--folder", show_default="nats in the person's store", help="Of the server's data."),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="On loopback.")] = 4222,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", show_default="a server of its own", help="Schedule for the NATS cluster there."
        ),
    ] = None,
    replicas: Annotated[
        int, typer.Option("--replicas", min=1, max=5, help="Of streams that are made now.")
    ] = 1,
) -> None:
    """Serve jobs on this machine: a nats-server that keeps them on disk, and the scheduler. Runs until Ctrl-C.

    Who may connect to loopback may do everything: there is no authentication yet, so it listens nowhere else.
    """
    with errors():
        from triplane.host.provenance.store import default_root
        from triplane.host.scheduler.service import serve as run

        run((folder or default_root() / "nats").absolute(), port, url, replicas)


@app.command(epilog="Example:   triplane agent --board udp://10.0.0.7:1234 --name fridge-1")
def agent(
    board: Annotated[
        str,
        typer.Option(
            "--board",
            metavar="URL",
            show_default=False,
            help="As elsewhere, or sim, or model.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", show_default="from the URL", help="Of the board; each has its own."),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", help="Behind the board: a name, or a YAML file.")
    ] = "line5",
    snapshot: Annotated[
        Path | None,
        typer.Option(
            "--snapshot",
            metavar="FILE.json",
            show_default=False,
            help="What calibrate-qubit has written; read again whenever it is written anew.",
        ),
    ] = None,
    url: Service = URL,
) -> None:
    """Let a board take jobs. Runs until Ctrl-C; what it has not done goes to others."""
    with errors():
        from triplane.host.scheduler.service import attend

        named = name or re.sub(r"[^A-Za-z0-9_-]+", "-", board).strip("-")
        attend(url, board, named, device, lambda line: print(line, file=sys.stderr, flush=True), snapshot)
