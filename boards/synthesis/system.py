# SPDX-License-Identifier: BSD-2-Clause
"""A whole RFSoC board in parts: each kind of core once, with how often the board has it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from litex.gen import LiteXModule
from migen import ClockDomainsRenamer, Module

from triplane.boards.rfsoc.target import rfsoc_soc
from triplane.boards.synthesis.parts import Owned, Part, split
from triplane.gateware.processor import source
from triplane.gateware.shape import FabricShape

ENGINE, CORE = "decoder", "processor"
"""Part that holds the decoder, which is mapped by itself, in parts of its own; and that of the soft core."""

DEPTH = 1024
"""Of the FIFOs, as in the boards' descriptors."""


@dataclass(frozen=True)
class SystemPart:
    """A kind of core.

    Attributes:
        part: Verilog of the first of them.
        count: how many the board has.
    """

    part: Part
    count: int


def system_parts(name: str, shape: FabricShape, decoder: LiteXModule, image: bytes) -> list[SystemPart]:
    """The board `name` around `decoder`, without the decoder itself, which is a black box in the last part, "top".

    The top has the bus, the FIFOs and the registers of every core, those of the decoder among them. All is in one clock
    domain, since clock gating and SYSREF's clock take nothing.
    """
    soc = rfsoc_soc(
        decoder,
        shape,
        name,
        build_hash="0" * 64,
        event_depth=DEPTH,
        result_depth=DEPTH,
        image=image,
        crg=Module(),
    )
    ClockDomainsRenamer({"decoder": "sys"})(soc.decoder)
    ClockDomainsRenamer({"reference": "sys"})(soc.sysref)
    cores: dict[str, list[Owned]] = {core: [(module, soc)] for core, module in soc.fabric.cores.items()}
    cores |= {ENGINE: [(soc.decoder, soc)], CORE: [(soc.processor, soc)]}
    ports = soc.platform.constraint_manager.get_io_signals()
    parts = {part.name: part for part in split(soc, ports, cores)}
    parts[CORE] = Part(CORE, parts[CORE].verilog + source().read_text())
    kinds: dict[str, list[Part]] = {}
    for core, part in parts.items():
        if core != ENGINE:
            kinds.setdefault(re.sub(r"\d+$", "", core), []).append(part)
    return [SystemPart(members[0], len(members)) for members in kinds.values()]
