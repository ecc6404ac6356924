# SPDX-License-Identifier: BSD-2-Clause
"""The simulated board's system on chip: `TriplaneSoC` on the simulated board's pins."""

from litex.gen import LiteXModule

from triplane.boards.sim import defects, emulator
from triplane.boards.sim.links import BytePHY, FramePHY
from triplane.boards.sim.platform import (
    CLOCK_HZ,
    ClockReset,
    Platform,
    converters,
    register_bus,
    register_tap,
)
from triplane.gateware import health
from triplane.gateware.fabric import ControlFabric
from triplane.gateware.processor import Processor
from triplane.gateware.soc import TriplaneSoC


def simulated_soc(
    decoder: LiteXModule,
    *,
    build_hash: str,
    event_depth: int = 1024,
    result_depth: int = 1024,
    fabric: ControlFabric | None = None,
    links: bool = False,
    image: bytes | None = None,
) -> TriplaneSoC:
    """The unfinalised SoC around `decoder`.

    Args:
        decoder, build_hash, event_depth, result_depth, fabric: as of `TriplaneSoC`.
        links: with a network, a serial line, what its health is read from and damaged by, and, beside a fabric, the
            registers of an emulated processor.
        image: of the firmware, for a board with a soft core.
    """
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
        processor=None if image is None else Processor(image),
        extras=_extras(fabric) if links else {},
    )
    soc.comb += [*connections, platform.request("decoder_enable").eq(soc.decoder_enable)]
    if fabric is not None:
        soc.comb += converters(platform, fabric)
        soc.comb += register_tap(platform, soc)
    return soc


def _extras(fabric: ControlFabric | None) -> dict[str, LiteXModule]:
    """Cores that only this board has, or has behind those of every board."""
    emulators = {emulator.BANK: emulator.EmulatorControl()} if fabric else {}
    seen = health.Health(_streams(fabric), defects.TICKS, defects.TICKS * defects.TICK_CYCLES)
    return emulators | {health.BANK: seen, defects.BANK: defects.Defects(seen)}


def _streams(fabric: ControlFabric | None) -> int:
    """Streams of samples: one from each line's ADC, one to each channel's DAC."""
    return fabric.shape.drives + 2 * fabric.shape.lines if fabric else 1
