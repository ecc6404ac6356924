# SPDX-License-Identifier: BSD-2-Clause
"""Pins and clock of the simulated board: clocks, reset and the register bus are its only connections."""

from litex.build.generic_platform import GenericPlatform, Pins, Subsignal
from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from migen import ClockDomain

CLOCK_HZ = 245_760_000
BUS_ADDRESS_BITS = 30

_io = [
    ("sys_clk", 0, Pins(1)),
    ("sys_rst", 0, Pins(1)),
    # The decoder's clock: the harness leaves out the edges that `decoder_enable` does not ask for.
    ("decoder_clk", 0, Pins(1)),
    ("decoder_enable", 0, Pins(1)),
    # Wishbone, word addresses; the native harness is its master.
    (
        "wishbone",
        0,
        Subsignal("adr", Pins(BUS_ADDRESS_BITS)),
        Subsignal("dat_w", Pins(32)),
        Subsignal("dat_r", Pins(32)),
        Subsignal("sel", Pins(4)),
        Subsignal("cyc", Pins(1)),
        Subsignal("stb", Pins(1)),
        Subsignal("ack", Pins(1)),
        Subsignal("we", Pins(1)),
        Subsignal("cti", Pins(3)),
        Subsignal("bte", Pins(2)),
        Subsignal("err", Pins(1)),
    ),
]


class Platform(GenericPlatform):
    """The simulated board's pins; Verilator is its only tool chain, run by `triplane.sim.board`."""

    def __init__(self) -> None:
        super().__init__("sim", _io, name="board")


class ClockReset(LiteXModule):
    """Clock domains `sys` and `decoder`, straight from the pins."""

    def __init__(self, platform: Platform) -> None:
        self.cd_sys = ClockDomain()
        self.cd_decoder = ClockDomain()

        # # #

        self.comb += [
            self.cd_sys.clk.eq(platform.request("sys_clk")),
            self.cd_sys.rst.eq(platform.request("sys_rst")),
            self.cd_decoder.clk.eq(platform.request("decoder_clk")),
            self.cd_decoder.rst.eq(self.cd_sys.rst),
        ]


def register_bus(platform: Platform) -> tuple[wishbone.Interface, list[object]]:
    """The bus master at the pins, and the statements that connect it."""
    bus = wishbone.Interface(data_width=32, adr_width=BUS_ADDRESS_BITS)
    return bus, bus.connect_to_pads(platform.request("wishbone"), mode="slave")
