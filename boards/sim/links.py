# SPDX-License-Identifier: BSD-2-Clause
"""The simulated board's network and serial line: bytes at pins, in place of transceivers."""

from __future__ import annotations

from liteeth.common import eth_phy_description
from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import ClockDomain, ClockSignal, ResetSignal

from triplane.boards.sim.platform import Platform


class FramePHY(LiteXModule):
    """A LiteEth PHY of a byte a system clock, with preamble and check sequence as on a cable.

    What the MAC does not take at once is lost, as it is behind a real transceiver.
    """

    dw = 8

    def __init__(self, platform: Platform) -> None:
        self.sink = stream.Endpoint(eth_phy_description(8))
        self.source = stream.Endpoint(eth_phy_description(8))
        self.cd_eth_rx = ClockDomain()
        self.cd_eth_tx = ClockDomain()

        # # #

        pads = platform.request("ethernet")
        for domain in (self.cd_eth_rx, self.cd_eth_tx):
            self.comb += [domain.clk.eq(ClockSignal("sys")), domain.rst.eq(ResetSignal("sys"))]
        self.comb += [
            self.source.valid.eq(pads.rx_valid),
            self.source.data.eq(pads.rx_data),
            self.source.last.eq(pads.rx_last),
            self.source.last_be.eq(pads.rx_last),
            pads.tx_valid.eq(self.sink.valid),
            pads.tx_data.eq(self.sink.data),
            pads.tx_last.eq(self.sink.last),
            self.sink.ready.eq(1),
        ]


class BytePHY(LiteXModule):
    """In place of a UART: bytes come when they are taken, and go at once."""

    def __init__(self, platform: Platform) -> None:
        self.sink = stream.Endpoint([("data", 8)])
        self.source = stream.Endpoint([("data", 8)])

        # # #

        pads = platform.request("serial")
        self.comb += [
            self.source.valid.eq(pads.rx_valid),
            self.source.data.eq(pads.rx_data),
            pads.rx_ready.eq(self.source.ready),
            pads.tx_valid.eq(self.sink.valid),
            pads.tx_data.eq(self.sink.data),
            self.sink.ready.eq(1),
        ]
