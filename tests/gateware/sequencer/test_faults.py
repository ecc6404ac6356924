# SPDX-License-Identifier: BSD-2-Clause
"""Every fault of the sequencer, provoked: what it is, where, in which cycle, and what the board is like afterwards."""

import cocotb
import pytest

from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.core import Sequencer
from triplane.gateware.sequencer.dispatch import Dispatcher
from triplane.gateware.sequencer.execute import ExecutionUnit
from triplane.gateware.sequencer.fetch import Fetch
from triplane.gateware.sequencer.layouts import (
    EVENT_TO_RELEASE,
    FAULTS,
    KINDS,
    RESULT_TO_EVENT,
    SAFE_CYCLES,
    START_LEAD,
    START_TO_EXECUTE,
    Fault,
    Kind,
)
from triplane.gateware.sequencer.results import ResultTable
from triplane.gateware.sequencer.trace import TracePort
from triplane.sim.cocotb_runner import parameters, run_cocotb
from triplane.sim.models.sequencer.core import FrameAnswer, Stop
from triplane.sim.models.sequencer.results import Arrival
from triplane.sim.sequencer import ABORT, CLEAR, START, STEP, STOP, World, compare, small_bench, started

HEADER = ".group a, 0\n.group pair, 0, 1\n.group line, 3 arms 0, 1, 2\n.group other, 3 arms 3, 5\n"
FIRST = START_TO_EXECUTE
"""Cycle of address 0, after the start; straight programs go on by one a cycle."""

CASES = {
    # name: (program, fault, channel, cycle after the start); the instruction at `bad` is the cause
    "a play whose time is past": ("set r1, 20\nspin: loop r1, spin\nbad: play a, 1", Fault.UNDERFLOW, 0, FIRST + 60),
    "one more than the queue holds": (
        "wait 200\n" + "phase pair, 1, +2\n" * 8 + "bad: play pair, 1", Fault.OVERFLOW, 0, FIRST + 10,
    ),
    "two of a kind at a time": (
        "wait 50\nplay line, 0\nslot line, 1\nbad: play line, 1", Fault.COLLISION, 3, FIRST + 4,
    ),
    "a time that a chain takes": (
        "wait 50\nslot a, 1\nphase a, 2, +1\nbad: play a, 1", Fault.COLLISION, 0, FIRST + 4,
    ),
    "a pulse that cuts another": (
        "wait 50\nplay a, 7, +4\nbad: play a, 1\nhalt 0", Fault.COLLISION, 0, START_LEAD + 54,
    ),
    "before what was given": (
        "wait 50\nphase pair, 7, +20\ncursor r1\nsub r1, r1, 30\nuntil r1\nbad: phase pair, 1",
        Fault.ORDER, 0, FIRST + 6,
    ),
    "a result that nothing measures": ("bad: on.one 4, 0, 100", Fault.STALE, 0, FIRST + 2),
    "a frame that nothing expects": ("nop\nbad: barrier 100", Fault.STALE, 0, FIRST + 3),
    "a frame that was not waited for": ("nop\nbad: frame r1", Fault.STALE, 0, FIRST + 1),
    "a question before the answer": ("expect r1, 3\nbad: expect r1, 4", Fault.STALE, 0, FIRST + 1),
    "a result that does not come": ("wait 50\ncapture line, 1\nbad: on.one 0, 0, 30", Fault.TIMEOUT, 0, FIRST + 34),
    "a frame that does not come": ("expect r1, 3\nbad: frame.one 3, 0, 40", Fault.TIMEOUT, 0, FIRST + 43),
    "the end of the program": ("nop\nnop", Fault.ILLEGAL, 0, FIRST + 2),
    "a group that was not built": ("bad: play 8, 1", Fault.ILLEGAL, 0, FIRST),
    "a slot that was not built": ("bad: read r1, 6, 20", Fault.ILLEGAL, 0, FIRST),
    "a call too many": ("bad: call bad", Fault.STACK, 0, FIRST + 9),
    "a return too many": ("nop\nbad: return", Fault.STACK, 0, FIRST + 1),
    "a program without end": ("bad: jump bad", Fault.WATCHDOG, 0, 1 + 77),
    "a measurement too many": (
        "wait 300\n" + "capture other, 2, +5\n" * 7 + "bad: capture other, 2, +5", Fault.BACKLOG, 0, FIRST + 9,
    ),
}  # fmt: skip
WATCHDOG = 77


def simulate(testcase: str, **more) -> None:
    bench = small_bench()
    given = {"registers": bench.registers, "sizes": bench.sizes, **more}
    run_cocotb(bench, bench.pins, __file__, "sequencer", given, testcase=testcase)


@cocotb.test()
async def every_fault_stops_the_program(dut) -> None:
    driver = await started(dut, parameters())
    for name, (source, fault, channel, time) in CASES.items():
        program = assemble(HEADER + source + "\nnop\nhalt 0" * ("bad" in source))
        world = World(1, answers=False)
        world.registers = {1: 0}
        run = await compare(driver, program, world, watchdog=WATCHDOG if fault == Fault.WATCHDOG else 0)
        address = program.labels.get("bad", len(program.words))
        assert run.stop == Stop(fault, channel, address, driver.began + time), name


