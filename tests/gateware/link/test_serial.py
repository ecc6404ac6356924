# SPDX-License-Identifier: BSD-2-Clause
"""Datagrams on a serial line: there and back, with noise between them, against a SLIP of PyPI."""

import random
import struct

import cocotb
import pytest
import sliplib
from cocotb.triggers import RisingEdge

from triplane.gateware.link.serial import END, ESC, SerialLink
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.streams import StreamDriver, StreamMonitor, start_clock

FIELDS = ("data", "first", "last", "error", "length", "peer")


def slip(content):
    """A whole frame."""
    return bytes([END]) + sliplib.encode(content) + bytes([END])


def hard_payload(rng, words):
    """Many of the bytes are those that must be escaped."""
    return bytes(rng.choice([END, ESC, 0xDC, 0xDD, rng.randrange(256)]) for _ in range(4 * words))


async def datagram(monitor):
    """The next one: (payload, cut)."""
    words = []
    while not words or not words[-1]["last"]:
        words += await monitor.get(1)
    assert [word["first"] for word in words] == [1] + [0] * (len(words) - 1)
    assert words[-1]["length"] == 4 * len(words)
    assert all(word["peer"] == 0 for word in words)
    return struct.pack(f">{len(words)}I", *(word["data"] for word in words)), words[-1]["error"]


@cocotb.test()
async def frames_come_in(dut):
    options = parameters()
    rng = random.Random(options["seed"])
    driver = StreamDriver(dut, "rx", pause=options["idle"])
    monitor = StreamMonitor(dut, "source", fields=FIELDS, pause=options["back_pressure"])
    await start_clock(dut)
    good, sent = [], b""
    for number in range(60):
        payload = hard_payload(rng, rng.randrange(1, 12))
        kind = rng.choice(["good", "good", "noise", "cut"])
        if kind == "good" or number == 59:
            sent += slip(payload)
            good.append((payload, 0))
        elif kind == "noise":
            # Less than a word is nothing at all.
            sent += slip(rng.randbytes(rng.randrange(4))) + bytes([END] * 3)
        else:
            sent += slip(payload + bytes(rng.randrange(1, 4)))
            good.append((payload, 1))
    cocotb.start_soon(driver.put(list(sent)))
    for expected in good:
        assert await datagram(monitor) == expected
    for _ in range(20):
        await RisingEdge(dut.sys_clk)
    assert int(dut.cut.value) == sum(cut for _, cut in good)


@cocotb.test()
async def frames_go_out(dut):
    options = parameters()
    rng = random.Random(options["seed"])
    driver = StreamDriver(dut, "sink", pause=options["idle"])
    monitor = StreamMonitor(dut, "tx", pause=options["back_pressure"])
    await start_clock(dut)
    for _ in range(30):
        payload = hard_payload(rng, rng.randrange(1, 12))
        words = struct.unpack(f">{len(payload) // 4}I", payload)
        last = len(words) - 1
        cocotb.start_soon(driver.put([{"data": w, "last": k == last} for k, w in enumerate(words)]))
        got = bytes(word["data"] for word in await monitor.get(len(slip(payload))))
        assert got == slip(payload)


def simulate(testcase, **options):
    link = SerialLink()
    link.cut.status.name_override = "cut"
    ios = {link.cut.status}
    for name in ("rx", "tx", "source", "sink"):
        ios |= endpoint_ios(getattr(link, name), name)
    run_cocotb(link, ios, __file__, "serial_link", options, testcase=testcase)


@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize("back_pressure", [0.0, 0.7])
def test_frames_in(idle, back_pressure):
    simulate("frames_come_in", idle=idle, back_pressure=back_pressure, seed=int(10 * idle))


@pytest.mark.parametrize("idle", [0.0, 0.5])
@pytest.mark.parametrize("back_pressure", [0.0, 0.7])
def test_frames_out(idle, back_pressure):
    simulate("frames_go_out", idle=idle, back_pressure=back_pressure, seed=int(10 * idle))
