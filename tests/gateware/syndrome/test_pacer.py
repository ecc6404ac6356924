# SPDX-License-Identifier: BSD-2-Clause
"""Round pacer behind a FIFO: order, cadence, backlog, starvation, stop and the safe state."""

from itertools import pairwise

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule
from litex.soc.interconnect import stream

from triplane.gateware.syndrome.layouts import EVENT_LAYOUT
from triplane.gateware.syndrome.pacer import RoundPacer
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.streams import StreamDriver, StreamMonitor, start_clock

ROUNDS = 40
PINS = ("period", "rounds", "start", "stop", "safe", "clear")
FLAGS = ("running", "released", "starved_rounds", "stalled_rounds", "backlog_max")


class PacedFifo(LiteXModule):
    def __init__(self, words_per_round):
        self.fifo = stream.SyncFIFO(EVENT_LAYOUT, 256)
        self.pacer = pacer = RoundPacer(words_per_round)
        self.sink, self.source = self.fifo.sink, pacer.source
        self.comb += [self.fifo.source.connect(pacer.sink), pacer.level.eq(self.fifo.level)]

    def ios(self):
        pacer = self.pacer
        pins = {
            "period": pacer.period.storage,
            "rounds": pacer.rounds.storage,
            "start": pacer.control.fields.start,
            "stop": pacer.control.fields.stop,
            "safe": pacer.safe,
            "clear": pacer.clear,
            "running": pacer.running,
            **{name: getattr(pacer, name).status for name in FLAGS[1:]},
        }
        for name, signal in pins.items():
            signal.name_override = name
        return set(pins.values()) | endpoint_ios(self.sink, "sink") | endpoint_ios(self.source, "source")


class Bench:
    """The device, its drivers, and a log of (cycle, word, first, last) of every transfer at the source."""

    def __init__(self, dut):
        self.dut, self.log, self.cycle = dut, [], 0

    async def begin(self, **values):
        for pin in PINS:
            getattr(self.dut, pin).value = values.get(pin, 0)
        await start_clock(self.dut)
        cocotb.start_soon(self._watch())

    async def _watch(self):
        dut = self.dut
        while True:
            await ReadOnly()
            if dut.source_valid.value and dut.source_ready.value:
                self.log.append(
                    (
                        self.cycle,
                        int(dut.source_data.value),
                        int(dut.source_first.value),
                        int(dut.source_last.value),
                    )
                )
            await RisingEdge(dut.sys_clk)
            self.cycle += 1

    async def pulse(self, pin):
        getattr(self.dut, pin).value = 1
        await RisingEdge(self.dut.sys_clk)
        getattr(self.dut, pin).value = 0

    async def wait(self, cycles):
        for _ in range(cycles):
            await RisingEdge(self.dut.sys_clk)

    def read(self, name):
        return int(getattr(self.dut, name).value)

    def starts(self):
        return [cycle for cycle, _, first, _ in self.log if first]


@cocotb.test()
async def every_word_once_in_order(dut):
    options, bench = parameters(), Bench(dut)
    words = options["words"]
    await bench.begin(period=options["period"], rounds=ROUNDS)
    sent = list(range(1, ROUNDS * words + 1))
    cocotb.start_soon(StreamDriver(dut, "sink", pause=options["idle"]).put(sent))
    await bench.pulse("start")
    monitor = StreamMonitor(dut, "source", fields=("data", "first", "last"), pause=options["back_pressure"])
    got = await monitor.get(len(sent))
    await bench.wait(3)
    assert [word["data"] for word in got] == sent
    assert [word["first"] for word in got] == [int(index % words == 0) for index in range(len(sent))]
    assert [word["last"] for word in got] == [int(index % words == words - 1) for index in range(len(sent))]
    assert bench.read("released") == ROUNDS
    assert not bench.read("running")
    assert min(b - a for a, b in pairwise(bench.starts())) >= words


@cocotb.test()
async def cadence_is_exact(dut):
    bench, period, words = Bench(dut), parameters()["period"], parameters()["words"]
    await bench.begin(period=period, rounds=20)
    await StreamDriver(dut, "sink").put(range(20 * words))
    dut.source_ready.value = 1
    await bench.pulse("start")
    await bench.wait(20 * max(period, words) + 10)
    assert bench.starts() == [bench.starts()[0] + max(period, words) * index for index in range(20)]
    assert bench.read("starved_rounds") == 0
    assert bench.read("stalled_rounds") == (0 if max(period, 1) >= words else 19)


