# SPDX-License-Identifier: BSD-2-Clause
"""The simulated board's system on chip: `TriplaneSoC` on the simulated board's pins."""

from litex.gen import LiteXModule

from triplane.boards.sim.links import BytePHY, FramePHY
from triplane.boards.sim.platform import CLOCK_HZ, ClockReset, Platform, converters, register_bus
from triplane.gateware.fabric import ControlFabric
from triplane.gateware.soc import TriplaneSoC


def simulated_soc(
    decoder: LiteXModule,
    *,
    build_hash: str,
    event_depth: int = 1024,
    result_depth: int = 1024,
    fabric: ControlFabric | None = None,
    links: bool = False,
) -> TriplaneSoC:
    """The unfinalised SoC around `decoder`; the parameters are those of `TriplaneSoC`, `links` for all of them."""
    drives, lines = (fabric.shape.drives, fabric.shape.lines) if fabric else (0, 0)
    platform = Platform(drives, lines, links=links)
    bus, connections = register_bus(platform)
    soc = TriplaneSoC(
        platform,
        ClockReset(platform),
        decoder,
        {"pins": bus},
        build_hash=build_hash,
        clock_hz=CLOCK_HZ,
        event_depth=event_depth,
        result_depth=result_depth,
        fabric=fabric,
        phy=FramePHY(platform) if links else None,
        uart=BytePHY(platform) if links else None,
    )
    soc.comb += [*connections, platform.request("decoder_enable").eq(soc.decoder_enable)]
    if fabric is not None:
        soc.comb += converters(platform, fabric)
    return soc
