# SPDX-License-Identifier: BSD-2-Clause
"""The cocotb runner and the stream drivers, on a LiteX FIFO and on a stream that breaks its handshake."""

import random

import cocotb
import pytest
from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Signal

from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.streams import StreamDriver, StreamError, StreamMonitor, start_clock

WORDS = 200


@cocotb.test()
async def passes_words_in_order(dut):
    options = parameters()
    await start_clock(dut)
    words = [random.Random(index).getrandbits(32) for index in range(WORDS)]
    driver = StreamDriver(dut, "sink", pause=options["idle"])
    monitor = StreamMonitor(dut, "source", fields=("data", "first", "last"), pause=options["back_pressure"])
    sending = cocotb.start_soon(driver.put(words, packet=4))
    got = await monitor.get(WORDS)
    await sending
    assert [word["data"] for word in got] == words
    assert [word["last"] for word in got] == [int(index % 4 == 3) for index in range(WORDS)]


@cocotb.test()
async def notices_a_word_that_changes(dut):
    await start_clock(dut)
    with pytest.raises(StreamError, match="a waiting word changed"):
        await StreamMonitor(dut, "source", pause=0.9).get(8)


class Restless(LiteXModule):
    """Offers a new word every cycle, taken or not."""

    def __init__(self):
        self.source = stream.Endpoint([("data", 8)])
        count = Signal(8)
        self.sync += count.eq(count + 1)
        self.comb += [self.source.valid.eq(1), self.source.data.eq(count)]


@pytest.mark.parametrize("idle", [0.0, 0.6])
@pytest.mark.parametrize("back_pressure", [0.0, 0.6])
def test_fifo(idle, back_pressure):
    fifo = stream.SyncFIFO([("data", 32)], 4)
    ios = endpoint_ios(fifo.sink, "sink") | endpoint_ios(fifo.source, "source")
    run_cocotb(
        fifo,
        ios,
        __file__,
        "fifo",
        {"idle": idle, "back_pressure": back_pressure},
        testcase="passes_words_in_order",
    )


def test_broken_handshake():
    module = Restless()
    run_cocotb(
        module,
        endpoint_ios(module.source, "source"),
        __file__,
        "restless",
        testcase="notices_a_word_that_changes",
    )


def test_failure_reaches_pytest():
    module = Restless()
    with pytest.raises(AssertionError, match="failed with seed 1: passes_words_in_order"):
        run_cocotb(
            module,
            endpoint_ios(module.source, "source"),
            __file__,
            "restless",
            {"idle": 0, "back_pressure": 0},
            testcase="passes_words_in_order",
        )
