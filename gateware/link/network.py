# SPDX-License-Identifier: BSD-2-Clause
"""The board on a network: LiteEth's MAC, ARP, ICMP, IP and UDP, and who listens on which port."""

from __future__ import annotations

import ipaddress
from typing import Any

from liteeth.core import LiteEthUDPIPCore
from litex.gen import LiteXModule
from litex.gen.common import reverse_bytes
from litex.soc.interconnect.csr import CSRStatus, CSRStorage
from migen import Cat, If, Signal

from triplane.gateware.link.etherbone import EXCHANGE_PORT
from triplane.gateware.link.exchange import Exchange
from triplane.gateware.link.records.layouts import STREAM_PORT
from triplane.gateware.link.records.stream import RecordStream

DEFAULT_IP = "192.168.1.50"
DEFAULT_MAC = 0x10E2D5000000
"""Of a board that nobody has told another one; the block of LiteX's boards."""

ARP_ENTRIES = 4
"""Hosts whose hardware addresses are kept at a time."""


class Network(LiteXModule):
    """UDP to the `Exchange`, and from the record stream, over any LiteEth PHY.

    Args:
        phy: of LiteEth, with its clock domains.
        clock_hz: system clock, for time-outs of ARP.
        data_width: bits of LiteEth's data path: 32 where the system clock carries too little at 8.
        ip, mac: addresses after a reset.
        exchange: executes what arrives at `EXCHANGE_PORT`.
        records: its packets leave from `STREAM_PORT`, where nothing is heard.
    """

    def __init__(
        self,
        phy: Any,
        exchange: Exchange,
        records: RecordStream,
        clock_hz: int,
        *,
        data_width: int = 8,
        ip: str = DEFAULT_IP,
        mac: int = DEFAULT_MAC,
    ) -> None:
        self.ip = CSRStorage(
            32,
            reset=int(ipaddress.IPv4Address(ip)),
            description="IPv4 address of the board, first number in the highest byte. It acts at once.",
        )
        self.mac = CSRStorage(48, reset=mac, description="Hardware address of the board.")
        self.preamble_errors = CSRStatus(
            32, description="Frames without a whole preamble, modulo 2**32. They are dropped."
        )
        self.crc_errors = CSRStatus(
            32, description="Frames whose check sequence was wrong, modulo 2**32. They are dropped."
        )

        self.dropped = CSRStatus(
            32,
            description="Datagrams that came while another was executed, or its answer waited to leave, modulo 2**32. "
            "They are dropped; hosts ask again.",
        )

        # # #

        core = LiteEthUDPIPCore(
            phy,
            self.mac.storage,
            self.ip.storage,
            clock_hz,
            arp_entries=ARP_ENTRIES,
            dw=data_width,
            with_ip_broadcast=False,
        )
        # Not an attribute: its registers have no descriptions, and those that matter are above.
        self.submodules += core
        received = core.mac.core.rx_datapath
        port = core.udp.crossbar.get_port(EXCHANGE_PORT, dw=32)
        leaving = core.udp.crossbar.get_port(STREAM_PORT, dw=32)
        # A datagram that waited here would keep back what comes behind it: the ARP reply, perhaps, without which the
        # answer to the one before cannot leave.
        within, dropping, drop = Signal(), Signal(), Signal()
        self.comb += [
            self.preamble_errors.status.eq(received.preamble_errors.status),
            self.crc_errors.status.eq(received.crc_errors.status),
            # In
            drop.eq(dropping | (~within & ~exchange.sink.ready)),
            exchange.sink.valid.eq(port.source.valid & ~drop),
            exchange.sink.last.eq(port.source.last),
            exchange.sink.data.eq(reverse_bytes(port.source.data)),
            exchange.sink.error.eq(port.source.error != 0),
            exchange.sink.peer.eq(Cat(port.source.src_port, port.source.ip_address)),
            exchange.sink.length.eq(port.source.length),
            port.source.ready.eq(drop | exchange.sink.ready),
            # Out
            port.sink.valid.eq(exchange.source.valid),
            port.sink.last.eq(exchange.source.last),
            port.sink.last_be.eq(exchange.source.last << 3),
            port.sink.data.eq(reverse_bytes(exchange.source.data)),
            port.sink.src_port.eq(EXCHANGE_PORT),
            port.sink.dst_port.eq(exchange.source.peer[:16]),
            port.sink.ip_address.eq(exchange.source.peer[16:]),
            port.sink.length.eq(exchange.source.length),
            exchange.source.ready.eq(port.sink.ready),
            # Records, whose words are least significant byte first
            leaving.source.ready.eq(1),
            leaving.sink.valid.eq(records.source.valid),
            leaving.sink.last.eq(records.source.last),
            leaving.sink.last_be.eq(records.source.last << 3),
            leaving.sink.data.eq(records.source.data),
            leaving.sink.src_port.eq(STREAM_PORT),
            leaving.sink.dst_port.eq(records.port),
            leaving.sink.ip_address.eq(records.address),
            leaving.sink.length.eq(records.source.length),
            records.source.ready.eq(leaving.sink.ready),
        ]
        self.sync += If(port.source.valid & port.source.ready,
            within.eq(~port.source.last),
            dropping.eq(drop & ~port.source.last),
            If(drop & port.source.last, self.dropped.status.eq(self.dropped.status + 1)),
        )  # fmt: skip
