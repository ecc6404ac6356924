# SPDX-License-Identifier: BSD-2-Clause
"""Commands for the admin of a secured service, on the server's machine."""

from __future__ import annotations

import asyncio
import datetime
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triplane.host.cli.app import app
from triplane.host.cli.common import errors
from triplane.host.cli.jobs import URL, AsJson, Service

if TYPE_CHECKING:
    from triplane.host.scheduler.access import Access

access = typer.Typer(
    help="Who may use a secured service of jobs: give and take keys, read the audit log.",
    no_args_is_help=True,
)
app.add_typer(access, name="access")


class Kind(StrEnum):
    """Of those who get a key."""

    USER = "user"
    BOARD = "board"


Who = Annotated[Kind, typer.Argument(show_default=False, help="user, or board.")]
Named = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", show_default="nats in the person's store", help="As of `triplane serve`."),
]


@access.command(
    epilog="Example:   triplane access add user ada   (then give ada the file, and delete it here)"
)
def add(
    kind: Who,
    name: Named,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", show_default="NAME.credentials", help="File to write.")
    ] = None,
    folder: Folder = None,
) -> None:
    """Give somebody a key: writes a file that is all it takes to be that user or board. It is kept nowhere else."""
    with errors():
        from triplane.host.scheduler.contracts import checked_name
        from triplane.host.scheduler.errors import ServiceError

        file = output or Path(f"{name}.credentials")
        if file.exists():
            raise ServiceError(f"{file} is there already; move it away, or name another with --output")
        granted = _access(folder, new=True)
        credentials = granted.add(kind.value, checked_name(name))
        try:
            credentials.write(file)
        except (OSError, ServiceError):
            granted.revoke(kind.value, name)  # nobody has that key
            raise
        print(file)


@access.command()
def revoke(kind: Who, name: Named, folder: Folder = None) -> None:
    """Take a key away; its connections end within a second. Jobs that its owner has submitted go on."""
    with errors():
        _access(folder).revoke(kind.value, name)
        print(f"{kind} {name} has no key any more")


@access.command("list")
def list_access(folder: Folder = None, as_json: AsJson = False) -> None:
    """List who has a key, or had one."""
    with errors():
        found = _access(folder).principals()
        if as_json:
            print(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
            return
        for each in found:
            state = f"revoked {_when(each.revoked)}" if each.revoked else "may connect"
            print(f"{each.role:8}{each.name:20}  {each.key}  added {_when(each.added)}  {state}")


@access.command()
def log(folder: Folder = None, as_json: AsJson = False, url: Service = URL) -> None:
    """Print the audit log: what was refused, what users did, who was added and revoked."""
    with errors():
        from triplane.host.scheduler.audit import Entry, read_audit
        from triplane.host.scheduler.bus import Bus

        async def ask() -> list[Entry]:
            async with await Bus.connect(url, credentials=_access(folder).service) as bus:
                return await read_audit(bus)

        for each in asyncio.run(ask()):
            if as_json:
                print(each.model_dump_json())
                continue
            more = f" ({each.left_out} more before it)" if each.left_out else ""
            reason = f": {each.reason}" if each.reason else ""
            print(f"{_when(each.at)}  {each.verdict:8}{each.who}: {each.what}{reason}{more}")


def _access(folder: Path | None, *, new: bool = False) -> Access:
    from triplane.host.provenance.store import default_root
    from triplane.host.scheduler.access import Access
    from triplane.host.scheduler.errors import ServiceError

    where = (folder or default_root() / "nats").absolute() / "access"
    if not new and not where.is_dir():
        raise ServiceError(
            f"{where} is not there, so nobody has a key; --folder names that of triplane serve"
        )
    return Access(where)


def _when(at: float) -> str:
    return datetime.datetime.fromtimestamp(at).astimezone().isoformat(" ", "seconds")
