# SPDX-License-Identifier: BSD-2-Clause
"""What all tests share: published data, devices, and boards that listen on real sockets of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from triplane.hal import RegisterMap
from triplane.hal.device import Device, load_device
from triplane.host.bench.replay import data_folder
from triplane.sim.board import SimulatedBoard, build_board
from triplane.sim.board.server import BoardServer


@pytest.fixture(scope="session")
def three_qubits() -> Device:
    """The first three qubits of a line of five, on one readout line."""
    described = load_device("line5").model_dump()
    described["qubits"] = described["qubits"][:3]
    described["couplings"] = described["couplings"][:2]
    (line,) = described["lines"]
    line["tones"] = line["tones"][:3]
    line["crosstalk"] = [row[:3] for row in line["crosstalk"][:3]]
    return Device.model_validate(described)


@pytest.fixture(scope="session")
def published_data() -> Callable[[str], Path]:
    """Folder of a published data set by its name, such as "google_sycamore_2022"; skips the test where it is absent."""

    def find(name: str) -> Path:
        folder = data_folder() / name
        if not folder.is_dir():
            pytest.skip(
                f"{folder} is absent: README.md says where each data set comes from; put it there, or set "
                "TRIPLANE_DATA to the folder of published data"
            )
        return folder

    return find


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
def serve():
    """`serving`, for boards of a test's own."""
    return serving
