# SPDX-License-Identifier: BSD-2-Clause
"""The simulated board's system on chip: `TriplaneSoC` on the simulated board's pins."""

from litex.gen import LiteXModule

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
) -> TriplaneSoC:
    """The unfinalised SoC around `decoder`; the parameters are those of `TriplaneSoC`."""
    platform = Platform(fabric.shape.drives, fabric.shape.lines) if fabric else Platform()
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
    )
    soc.comb += [*connections, platform.request("decoder_enable").eq(soc.decoder_enable)]
    if fabric is not None:
        soc.comb += converters(platform, fabric)
    return soc
