# SPDX-License-Identifier: BSD-2-Clause
"""`triplane board`: a simulated board that listens as a board on a network does."""

from __future__ import annotations

import asyncio
import errno
from typing import Literal

import stim

from triplane import hal
from triplane.gateware.decoder.graph import GraphError, compile_graph
from triplane.gateware.decoder.table import TableShape, observed_detectors
from triplane.gateware.decoder.window import whole_window
from triplane.hal.drivers.simulated import simulated_design
from triplane.host.replay.progress import ProgressView
from triplane.sim.board import Design, SimulatedBoard, build_board
from triplane.sim.board.server import LOOPBACK, BoardServer, Ports


class ServingError(ValueError):
    """A board that cannot be built, or cannot listen."""


def board_for(
    model: stim.DetectorErrorModel, *, weight_bits: int, decoder: Literal["array", "table"]
) -> Design:
    """The simulated board that decodes shots of a model, on a network and a serial line.

    Raises:
        ServingError: the model cannot become a decoder.
    """
    try:
        graph = compile_graph(model, weight_bits=weight_bits)
        target: hal.ArrayTarget | hal.TableTarget
        if decoder == "table":
            target = hal.TableTarget(graph, TableShape(observed_detectors(graph), graph.num_observables))
        else:
            target = hal.ArrayTarget(whole_window(graph))
    except (GraphError, ValueError) as error:
        raise ServingError(f"no decoder for this model: {error}") from error
    design, _ = simulated_design(target)
    return design.with_links()


def serve_board(design: Design, *, udp_port: int, uart_port: int) -> None:
    """Build or find the board, and let it listen until the process is told to stop.

    Raises:
        ServingError: a port is taken.
    """
    with ProgressView() as view:
        build = build_board(design, progress=view.build)
    with SimulatedBoard(build.library) as board:
        server = BoardServer(board, udp_port=udp_port, serial_port=uart_port)
        try:
            asyncio.run(server.serve(lambda ports: _tell(ports, build.build_hash)))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise ServingError(
                f"a port is taken ({error.strerror}); another board may be listening: give others with --udp-port and "
                "--uart-port, or 0 for any that is free"
            ) from error


def _tell(ports: Ports, build_hash: str) -> None:
    print(f"gateware {build_hash[:12]}; Ctrl-C ends it")
    print(f"network:      --board udp://{LOOPBACK}:{ports.udp}")
    print(f"serial line:  --board uart:socket://{LOOPBACK}:{ports.serial}", flush=True)
