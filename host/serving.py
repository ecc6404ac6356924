# SPDX-License-Identifier: BSD-2-Clause
"""`triplane board`: a simulated board that listens as a board on a network does."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import stim

from triplane import hal
from triplane.gateware.decoder.graph import GraphError, compile_graph
from triplane.gateware.decoder.table import TableShape, observed_detectors
from triplane.gateware.decoder.window import whole_window
from triplane.gateware.shape import FabricShape
from triplane.hal.device import Device
from triplane.hal.drivers.simulated import simulated_design
from triplane.host.compiler.memory import MemoryExperiment
from triplane.host.replay.progress import ProgressView
from triplane.host.small import CABLED, shape_of, small_target
from triplane.sim.board import BoardBuild, Design, SimulatedBoard, build_board
from triplane.sim.board.cables import Cables
from triplane.sim.board.coupling import Behind
from triplane.sim.board.emulation import EmulatedProcessor
from triplane.sim.board.server import LOOPBACK, BoardServer, Ports
from triplane.sim.qpu.processor import Processor

if TYPE_CHECKING:
    from triplane.sim.board.pynq.server import PynqEndpoint


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


@dataclass(frozen=True)
class Emulated:
    """What is behind the converters of a board.

    Attributes:
        behind: a processor, or cables.
        shape: of the board's fabric.
    """

    behind: Behind
    shape: FabricShape


def closed_loop_board(distance: int) -> tuple[Design, Emulated]:
    """The simulated board of `triplane demo`, on a network and a serial line, and what is behind its converters.

    Raises:
        ServingError: no device has the shape of such a code.
    """
    try:
        experiment = MemoryExperiment.of(distance)
    except ValueError as error:
        raise ServingError(f"--distance of --closed-loop: {error}") from error
    design, _ = simulated_design(hal.ArrayTarget(experiment.plan), fabric=experiment.shape)
    return design.with_links(), Emulated(Processor(experiment.device), experiment.shape)


def loopback_board() -> tuple[Design, Emulated]:
    """A small simulated board whose readout lines are cabled to themselves, on a network and a serial line."""
    design, descriptor = simulated_design(small_target(), fabric=CABLED)
    timing = descriptor.timing
    delay_ns = sum(delay.ns for delay in (timing.dac_delay, timing.adc_delay, timing.cable_delay))
    return design.with_links(), Emulated(Cables([delay_ns] * CABLED.lines), CABLED)


def device_board(device: Device) -> tuple[Design, Emulated]:
    """The board that `triplane agent` and `TriplaneBackend` expect for a device, which is emulated behind it."""
    shape = shape_of(device)
    design, _ = simulated_design(small_target(), fabric=shape)
    return design.with_links(), Emulated(Processor(device), shape)


def serve_board(
    design: Design,
    *,
    udp_port: int,
    uart_port: int,
    pynq_port: int | None = None,
    emulated: Emulated | None = None,
) -> None:
    """Build or find the board, and let it listen until the process is told to stop.

    Args:
        design: of the board.
        udp_port, uart_port: to listen on; 0 for any that is free.
        pynq_port: for clients of PYNQ.remote, likewise; None for none.
        emulated: what is behind its converters.

    Raises:
        ServingError: a port is taken, or what it needs is not installed.
    """
    with ProgressView() as view:
        build = build_board(design, progress=view.build)
    with SimulatedBoard(build.library) as board:
        run = None if emulated is None else _processor(board, build, emulated).play
        server = BoardServer(board, run=run, udp_port=udp_port, serial_port=uart_port)
        endpoint = None if pynq_port is None else _endpoint(server, build, pynq_port)
        try:
            asyncio.run(_serve(server, endpoint, build))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise ServingError(
                f"a port is taken ({error.strerror}); another board may be listening: give others with "
                "--udp-port, --uart-port and --pynq-port, or 0 for any that is free"
            ) from error


def _processor(board: SimulatedBoard, build: BoardBuild, emulated: Emulated) -> EmulatedProcessor:
    return EmulatedProcessor(
        board,
        emulated.behind,
        {name: register.address for name, register in hal.RegisterMap(build.registers).items()},
        emulated.shape,
        refused=lambda error: print(f"not played: {error}", file=sys.stderr, flush=True),
    )


def _endpoint(server: BoardServer, build: BoardBuild, port: int) -> PynqEndpoint:
    try:
        from triplane.sim.board.pynq.server import PynqEndpoint
    except ImportError as error:
        raise ServingError(
            f"--pynq-port needs gRPC ({error}): uv sync --extra grpc, or pip install 'triplane[grpc]'"
        ) from error
    return PynqEndpoint(
        server.board,
        hal.RegisterMap(build.registers),
        build.build_hash,
        configure=server.board.reset,
        called=server.called,
        host=LOOPBACK,
        port=port,
    )


async def _serve(server: BoardServer, endpoint: PynqEndpoint | None, build: BoardBuild) -> None:
    async with endpoint or contextlib.nullcontext():
        await server.serve(lambda ports: _tell(ports, build, endpoint))


def _tell(ports: Ports, build: BoardBuild, endpoint: PynqEndpoint | None) -> None:
    print(f"gateware {build.build_hash[:12]}; Ctrl-C ends it")
    if endpoint is not None:
        from triplane.sim.board.pynq.overlay import write_overlay

        print(f"pynq:         --board pynq://{LOOPBACK}:{endpoint.port}")
        print(f"its overlay:  {write_overlay(hal.RegisterMap(build.registers), build.build_hash)}")
    print(f"network:      --board udp://{LOOPBACK}:{ports.udp}")
    print(f"serial line:  --board uart:socket://{LOOPBACK}:{ports.serial}", flush=True)
