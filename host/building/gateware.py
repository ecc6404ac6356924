# SPDX-License-Identifier: BSD-2-Clause
"""Verilog, register map, build hash and pins of a board, elaborated once and kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import triplane.gateware.soc
from triplane.boards import descriptor_path
from triplane.firmware.image import committed
from triplane.gateware.decoder.window import WindowPlan
from triplane.gateware.shape import FabricShape
from triplane.hal import BAUDRATE
from triplane.hal.descriptor import Descriptor, load_descriptor
from triplane.host.building.decoders import DesignError, fabric_shape, window_plan
from triplane.sim.cache import cached, content_key, seal, sealed
from triplane.sim.quiet import quiet

SOURCES = ("gateware", "boards")
"""Folders whose files shape the Verilog, in the order of the key; the firmware's image is beside them."""

PACKAGES = ("liteeth", "litex", "migen", "pythondata-cpu-vexriscv")
"""That print it, or hold a part of it."""

PLACEHOLDER = content_key(["build hash"])
"""Stands for the build hash until that is known."""

GATEWARE = "gateware.json"
TOP = "board"


@dataclass(frozen=True)
class BoardGateware:
    """A board's hardware in words.

    Attributes:
        board: its name.
        distance: of the code whose windows its decoder decodes.
        descriptor: of the board, as it is on disk.
        verilog: of the module `board`.
        registers: register map (see `gateware.registers.register_map`).
        build_hash: SHA-256 (hex), as its identification reads.
        structure_hash: of the decoder's window.
        pins: of the platform: {"port", "site", "standard", "extra"} each, a port of several bits once per bit.
        clocks: port -> MHz, of clocks that enter the board.
        part: ordering code of the device.
    """

    board: str
    distance: int
    descriptor: Descriptor
    verilog: str
    registers: dict[str, Any]
    build_hash: str
    structure_hash: str
    pins: list[dict[str, Any]]
    clocks: dict[str, float]
    part: str

    @property
    def register_version(self) -> str:
        """Of the register map, "major.minor.patch"."""
        fields = self.registers["registers"]["identification_version"]["fields"]
        parts = {field["name"]: field["reset"] for field in fields}
        return f"{parts['major']}.{parts['minor']}.{parts['patch']}"

    @property
    def clock_hz(self) -> int:
        """System clock."""
        clock: int = self.registers["registers"]["identification_clock_hz"]["reset"]
        return clock


@cache
def sources_digest() -> str:
    """SHA-256 (hex) of every source that shapes a board's Verilog, and of the packages that print it."""
    root = Path(triplane.gateware.soc.__file__).parents[1]
    parts: list[str | bytes] = []
    for folder in SOURCES:
        for path in sorted([*(root / folder).rglob("*.py"), *(root / folder).rglob("*.yaml")]):
            parts += [path.relative_to(root).as_posix(), path.read_bytes()]
    parts.append(committed().sha256)
    return content_key([*parts, *(f"{package} {version(package)}" for package in PACKAGES)])


def elaborate(board: str, distance: int, *, report: Callable[[str], None] = lambda _: None) -> BoardGateware:
    """The gateware of a board, from the cache or elaborated now.

    Raises:
        ValueError: no such board; the message lists those that are.
        DesignError: no such code, or one that no decoder is for.
    """
    descriptor = load_descriptor(descriptor_path(board))
    report(f"compiling the decoding graph, d={distance}")
    plan = window_plan(distance)
    fabric = fabric_shape(descriptor, distance, plan)

    def build(folder: Path) -> None:
        report(f"elaborating the gateware of {board}")
        (folder / GATEWARE).write_text(json.dumps(_elaborated(board, descriptor, plan, fabric)))
        seal(folder / GATEWARE)

    key = content_key([board, plan.structure_hash, repr(fabric), sources_digest()])
    folder, _ = cached("gateware", key, build, intact=lambda entry: sealed(entry / GATEWARE), report=report)
    content = json.loads((folder / GATEWARE).read_text())
    return BoardGateware(
        board=board, distance=distance, descriptor=descriptor, structure_hash=plan.structure_hash, **content
    )


def _elaborated(
    board: str, descriptor: Descriptor, plan: WindowPlan, fabric: FabricShape | None
) -> dict[str, Any]:
    # LiteX is imported here: a start from the cache must not pay for it.
    from triplane.gateware.processor import source
    from triplane.gateware.registers import register_map
    from triplane.gateware.verilog import linear_time, with_contents, without_comments

    with quiet():
        soc = _soc(board, descriptor, plan, fabric)
        with linear_time():
            output = soc.platform.get_verilog(soc, name=TOP)
    verilog = with_contents(without_comments(output.main_source), output.data_files) + source().read_text()
    build_hash = content_key([verilog])
    placeholder = str(int(PLACEHOLDER, 16))
    if verilog.count(placeholder) != 1:
        raise ValueError(
            "the build hash must stand exactly once in the Verilog; the identification is missing or doubled"
        )
    return {
        "verilog": verilog.replace(placeholder, str(int(build_hash, 16))),
        "registers": register_map(soc),
        "build_hash": build_hash,
        "pins": _pins(soc.platform, output.ns),
        "clocks": {output.ns.get_name(clock): hz / 1e6 for clock, hz in soc.platform.input_clocks},
        "part": soc.platform.device,
    }


def _soc(board: str, descriptor: Descriptor, plan: WindowPlan, fabric: FabricShape | None) -> Any:
    from triplane.gateware.decoder.engine import DecodeEngine

    sizes: dict[str, Any] = {
        "build_hash": PLACEHOLDER,
        "event_depth": descriptor.control.event_fifo_words,
        "result_depth": descriptor.control.result_fifo_words,
        "image": committed().content,
    }
    try:
        engine = DecodeEngine(plan)
    except ValueError as error:
        raise DesignError(f"no decoder of this distance, choose a smaller one: {error}") from error
    if fabric is None:
        from triplane.boards.ecpix5.target import ecpix5_soc

        return ecpix5_soc(engine, baudrate=BAUDRATE, **sizes)
    from triplane.boards.rfsoc.target import rfsoc_soc

    return rfsoc_soc(engine, fabric, board, **sizes)


def _pins(platform: Any, names: Any) -> list[dict[str, Any]]:
    from litex.build.generic_platform import IOStandard, Misc

    pins = []
    for port, sites, attributes, _ in platform.resolve_signals(names)[0]:
        (standard,) = [item.name for item in attributes if isinstance(item, IOStandard)] or [""]
        extra = [item.misc for item in attributes if isinstance(item, Misc)]
        for number, site in enumerate(sites):
            bit = f"{port}[{number}]" if len(sites) > 1 else port
            pins.append({"port": bit, "site": site, "standard": standard, "extra": extra})
    return pins
