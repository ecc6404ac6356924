# SPDX-License-Identifier: BSD-2-Clause
"""What carries datagrams: a UDP socket, or a serial line with SLIP frames."""

from __future__ import annotations

import socket
import time
from typing import Protocol

import serial
import sliplib

from triplane.hal.errors import LinkError

END = b"\xc0"
READ_BYTES = 4_096


class Link(Protocol):
    """Carries datagrams, some of which may be lost, doubled, delayed or damaged."""

    def send(self, datagram: bytes) -> None:
        """Send one; raises LinkError where there is nobody to send to."""

    def receive(self, timeout_s: float) -> bytes | None:
        """The next one, or None after the time-out."""

    def close(self) -> None:
        """Free what it holds; closing twice does no harm."""


class UdpLink:
    """Datagrams of a connected UDP socket, so that nobody else's are heard."""

    def __init__(self, host: str, port: int) -> None:
        self.name = f"udp://{host}:{port}"
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, socket.AF_INET, socket.SOCK_DGRAM
            )[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.connect(address)
        except OSError as error:
            raise LinkError(f"{self.name} cannot be reached: {error}; check name and port") from error

    def send(self, datagram: bytes) -> None:
        """Send one."""
        try:
            self._socket.send(datagram)
        except ConnectionRefusedError:
            pass  # said of an earlier one: nobody listens, or not yet; whoever waits for an answer will notice
        except OSError as error:
            raise LinkError(f"{self.name}: {error}; check the network, or connect again") from error

    def receive(self, timeout_s: float) -> bytes | None:
        """The next one, or None after the time-out."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                return self._socket.recv(READ_BYTES)
            except TimeoutError:
                return None
            except ConnectionRefusedError:
                # Nobody listens at this moment: a board that starts may a moment later.
                time.sleep(min(left, 0.05))
            except OSError as error:
                raise LinkError(f"{self.name}: {error}; connect again") from error
        return None

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class SerialLink:
    """Datagrams in SLIP frames over anything that pyserial opens: `/dev/ttyUSB1`, `socket://host:port`."""

    def __init__(self, url: str, baudrate: int) -> None:
        self.name = url
        try:
            self._port = serial.serial_for_url(url, baudrate=baudrate, timeout=0)
        except (serial.SerialException, ValueError) as error:
            raise LinkError(f"{url} cannot be opened: {error}; check name, cable and permissions") from error
        self._driver = sliplib.Driver()
        # What is left of an earlier client ends here.
        self.send(b"")

    def send(self, datagram: bytes) -> None:
        """Send one."""
        try:
            self._port.write(END + sliplib.encode(datagram) + END)
        except serial.SerialException as error:
            raise LinkError(f"{self.name}: {error}; connect again") from error

    def receive(self, timeout_s: float) -> bytes | None:
        """The next one, or None after the time-out."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                frame = self._driver.get(block=False)
            except sliplib.ProtocolError:
                continue  # of bytes that are no frame; the next ones may be
            if frame:
                return bytes(frame)
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._driver.receive(self._read(left))

    def _read(self, timeout_s: float) -> bytes:
        try:
            self._port.timeout = timeout_s
            first = self._port.read(1)
            return bytes(first + self._port.read(min(self._port.in_waiting, READ_BYTES)))
        except serial.SerialException as error:
            raise LinkError(f"{self.name}: {error}; connect again") from error

    def close(self) -> None:
        """Close the line."""
        self._port.close()
