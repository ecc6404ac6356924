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
from triplane.host.cli.options import Known


@app.command(epilog="Example:   triplane serve   (then, in another terminal: triplane agent --board sim)")
def serve(
    folder: Annotated[
        Path | None,
        typer.Option("--folder", show_default="nats in the person's store", help="Of the server's data."),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65_535)] = 4222,
    listen: Annotated[
        str,
        typer.Option(
            "--listen", metavar="ADDRESS", help="Of this machine; 0.0.0.0 is all. Implies --secure."
        ),
    ] = "127.0.0.1",
    secure: Annotated[bool, typer.Option("--secure", help="Ask who connects, also on loopback.")] = False,
    host: Annotated[
        list[str] | None,
        typer.Option("--host", help="Name or address that clients use, for the certificate."),
    ] = None,
    node: Annotated[str | None, typer.Option("--node", help="Name of this server in a cluster.")] = None,
    cluster: Annotated[
        str, typer.Option("--cluster", metavar="HOST:PORT", help="To listen on for the cluster's others.")
    ] = "127.0.0.1:6222",
    route: Annotated[
        list[str] | None,
        typer.Option("--route", metavar="HOST:PORT", help="Of another server of the cluster."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", show_default="a server of its own", help="Schedule for the server or cluster there."
        ),
    ] = None,
    replicas: Annotated[
        int, typer.Option("--replicas", min=1, max=5, help="Of streams that are made now.")
    ] = 1,
    credentials: Known = None,
) -> None:
    """Serve jobs on this machine: a nats-server that keeps them on disk, and the scheduler. Runs until Ctrl-C.

    On loopback, who may connect may do everything. With --secure, on every other address, and where keys have been
    given, each has a key of the own: triplane access add.
    """
    with errors("stopped: what was accepted is on disk"):
        from triplane.host.provenance.store import default_root
        from triplane.host.scheduler.access import Access
        from triplane.host.scheduler.credentials import given_credentials
        from triplane.host.scheduler.server import LOOPBACK, Cluster, Node
        from triplane.host.scheduler.service import serve as run

        root = (folder or default_root() / "nats").absolute()
        if url is not None:
            run(root, None, url, replicas, given_credentials(credentials))
            return
        # Who starts a secured service again and forgets to say so does not open it to everybody.
        keys = root / "access"
        access = Access(keys) if secure or listen != LOOPBACK or keys.exists() else None
        if access:
            access.certify([*(host or ()), listen, cluster.rpartition(":")[0]])
        others = Cluster(node, cluster, tuple(route or ())) if node else None
        run(root, Node(port, listen, access, others), None, replicas, None)


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
        typer.Option(
            "--name",
            show_default="of the credentials, or from the URL",
            help="Of the board; each has its own.",
        ),
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
    credentials: Known = None,
) -> None:
    """Let a board take jobs. Runs until Ctrl-C; what it has not done goes to others."""
    with errors("stopped: what this agent has not done goes to others"):
        from triplane.host.scheduler.credentials import given_credentials
        from triplane.host.scheduler.service import attend

        known = given_credentials(credentials)
        named = name or (known.name if known else None) or re.sub(r"[^A-Za-z0-9_-]+", "-", board).strip("-")
        attend(
            url,
            board,
            named,
            device,
            lambda line: print(line, file=sys.stderr, flush=True),
            snapshot,
            known,
        )
