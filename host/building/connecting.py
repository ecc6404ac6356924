# SPDX-License-Identifier: BSD-2-Clause
"""A board that carries a bundle, as the host sees it."""

from __future__ import annotations

from urllib.parse import urlsplit

from triplane.gateware.link.etherbone import EXCHANGE_PORT
from triplane.hal import BAUDRATE, driver_of
from triplane.hal.board import Board
from triplane.hal.drivers.remote.board import RemoteBoard
from triplane.hal.drivers.remote.links import Link, SerialLink, UdpLink
from triplane.host.building.bundle import Bundle, BundleError
from triplane.host.building.decoders import fabric_shape


def connect_bundle(bundle: Bundle, url: str, *, correction: bool = False) -> Board:
    """Connect to the board that a bundle was flashed into.

    url: "udp://HOST[:PORT]" or "uart:DEVICE", as of `hal.connect`.
    correction: ask for the physical correction in every record.

    Raises:
        BundleError: the board is not reached like this.
        errors.IdentityError: the board carries something else than the bundle.
        errors.LinkError: the board cannot be reached, or does not answer.
    """
    driver = driver_of(url)
    if driver not in bundle.descriptor.control.transports or driver not in ("udp", "uart"):
        raise BundleError(
            f"{bundle.manifest.board} is not reached by {driver}, but by "
            f"{', '.join(bundle.descriptor.control.transports)}; name another url"
        )
    target = bundle.target()
    fabric = fabric_shape(bundle.descriptor, bundle.manifest.distance, target.plan)
    link: Link
    if driver == "udp":
        parts = urlsplit(url)
        link = UdpLink(str(parts.hostname), parts.port or EXCHANGE_PORT)
    else:
        link = SerialLink(url.removeprefix("uart:"), BAUDRATE)
    return RemoteBoard(link, driver, bundle.gateware(), target, fabric=fabric, correction=correction)
