# SPDX-License-Identifier: BSD-2-Clause
"""Committed edges under Verilator, against the same edges in the coordinates of the shot."""

import functools

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge
from litex.gen import LiteXModule

from triplane.gateware.decoder.graph import BOUNDARY, compile_graph
from triplane.gateware.decoder.window import NOWHERE, WindowPlan, sliding_window, whole_window
from triplane.gateware.decoder.window.past import PastEdges
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.cocotb_runner import parameters, run_cocotb
from triplane.sim.streams import start_clock

INPUTS = ("used", "settle", "shift", "clear")


class Bench(LiteXModule):
    def __init__(self, plan: WindowPlan) -> None:
        self.past = PastEdges(plan)
        self.pins = set()
        for name in (*INPUTS, "edges"):
            signal = getattr(self.past, name)
            signal.name_override = name
            self.pins.add(signal)


@functools.cache
def plan_of(window: int, commit: int) -> WindowPlan:
    circuit = memory_circuit(distance=3, rounds=12, probability=0.01)
    return sliding_window(
        compile_graph(circuit.detector_error_model(decompose_errors=True)), window=window, commit=commit
    )


def place(plan: WindowPlan, number: int, base: int) -> tuple[int, int, int]:
    """What an edge of the window connects in the shot."""
    edge = plan.edges[number]
    ends = (edge.u, edge.v if edge.outside == NOWHERE else edge.outside)
    u, v = (end if end == BOUNDARY else end + base * plan.width for end in ends)
    return u, v, edge.observables


@cocotb.test()
async def edges_move_with_the_window(dut) -> None:
    p = parameters()
    for name in INPUTS:
        getattr(dut, name).value = 0
    await start_clock(dut)
    for used, layers, expected in p["windows"]:
        dut.used.value = int(used, 16)
        dut.settle.value = 1
        await RisingEdge(dut.sys_clk)
        dut.settle.value = 0
        dut.shift.value = 1
        for _ in range(layers):
            await RisingEdge(dut.sys_clk)
        dut.shift.value = 0
        dut.used.value = 0
        for _ in range(3):
            await ReadOnly()
            assert int(dut.edges.value) == int(expected, 16)
            await RisingEdge(dut.sys_clk)
    assert int(dut.edges.value)
    dut.clear.value = 1
    await RisingEdge(dut.sys_clk)
    await ReadOnly()
    assert int(dut.edges.value) == 0


def test_edges_move_with_the_window():
    plan = plan_of(5, 2)
    rng = np.random.default_rng(1)
    partners = {partner for pairs in plan.reliefs for partner, _ in pairs}
    committed: set[tuple[int, int, int]] = set()
    windows, base = [], 0
    for _ in range(60):
        used = [
            k for k in range(len(plan.edges)) if rng.random() < 0.2 and plan.edges[k].classes[1] != NOWHERE
        ]
        committed |= {place(plan, k, base) for k in used}
        layers = int(rng.integers(1, 3))
        base += layers
        past = [k for k in partners if place(plan, k, base) in committed]
        windows.append((f"{sum(1 << k for k in used):x}", layers, f"{sum(1 << k for k in past):x}"))
    bench = Bench(plan)
    run_cocotb(
        bench, bench.pins, __file__, "past", {"windows": windows}, testcase="edges_move_with_the_window"
    )


def test_only_edges_that_matter_take_a_register():
    plan = plan_of(5, 2)
    newest = {k for k in range(len(plan.edges)) if k not in plan.older}
    assert newest
    assert 0 < PastEdges(plan).num_bits <= len(plan.edges) - len(newest)
    whole = whole_window(
        compile_graph(
            memory_circuit(distance=3, rounds=3, probability=0.01).detector_error_model(decompose_errors=True)
        )
    )
    assert PastEdges(whole).num_bits == 0
