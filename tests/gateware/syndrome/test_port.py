# SPDX-License-Identifier: BSD-2-Clause
"""Detection-event FIFO: order, space, overflow, clear."""

import random

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge

from triplane.gateware.syndrome.port import EventPort
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.streams import StreamMonitor, start_clock

DEPTH = 8


async def write(dut, word):
    dut.storage.value, dut.re.value = word, 1
    await ReadOnly()
    overflow = int(dut.overflow.value)
    await RisingEdge(dut.sys_clk)
    dut.re.value = 0
    return overflow


@cocotb.test()
async def fills_and_refuses(dut):
    dut.re.value, dut.clear.value = 0, 0
    await start_clock(dut)
    monitor = StreamMonitor(dut, "source")
    for count in range(DEPTH):
        await ReadOnly()
        assert int(dut.space.value) == DEPTH - count
        await RisingEdge(dut.sys_clk)
        assert await write(dut, 100 + count) == 0
    assert int(dut.space.value) == 0
    assert await write(dut, 999) == 1
    got = await monitor.get(DEPTH)
    assert [word["data"] for word in got] == [100 + count for count in range(DEPTH)]
    for word in (1, 2, 3):
        await write(dut, word)
    dut.clear.value = 1
    await RisingEdge(dut.sys_clk)
    dut.clear.value = 0
    await RisingEdge(dut.sys_clk)
    assert int(dut.level.value) == 0
    assert not dut.source_valid.value


@cocotb.test()
async def space_is_never_too_large(dut):
    """A host that writes as many words as `space` said never overflows, whatever the other side does."""
    options = parameters()
    rng = random.Random(7)
    dut.re.value, dut.clear.value = 0, 0
    await start_clock(dut)
    total = 300
    words = [rng.getrandbits(32) for _ in range(total)]
    reading = cocotb.start_soon(StreamMonitor(dut, "source", pause=options["back_pressure"]).get(total))
    sent = 0
    while sent < total:
        while rng.random() < options["idle"]:
            await RisingEdge(dut.sys_clk)
        await ReadOnly()
        space = int(dut.space.value)
        await RisingEdge(dut.sys_clk)
        for word in words[sent : sent + space]:
            assert await write(dut, word) == 0
            sent += 1
    assert [word["data"] for word in await reading] == words


def simulate(testcase, **options):
    port = EventPort(DEPTH)
    pins = {"re": port.data.re, "storage": port.data.storage, "level": port.level, "space": port.space,
            "overflow": port.overflow, "clear": port.clear}  # fmt: skip
    for name, signal in pins.items():
        signal.name_override = name
    run_cocotb(
        port,
        set(pins.values()) | endpoint_ios(port.source, "source"),
        __file__,
        "event_port",
        options,
        testcase=testcase,
    )


def test_fill_and_overflow():
    simulate("fills_and_refuses")


@pytest.mark.parametrize("idle", [0.0, 0.6])
@pytest.mark.parametrize("back_pressure", [0.0, 0.6])
def test_space(idle, back_pressure):
    simulate("space_is_never_too_large", idle=idle, back_pressure=back_pressure)


def test_depth_is_checked():
    with pytest.raises(ValueError, match="event FIFO depth must be at least 2, not 1"):
        EventPort(1)
