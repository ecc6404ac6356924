# SPDX-License-Identifier: BSD-2-Clause
"""Networks as they are: datagrams lost, doubled, swapped, late and damaged; strangers; boards that are not there."""

import dataclasses
import random
import socket
import time

import numpy as np
import pytest
from litex.tools.remote.etherbone import EtherbonePacket, EtherboneReads, EtherboneRecord

from triplane import hal
from triplane.hal import errors
from triplane.hal.drivers.remote.board import RemoteBoard
from triplane.hal.drivers.remote.client import Client
from triplane.hal.drivers.remote.links import SerialLink, UdpLink
from triplane.hal.drivers.remote.packets import Request
from triplane.sim.weather import FATES, BadLink


@pytest.fixture(params=["udp", "uart"])
def link(request, served):
    if request.param == "udp":
        made = UdpLink("127.0.0.1", served.udp)
    else:
        made = SerialLink(f"socket://127.0.0.1:{served.serial}", 115200)
    yield request.param, made
    made.close()


def test_a_bad_network_changes_nothing(link, code, gateware):
    bank, good = link
    bad = BadLink(good, seed=5)
    target = hal.ArrayTarget(code.plan)
    with RemoteBoard(bad, bank, gateware, target, timeout_s=20) as board:
        before = {name: board.get(f"{bank}_{name}") for name in ("repeated", "malformed")}
        board.load(hal.DecoderProgram.from_graph(code.graph))
        found = np.concatenate(list(board.run(code.rounds[:200], round_period_cycles=20)))
        assert {name: board.get(f"{bank}_{name}") - count for name, count in before.items()}["malformed"] > 0
        assert board.get(f"{bank}_repeated") > before["repeated"]
        traffic = board._client.traffic
        assert traffic.sent > traffic.requests
    with hal.connect("sim", graph=code.graph) as board:
        board.load(hal.DecoderProgram.from_graph(code.graph))
        expected = np.concatenate(list(board.run(code.rounds[:200], round_period_cycles=20)))
    for name in ("sequence", "observables", "flags", "frame", "decode_cycles"):
        assert np.array_equal(found[name], expected[name]), name
    assert min(bad.counts[fate] for fate in FATES) > 3


def test_every_word_is_written_once(link, code, gateware):
    """A FIFO counts what it gets, whatever came twice."""
    bank, good = link
    with RemoteBoard(BadLink(good, 9), bank, gateware, hal.ArrayTarget(code.plan), timeout_s=20) as board:
        board._pulse("faults_control", "clear")
        space = board.get("link_status") & 0x7FFF
        for _ in range(30):
            board.burst_write(board.registers["events_data"].address, [1, 2, 3], increment=False)
        assert board.get("link_status") & 0x7FFF == space - 90


def test_the_next_client_takes_over(code, served):
    with hal.connect(served.urls["udp"], graph=code.graph) as first:
        first.set("identification_scratch", 1)
        with hal.connect(served.urls["udp"], graph=code.graph) as second:
            second.set("identification_scratch", 2)
            first._client.timeout_s = 0.3
            with pytest.raises(errors.SessionLostError, match="somebody else has taken"):
                first.set("identification_scratch", 3)
            assert second.get("identification_scratch") == 2
        # Who asks again opens a session of its own.
        first._client.timeout_s = 5
        first.set("identification_scratch", 4)
        assert first.get("identification_scratch") == 4


def test_nobody_is_there(code, gateware):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(errors.LinkTimeoutError, match=r"has not answered within 0\.3 s"):
            RemoteBoard(
                UdpLink("127.0.0.1", port), "udp", gateware, hal.ArrayTarget(code.plan), timeout_s=0.3
            )
        assert time.monotonic() - began < 5
    with pytest.raises(errors.LinkError, match="cannot be opened"):
        SerialLink("socket://127.0.0.1:1", 115200)
    with pytest.raises(errors.LinkError, match="cannot be reached"):
        UdpLink("no.such.host.invalid", 1234)


def test_an_error_of_the_bus_is_an_error(served, gateware):
    link = UdpLink("127.0.0.1", served.udp)
    client = Client(link, gateware.registers["udp_key"].address)
    scratch = gateware.registers["identification_scratch"].address
    with pytest.raises(errors.BusError, match="gave an error at address 0x40000000"):
        client.execute(Request(reads=[scratch, 0x40000000]))
    client.execute(Request([7], scratch, False, [scratch]))
    with pytest.raises(errors.BusError, match="2 words from 0x40000000"):
        client.execute(Request([1, 2], 0x40000000, False, [scratch]))
    assert client.execute(Request(reads=[scratch])) == (7,)
    link.close()


def test_strangers_do_no_harm(served, code, gateware):
    """100,000 random bytes to each port, among them beginnings of requests."""
    rng = random.Random(11)
    scratch = gateware.registers["identification_scratch"].address
    with hal.connect(served.urls["udp"], graph=code.graph) as board:
        board.set("identification_scratch", 0xC0FFEE)
        board._pulse("faults_control", "clear")
        space = board.get("link_status")
        before = board.get("udp_malformed") + board.get("udp_refused")
        requests = board.get("udp_requests")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            sent = 0
            while sent < 100_000:
                data = rng.randbytes(rng.randrange(1, 1400))
                if rng.random() < 0.5:
                    request = Request(rng.choices(range(2**32), k=3), scratch, False, [scratch])
                    data = request.packed(rng.getrandbits(32))[: rng.randrange(1, 60)] + data
                stranger.sendto(data[:1472], ("127.0.0.1", served.udp))
                sent += len(data)
                if rng.random() < 0.2:
                    assert board.get("identification_scratch") == 0xC0FFEE
        assert board.get("udp_malformed") + board.get("udp_refused") > before + 50
        assert board.get("link_status") == space
        assert board.get("udp_requests") > requests
        with socket.create_connection(("127.0.0.1", served.serial)) as stranger:
            stranger.sendall(rng.randbytes(100_000))
            # An end of its own, before somebody else speaks on the line.
            stranger.sendall(b"\xc0")
        assert board.get("identification_scratch") == 0xC0FFEE
    with hal.connect(served.urls["uart"], graph=code.graph) as board:
        assert board.get("identification_scratch") == 0xC0FFEE
        assert board.get("uart_malformed") > 50


def test_another_gateware_is_refused(link, code, gateware):
    bank, good = link
    other = dataclasses.replace(gateware, build_hash="0" * 64)
    with pytest.raises(errors.IdentityError, match="flash the board with the bundle"):
        RemoteBoard(good, bank, other, hal.ArrayTarget(code.plan))


def test_tools_that_speak_plain_etherbone(served, gateware):
    """LiteX's own packets: a probe, and a read without a key."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tool:
        tool.settimeout(10)
        tool.connect(("127.0.0.1", served.udp))
        probe = EtherbonePacket(32)
        probe.pf = 1
        probe.encode()
        tool.send(bytes(probe.bytes) + bytes(4))
        answer = EtherbonePacket(32, tool.recv(2048))
        answer.decode()
        assert answer.pr == 1
        record = EtherboneRecord(addr_size=4)
        record.reads = EtherboneReads(
            addr_size=4, base_ret_addr=7, addrs=[gateware.registers["identification_clock_hz"].address]
        )
        record.rcount = len(record.reads)
        packet = EtherbonePacket(32)
        packet.records = [record]
        packet.encode()
        tool.send(bytes(packet.bytes))
        reply = EtherbonePacket(32, tool.recv(2048))
        reply.decode()
        writes = reply.records.pop().writes
        assert (writes.base_addr, list(writes.get_datas())) == (7, [245_760_000])