def test_every_fault_stops_the_program():
    provoked = {fault for _, fault, *_ in CASES.values()}
    assert provoked | {Fault.NONE, Fault.UNTRUSTED, Fault.EXTERNAL} == set(FAULTS)
    simulate("every_fault_stops_the_program")


async def loaded(dut, source: str):
    driver = await started(dut, parameters())
    await driver.load(assemble(HEADER + source))
    return driver


@cocotb.test()
async def the_safe_state_is_silent(dut) -> None:
    """A fault in the middle of a program: nothing leaves any more, nothing starts, and the next run is as new."""
    source = (
        "wait 20\nslot pair, 1, +3\nslot pair, 2, +3\nslot pair, 3, +40\nplay pair, 4\nplay pair, 5\nhalt 0"
    )
    driver = await loaded(dut, source)
    start = await driver.begin()
    fault = start + FIRST + 6
    await driver.run(fault + SAFE_CYCLES - driver.now)
    assert await driver.cycle("safe")
    await driver.run(100)
    assert driver.releases == []
    assert await driver.stop() == Stop(Fault.COLLISION, 0, 5, fault)
    await driver.write("control_control", START)
    await driver.run(50)
    assert driver.began == start
    await driver.write("control_control", CLEAR)
    await driver.run(3)
    assert not await driver.cycle("safe")
    assert await driver.stop() is None
    again = await driver.begin()
    await driver.run(3)
    assert again > start


@cocotb.test()
async def nothing_starts_before_its_tables_are_checked(dut) -> None:
    driver = await loaded(dut, "halt 7")
    for table in ("program", "dispatcher_groups", "dispatcher_arms"):
        await driver.load(assemble(HEADER + "halt 7"))
        await driver.write(f"{table}_index", 0)
        await driver.write(f"{table}_data", 0x55)
        await driver.write("control_control", START)
        await driver.run(6)
        stop = await driver.stop()
        assert stop is not None
        assert (stop.fault, stop.address) == (Fault.UNTRUSTED, 0)
        await driver.write(f"{table}_crc", 1)
        await driver.write(f"{table}_crc", 1)
        await driver.run(140)
        assert await driver.read(f"{table}_status") & 0b101 != 1
        await driver.write("control_control", CLEAR)
    await driver.load(assemble(HEADER + "halt 7"))
    await driver.begin()
    await driver.run(8)
    assert await driver.read("control_exit") == 7


@cocotb.test()
async def a_table_that_is_written_stops_the_program(dut) -> None:
    driver = await loaded(dut, "here: jump here")
    await driver.begin()
    await driver.run(20)
    await driver.write("dispatcher_arms_data", 0)
    at = driver.now + 1
    await driver.run(8)
    assert await driver.stop() == Stop(Fault.UNTRUSTED, 0, 0, at)


@cocotb.test()
async def what_goes_safe_elsewhere_stops_the_program(dut) -> None:
    driver = await loaded(dut, "here: jump here")
    await driver.begin()
    await driver.run(20)
    dut.external.value = 1
    at = driver.now
    await driver.run(1)
    dut.external.value = 0
    await driver.run(5)
    assert await driver.stop() == Stop(Fault.EXTERNAL, 0, 0, at)


def test_safe_state():
    simulate(
        "(the_safe_state_is_silent|"
        "nothing_starts_before_its_tables_are_checked|"
        "a_table_that_is_written_stops_the_program|"
        "what_goes_safe_elsewhere_stops_the_program)"
    )


@cocotb.test()
async def the_way_of_a_result_is_short(dut) -> None:
    """From valid to the dispatcher, and to the release; for both ways, and for the frame."""
    source = "wait 10\ncapture line, 1\non.one 1, yes, 500\nplay a, 1\nhalt 0\nyes: play pair, 2\nhalt 1\n"
    driver = await loaded(dut, source)
    for wait in (12, 13, 20, 31):
        for bit in (0, 1):
            start = await driver.begin()
            at = start + START_LEAD + 10 + wait
            driver.expect([Arrival(at, slot, bit if slot == 1 else 0) for slot in (0, 1, 2)])
            await driver.run(80)
            assert driver.issued[-1] - at == RESULT_TO_EVENT == Sequencer.LATENCY
            played = [(r.cycle - at, r.channel, r.value) for r in driver.releases if r.kind == Kind.PLAY]
            release = RESULT_TO_EVENT + EVENT_TO_RELEASE
            assert played == ([(release, 0, 2), (release, 1, 2)] if bit else [(release, 0, 1)])
            assert await driver.read("control_exit") == bit
    await driver.load(
        assemble(HEADER + "expect r0, 3\nframe.zero 9, yes, 500\nplay a, 1\nhalt 0\nyes: play a, 2\nhalt 1")
    )
    for bit in (0, 1):
        start = await driver.begin()
        at = start + 40
        driver.expect([], [FrameAnswer(at, bit << 9 | 0x1FF)])
        await driver.run(80)
        assert driver.asked == [(start + FIRST + 1, 0, 3)]
        assert [(r.cycle - at, r.value) for r in driver.releases] == [
            (RESULT_TO_EVENT + EVENT_TO_RELEASE, 2 - bit)
        ]


