# SPDX-License-Identifier: BSD-2-Clause
"""The ECPIX-5's system on chip: `TriplaneSoC` on its pins, reached by network and by serial line."""

from litex.gen import LiteXModule

from triplane.boards.ecpix5.links import NETWORK_WIDTH, RgmiiPHY, uart
from triplane.boards.ecpix5.platform import CLOCK_HZ, INPUT_HZ, TICK_CYCLES, ClockReset, Platform
from triplane.gateware import health
from triplane.gateware.processor import Processor
from triplane.gateware.soc import TriplaneSoC

TICKS = 1024
"""Of the oscillator's, by which the system clock is measured: 655 us."""


def ecpix5_soc(
    decoder: LiteXModule, *, build_hash: str, event_depth: int, result_depth: int, baudrate: int, image: bytes
) -> TriplaneSoC:
    """The unfinalised SoC around `decoder`.

    Args:
        decoder, build_hash, event_depth, result_depth: as of `TriplaneSoC`.
        baudrate: of the serial line.
        image: of the firmware.
    """
    platform = Platform()
    seen = health.Health(1, TICKS, TICKS * TICK_CYCLES * CLOCK_HZ // INPUT_HZ)
    soc = TriplaneSoC(
        platform,
        ClockReset(platform),
        decoder,
        {},
        build_hash=build_hash,
        clock_hz=CLOCK_HZ,
        event_depth=event_depth,
        result_depth=result_depth,
        phy=RgmiiPHY(platform),
        network_width=NETWORK_WIDTH,
        uart=uart(platform, baudrate),
        processor=Processor(image),
        extras={health.BANK: seen},
    )
    soc.comb += [
        seen.locked.eq(soc.crg.pll.locked),
        seen.tick.eq(soc.crg.tick),
        seen.flowing.eq(1),  # no converters
    ]
    # Red: the board has gone safe. Green: it is fed. Blue: the PLL has locked. A light is on while its pin is low.
    led = platform.request("rgb_led")
    soc.comb += [
        led.r.eq(~soc.faults.safe),
        led.g.eq(~soc.pacer.running),
        led.b.eq(~soc.crg.pll.locked),
    ]
    return soc
