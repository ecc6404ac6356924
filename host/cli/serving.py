# SPDX-License-Identifier: BSD-2-Clause
"""Commands that serve a board, and that listen to one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triplane.host.cli.app import app
from triplane.host.cli.common import errors
from triplane.host.cli.decoding import DEMO_DISTANCE
from triplane.host.cli.options import Decoder, WeightBits

if TYPE_CHECKING:
    import stim

    from triplane.host.built import BuiltFor

DISTANCE = 5
"""Of the code, unless another one is asked for."""

PORT_MAX = 2**16 - 1

OfCode = Annotated[
    int | None,
    typer.Option(
        "--distance",
        min=3,
        show_default="5; 3 with --closed-loop",
        help="Of a rotated surface code, odd.",
    ),
]

ClosedLoop = Annotated[
    bool,
    typer.Option(
        "--closed-loop",
        help="The board of demo: with a sequencer, and emulated transmons behind its converters.",
    ),
]


@app.command(
    epilog="Example, in two terminals:\n\n"
    "triplane board --distance 3\n\n"
    "triplane sample --distance 3 --board udp://127.0.0.1:1234\n\n"
    "The closed loop, likewise:\n\n"
    "triplane board --closed-loop\n\n"
    "triplane demo --board udp://127.0.0.1:1234"
)
def board(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DIR | MODEL EVENTS [OBSERVABLES]]",
            show_default="a rotated surface code",
            help="A data set as replay takes it, which the board is to decode.",
        ),
    ] = None,
    distance: OfCode = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, show_default="the distance", help="Rounds of a shot.")
    ] = None,
    closed_loop: ClosedLoop = False,
    loopback: Annotated[
        bool,
        typer.Option(
            "--loopback",
            help="A small board whose two readout lines are cabled to themselves, for doctor --loopback.",
        ),
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            show_default="none",
            help="A board for circuits, with that device emulated behind it: a name, or a YAML file.",
        ),
    ] = None,
    weight_bits: WeightBits = 5,
    decoder: Decoder = "array",
    udp_port: Annotated[
        int, typer.Option("--udp-port", min=0, max=PORT_MAX, help="UDP port on loopback; 0: any.")
    ] = 1234,
    uart_port: Annotated[
        int,
        typer.Option("--uart-port", min=0, max=PORT_MAX, help="TCP port of the serial line; 0: any."),
    ] = 0,
    pynq_port: Annotated[
        int | None,
        typer.Option(
            "--pynq-port",
            min=0,
            max=PORT_MAX,
            show_default="none",
            help="TCP port for clients of PYNQ.remote, which look for 7967; 0: any. Needs the extra grpc.",
        ),
    ] = None,
) -> None:
    """Let a simulated board listen on loopback, as a board on a network and on a serial line does.

    Its gateware is that of `sample` or `replay` for the same code, and LiteEth in front of it. Connect from another
    process with `--board`, or with `triplane.hal.connect`. It runs until Ctrl-C.
    """
    with errors():
        from triplane.hal.device import load_device
        from triplane.host.serving import (
            ServingError,
            board_for,
            closed_loop_board,
            device_board,
            loopback_board,
            serve_board,
        )

        kinds = {"--closed-loop": closed_loop, "--loopback": loopback, "--device": device is not None}
        options = [option for option, given in kinds.items() if given]
        if options:
            option = options[0]
            refuse_data_set(paths, option)
            if len(options) > 1:
                raise ServingError(f"{' and '.join(options)} are two boards; give one of them")
            if not closed_loop and (distance or rounds):
                raise ServingError(
                    f"{option} is one small board; --distance and --rounds have no meaning for it"
                )
            if pynq_port is not None:
                raise ServingError(
                    f"--pynq-port is for boards without {option}: what is behind the converters would not hear of what "
                    "is written that way; use the network or the serial line"
                )
            if device is not None:
                design, emulated = device_board(load_device(device))
            elif loopback:
                design, emulated = loopback_board()
            else:
                design, emulated = closed_loop_board(distance or DEMO_DISTANCE)
            serve_board(design, udp_port=udp_port, uart_port=uart_port, emulated=emulated)
            return
        model = _model(paths, distance or DISTANCE, rounds)
        design = board_for(model, weight_bits=weight_bits, decoder=decoder)
        serve_board(design, udp_port=udp_port, uart_port=uart_port, pynq_port=pynq_port)


@app.command(
    epilog="Example, in three terminals:\n\n"
    "triplane board --distance 3 --uart-port 4001\n\n"
    "triplane record --distance 3 --board uart:socket://127.0.0.1:4001 --stream-from 127.0.0.1 --out run.h5\n\n"
    "triplane sample --distance 3 --board udp://127.0.0.1:1234\n\n"
    "The closed loop, with its measured rounds: `--closed-loop` for the board and for the recording, and "
    "`triplane demo --board udp://127.0.0.1:1234`"
)
def record(
    board: Annotated[
        str,
        typer.Option(
            "--board",
            metavar="URL",
            show_default=False,
            help="udp://HOST:PORT or uart:DEVICE. A link carries one host at a time: beside a run, give the other one.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.h5", show_default=False, help="The recording, HDF5.")
    ],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DIR | MODEL EVENTS [OBSERVABLES]]",
            show_default="a rotated surface code",
            help="A data set as replay takes it, which the board decodes.",
        ),
    ] = None,
    distance: OfCode = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, show_default="the distance", help="Rounds of a shot.")
    ] = None,
    closed_loop: ClosedLoop = False,
    weight_bits: WeightBits = 5,
    decoder: Decoder = "array",
    stream_from: Annotated[
        str | None,
        typer.Option(
            "--stream-from",
            metavar="HOST",
            show_default="that of a udp board; else packets are fetched over the link",
            help="The board on the network, which sends packets to this host.",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", min=0.1, show_default="until Ctrl-C", help="End after this time."),
    ] = None,
    records: Annotated[
        int | None,
        typer.Option("--records", min=1, show_default="until Ctrl-C", help="End after so many records."),
    ] = None,
) -> None:
    """Record the stream of a board: results, measured rounds, faults, each once, with what was lost named.

    Ctrl-C ends the recording, and the file is whole; it has its name only then.
    """
    with errors():
        from triplane.host.built import closed_loop_board
        from triplane.host.outputs import resolve_output
        from triplane.host.recording import record as record_board
        from triplane.host.recording import tell

        path = resolve_output(out)
        if closed_loop:
            refuse_data_set(paths, "--closed-loop")
            built_for = closed_loop_board(distance or DEMO_DISTANCE)
        else:
            built_for = built_for_data(paths, distance, rounds, weight_bits, decoder)
        result = record_board(
            built_for,
            path,
            board=board,
            stream_from=stream_from,
            seconds=seconds,
            records=records,
            command=sys.argv,
        )
        tell(out, result)


def refuse_data_set(paths: list[Path] | None, option: str) -> None:
    """Refuse a data set beside a board that has a decoder of its own."""
    from triplane.host.replay.result import OptionsError

    if paths:
        raise OptionsError(f"the board of {option} decodes no data set; give one of them")


def built_for_data(
    paths: list[Path] | None, distance: int | None, rounds: int | None, weight_bits: int, decoder: Decoder
) -> BuiltFor:
    """The board that `triplane board` gives for the same arguments."""
    from triplane.host.built import decoding_board

    model = _model(paths, distance or DISTANCE, rounds)
    return decoding_board(model, weight_bits=weight_bits, decoder=decoder)


def _model(paths: list[Path] | None, distance: int, rounds: int | None) -> stim.DetectorErrorModel:
    """The error model of a data set, or of a rotated surface code."""
    from triplane.host.replay.datasets import load_dataset
    from triplane.host.replay.result import OptionsError
    from triplane.host.replay.sampling import memory_circuit

    if paths:
        return load_dataset(paths, shots=1).model
    try:
        circuit = memory_circuit(distance=distance, rounds=rounds or distance, probability=0.001)
    except ValueError as error:
        raise OptionsError(str(error)) from error
    return circuit.detector_error_model(decompose_errors=True)
