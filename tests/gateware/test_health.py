# SPDX-License-Identifier: BSD-2-Clause
"""What a board knows of its clocks and streams: windows of its reference to the cycle, and what was lost, kept."""

import random

import cocotb
import pytest
from cocotb.triggers import ClockCycles, RisingEdge
from litex.gen import LiteXModule
from migen import Signal

from triplane.gateware.health import Health
from triplane.sim.cocotb_runner import run_cocotb
from triplane.sim.streams import start_clock

TICKS, CYCLES, STREAMS = 5, 40, 3
SETTLE = 8
"""Cycles that an input takes to where it is read."""


class Bare(LiteXModule):
    """Inputs and registers as ports; the register bus is not part of it."""

    def __init__(self):
        self.health = health = Health(STREAMS, TICKS, CYCLES)
        names = {
            "pll_locked": health._pll.fields.locked,
            "pll_lost": health._pll.fields.lost,
            "streams": health._streams.status,
            "streams_lost": health._streams_lost.status,
            "ended": health._window.fields.ended,
            "expected": health._expected.status,
            "measured": health._measured.status,
        }
        self.outputs = {name: Signal(len(signal), name_override=name) for name, signal in names.items()}
        self.locked, self.tick, self.clear = (
            Signal(name_override=name) for name in ("locked", "tick", "clear")
        )
        self.flowing = Signal(STREAMS, name_override="flowing")
        self.comb += [
            *(self.outputs[name].eq(signal) for name, signal in names.items()),
            health.locked.eq(self.locked),
            health.tick.eq(self.tick),
            health.flowing.eq(self.flowing),
            health._control.fields.clear.eq(self.clear),
        ]

    def ports(self):
        return {self.locked, self.tick, self.clear, self.flowing, *self.outputs.values()}


async def begin(dut):
    for name in ("locked", "tick", "clear", "flowing"):
        getattr(dut, name).value = 0
    await start_clock(dut)


async def tick(dut, cycles):
    """One tick, and the time to the next."""
    dut.tick.value = 1
    await ClockCycles(dut.sys_clk, cycles // 2)
    dut.tick.value = 0
    await ClockCycles(dut.sys_clk, cycles - cycles // 2)


@cocotb.test()
async def windows_are_measured(dut):
    await begin(dut)
    rng = random.Random(3)
    assert int(dut.expected.value) == CYCLES
    gaps = [rng.randrange(2, 30) for _ in range(20 * TICKS + 1)]
    found = []
    for gap in gaps:
        before = int(dut.ended.value)
        await tick(dut, gap)
        if int(dut.ended.value) != before:
            found.append(int(dut.measured.value))
    await ClockCycles(dut.sys_clk, SETTLE)
    if int(dut.ended.value) != len(found):
        found.append(int(dut.measured.value))
    assert found == [sum(gaps[k * TICKS : (k + 1) * TICKS]) for k in range(20)]


@cocotb.test()
async def a_reference_that_pauses_makes_its_window_long(dut):
    await begin(dut)
    for gap in [8] * TICKS:
        await tick(dut, gap)
    await tick(dut, 8)
    ended = int(dut.ended.value)
    assert (ended, int(dut.measured.value)) == (1, 8 * TICKS)
    await ClockCycles(dut.sys_clk, 5000)
    assert int(dut.ended.value) == ended
    for gap in [8] * TICKS:
        await tick(dut, gap)
    assert int(dut.measured.value) == 8 * TICKS + 5000


@cocotb.test()
async def what_was_lost_is_kept(dut):
    await begin(dut)
    await ClockCycles(dut.sys_clk, SETTLE)
    assert (int(dut.pll_locked.value), int(dut.pll_lost.value), int(dut.streams_lost.value)) == (0, 0, 0)
    dut.locked.value, dut.flowing.value = 1, 0b101
    await ClockCycles(dut.sys_clk, SETTLE)
    # What was never there is not lost.
    assert (int(dut.pll_locked.value), int(dut.pll_lost.value)) == (1, 0)
    assert (int(dut.streams.value), int(dut.streams_lost.value)) == (0b101, 0)
    dut.locked.value, dut.flowing.value = 0, 0b001
    await RisingEdge(dut.sys_clk)
    dut.locked.value, dut.flowing.value = 1, 0b111
    await ClockCycles(dut.sys_clk, SETTLE)
    assert (int(dut.pll_locked.value), int(dut.pll_lost.value)) == (1, 1)
    assert (int(dut.streams.value), int(dut.streams_lost.value)) == (0b111, 0b100)
    dut.clear.value = 1
    await RisingEdge(dut.sys_clk)
    dut.clear.value = 0
    await ClockCycles(dut.sys_clk, SETTLE)
    assert (int(dut.pll_lost.value), int(dut.streams_lost.value)) == (0, 0)


def test_health():
    bare = Bare()
    run_cocotb(bare, bare.ports(), __file__, "health")


@pytest.mark.parametrize(("streams", "ticks", "cycles"), [(0, 4, 100), (1, 0, 100), (1, 8, 15)])
def test_what_cannot_be_measured_is_refused(streams, ticks, cycles):
    with pytest.raises(ValueError, match=f"not {streams} streams and {ticks} ticks in {cycles} cycles"):
        Health(streams, ticks, cycles)
