# SPDX-License-Identifier: BSD-2-Clause
"""Between UDP sockets of this machine and the Ethernet frames of a simulated board: a gateway in user space.

The board sees one neighbour, the gateway, and behind each of its ports one client; addresses of the loopback, which a
receiver of the record stream gives, are behind it as they are. Frames, ARP and checksums are those
of a real network, so that the board's MAC, ARP, IP and UDP run as they do on a cable, and nobody needs to be root.
"""

from __future__ import annotations

import ipaddress
import struct
import zlib
from collections import Counter, OrderedDict
from typing import Any

import dpkt

from triplane.gateware.link.etherbone import MTU_BYTES
from triplane.gateware.link.network import DEFAULT_IP, DEFAULT_MAC

Address = tuple[str, int]

PREAMBLE = bytes([0x55] * 7 + [0xD5])
MIN_FRAME_BYTES = 60
"""Of a frame without its check sequence; what is shorter is filled up."""

GATEWAY_IP = "192.168.1.1"
GATEWAY_MAC = bytes.fromhex("02547269706c")
"""Locally administered."""

FIRST_PORT, NUM_PORTS = 49_152, 1_024
"""Ports of the gateway that stand for clients; whoever has been silent longest gives up its own."""


class Gateway:
    """Wraps and unwraps datagrams, and answers the board's ARP.

    Attributes:
        counts: `in` and `out`, datagrams to and from the board; `too_long`, datagrams that no frame holds; `damaged`,
            frames of the board with a wrong check sequence; `strange`, frames that are for nobody.
    """

    def __init__(self, ip: str = DEFAULT_IP, mac: int = DEFAULT_MAC) -> None:
        self.ip, self.mac = ipaddress.IPv4Address(ip).packed, mac.to_bytes(6, "big")
        self.counts: Counter[str] = Counter()
        self._ports: OrderedDict[Address, int] = OrderedDict()
        self._clients: dict[int, Address] = {}

    def frame(self, payload: bytes, client: Address, port: int) -> bytes | None:
        """The frame that brings a client's datagram to a UDP port of the board; None if none can."""
        if len(payload) > MTU_BYTES:
            self.counts["too_long"] += 1
            return None
        self.counts["in"] += 1
        udp = dpkt.udp.UDP(sport=self._port(client), dport=port, data=payload, ulen=8 + len(payload))
        packet = dpkt.ip.IP(
            src=ipaddress.IPv4Address(GATEWAY_IP).packed,
            dst=self.ip,
            p=dpkt.ip.IP_PROTO_UDP,
            data=udp,
            len=28 + len(payload),
        )
        return self._wrapped(packet, dpkt.ethernet.ETH_TYPE_IP, self.mac)

    def receive(self, frame: bytes) -> tuple[bytes | None, tuple[bytes, Address, int] | None]:
        """What a frame of the board comes to.

        Returns:
            A frame that answers it, or None; and (payload, client, port of the board) of a datagram, or None.
        """
        start = frame.find(PREAMBLE)
        content, check = frame[start + len(PREAMBLE) : -4], frame[-4:]
        if start < 0 or struct.pack("<I", zlib.crc32(content)) != check:
            self.counts["damaged"] += 1
            return None, None
        try:
            packet = dpkt.ethernet.Ethernet(content).data
        except dpkt.UnpackError:
            packet = None
        if isinstance(packet, dpkt.arp.ARP):
            return self._arp(packet), None
        if isinstance(packet, dpkt.ip.IP) and isinstance(packet.data, dpkt.udp.UDP):
            udp = packet.data
            target = ipaddress.IPv4Address(packet.dst)
            # The record stream names its receiver itself; nothing leaves this machine.
            client = (str(target), udp.dport) if target.is_loopback else self._clients.get(udp.dport)
            if client is not None:
                self.counts["out"] += 1
                return None, (bytes(udp.data)[: udp.ulen - 8], client, udp.sport)
        self.counts["strange"] += 1
        return None, None

    def _arp(self, request: Any) -> bytes | None:
        asked = ipaddress.IPv4Address(request.tpa)
        if request.op != dpkt.arp.ARP_OP_REQUEST or not (str(asked) == GATEWAY_IP or asked.is_loopback):
            return None
        reply = dpkt.arp.ARP(
            op=dpkt.arp.ARP_OP_REPLY, sha=GATEWAY_MAC, spa=request.tpa, tha=request.sha, tpa=request.spa
        )
        return self._wrapped(reply, dpkt.ethernet.ETH_TYPE_ARP, request.sha)

    def _wrapped(self, packet: Any, kind: int, target: bytes) -> bytes:
        content = bytes(dpkt.ethernet.Ethernet(src=GATEWAY_MAC, dst=target, type=kind, data=packet))
        content = content.ljust(MIN_FRAME_BYTES, b"\0")
        return PREAMBLE + content + struct.pack("<I", zlib.crc32(content))

    def _port(self, client: Address) -> int:
        """The gateway's port that stands for a client."""
        if client not in self._ports:
            if len(self._ports) == NUM_PORTS:
                _, port = self._ports.popitem(last=False)
            else:
                port = FIRST_PORT + len(self._ports)
            self._ports[client] = port
            self._clients[port] = client
        self._ports.move_to_end(client)
        return self._ports[client]
