# SPDX-License-Identifier: BSD-2-Clause
"""Pins and clocks of the ECPIX-5.

Pin numbers and standards are those of LambdaConcept's schematic as LiteX-Boards 2023.12 lists them
(`litex_boards.platforms.lambdaconcept_ecpix5`, BSD-2-Clause), which people have run on the board.
"""

from litex.build.generic_platform import IOStandard, Misc, Pins, Subsignal
from litex.build.lattice import LatticeECP5Platform
from litex.gen import LiteXModule
from litex.soc.cores.clock import ECP5PLL
from migen import ClockDomain, If, Signal

CLOCK_HZ = 50_000_000
"""System clock: what a decoder of distance 3 leaves room for on this family (`bench resources`)."""

INPUT_HZ = 100_000_000
RGMII_HZ = 125_000_000
TICK_CYCLES = 64
"""Of the oscillator, from one tick of the reference that the system clock is measured by to the next."""

POWER_ON_CYCLES = 2**16 - 1
"""Of the oscillator, 655 us: supplies and oscillator are steady before the PLL starts."""

_io = [
    ("clk100", 0, Pins("K23"), IOStandard("LVCMOS33")),
    ("rst_n", 0, Pins("N5"), IOStandard("LVCMOS33")),
    (
        "serial",
        0,
        Subsignal("rx", Pins("R26")),
        Subsignal("tx", Pins("R24")),
        IOStandard("LVCMOS33"),
    ),
    # The transceiver, a KSZ9031, reads its mode from these pins when its reset ends: pulled up, every mode is offered.
    ("eth_clocks", 0, Subsignal("tx", Pins("A12")), Subsignal("rx", Pins("E11")), IOStandard("LVCMOS33")),
    (
        "eth",
        0,
        Subsignal("rst_n", Pins("C13")),
        Subsignal("rx_ctl", Pins("A11")),
        Subsignal("rx_data", Pins("B11 A10 B10 A9"), Misc("PULLMODE=UP")),
        Subsignal("tx_ctl", Pins("C9")),
        Subsignal("tx_data", Pins("D8 C8 B8 A8")),
        IOStandard("LVCMOS33"),
    ),
    (
        "rgb_led",
        0,
        Subsignal("r", Pins("P21")),
        Subsignal("g", Pins("R23")),
        Subsignal("b", Pins("P22")),
        IOStandard("LVCMOS33"),
    ),
]


class Platform(LatticeECP5Platform):
    """The board with an LFE5UM5G-85F, speed grade 8, in a package of 554 balls.

    Attributes:
        input_clocks: (port, Hz) of each clock that enters the board, appended by who requests it.
    """

    def __init__(self) -> None:
        super().__init__("LFE5UM5G-85F-8BG554I", _io, name="ecpix5", toolchain="trellis")
        self.input_clocks: list[tuple[Signal, int]] = []


class ClockReset(LiteXModule):
    """Clock domains `sys` and `decoder`, one clock from the board's oscillator. The decoder's never rests.

    Attributes:
        tick: of the oscillator, a rising edge in `TICK_CYCLES`.
    """

    def __init__(self, platform: Platform) -> None:
        self.cd_por = ClockDomain(reset_less=True)
        self.cd_sys = ClockDomain()
        self.cd_decoder = ClockDomain()

        # # #

        oscillator, button = platform.request("clk100"), platform.request("rst_n")
        left = Signal(max=POWER_ON_CYCLES + 1, reset=POWER_ON_CYCLES)
        ticks = Signal(max=TICK_CYCLES)
        self.tick = ticks[-1]
        self.comb += self.cd_por.clk.eq(oscillator)
        self.sync.por += [If(left != 0, left.eq(left - 1)), ticks.eq(ticks + 1)]
        self.pll = pll = ECP5PLL()
        self.comb += pll.reset.eq((left != 0) | ~button)
        pll.register_clkin(oscillator, INPUT_HZ)
        # The reset leaves together with the lock, through the synchroniser that the PLL's module puts there.
        pll.create_clkout(self.cd_sys, CLOCK_HZ, margin=0)
        self.comb += [self.cd_decoder.clk.eq(self.cd_sys.clk), self.cd_decoder.rst.eq(self.cd_sys.rst)]
        platform.input_clocks.append((oscillator, INPUT_HZ))
