# SPDX-License-Identifier: BSD-2-Clause
"""Boards as the host sees them: `connect` finds one, the `Board` protocol is all that may be done with it.

Drivers depend on the protocol and on the register map that comes with the gateware, never on each other, so that a
board on the bench, a board on the network and the simulated board are interchangeable. What a board cannot do is in
its descriptor, and refused by name; what does not fit it is refused before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from triplane.gateware.decoder.graph import DecodingGraph
from triplane.gateware.decoder.table import TableShape
from triplane.gateware.decoder.window import WindowPlan, whole_window
from triplane.gateware.link.etherbone import EXCHANGE_PORT
from triplane.gateware.shape import FabricShape
from triplane.hal import errors
from triplane.hal.barrier import NEVER_HARD, PASSES_DISAGREE, BarrierRequest, BarrierState, DecodeLimits
from triplane.hal.board import Board, Fault, Identity
from triplane.hal.control import ControlProgram, Demodulation, Execution, Pulses, Tones
from triplane.hal.descriptor import Descriptor, DescriptorError, load_descriptor
from triplane.hal.place import placed
from triplane.hal.program import DecoderProgram
from triplane.hal.records import Pacing, Records, RunStream
from triplane.hal.registers import Register, RegisterMap
from triplane.hal.target import ArrayTarget, TableTarget, Target

__all__ = [
    "NEVER_HARD",
    "PASSES_DISAGREE",
    "ArrayTarget",
    "BarrierRequest",
    "BarrierState",
    "Board",
    "ControlProgram",
    "DecodeLimits",
    "DecoderProgram",
    "Demodulation",
    "Descriptor",
    "DescriptorError",
    "Execution",
    "FabricShape",
    "Fault",
    "Identity",
    "Pacing",
    "Pulses",
    "Records",
    "Register",
    "RegisterMap",
    "RunStream",
    "TableTarget",
    "Target",
    "Tones",
    "connect",
    "driver_of",
    "errors",
    "load_descriptor",
]

DRIVERS = (
    "sim",
    "udp://HOST:PORT",
    "uart:DEVICE",
    "pynq:OVERLAY.bit",
    "pynq://HOST[:PORT][/OVERLAY.bit]",
    "qick:HOST[:PORT]",
    "qick:local",
)

BAUDRATE = 1_000_000
"""Of a board's serial line."""


def connect(
    url: str = "sim",
    *,
    graph: DecodingGraph | None = None,
    plan: WindowPlan | None = None,
    table: TableShape | None = None,
    fabric: FabricShape | None = None,
    correction: bool = False,
    observe: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Board:
    """Connect to a board.

    Args:
        url: "sim" builds the simulated board, or finds it in the cache. "udp://HOST:PORT" is a board on a network;
            "uart:DEVICE" one on a serial line, by whatever pyserial opens, such as "uart:/dev/ttyUSB1" or
            "uart:socket://HOST:PORT". "pynq:OVERLAY.bit" is the board under PYNQ that this runs on, into which the
            overlay is loaded; "pynq://HOST/OVERLAY.bit" one on a network, by PYNQ.remote, and without a file the
            simulated one. All these must carry the gateware that this host would build for the same arguments.
            "qick:HOST" is a board with QICK's firmware behind its Pyro server, "qick:local" this one; both take no
            graph and no plan, since they have no decoder.
        graph: what the board's decoder must decode, a whole shot at a time.
        plan: instead of a graph, the window that its arrays decode.
        table: beside a graph, shape of the lookup table that takes the place of arrays.
        fabric: shape of the control fabric, for a board that has one: sequencer, generators, readout.
        correction: ask for the physical correction in every record.
        observe: beside another host that runs the board, over a link of one's own: its soft core is asked for nothing.
        progress: called with a line of text as a build goes on.

    Raises:
        errors.UrlError: unknown driver.
        ValueError: not exactly one of `graph` and `plan`.
        errors.BuildError: the simulated board must be built and a tool is missing, or failed.
        errors.LinkError: the board cannot be reached, or does not answer.
        errors.BoardError: the board is not what it should be.
    """
    if driver_of(url) == "qick":
        from triplane.hal.drivers.qick import connect_qick

        qick = connect_qick(url, graph=graph, plan=plan, table=table, fabric=fabric, correction=correction)
        return placed(qick, url)
    if (graph is None) == (plan is None):
        raise ValueError("give the graph that the board decodes, or the plan of its window, one of them")
    if table is not None and graph is None:
        raise ValueError("a lookup table needs the graph whose shots it decodes")
    target: ArrayTarget | TableTarget
    if graph is not None:
        target = TableTarget(graph, table) if table is not None else ArrayTarget(whole_window(graph))
    else:
        assert plan is not None
        target = ArrayTarget(plan)
    driver = driver_of(url)
    if driver == "sim":
        from triplane.hal.drivers.sim import SimBoard

        return SimBoard(target, fabric=fabric, correction=correction, progress=progress)
    from triplane.hal.drivers.simulated import served_gateware, simulated_design

    design, descriptor = simulated_design(target, fabric=fabric, correction=correction)
    gateware = served_gateware(design, descriptor, progress)
    if driver == "pynq":
        if observe:
            raise errors.UnsupportedError(
                "a board under PYNQ cannot be observed beside another host: to connect is to load its overlay; use its "
                "network or its serial line"
            )
        from triplane.hal.drivers.pynq import PynqBoard, window_at

        window = window_at(url, gateware)
        return placed(PynqBoard(window, gateware, target, fabric=fabric, correction=correction), url)
    from triplane.hal.drivers.remote.board import ObservedBoard, RemoteBoard
    from triplane.hal.drivers.remote.links import Link, SerialLink, UdpLink

    link: Link
    if driver == "udp":
        parts = urlsplit(url)
        link = UdpLink(str(parts.hostname), parts.port or EXCHANGE_PORT)
    else:
        link = SerialLink(url.removeprefix("uart:"), BAUDRATE)
    kind = ObservedBoard if observe else RemoteBoard
    return placed(kind(link, driver, gateware, target, fabric=fabric, correction=correction), url)


def driver_of(url: str) -> str:
    """The driver for a board: "sim", "udp", "uart", "pynq" or "qick".

    Raises:
        errors.UrlError: there is none, or a part of the address is missing or out of range.
    """
    if url == "sim":
        return url
    parts = urlsplit(url)
    if parts.scheme in ("udp", "pynq") and parts.hostname:
        try:
            _ = parts.port
        except ValueError as error:
            raise errors.UrlError(f"board {url!r}: {error}") from error
        return parts.scheme
    if parts.scheme == "pynq" and not parts.netloc and parts.path:
        return "pynq"
    if parts.scheme == "uart" and url.removeprefix("uart:"):
        return "uart"
    if parts.scheme == "qick" and url.removeprefix("qick:"):
        return "qick"
    raise errors.UrlError(f"no driver for board {url!r}; there are: {', '.join(DRIVERS)}")
