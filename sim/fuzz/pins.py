# SPDX-License-Identifier: BSD-2-Clause
"""The pins of a simulated board in this process as links of a host."""

from __future__ import annotations

import time

import sliplib

from triplane.gateware.link.etherbone import EXCHANGE_PORT
from triplane.sim.board.library import SimulatedBoard
from triplane.sim.board.wire import Gateway

HOST = ("127.0.0.1", 5_555)
SLICE_CYCLES = 500
SERIAL_END = b"\xc0"


class NetworkPins:
    """The board's network, with a gateway before it. See `hal.drivers.remote.links.Link`.

    Attributes:
        gateway: the board's neighbour.
    """

    name = "network"

    def __init__(self, board: SimulatedBoard) -> None:
        self.gateway = Gateway()
        self._board = board
        self._arrived: list[bytes] = []

    def send(self, datagram: bytes) -> None:
        """Send one."""
        frame = self.gateway.frame(datagram, HOST, EXCHANGE_PORT)
        assert frame is not None, "requests fit into a frame"
        self._board.put_frame(frame)

    def pass_time(self, cycles: int) -> None:
        """Let so many cycles pass; what the board sends is answered, or kept for `receive`."""
        end = self._board.cycles + cycles
        while self._board.cycles < end:
            self._board.play(min(SLICE_CYCLES, end - self._board.cycles))
            for frame in self._board.frames():
                answer, datagram = self.gateway.receive(frame)
                if answer is not None:
                    self._board.put_frame(answer)
                if datagram is not None and datagram[1] == HOST:
                    self._arrived.append(datagram[0])

    def receive(self, timeout_s: float) -> bytes | None:
        """The next one, or None after the time-out."""
        deadline = time.monotonic() + timeout_s
        while not self._arrived:
            if time.monotonic() >= deadline:
                return None
            self.pass_time(SLICE_CYCLES)
        return self._arrived.pop(0)

    def close(self) -> None:
        """Nothing to do: the board is somebody else's."""


class SerialPins:
    """The board's serial line. See `hal.drivers.remote.links.Link`."""

    name = "serial line"

    def __init__(self, board: SimulatedBoard) -> None:
        self._board = board
        self._driver = sliplib.Driver()

    def send(self, datagram: bytes) -> None:
        """Send one."""
        self._board.put_serial(SERIAL_END + sliplib.encode(datagram) + SERIAL_END)

    def pass_time(self, cycles: int) -> None:
        """Let so many cycles pass."""
        end = self._board.cycles + cycles
        while self._board.cycles < end:
            self._board.play(min(SLICE_CYCLES, end - self._board.cycles))
            self._driver.receive(self._board.serial())

    def receive(self, timeout_s: float) -> bytes | None:
        """The next one, or None after the time-out."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                frame = self._driver.get(block=False)
            except sliplib.ProtocolError:
                continue
            if frame:
                return bytes(frame)
            if time.monotonic() >= deadline:
                return None
            self.pass_time(SLICE_CYCLES)

    def close(self) -> None:
        """Nothing to do: the board is somebody else's."""
