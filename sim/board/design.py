# SPDX-License-Identifier: BSD-2-Clause
"""What a simulated board is built from, and the names that follow from it without elaborating anything."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triplane.sim.cache import content_key
from triplane.sim.quiet import quiet

if TYPE_CHECKING:
    from triplane.gateware.decoder.graph import DecodingGraph
    from triplane.gateware.decoder.table import TableShape
    from triplane.gateware.decoder.window import WindowPlan
    from triplane.gateware.shape import FabricShape

ELABORATION_PACKAGES = ("liteeth", "litex", "migen")
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
PLACEHOLDER = content_key(["build hash"])
"""Stands for the build hash until that is known."""

_SOURCE_FOLDERS = ("gateware", "boards/sim")


@functools.cache
def sources_digest() -> str:
    """SHA-256 (hex) of every source file that shapes the simulated board's Verilog, and of the tools that print it.

    Computed once per process: a process keeps the modules that it has imported anyway.
    """
    parts: list[str | bytes] = []
    for folder in _SOURCE_FOLDERS:
        for path in sorted((_PACKAGE_ROOT / folder).rglob("*.py")):
            parts += [path.relative_to(_PACKAGE_ROOT).as_posix(), path.read_bytes()]
    parts += [f"{package} {version(package)}" for package in ELABORATION_PACKAGES]
    return content_key(parts)


@dataclass(frozen=True)
class Design:
    """A board: a decoder, how to make it, and the sizes of the FIFOs.

    decoder: called without arguments when the board must be elaborated; returns the decoder module.
    identity: what the decoder follows from besides the gateware sources.
    event_depth, result_depth: FIFO depths in words.
    fabric: what stands between converters and decoder; None for a board without converters.
    links: with a network, a serial line and the soft core, which watches over hosts that a cable leads to.
    """

    decoder: Callable[[], Any]
    identity: tuple[str, ...]
    event_depth: int = 1024
    result_depth: int = 1024
    fabric: FabricShape | None = None
    links: bool = False

    @classmethod
    def for_plan(cls, plan: WindowPlan, *, event_depth: int = 1024, result_depth: int = 1024) -> Design:
        """The board that decodes windows of `plan` with union-find arrays."""
        identity = ("engine", plan.structure_hash)
        return cls(functools.partial(_engine, plan), identity, event_depth, result_depth)

    @classmethod
    def for_table(
        cls, graph: DecodingGraph, shape: TableShape, *, event_depth: int = 1024, result_depth: int = 1024
    ) -> Design:
        """The board that looks shots of `graph` up in a table of that shape."""
        identity = ("table", graph.structure_hash, repr(shape))
        return cls(functools.partial(_lookup, graph, shape), identity, event_depth, result_depth)

    @property
    def source_key(self) -> str:
        """SHA-256 (hex) of everything that the Verilog follows from; known without elaborating it."""
        sizes = [self.event_depth, self.result_depth, self.fabric, self.links]
        return content_key([*self.identity, *map(repr, sizes), sources_digest()])

    @property
    def converters(self) -> tuple[int, int]:
        """Drive channels and readout lines."""
        return (self.fabric.drives, self.fabric.lines) if self.fabric else (0, 0)

    def with_fabric(self, shape: FabricShape) -> Design:
        """The same decoder behind converters."""
        return replace(self, fabric=shape)

    def with_links(self) -> Design:
        """The same board on a network and a serial line."""
        return replace(self, links=True)

    def elaborate(self) -> tuple[str, dict[str, Any], str]:
        """Verilog of the top module `board`, its register map, and its build hash.

        The register map is that of `gateware.registers.register_map`. The build hash is the SHA-256 (hex) of the
        Verilog as it is before the hash is put into it: equal hardware has equal hashes, whatever its sources.
        """
        with quiet():
            # LiteX is imported here: a start from the cache must not pay for it.
            from triplane.boards.sim.target import simulated_soc
            from triplane.firmware.image import committed
            from triplane.gateware.fabric import ControlFabric
            from triplane.gateware.processor import source
            from triplane.gateware.registers import register_map
            from triplane.gateware.verilog import linear_time, with_contents, without_comments

            soc = simulated_soc(
                self.decoder(),
                build_hash=PLACEHOLDER,
                event_depth=self.event_depth,
                result_depth=self.result_depth,
                fabric=ControlFabric(self.fabric) if self.fabric else None,
                links=self.links,
                image=committed().content if self.links else None,
            )
            with linear_time():
                output = soc.platform.get_verilog(soc, name="board")
        verilog = with_contents(without_comments(output.main_source), output.data_files)
        if self.links:
            verilog += source().read_text()
        build_hash = content_key([verilog])
        placeholder = str(int(PLACEHOLDER, 16))
        if verilog.count(placeholder) != 1:
            raise ValueError(
                "the build hash must stand exactly once in the Verilog; the identification is missing or doubled"
            )
        return verilog.replace(placeholder, str(int(build_hash, 16))), register_map(soc), build_hash


def _engine(plan: WindowPlan) -> Any:
    from triplane.gateware.decoder.engine import DecodeEngine

    return DecodeEngine(plan)


def _lookup(graph: DecodingGraph, shape: TableShape) -> Any:
    from triplane.gateware.decoder.lut import LookupDecoder

    return LookupDecoder(graph, shape)
