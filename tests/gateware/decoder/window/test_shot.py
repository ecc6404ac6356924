# SPDX-License-Identifier: BSD-2-Clause
"""The walk along a shot against the plan's schedule, for shots of every length."""

from types import SimpleNamespace

import cocotb
import pytest
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule

from triplane.gateware.decoder.window.plan import WindowPlan
from triplane.gateware.decoder.window.shot import Remainder, ShotWalk
from triplane.sim.cocotb_runner import parameters, run_cocotb
from triplane.sim.streams import start_clock

INPUTS = ("rounds", "written", "begin", "finish", "settle", "idle", "restart")
OUTPUTS = ("ready", "kind", "last", "first", "count", "settled", "after")


class Bench(LiteXModule):
    """A walk whose ports are pins."""

    def __init__(self, layers: int, commit: int) -> None:
        plan = SimpleNamespace(
            num_layers=layers, commit=commit, kinds=("first", "middle", "last"), sliding=True
        )
        self.walk = walk = ShotWalk(plan)
        self.pins = {getattr(walk, name) for name in INPUTS + OUTPUTS}
        for name in INPUTS + OUTPUTS:
            getattr(walk, name).name_override = f"pin_{name}"


async def pulse(dut, name: str) -> None:
    getattr(dut, f"pin_{name}").value = 1
    await RisingEdge(dut.sys_clk)
    getattr(dut, f"pin_{name}").value = 0


@cocotb.test()
async def windows_are_those_of_the_schedule(dut) -> None:
    p = parameters()
    for name in INPUTS:
        getattr(dut, f"pin_{name}").value = 0
    await start_clock(dut)
    for rounds, windows in p["shots"]:
        dut.pin_rounds.value = rounds
        await pulse(dut, "written")
        await ReadOnly()
        while not int(dut.pin_ready.value):
            await RisingEdge(dut.sys_clk)
            await ReadOnly()
        await RisingEdge(dut.sys_clk)
        await pulse(dut, "begin")
        for number, (base, kind, count) in enumerate(windows):
            await ReadOnly()
            found = [int(getattr(dut, f"pin_{name}").value) for name in ("settled", "kind", "first", "last")]
            assert found == [base, kind, number == 0, kind == 2], f"window {number} of {rounds} rounds"
            assert kind == 2 or int(dut.pin_count.value) == count
            for _ in range(2):
                await RisingEdge(dut.sys_clk)
            await ReadOnly()
            assert int(dut.pin_after.value) == (rounds if kind == 2 else base + count)
            await RisingEdge(dut.sys_clk)
            await pulse(dut, "finish")
            if kind != 2:
                await pulse(dut, "settle")
        await pulse(dut, "idle")
    # A shot without end
    dut.pin_rounds.value = 0
    await pulse(dut, "written")
    for _ in range(40):
        await RisingEdge(dut.sys_clk)
    await pulse(dut, "begin")
    for number in range(50):
        await ReadOnly()
        assert int(dut.pin_settled.value) == number * p["commit"]
        assert int(dut.pin_kind.value) == (number > 0)
        await RisingEdge(dut.sys_clk)
        await pulse(dut, "finish")
        await pulse(dut, "settle")


@pytest.mark.parametrize(("layers", "commit"), [(2, 1), (4, 2), (8, 3), (11, 4), (6, 5)])
def test_walk(layers, commit):
    plan = SimpleNamespace(num_layers=layers, commit=commit, sliding=True)
    lengths = [*range(layers + 1, layers + 4 * commit + 2), 1_000_003 % 997 + layers]
    shots = [
        (n, [(s.base, s.kind, s.commit) for s in WindowPlan.schedule(plan, n)]) for n in lengths
    ]  # fmt: skip
    bench = Bench(layers, commit)
    run_cocotb(
        bench, bench.pins, __file__, "walk", {"shots": shots, "commit": commit},
        testcase="windows_are_those_of_the_schedule",
    )  # fmt: skip


def test_a_divisor_is_needed():
    with pytest.raises(ValueError, match="a divisor is at least 1, not 0"):
        Remainder(8, 0)
