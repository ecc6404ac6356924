# SPDX-License-Identifier: BSD-2-Clause
"""The `triplane` command without its subcommands."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

ORDER = (
    "demo",
    "sample",
    "replay",
    "calibrate-decoder",
    "calibrate-qubit",
    "assemble",
    "timeline",
    "board",
    "record",
    "doctor",
    "build",
    "flash",
    "serve",
    "agent",
    "submit",
    "jobs",
    "logs",
    "results",
    "cancel",
)
"""In which commands are listed, those that a beginner needs first; the others follow as they were declared."""


class Group(TyperGroup):
    """Lists the commands in `ORDER`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of all commands."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Triplane: real-time quantum error correction, on the simulated board and on RFSoC boards.\n\n"
    "Start with [bold]triplane demo[/bold]: it needs no files and no hardware.",
    epilog="Exit codes: 0 done, 1 error, 2 a command line that cannot be parsed, 130 cancelled, 143 terminated.   "
    "Full traceback of an error: TRIPLANE_TRACEBACK=1",
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"triplane {installed_version()}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


def installed_version() -> str:
    """Of this package."""
    from importlib import metadata

    return metadata.version("triplane")
