# SPDX-License-Identifier: BSD-2-Clause
"""Faults as records: each once, with the time of the first of those that a record tells."""

import random

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge

from triplane.gateware.faults import CONDITIONS
from triplane.gateware.link.records import FaultSource
from triplane.gateware.link.records.layouts import FAULT
from triplane.sim.cocotb_runner import endpoint_ios, parameters, run_cocotb
from triplane.sim.streams import start_clock


@cocotb.test()
async def every_fault_is_told_once(dut):
    rng, cycle = random.Random(5), 2**40
    held, arisen, words, began = 0, [], [], []
    dut.conditions.value = dut.source_ready.value = 0
    await start_clock(dut)
    for step in range(3000):
        # Each condition holds for some cycles; the last cycles are quiet.
        now = sum(1 << k for k in range(len(CONDITIONS)) if rng.random() < (0.8 if held >> k & 1 else 0.01))
        now = now if step < 2900 else 0
        ready = step >= 2900 or rng.random() >= parameters()["back_pressure"]
        if now & ~held:
            arisen.append((cycle, now & ~held))
        held = now
        dut.conditions.value, dut.now.value, dut.source_ready.value = now, cycle, ready
        await ReadOnly()
        if dut.source_valid.value and dut.source_first.value and len(began) == len(words) // FAULT.words:
            began.append(cycle)
        if dut.source_valid.value and ready:
            words.append(
                (int(dut.source_data.value), int(dut.source_first.value), int(dut.source_last.value))
            )
        await RisingEdge(dut.sys_clk)
        cycle += 1
    assert len(words) % FAULT.words == 0
    assert len(arisen) > 100
    for at in range(0, len(words), FAULT.words):
        (low, *first), (high, *middle), (mask, *last) = words[at : at + 3]
        assert (first, middle, last) == ([1, 0], [0, 0], [0, 1])
        assert high << 32 | low == arisen[0][0]
        told, taken = 0, began[at // FAULT.words] - 1
        while arisen and arisen[0][0] < taken:
            told |= arisen.pop(0)[1]
        assert told == mask
    assert arisen == []


@cocotb.test()
async def the_first_word_comes_in_time(dut):
    dut.conditions.value, dut.now.value, dut.source_ready.value = 0, 0, 1
    await start_clock(dut)
    dut.conditions.value = 1 << 3
    for cycle in range(FaultSource.LATENCY + 1):
        await ReadOnly()
        assert bool(dut.source_valid.value) == (cycle == FaultSource.LATENCY)
        await RisingEdge(dut.sys_clk)


@pytest.mark.parametrize("back_pressure", [0.0, 0.7])
def test_faults(back_pressure):
    module = FaultSource()
    ios = {module.conditions, module.now} | endpoint_ios(module.source, "source")
    module.conditions.name_override, module.now.name_override = "conditions", "now"
    run_cocotb(module, ios, __file__, "fault_source", {"back_pressure": back_pressure})
