# SPDX-License-Identifier: BSD-2-Clause
"""Commands for programs of the sequencer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triplane.host.cli.app import app
from triplane.host.cli.common import errors, resolve_outputs
from triplane.host.cli.options import Json


@app.command(
    name="assemble", epilog="Example:   triplane assemble docs/examples/loop/teleportation.tasm --listing"
)
def assemble_file(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.tasm", show_default=False, help="Source of a program.")
    ],
    listing: Annotated[
        bool, typer.Option("--listing", help="Print addresses, words and instructions.")
    ] = False,
    source: Annotated[
        bool,
        typer.Option("--source", help="Print the text again, macros expanded, as the disassembler has it."),
    ] = False,
    json_file: Json = None,
) -> None:
    """Assemble a program of the sequencer: every error with its line and column, or what the program takes.

    The language is in docs/sequencer.md, every instruction in docs/isa.md.
    """
    with errors():
        outputs = resolve_outputs(json_file)
        outputs.check([file])
        from triplane.host.programs import show_program

        show_program(file, listing=listing, source=source, json_file=outputs.json_file)


@app.command(
    name="timeline",
    epilog="Example:   triplane timeline docs/examples/active-reset.tasm --result qubit=1101 --plot reset.png",
)
def timeline_of(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.tasm", show_default=False, help="Source of a program.")
    ],
    registers: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="rN=VALUE", show_default="0", help="A register at the start."),
    ] = None,
    results: Annotated[
        list[str] | None,
        typer.Option(
            "--result",
            metavar="SLOT=BITS",
            show_default="0",
            help="What the measurements of a slot give, one after the other: 0, 1, x for leaked, - for never.",
        ),
    ] = None,
    delay: Annotated[
        int, typer.Option("--delay", min=1, help="Cycles from a CAPTURE to its results, and to a frame.")
    ] = 150,
    frame: Annotated[int, typer.Option("--frame", min=0, max=2**32 - 1, help="What every frame is.")] = 0,
    most: Annotated[
        int, typer.Option("--instructions", min=1, help="After which a program is left that does not end.")
    ] = 100_000,
    json_file: Json = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE.png", show_default=False, help="Draw channels over time."),
    ] = None,
    vcd: Annotated[
        Path | None, typer.Option("--vcd", metavar="FILE.vcd", show_default=False, help="Write a waveform.")
    ] = None,
) -> None:
    """See what a program plays and decides, cycle by cycle, on the golden model: no board, results as you say."""
    with errors():
        outputs = resolve_outputs(json_file, plot, vcd)
        outputs.check([file])
        from triplane.host.programs import show_run

        show_run(
            file,
            registers=registers or (),
            results=results or (),
            delay=delay,
            frame=frame,
            most=most,
            vcd=outputs.vcd,
            plot=outputs.plot,
            json_file=outputs.json_file,
        )
