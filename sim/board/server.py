# SPDX-License-Identifier: BSD-2-Clause
"""A simulated board that listens as a real one does: UDP datagrams and a serial line over TCP, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from triplane.gateware.link.etherbone import EXCHANGE_PORT
from triplane.sim.board.library import SimulatedBoard
from triplane.sim.board.wire import Address, Gateway

LOOPBACK = "127.0.0.1"

SLICE_S = 0.001
"""Between two looks at the sockets: how long a datagram waits."""

LEAST_SLICE_CYCLES, MOST_SLICE_CYCLES = 50, 5_000
"""That pass in between: a large board is slow, and a small one is done with a request in a few hundred."""

BUSY_S = 12.0
"""After the last word from a client time passes as fast as it can, for longer than the lease of one that has died; then
it slows down, and the machine's processor rests."""

REST_S = 0.05
"""Between two slices of a board that nobody talks to."""

CALL_S = 0.001
"""Between two slices while calls come in (`BoardServer.called`): an answer takes several turns of the event loop, each
after a moment in a thread of gRPC's, and each would wait for a slice."""

CALLS_END_S = 0.1
"""Without a call, after which none is expected."""

BACKLOG_FRAMES = 64
"""Frames that wait for the board at the most; what comes beyond is lost, as in any network interface."""

SERIAL_BACKLOG_BYTES = 65_536
"""Bytes that wait for the serial line before its client is no longer read."""

Run = Callable[[int], object]
"""Lets a number of cycles pass at most, and stops where the board has sent something."""


@dataclass(frozen=True)
class Ports:
    """Where a board listens, on loopback."""

    udp: int
    serial: int


class BoardServer:
    """Serves one board until it is cancelled.

    Args:
        board: that is served; nobody else may use it meanwhile.
        run: lets time pass, `board.play` unless something is attached to the board.
        udp_port, serial_port: to listen on; 0 for any that is free.
    """

    def __init__(
        self,
        board: SimulatedBoard,
        *,
        run: Run | None = None,
        udp_port: int = EXCHANGE_PORT,
        serial_port: int = 0,
    ) -> None:
        self.board = board
        self.gateway = Gateway()
        self.lost = 0
        self._run = run or board.play
        self._wanted = Ports(udp_port, serial_port)
        self._udp: asyncio.DatagramTransport | None = None
        self._serial: asyncio.StreamWriter | None = None
        self._heard = self._called = 0.0

    async def serve(self, ready: Callable[[Ports], object] = lambda _: None) -> None:
        """Listen and let time pass, for ever.

        Args:
            ready: called once the ports are open.

        Raises:
            OSError: a port is taken.
        """
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(LOOPBACK, self._wanted.udp)
        )
        self._udp = udp
        try:
            server = await asyncio.start_server(self._serve_serial, LOOPBACK, self._wanted.serial)
            async with server:
                ready(Ports(udp.get_extra_info("sockname")[1], server.sockets[0].getsockname()[1]))
                cycles = LEAST_SLICE_CYCLES
                while True:
                    before, began = self.board.cycles, time.monotonic()
                    self._run(cycles)
                    taken = max(time.monotonic() - began, 1e-9)
                    pace = (self.board.cycles - before) / taken
                    # Half of what would be right: one slice that was disturbed says little.
                    cycles = (cycles + int(SLICE_S * pace)) // 2
                    cycles = min(max(cycles, LEAST_SLICE_CYCLES), MOST_SLICE_CYCLES)
                    self._deliver()
                    await asyncio.sleep(self._pause())
        finally:
            udp.close()

    def _pause(self) -> float:
        """Seconds from the end of a slice to the next one."""
        now = time.monotonic()
        if now - self._called < CALLS_END_S:
            return CALL_S
        return REST_S if now - self._heard > BUSY_S and not self.board.waiting else 0

    def called(self) -> None:
        """A call has come for the board by a way beside those that this server listens on, in this event loop."""
        self._heard = self._called = time.monotonic()

    def datagram_received(self, payload: bytes, client: Address) -> None:
        """A datagram from a client."""
        self._heard = time.monotonic()
        frame = self.gateway.frame(payload, client, EXCHANGE_PORT)
        if frame is None or self.board.waiting > BACKLOG_FRAMES:
            self.lost += 1
        else:
            self.board.put_frame(frame)

    def _deliver(self) -> None:
        """What the board has sent, to whom it was sent."""
        for frame in self.board.frames():
            answer, datagram = self.gateway.receive(frame)
            if answer is not None:
                self.board.put_frame(answer)
            if datagram is not None and self._udp is not None:
                payload, client, _ = datagram
                self._udp.sendto(payload, client)
        data = self.board.serial()
        if data and self._serial is not None and not self._serial.is_closing():
            self._serial.write(data)

    async def _serve_serial(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client at a time: the next one takes the line over, as by putting the cable into another machine."""
        before, self._serial = self._serial, writer
        if before is not None:
            before.close()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(SERIAL_BACKLOG_BYTES):
                if self._serial is not writer:
                    break
                self._heard = time.monotonic()
                self.board.put_serial(data)
                while self.board.waiting > SERIAL_BACKLOG_BYTES:
                    await asyncio.sleep(0)
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: BoardServer) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._server.datagram_received(data, addr)
