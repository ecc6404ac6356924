# SPDX-License-Identifier: BSD-2-Clause
"""A simulated board that listens on real sockets of this machine."""

import asyncio
import contextlib
import threading
from types import SimpleNamespace

import pytest

from triplane import hal
from triplane.hal import RegisterMap
from triplane.hal.drivers.simulated import served_gateware, simulated_design
from triplane.sim.board import SimulatedBoard, build_board
from triplane.sim.board.server import BoardServer


@contextlib.contextmanager
def serving(
    design, behind=lambda board, registers: None, beside=lambda server, build: contextlib.nullcontext()
):
    """A board of that design behind sockets, and its server in a thread of its own.

    behind: what lets time pass in the place of the board alone, from the board and its registers' addresses.
    beside: what is entered while it is served, from the server and the build.
    """
    ready, state = threading.Event(), {}

    async def serve(board):
        state["task"], state["loop"] = asyncio.current_task(), asyncio.get_running_loop()
        server = BoardServer(board, run=behind(board, addresses), udp_port=0)

        def opened(ports):
            state["ports"] = ports
            ready.set()

        with contextlib.suppress(asyncio.CancelledError):
            async with beside(server, build):
                await server.serve(opened)

    build = build_board(design.with_links())
    addresses = {name: register.address for name, register in RegisterMap(build.registers).items()}
    with SimulatedBoard(build.library) as board:
        thread = threading.Thread(target=lambda: asyncio.run(serve(board)))
        thread.start()
        try:
            assert ready.wait(30)
            ports = state["ports"]
            yield SimpleNamespace(
                udp=ports.udp,
                urls={
                    "udp": f"udp://127.0.0.1:{ports.udp}",
                    "uart": f"uart:socket://127.0.0.1:{ports.serial}",
                },
                serial=ports.serial,
            )
        finally:
            state["loop"].call_soon_threadsafe(state["task"].cancel)
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def design(code):
    return simulated_design(hal.ArrayTarget(code.plan))


@pytest.fixture(scope="session")
def gateware(design):
    return served_gateware(*design)


@pytest.fixture(scope="module")
def served(design):
    with serving(design[0]) as board:
        yield board


@pytest.fixture(scope="session")
def serve():
    """`serving`, for boards of a test's own."""
    return serving
