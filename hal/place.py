# SPDX-License-Identifier: BSD-2-Clause
"""Names of boards that are the same in all processes of a machine, for whoever shares a board with others."""

from __future__ import annotations

import os
import socket
from typing import TypeVar
from urllib.parse import urlsplit

from triplane.gateware.link.etherbone import EXCHANGE_PORT
from triplane.hal.board import Board

B = TypeVar("B", bound=Board)


def place_of(url: str) -> str:
    """A board's address in one form, however its host or its device is written.

    A board that has two ways to it, such as a network and a serial line, has two names.

    Args:
        url: as of `hal.connect`, of a board that is not in this process.
    """
    # Drivers are imported where they are needed
    from triplane.hal.drivers.pynq import PYNQ_PORT

    if url.startswith("pynq:") and not url.startswith("pynq://"):
        return "pynq:local"
    if url.startswith("uart:/"):
        return f"uart:{os.path.realpath(url.removeprefix('uart:'))}"
    parts = urlsplit(url)
    if parts.hostname is None:
        return url
    try:
        host = socket.gethostbyname(parts.hostname)
    except OSError:
        host = parts.hostname
    port = parts.port or {"udp": EXCHANGE_PORT, "pynq": PYNQ_PORT}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")


def placed(board: B, url: str) -> B:
    """The same board, which knows its place."""
    board.place = place_of(url)
    return board
