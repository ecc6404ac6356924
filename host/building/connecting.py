# SPDX-License-Identifier: BSD-2-Clause
"""A board that carries a bundle, as the host sees it."""

from __future__ import annotations

from urllib.parse import urlsplit

from triplane.gateware.link.etherbone import EXCHANGE_PORT
from triplane.hal import BAUDRATE, driver_of
from triplane.hal.board import Board
from triplane.hal.drivers.pynq import PynqBoard, Window, open_overlay, window_at
from triplane.hal.drivers.remote.board import ObservedBoard, RemoteBoard
from triplane.hal.drivers.remote.links import Link, SerialLink, UdpLink
from triplane.hal.place import placed
from triplane.host.building.bundle import Bundle, BundleError
from triplane.host.building.decoders import fabric_shape


def connect_bundle(bundle: Bundle, url: str, *, correction: bool = False, observe: bool = False) -> Board:
    """Connect to the board that a bundle was flashed into.

    url: "udp://HOST[:PORT]", "uart:DEVICE" or "pynq:OVERLAY.bit", as of `hal.connect`. "pynq://HOST" loads the
        bundle's own bitstream.
    correction: ask for the physical correction in every record.
    observe: beside another host that runs the board, over a link of one's own.

    Raises:
        BundleError: the board is not reached like this.
        errors.IdentityError: the board carries something else than the bundle.
        errors.LinkError: the board cannot be reached, or does not answer.
    """
    driver = driver_of(url)
    if driver not in bundle.descriptor.control.transports or driver not in ("udp", "uart", "pynq"):
        raise BundleError(
            f"{bundle.manifest.board} is not reached by {driver}, but by "
            f"{', '.join(bundle.descriptor.control.transports)}; name another url"
        )
    target = bundle.target()
    fabric = fabric_shape(bundle.descriptor, bundle.manifest.distance, target.plan)
    gateware = bundle.gateware()
    if driver == "pynq":
        if observe:
            raise BundleError(
                "to connect to a board under PYNQ is to load its overlay: nobody can watch beside"
            )
        board = PynqBoard(_overlay(bundle, url), gateware, target, fabric=fabric, correction=correction)
        return placed(board, url)
    link: Link
    if driver == "udp":
        parts = urlsplit(url)
        link = UdpLink(str(parts.hostname), parts.port or EXCHANGE_PORT)
    else:
        link = SerialLink(url.removeprefix("uart:"), BAUDRATE)
    kind = ObservedBoard if observe else RemoteBoard
    return placed(kind(link, driver, gateware, target, fabric=fabric, correction=correction), url)


def _overlay(bundle: Bundle, url: str) -> Window:
    """The window on the registers of a board under PYNQ, with the bundle's bitstream loaded, or the one in the url."""
    parts = urlsplit(url)
    if parts.path.strip("/"):
        return window_at(url, bundle.gateware())
    if bundle.manifest.bitstream is None:
        raise BundleError(
            f"{bundle.folder}: holds no bitstream yet; have Vivado make it (docs/boards.md), then connect"
        )
    return open_overlay(bundle.path(bundle.manifest.bitstream), parts.hostname, parts.port)
