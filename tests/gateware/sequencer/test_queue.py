# SPDX-License-Identifier: BSD-2-Clause
"""The queue of a channel against its model: what leaves, when, and what is refused."""

import random

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule
from migen import Signal

from triplane.gateware.sequencer.layouts import Fault, Kind
from triplane.gateware.sequencer.queue import EventQueue
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.models.sequencer.queue import QueueModel
from triplane.sim.streams import start_clock

DEPTH = 4


class Bench(LiteXModule):
    def __init__(self) -> None:
        self.queue = queue = EventQueue(DEPTH)
        now = Signal(32, reset=0xFFFF_FF00)  # wraps after 256 cycles
        self.sync += now.eq(now + 1)
        self.comb += queue.coming.eq(now + 1)
        self.pins = endpoint_ios(queue.sink, "sink") | endpoint_ios(queue.source, "source")
        for name in ("busy", "flush", "fault", "fault_address", "empty"):
            getattr(queue, name).name_override = name
            self.pins.add(getattr(queue, name))
        now.name_override = "now"
        self.pins.add(now)


def simulate(testcase: str, **more) -> None:
    bench = Bench()
    run_cocotb(bench, bench.pins, __file__, "event_queue", more, testcase=testcase)


async def started(dut) -> int:
    for name in ("sink_valid", "busy", "flush", "sink_time", "sink_kind", "sink_value", "sink_address"):
        getattr(dut, name).value = 0
    await start_clock(dut)
    await ReadOnly()
    now = int(dut.now.value)
    await RisingEdge(dut.sys_clk)
    return now + 1


@cocotb.test()
async def it_does_what_the_model_does(dut) -> None:
    """Bursts of events close to now, on time and late, alone and in chains; a flush where a fault would stop all."""
    rng = random.Random(parameters()["seed"])
    now = await started(dut)
    model, expected, faults, cursor = QueueModel(DEPTH), {}, {}, now + 5
    seen: set[Fault] = set()
    releases = 0
    for _ in range(6000):
        push = rng.random() < 0.35
        flush = bool(faults.get(now)) and rng.random() < 0.7
        if push:
            cursor += rng.choice([0, 0, 1, 1, 2, 3, 8])
            if rng.random() < 0.3:
                cursor = max(cursor, now + rng.randrange(4))
            time = cursor - (rng.randrange(20) if rng.random() < 0.02 else 0)
            kind, value = rng.choice(list(Kind)), rng.getrandbits(32)
            dut.sink_time.value, dut.sink_kind.value = time & 0xFFFF_FFFF, int(kind)
            dut.sink_value.value, dut.sink_address.value = value, now & 0xFFF
            if not flush:
                release, refused = model.push(now, time & 0xFFFF_FFFF, kind, value, now & 0xFFF)
                if release is not None:
                    expected[release.cycle] = (int(kind), value)
                faults[now + 1] = [fault for fault, *_ in refused]
        dut.sink_valid.value, dut.flush.value = int(push), int(flush)
        if flush:
            model, expected = QueueModel(DEPTH), {}
        await ReadOnly()
        leaves = int(dut.source_valid.value)
        got = (int(dut.source_kind.value), int(dut.source_value.value)) if leaves else None
        assert got == expected.pop(now, None), f"cycle {now}"
        releases += leaves
        if leaves:
            assert int(dut.source_time.value) == now & 0xFFFF_FFFF
        fault = Fault(int(dut.fault.value))
        assert [fault] * (fault != Fault.NONE) == faults.pop(now, []), f"cycle {now}"
        if fault != Fault.NONE:
            assert int(dut.fault_address.value) == (now - 1) & 0xFFF
            seen.add(fault)
        await RisingEdge(dut.sys_clk)
        now += 1
    assert releases > 400
    assert seen == {Fault.ORDER, Fault.COLLISION, Fault.UNDERFLOW, Fault.OVERFLOW}


@pytest.mark.parametrize("seed", range(4))
def test_events(seed):
    simulate("it_does_what_the_model_does", seed=seed)


@cocotb.test()
async def an_event_that_is_due_at_once_leaves_in_the_next_cycle(dut) -> None:
    now = await started(dut)
    dut.sink_valid.value, dut.sink_time.value = 1, now + EventQueue.LATENCY
    await ReadOnly()
    assert not int(dut.source_valid.value)
    await RisingEdge(dut.sys_clk)
    dut.sink_valid.value = 0
    for wait in range(1, 4):
        await ReadOnly()
        assert int(dut.source_valid.value) == (wait == EventQueue.LATENCY)
        await RisingEdge(dut.sys_clk)


def test_latency():
    simulate("an_event_that_is_due_at_once_leaves_in_the_next_cycle")


@cocotb.test()
async def a_pulse_that_cuts_another_is_a_fault(dut) -> None:
    now = await started(dut)
    for kind, fault in ((Kind.PLAY, Fault.COLLISION), (Kind.PHASE, Fault.NONE)):
        dut.sink_valid.value, dut.sink_time.value = 1, now + 3
        dut.sink_kind.value, dut.sink_address.value = int(kind), 77
        await RisingEdge(dut.sys_clk)
        dut.sink_valid.value, dut.busy.value = 0, 1
        for _ in range(2):
            await RisingEdge(dut.sys_clk)
        await ReadOnly()
        assert int(dut.source_valid.value)
        assert not int(dut.fault.value)
        await RisingEdge(dut.sys_clk)
        await ReadOnly()
        assert int(dut.fault.value) == fault
        assert not fault or int(dut.fault_address.value) == 77
        await RisingEdge(dut.sys_clk)
        now += 5


def test_busy():
    simulate("a_pulse_that_cuts_another_is_a_fault")


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="a queue holds at least 4 events, not 3"):
        EventQueue(3)
