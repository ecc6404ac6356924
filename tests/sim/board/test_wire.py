# SPDX-License-Identifier: BSD-2-Clause
"""The network between sockets and a simulated board's frames."""

import struct
import zlib

import dpkt
import pytest

from triplane.gateware.link.etherbone import MTU_BYTES
from triplane.gateware.link.network import DEFAULT_MAC
from triplane.sim.board.wire import FIRST_PORT, GATEWAY_MAC, NUM_PORTS, PREAMBLE, Gateway

CLIENT = ("127.0.0.1", 40_000)


def content(frame):
    """What is between preamble and check sequence."""
    assert frame.startswith(PREAMBLE)
    body, check = frame[len(PREAMBLE) : -4], frame[-4:]
    assert struct.unpack("<I", check)[0] == zlib.crc32(body)
    return dpkt.ethernet.Ethernet(body)


def answer(gateway, payload, port):
    """A frame of the board that answers to a port of the gateway."""
    udp = dpkt.udp.UDP(sport=1234, dport=port, data=payload, ulen=8 + len(payload))
    packet = dpkt.ip.IP(src=gateway.ip, dst=bytes([192, 168, 1, 1]), p=17, data=udp, len=28 + len(payload))
    body = bytes(dpkt.ethernet.Ethernet(src=gateway.mac, dst=GATEWAY_MAC, data=packet)).ljust(60, b"\0")
    return PREAMBLE + body + struct.pack("<I", zlib.crc32(body))


@pytest.mark.parametrize("length", [1, 17, 18, 19, MTU_BYTES])
def test_there_and_back(length):
    gateway, payload = Gateway(), bytes(range(256)) * 6
    frame = content(gateway.frame(payload[:length], CLIENT, 1234))
    assert frame.dst == DEFAULT_MAC.to_bytes(6, "big")
    assert len(gateway.frame(payload[:length], CLIENT, 1234)) >= len(PREAMBLE) + 60 + 4
    assert frame.data.sum  # the header's checksum, which dpkt counts
    assert bytes(frame.data.data.data)[:length] == payload[:length]
    assert (frame.data.data.sport, frame.data.data.dport) == (FIRST_PORT, 1234)
    assert gateway.receive(answer(gateway, payload[:length], FIRST_PORT)) == (
        None,
        (payload[:length], CLIENT, 1234),
    )


def test_a_port_for_each_client():
    gateway = Gateway()
    for number in range(NUM_PORTS + 1):
        gateway.frame(b"x", ("127.0.0.1", number), 1234)
    # The first one was silent longest.
    _, (_, client, _) = gateway.receive(answer(gateway, b"y", FIRST_PORT))
    assert client == ("127.0.0.1", NUM_PORTS)


def test_what_no_frame_holds_is_dropped():
    gateway = Gateway()
    assert gateway.frame(bytes(MTU_BYTES + 1), CLIENT, 1234) is None
    assert gateway.counts["too_long"] == 1


def test_frames_that_are_for_nobody():
    gateway = Gateway()
    assert gateway.receive(answer(gateway, b"y", FIRST_PORT)) == (None, None)
    damaged = bytearray(answer(gateway, b"y", FIRST_PORT))
    damaged[20] ^= 1
    assert gateway.receive(bytes(damaged)) == (None, None)
    assert gateway.receive(b"no frame") == (None, None)
    assert (gateway.counts["strange"], gateway.counts["damaged"]) == (1, 2)


def test_the_board_asks_who_the_gateway_is():
    gateway = Gateway()
    for address, known in ((bytes([192, 168, 1, 1]), True), (bytes([192, 168, 1, 2]), False)):
        request = dpkt.arp.ARP(op=1, sha=gateway.mac, spa=gateway.ip, tpa=address)
        body = bytes(dpkt.ethernet.Ethernet(src=gateway.mac, dst=b"\xff" * 6, type=0x806, data=request))
        body = body.ljust(60, b"\0")
        reply, datagram = gateway.receive(PREAMBLE + body + struct.pack("<I", zlib.crc32(body)))
        assert datagram is None
        assert (reply is not None) == known
        if known:
            arp = content(reply).data
            assert (arp.op, arp.sha, arp.tpa) == (2, GATEWAY_MAC, gateway.ip)
