# SPDX-License-Identifier: BSD-2-Clause
"""The ECPIX-5's network and serial line."""

from __future__ import annotations

from liteeth.phy.ecp5rgmii import LiteEthPHYRGMII
from litex.gen import LiteXModule
from litex.soc.cores.uart import RS232PHY

from triplane.boards.ecpix5.platform import CLOCK_HZ, RGMII_HZ, Platform

NETWORK_WIDTH = 32
"""Bits of the data path behind the PHY: at 8 bits 50 MHz would carry less than half of a gigabit."""

RX_DELAY_S = 0.0
"""Beside the transceiver's own delay of its receive clock, as LiteX-Boards has it for this board."""


class RgmiiPHY(LiteXModule):
    """LiteEth's PHY without its registers, which are for transceivers that must be configured; this one need not be."""

    def __init__(self, platform: Platform) -> None:
        clocks = platform.request("eth_clocks")
        phy = LiteEthPHYRGMII(clocks, platform.request("eth"), rx_delay=RX_DELAY_S, with_inband_status=False)
        self.dw = phy.dw
        self.sink, self.source = phy.sink, phy.source

        # # #

        # Not an attribute: registers are collected from attributes.
        self.submodules += phy
        platform.input_clocks.append((clocks.rx, RGMII_HZ))


def uart(platform: Platform, baudrate: int) -> RS232PHY:
    """Bytes of the serial line behind the board's USB connector."""
    return RS232PHY(platform.request("serial"), CLOCK_HZ, baudrate)
