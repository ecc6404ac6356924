# SPDX-License-Identifier: BSD-2-Clause
"""The command that examines a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triplane.host.cli.app import app
from triplane.host.cli.common import errors
from triplane.host.cli.decoding import DEMO_DISTANCE
from triplane.host.cli.options import Decoder, Json, WeightBits
from triplane.host.cli.serving import ClosedLoop, OfCode, built_for_data, refuse_data_set


@app.command(
    epilog="Examples:\n\n"
    "triplane doctor\n\n"
    "triplane board --distance 3 &  triplane doctor --distance 3 --board udp://127.0.0.1:1234\n\n"
    "triplane doctor --bundle ecpix5-d3 --board udp://192.168.1.50 --board uart:/dev/ttyUSB1 --json health.json\n\n"
    "Exit codes: 0 nothing has failed, 1 something has."
)
def doctor(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DIR | MODEL EVENTS [OBSERVABLES]]",
            show_default="a rotated surface code",
            help="A data set as replay takes it, which the board decodes.",
        ),
    ] = None,
    board: Annotated[
        list[str] | None,
        typer.Option(
            "--board",
            metavar="URL",
            show_default="a simulated board",
            help="udp://HOST:PORT, uart:DEVICE or pynq://HOST. More than one: all ways are tried, and the first is "
            "used for the other checks.",
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle", metavar="DIR", help="Of `triplane build`, which the board was flashed with."
        ),
    ] = None,
    distance: OfCode = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, show_default="the distance", help="Rounds of a shot.")
    ] = None,
    closed_loop: ClosedLoop = False,
    loopback: Annotated[
        bool, typer.Option("--loopback", help="The board of `triplane board --loopback`; it is cabled.")
    ] = False,
    cabled: Annotated[
        bool,
        typer.Option(
            "--cabled", help="Each readout line's DAC is cabled to its ADC: pulses are sent and timed."
        ),
    ] = False,
    weight_bits: WeightBits = 5,
    decoder: Decoder = "array",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="CHECK", help="Make only these checks.")
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option("--skip", metavar="CHECK", help="Leave these checks out.")
    ] = None,
    json_file: Json = None,
) -> None:
    """Examine a board: clocks, PLL, converters, memories, every way to it, record stream, latency.

    Each finding says what is wrong and what to do. The board is taken from whoever uses it, and what it was loaded with
    is gone afterwards. Without --board a simulated board is started and examined.
    """
    with errors():
        from triplane.host.built import bundled_board, closed_loop_board, loopback_board
        from triplane.host.doctor.command import DoctorError, chosen
        from triplane.host.doctor.command import doctor as examine_board
        from triplane.host.outputs import resolve_output

        named = [
            option
            for option, given in (
                ("--bundle", bundle is not None), ("--closed-loop", closed_loop), ("--loopback", loopback),
            )
            if given
        ]  # fmt: skip
        if len(named) > 1:
            raise DoctorError(f"{' and '.join(named)} are different boards; give one of them")
        if named:
            refuse_data_set(paths, named[0])
        if not board and (named or paths or distance or rounds or cabled):
            raise DoctorError(
                "without --board a simulated board of doctor's own is examined; give the URL of yours with --board"
            )
        output = None if json_file is None else resolve_output(json_file)
        chosen(only or (), skip or ())
        if not board:
            built_for = None
        elif bundle is not None:
            built_for = bundled_board(bundle)
        elif closed_loop:
            built_for = closed_loop_board(distance or DEMO_DISTANCE)
        elif loopback:
            built_for = loopback_board()
        else:
            built_for = built_for_data(paths, distance, rounds, weight_bits, decoder)
        healthy = examine_board(
            built_for,
            board or (),
            cabled=cabled or loopback,
            only=only or (),
            skip=skip or (),
            json_file=output,
        )
    if not healthy:
        raise typer.Exit(1)