@cocotb.test()
async def a_busy_decoder_builds_a_backlog(dut):
    bench, period, words = Bench(dut), 8, parameters()["words"]
    await bench.begin(period=period, rounds=20)
    await StreamDriver(dut, "sink").put(range(20 * words))
    dut.source_ready.value = 0
    await bench.pulse("start")
    await bench.wait(5 * period - 4)  # rounds 0 to 4 fall due
    dut.source_ready.value = 1
    await bench.wait(30 * period)
    starts = bench.starts()
    assert bench.read("backlog_max") == 5
    # Back to back until it has caught up, then on the old schedule.
    assert starts[1:4] == [starts[0] + words * index for index in (1, 2, 3)]
    assert starts[19] - starts[18] == period
    on_time = [(start - starts[19]) % period == 0 for start in starts]
    assert bench.read("stalled_rounds") == 20 - sum(on_time[4:]) - sum(on_time[:4])
    assert bench.read("starved_rounds") == 0


@cocotb.test()
async def a_slow_host_makes_the_schedule_wait(dut):
    bench, period, words = Bench(dut), 8, parameters()["words"]
    await bench.begin(period=period, rounds=6)
    driver = StreamDriver(dut, "sink")
    dut.source_ready.value = 1
    await driver.put(range(2 * words))
    await bench.pulse("start")
    await bench.wait(10 * period)
    assert len(bench.starts()) == 2
    assert bench.read("running")
    await driver.put(range(4 * words))
    await bench.wait(10 * period)
    starts = bench.starts()
    assert [b - a for a, b in pairwise(starts[2:])] == [period] * 3
    assert bench.read("starved_rounds") == 1
    assert bench.read("stalled_rounds") == 0
    assert bench.read("backlog_max") == 1


@cocotb.test()
async def safe_and_stop_never_tear_a_round(dut):
    bench, words, pin = Bench(dut), parameters()["words"], parameters()["pin"]
    await bench.begin(period=words, rounds=30)
    await StreamDriver(dut, "sink").put(range(30 * words))
    dut.source_ready.value = 1
    await bench.pulse("start")
    await bench.wait(10 * words + 2)
    if pin == "stop":
        await bench.pulse("stop")
    else:
        dut.safe.value = 1
    await bench.wait(2 * words)
    seen = len(bench.log)
    await bench.wait(20 * words)
    assert len(bench.log) == seen, "a round started after it was told not to"
    assert seen % words == 0
    assert 0 < bench.read("released") < 30
    assert bench.read("running") == (pin == "safe")
    dut.safe.value = 0
    await bench.wait(60 * words)
    assert bench.read("released") == (30 if pin == "safe" else seen // words)
    await bench.pulse("clear")
    await bench.wait(2)
    assert not bench.read("running")
    assert bench.read("released") == 0


def simulate(testcase, words, **options):
    module = PacedFifo(words)
    run_cocotb(
        module, module.ios(), __file__, f"paced_fifo_{words}", {"words": words, **options}, testcase=testcase
    )


@pytest.mark.parametrize("idle", [0.0, 0.7])
@pytest.mark.parametrize("back_pressure", [0.0, 0.7])
@pytest.mark.parametrize(("words", "period"), [(1, 1), (1, 9), (3, 2)])
def test_order(words, period, idle, back_pressure):
    simulate("every_word_once_in_order", words, period=period, idle=idle, back_pressure=back_pressure)


@pytest.mark.parametrize(("words", "period"), [(1, 0), (1, 1), (1, 17), (3, 3), (3, 2), (3, 20)])
def test_cadence(words, period):
    simulate("cadence_is_exact", words, period=period)


@pytest.mark.parametrize("words", [1, 3])
def test_backlog(words):
    simulate("a_busy_decoder_builds_a_backlog", words)


@pytest.mark.parametrize("words", [1, 3])
def test_starvation(words):
    simulate("a_slow_host_makes_the_schedule_wait", words)


@pytest.mark.parametrize("words", [1, 3])
@pytest.mark.parametrize("pin", ["safe", "stop"])
def test_safe_and_stop(words, pin):
    simulate("safe_and_stop_never_tear_a_round", words, pin=pin)


def test_words_per_round_is_checked():
    with pytest.raises(ValueError, match="words_per_round must be at least 1, not 0"):
        RoundPacer(0)
