# SPDX-License-Identifier: BSD-2-Clause
"""A board under PYNQ: its registers by pynq's MMIO, on the board itself or from elsewhere by PYNQ.remote.

Both are the same classes of pynq: an `Overlay` says at which address the registers are, and an `MMIO` window reads and
writes words there. On the board that is one load or store each, by PYNQ.remote one call each: nothing is kept and
nothing read twice, as the FIFOs behind registers need it. So words are moved one by one; pynq's views of windows as
arrays are not used, since a copy of an array may touch a word more than once.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import numpy as np

from triplane.gateware.shape import FabricShape
from triplane.hal.board import Words
from triplane.hal.drivers.freerunning import FreeRunningBoard
from triplane.hal.errors import BoardError, BusError, IdentityError, LinkError
from triplane.hal.gateware import Gateware
from triplane.hal.registers import WORD_BYTES
from triplane.hal.target import Target

IP_TYPE = "triplane:ip:triplane"
"""Vendor, library and name of the block in an overlay that is a board's registers; a version stands behind them."""

PYNQ_PORT = 7967
"""Of PYNQ.remote. A client that finds boards by PYNQ_REMOTE_DEVICES looks for no other."""

_loaded: dict[tuple[str | None, int], tuple[bytes, Window]] = {}
"""Board -> hash of the bitstream that this process has loaded into it last, and the window."""


class Window(Protocol):
    """Registers by byte offsets; `pynq.MMIO` is one."""

    def read(self, offset: int) -> int:
        """A word."""

    def write(self, offset: int, data: int) -> None:
        """Write one."""


class PynqBoard(FreeRunningBoard):
    """A board whose registers are a window.

    Args:
        window: on them.
        gateware: that is expected in the board.
        target: what it was built to decode.
        fabric, correction: as of `RegisterBoard`.
        silence_s: of this host after which the board gives it up.

    Raises:
        LinkError: the board cannot be reached.
        IdentityError: another gateware answers.
    """

    def __init__(
        self,
        window: Window,
        gateware: Gateware,
        target: Target,
        *,
        fabric: FabricShape | None = None,
        correction: bool = False,
        silence_s: float = 5.0,
    ) -> None:
        super().__init__(gateware, target, fabric=fabric, correction=correction)
        self._window = window
        self._begin(silence_s)

    def _free(self) -> None:
        """Nothing: the window is memory, or a channel that the next board on that host uses as well."""

    def _read(self, address: int, count: int, increment: bool) -> Words:
        self._check_open()
        step = WORD_BYTES if increment else 0
        with _told():
            return np.array([self._window.read(address + step * k) for k in range(count)], np.uint32)

    def _write(self, address: int, words: Words, increment: bool) -> None:
        self._check_open()
        step = WORD_BYTES if increment else 0
        with _told():
            for k, word in enumerate(words):
                self._window.write(address + step * k, int(word))


def window_at(url: str, gateware: Gateware) -> Window:
    """The window on the registers of a board by its address, with the overlay loaded; see `hal.connect`.

    Raises:
        LinkError, IdentityError, BoardError: as `open_overlay`.
    """
    parts = urlsplit(url)
    if not parts.netloc:
        return open_overlay(Path(parts.path))
    if parts.path.strip("/"):
        return open_overlay(Path(parts.path), parts.hostname, parts.port)
    from triplane.sim.board.pynq.overlay import write_overlay

    return open_overlay(write_overlay(gateware.registers, gateware.build_hash), parts.hostname, parts.port)


def open_overlay(bitfile: Path, host: str | None = None, port: int | None = None) -> Window:
    """Open the window on a board's registers, and before that load the overlay, once in a process.

    Args:
        bitfile: with its `.hwh` file beside it.
        host: of the board; None for the board that this runs on, or that pynq finds by PYNQ_REMOTE_DEVICES.
        port: of its server, if not that which pynq looks for.

    Raises:
        LinkError: the board cannot be reached.
        BoardError: pynq is not installed.
        IdentityError: the board refuses the overlay.
        BoardError: the overlay is not there, or none of Triplane.
    """
    if not bitfile.is_file():
        raise BoardError(
            f"there is no overlay {bitfile}; give the .bit file of a bundle, with its .hwh file beside it"
        )
    digest = sha256(bitfile.read_bytes()).digest()
    port = PYNQ_PORT if port is None else port
    before, window = _loaded.get((host, port), (b"", None))
    if window is None or before != digest or not _answers(window):
        window = _load(bitfile, host, port)
        _loaded[host, port] = digest, window
    return window


def _answers(window: Window) -> bool:
    """Whether the board still knows of a window: one that was switched on again does not."""
    try:
        with _told():
            window.read(0)
    except BoardError:
        return False
    return True


def _load(bitfile: Path, host: str | None, port: int) -> Window:
    pynq = _pynq()
    with _told():
        device = None
        if host is not None:
            # pynq sets up the ports of the processing system on whichever device is the active one.
            device = pynq.Device.active_device = _remote_device(host, port)
        overlay = pynq.Overlay(str(bitfile.resolve()), device=device)
    found = [block for block in overlay.ip_dict.values() if str(block["type"]).startswith(f"{IP_TYPE}:")]
    if len(found) != 1:
        raise BoardError(
            f"{bitfile} has {len(found)} blocks of the type {IP_TYPE}, not one; is it the overlay of a Triplane board?"
        )
    with _told():
        window: Window = pynq.MMIO(found[0]["phys_addr"], found[0]["addr_range"], device=overlay.device)
    return window


@functools.cache
def _remote_device(host: str, port: int) -> Any:
    """A board's device: kept, since its channel to the board is."""
    from pynq.pl_server.remote_device import RemoteDevice

    return RemoteDevice(ip_addr=host, port=port)


def _pynq() -> Any:
    try:
        with warnings.catch_warnings():
            # Of what it imports, and that this machine is none of the boards.
            warnings.simplefilter("ignore")
            import pynq
    except ImportError as error:
        raise BoardError(
            f"a board under PYNQ needs pynq ({error}): uv sync --extra pynq, or pip install 'triplane[pynq]'; it needs "
            "NumPy 1, and so an environment without Qiskit"
        ) from error
    return pynq


@contextmanager
def _told() -> Iterator[None]:
    """What pynq raises, as errors of a board."""
    import grpc  # pynq needs it too

    try:
        yield
    except grpc.RpcError as error:
        if _of(error, "code") is grpc.StatusCode.FAILED_PRECONDITION:
            raise IdentityError(str(_of(error, "details"))) from error
        raise LinkError(
            f"the board under PYNQ does not answer ({_of(error, 'details') or error}); is it on, and its server too?"
        ) from error
    except RuntimeError as error:
        if "Failed to connect" in str(error):
            raise LinkError(
                f"the board under PYNQ cannot be reached: {error}; check name and port"
            ) from error
        raise BusError(f"pynq: {error}; is this the board's overlay?") from error


def _of(error: Exception, name: str) -> Any:
    """What a call that failed says; errors that are none of a call say nothing."""
    told = getattr(error, name, None)
    return told() if callable(told) else None
