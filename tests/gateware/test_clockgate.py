# SPDX-License-Identifier: BSD-2-Clause
"""Clock gate: enabled in the cycle of a request and for HOLD cycles after it."""

import random

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge

from triplane.gateware.clockgate import ClockGate
from triplane.sim.cocotb_runner import run_cocotb
from triplane.sim.streams import start_clock


@cocotb.test()
async def holds(dut):
    dut.request.value = 0
    await start_clock(dut)
    rng = random.Random(11)
    since = 1  # start_clock ends one cycle after reset, and reset counts as a request
    for _ in range(2000):
        request = int(rng.random() < 0.12)
        dut.request.value = request
        since = 0 if request else since + 1
        await ReadOnly()
        assert int(dut.enable.value) == int(since <= ClockGate.HOLD)
        await RisingEdge(dut.sys_clk)


@cocotb.test()
async def runs_in_reset(dut):
    dut.request.value = 0
    await start_clock(dut)
    for _ in range(20):
        await RisingEdge(dut.sys_clk)
    dut.sys_rst.value = 1
    await RisingEdge(dut.sys_clk)
    for _ in range(20):
        await ReadOnly()
        assert dut.enable.value == 1
        await RisingEdge(dut.sys_clk)


def test_gate():
    gate = ClockGate()
    gate.request.name_override, gate.enable.name_override = "request", "enable"
    run_cocotb(gate, {gate.request, gate.enable}, __file__, "clock_gate")