@cocotb.test()
async def a_fault_makes_safe_in_time(dut) -> None:
    driver = await loaded(dut, "nop\nreturn")
    start = await driver.begin()
    while not await driver.cycle("safe"):
        pass
    assert driver.now - 1 == start + FIRST + 1 + SAFE_CYCLES


def test_latency():
    simulate("(the_way_of_a_result_is_short|a_fault_makes_safe_in_time)")


LINES = "set r1, 3\nagain: play a, 5, +30\nadd r2, r2, 1\nloop r1, again\nhalt r2\n"


@cocotb.test()
async def single_steps_do_what_a_run_does(dut) -> None:
    driver = await loaded(dut, "wait 40\n" + LINES)
    start = await driver.begin()
    await driver.run(200)
    free = [r.cycle - start for r in driver.releases]
    assert len(free) == 3
    await driver.write("control_breakpoint0", 1 << 31)
    await driver.write("control_register", 2)
    await driver.write("control_register_data", 0)
    await driver.begin()
    visited = []
    for _ in range(12):
        await driver.run(7)
        status = await driver.read("control_status")
        assert status & 0b11 == 0b10, "paused"
        visited.append(status >> 16)
        await driver.write("control_control", STEP)
    assert visited == [0, 1, 2, 3, 4, 2, 3, 4, 2, 3, 4, 5]
    await driver.run(200)
    assert await driver.read("control_exit") == 3
    assert await driver.read("control_instructions") == 12
    assert len(driver.releases) == 3
    assert await driver.stop() is None


@cocotb.test()
async def breakpoints_pause_and_runs_go_on(dut) -> None:
    driver = await loaded(dut, "wait 40\n" + LINES)
    await driver.write("control_breakpoint1", 1 << 31 | 4)
    await driver.begin()
    for passed in range(3):
        await driver.run(30)
        assert await driver.read("control_status") >> 16 == 4
        assert await driver.read("control_instructions") == 4 + 3 * passed
        await driver.write("control_control", START)
    await driver.run(150)
    assert await driver.read("control_status") & 0b1001 == 0b1000
    assert [r.value for r in driver.releases] == [5, 5, 5]


@cocotb.test()
async def stop_and_abort(dut) -> None:
    driver = await loaded(dut, "wait 900\nplay a, 1\nhere: jump here")
    await driver.begin()
    await driver.run(20)
    await driver.write("control_control", STOP)
    await driver.run(3)
    assert await driver.read("control_status") & 0b11 == 0b10
    dut.measuring.value = 1
    await driver.write("control_control", ABORT)
    await driver.run(3)
    assert await driver.read("control_status") & 0b1011 == 0
    first = driver.began
    await driver.write("control_control", START)
    await driver.run(1500)
    assert driver.releases == []
    assert driver.began == first, "a start waits for measurements on their way"
    assert await driver.read("control_status") & 0b100
    dut.measuring.value = 0
    await driver.run(4)
    assert driver.began > first


@cocotb.test()
async def strays_and_lost_records_are_counted(dut) -> None:
    source = "wait 8\nset r1, 300\nagain: slot a, 1, +4\nloop r1, again\nhalt 0"
    driver = await loaded(dut, source)
    start = await driver.begin()
    driver.expect([Arrival(start + 20, 0), Arrival(start + 20, 1), Arrival(start + 30, 5)])
    await driver.run(1400)
    assert await driver.read("control_strays") == 2
    kept = await driver.trace()
    assert len(kept) + await driver.read("trace_lost") == 301
    assert len(kept) >= 256
    assert await driver.read("trace_data") == 0


def test_debugging():
    simulate(
        "(single_steps_do_what_a_run_does|"
        "breakpoints_pause_and_runs_go_on|"
        "stop_and_abort|"
        "strays_and_lost_records_are_counted)"
    )


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="a power of two from 4 to 4096 words, not 100"):
        Fetch(100, None)
    with pytest.raises(ValueError, match="1 to 256 channels, not 0"):
        Dispatcher(0, 1, 8, 8)
    with pytest.raises(ValueError, match="2 to 256 groups, not 300"):
        Dispatcher(1, 1, 300, 8)
    with pytest.raises(ValueError, match="1 to 256 measurement slots, not 257"):
        ResultTable(257)
    with pytest.raises(ValueError, match="a stack holds at least 1 call, not 0"):
        ExecutionUnit(0)
    with pytest.raises(ValueError, match="a trace holds at least 2 records, not 1"):
        TracePort(1)


def test_every_kind_and_fault_has_its_meaning():
    assert set(KINDS) == set(Kind)
    assert set(FAULTS) == set(Fault)
