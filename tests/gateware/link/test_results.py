# SPDX-License-Identifier: BSD-2-Clause
"""Result FIFO: nothing lost under back-pressure, empty reads and unmatched records are noticed."""

import random

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge

from triplane.gateware.link.results import ResultPort
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.streams import StreamDriver, start_clock

DEPTH = 16


async def read(dut):
    """One bus read: (word, was empty)."""
    dut.we.value = 1
    await ReadOnly()
    result = int(dut.data.value), int(dut.empty_read.value)
    await RisingEdge(dut.sys_clk)
    dut.we.value = 0
    return result


async def begin(dut):
    dut.we.value, dut.clear.value = 0, 0
    await start_clock(dut)


def record(number, words, unmatched):
    return [number, 2, 3, (unmatched << 16) | 40] + [0xFFFF0000 + index for index in range(words - 4)]


@cocotb.test()
async def every_record_arrives(dut):
    options = parameters()
    rng = random.Random(3)
    await begin(dut)
    records = [record(number, options["words"], rng.getrandbits(1)) for number in range(50)]
    words = [word for record in records for word in record]
    sending = cocotb.start_soon(
        StreamDriver(dut, "sink", pause=options["idle"]).put(words, packet=options["words"])
    )
    got = []
    while len(got) < len(words):
        while rng.random() < options["back_pressure"]:
            await RisingEdge(dut.sys_clk)
        await ReadOnly()
        level = int(dut.level.value)
        await RisingEdge(dut.sys_clk)
        for _ in range(level):
            word, empty = await read(dut)
            assert not empty
            got.append(word)
    await sending
    assert got == words
    await RisingEdge(dut.sys_clk)
    assert int(dut.records.value) == 50
    assert int(dut.unmatched_records.value) == sum(words[3] >> 16 for words in records)


@cocotb.test()
async def stops_when_full_and_flags_empty_reads(dut):
    await begin(dut)
    assert await read(dut) == (0, 1)
    sending = cocotb.start_soon(StreamDriver(dut, "sink").put(range(1, DEPTH + 5)))
    for _ in range(3 * DEPTH):
        await RisingEdge(dut.sys_clk)
    assert int(dut.level.value) == DEPTH
    assert not dut.sink_ready.value
    assert [(await read(dut))[0] for _ in range(DEPTH + 4)] == list(range(1, DEPTH + 5))
    await sending
    dut.clear.value = 1
    await RisingEdge(dut.sys_clk)
    dut.clear.value = 0
    await RisingEdge(dut.sys_clk)
    assert int(dut.records.value) == 0
    assert await read(dut) == (0, 1)


def simulate(testcase, **options):
    port = ResultPort(DEPTH)
    pins = {
        "we": port.data.we,
        "data": port.data.status,
        "level": port.level,
        "empty_read": port.empty_read,
        "records": port.records.status,
        "unmatched_records": port.unmatched_records.status,
        "clear": port.clear,
    }
    for name, signal in pins.items():
        signal.name_override = name
    run_cocotb(
        port,
        set(pins.values()) | endpoint_ios(port.sink, "sink"),
        __file__,
        "result_port",
        options,
        testcase=testcase,
    )


@pytest.mark.parametrize("idle", [0.0, 0.6])
@pytest.mark.parametrize("back_pressure", [0.0, 0.9])
@pytest.mark.parametrize("words", [6, 11])
def test_records(idle, back_pressure, words):
    simulate("every_record_arrives", idle=idle, back_pressure=back_pressure, words=words)


def test_full_and_empty():
    simulate("stops_when_full_and_flags_empty_reads")


def test_depth_is_checked():
    with pytest.raises(ValueError, match="result FIFO depth must be at least 2, not 0"):
        ResultPort(0)
