# SPDX-License-Identifier: BSD-2-Clause
"""Where datagrams of a board's record stream come from."""

from __future__ import annotations

import socket
import time
from typing import Protocol

from triplane.hal.errors import LinkError

BUFFER_BYTES = 2**22
"""Asked of the operating system, for datagrams that wait while the host is busy."""

DATAGRAM_BYTES = 2_048
"""More than the longest packet."""


class PacketSource(Protocol):
    """Where datagrams come from, some of which may be lost, doubled, swapped or damaged."""

    address: int
    """IPv4 address that the board is to send to, as a number."""
    port: int
    """UDP port that the board is to send to; 0: nothing is sent, and all is fetched."""

    def receive(self, timeout_s: float) -> bytes | None:
        """The next one, or None after the time-out."""

    def close(self) -> None:
        """Free what it holds; closing twice does no harm."""


class StreamSocket:
    """A UDP socket that takes what one board sends.

    Args:
        host: name or address of the board.

    Raises:
        LinkError: there is no way to it.
    """

    def __init__(self, host: str) -> None:
        try:
            self._board = socket.gethostbyname(host)
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                # The operating system knows by which of our addresses that board reaches us; nothing is sent.
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.connect((self._board, 9))
                    ours = probe.getsockname()[0]
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
                self._socket.bind((ours, 0))
            except OSError:
                self._socket.close()
                raise
        except OSError as error:
            raise LinkError(f"no stream from {host}: {error}; check name and network") from error
        self.address = int.from_bytes(socket.inet_aton(ours), "big")
        self.port: int = self._socket.getsockname()[1]

    def receive(self, timeout_s: float) -> bytes | None:
        """The next datagram of that board, or None after the time-out; without one, 0, what is there already."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._socket.settimeout(max(deadline - time.monotonic(), 0))
            try:
                datagram, (host, _) = self._socket.recvfrom(DATAGRAM_BYTES)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as error:
                raise LinkError(f"the stream from {self._board}: {error}; open it again") from error
            if host == self._board:
                return datagram

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class NoDatagrams:
    """For boards without a network between them and this host: every packet is fetched from the ring."""

    address = port = 0

    def receive(self, timeout_s: float) -> bytes | None:
        """None, at once."""
        return None

    def close(self) -> None:
        """Nothing to do."""
