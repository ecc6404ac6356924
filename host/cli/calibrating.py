# SPDX-License-Identifier: BSD-2-Clause
"""The command that calibrates qubits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from triplane.host.cli.app import app
from triplane.host.cli.common import errors, resolve_outputs
from triplane.host.cli.decoding import MAX_SEED
from triplane.host.cli.options import BoardUrl, Json

HOURS = 24.0


@app.command(
    name="calibrate-qubit",
    epilog="Examples:\n\n"
    "triplane calibrate-qubit --plot first.png --snapshot today.json\n\n"
    "triplane calibrate-qubit line5 --qubit 0 --qubit 1 --only readout --only rabi\n\n"
    "triplane calibrate-qubit my_chip.yaml --begin yesterday.json --snapshot today.json --shots 1000 "
    "--board udp://192.168.1.50\n\n"
    "triplane calibrate-qubit --check today.json   (is it still believed?)\n\n"
    "Exit codes: 0 all that was found is believed, 1 something is not, or the snapshot is stale.",
)
def calibrate_qubit(
    device: Annotated[
        str,
        typer.Argument(
            metavar="[DEVICE]",
            help="The processor as it is known: a shipped one by name (one_qubit, two_qubit, line5), or a YAML file.",
        ),
    ] = "one_qubit",
    qubits: Annotated[
        list[int] | None,
        typer.Option(
            "--qubit", metavar="N", min=0, show_default="0", help="Which one; may be given more than once."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="ROUTINE",
            show_default="all of them",
            help="readout: weights, threshold. rabi: the pulse's amplitude. ramsey: frequency, T2*. relaxation: T1.",
        ),
    ] = None,
    points: Annotated[
        int | None,
        typer.Option(
            "--points",
            min=9,
            max=1000,
            show_default="21, 31 and 13 of rabi, ramsey, relaxation",
            help="Of a sweep.",
        ),
    ] = None,
    shots: Annotated[int, typer.Option("--shots", min=10, help="Of a point.")] = 120,
    readout_shots: Annotated[int, typer.Option("--readout-shots", min=20, help="Of each state.")] = 256,
    begin: Annotated[
        Path | None,
        typer.Option(
            "--begin",
            metavar="FILE.json",
            show_default=False,
            help="An earlier snapshot: begin with what it found.",
        ),
    ] = None,
    snapshot: Annotated[
        Path | None,
        typer.Option(
            "--snapshot", metavar="FILE.json", show_default=False, help="Write what was found, as a snapshot."
        ),
    ] = None,
    ttl_hours: Annotated[
        float, typer.Option("--ttl-hours", min=0.01, help="How long the snapshot is to be believed.")
    ] = HOURS,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="FILE.json",
            show_default=False,
            help="Calibrate nothing: show a snapshot and its age.",
        ),
    ] = None,
    emulate: Annotated[
        str | None,
        typer.Option(
            "--emulate",
            metavar="DEVICE",
            show_default="the device as it is known",
            help="What is behind the simulated board: a device whose parameters are other than known, to be found.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=MAX_SEED, help="Of the emulated processor.")] = 0,
    board: BoardUrl = "sim",
    json_file: Json = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE.png", show_default=False, help="Draw blobs, points and curves."),
    ] = None,
) -> None:
    """Find out what a qubit is: readout, pulse amplitude, frequency, T2*, T1, each with its error and a verdict.

    Every routine is one program of the board's sequencer: sweep and shots are its loops, and a qubit is brought to 0 by
    measurement and pulse before each shot. What is found and believed goes into a snapshot, which grows stale; circuits
    are compiled for the device as the snapshot has found it. Without --board a simulated board with an emulated
    processor is calibrated; long lives take long to simulate: T1 of 62 us some minutes.
    """
    with errors():
        if check is not None:
            from triplane.host.calibration.qubit.report import check as shown_fresh

            believed = shown_fresh(check)
        else:
            from triplane.hal.device import load_device
            from triplane.host.calibration.qubit import command
            from triplane.host.outputs import check_distinct, resolve_output

            outputs = resolve_outputs(json_file, plot)
            out = None if snapshot is None else resolve_output(snapshot)
            named = [("--json", outputs.json_file), ("--plot", outputs.plot), ("--snapshot", out)]
            check_distinct([(option, path) for option, path in named if path is not None])
            believed = command.calibrate(
                sys.argv,
                load_device(device),
                command.Plan(
                    tuple(dict.fromkeys(qubits or [0])),
                    tuple(only or command.ROUTINES),
                    points,
                    shots,
                    readout_shots,
                ),
                url=board,
                emulated=None if emulate is None else load_device(emulate),
                seed=seed,
                begin=begin,
                ttl_s=ttl_hours * 3600,
                snapshot_file=out,
                json_file=outputs.json_file,
                figure=outputs.plot,
            )
    if not believed:
        raise typer.Exit(1)
