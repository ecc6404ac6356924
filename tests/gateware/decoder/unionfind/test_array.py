# SPDX-License-Identifier: BSD-2-Clause
"""The union-find array under Verilator against its golden model, bit for bit and cycle for cycle."""

import dataclasses
import subprocess

import cocotb
import numpy as np
import stim
from cocotb.triggers import ReadOnly, RisingEdge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litex.gen import LiteXModule
from migen import ClockDomain, Signal

from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.gateware.decoder.unionfind.array import UnionFindArray
from triplane.gateware.decoder.unionfind.edge import WeightClass
from triplane.gateware.decoder.unionfind.plan import plan_arrays
from triplane.gateware.verilog import convert
from triplane.sim.cocotb_runner import parameters, run_cocotb
from triplane.sim.models.decoder.unionfind import UnionFindModel
from triplane.sim.streams import start_clock
from triplane.sim.toolchain import find_toolchain


class Bench(LiteXModule):
    """The array of a connected graph with its weights in place."""

    def __init__(self, graph: DecodingGraph) -> None:
        (plan,) = plan_arrays(graph)
        first = Signal(graph.weight_bits + 1, reset=graph.first_growth)
        registers = [WeightClass(graph.weight_bits, first) for _ in range(graph.num_classes)]
        for register, weight in zip(registers, graph.weights, strict=True):
            register.weight.reset = int(weight)
        self.submodules += registers
        self.array = array = UnionFindArray(plan, max(graph.num_observables, 1), registers)
        self.pins = {
            "events": array.events, "load": array.load, "peel": array.peel, "idle": array.idle, "done": array.done,
            "observables": array.observables, "unmatched": array.unmatched, "correction": array.correction,
            "grow_steps": array.grow_steps, "merge_steps": array.merge_steps,
        }  # fmt: skip
        for name, signal in self.pins.items():
            signal.name_override = name


@cocotb.test()
async def decodes_as_the_model_does(dut) -> None:
    p = parameters()
    dut.load.value = 0
    dut.peel.value = 1
    await start_clock(dut)
    for shot, events in enumerate(p["events"]):
        dut.events.value = events
        dut.load.value = 1
        await ReadOnly()
        assert int(dut.idle.value), f"shot {shot}: the array is not idle"
        await RisingEdge(dut.sys_clk)
        dut.load.value = 0
        cycles = 1
        await ReadOnly()
        while not int(dut.done.value):
            assert cycles < p["bound"], f"shot {shot}: not done within the bound of {p['bound']} cycles"
            await RisingEdge(dut.sys_clk)
            await ReadOnly()
            cycles += 1
        got = [cycles] + [
            int(getattr(dut, n).value) for n in ("observables", "unmatched", "grow_steps", "merge_steps")
        ]
        for _ in range(p["peel_bound"] + 1):
            await RisingEdge(dut.sys_clk)
            await ReadOnly()
            if int(dut.idle.value):
                break
        got.append(int(dut.correction.value))
        assert got == p["expected"][shot], (
            f"shot {shot}, events {events:#x}: got {got}, model {p['expected'][shot]}"
        )
        await RisingEdge(dut.sys_clk)


def integer(bits: np.ndarray) -> int:
    """Bits to an integer, bit k = entry k."""
    return sum(1 << int(k) for k in np.flatnonzero(bits))


def compare(graph: DecodingGraph, events: np.ndarray, name: str) -> None:
    (plan,) = plan_arrays(graph)
    result = UnionFindModel(graph).decode(events, correction=True)
    assert result.correction is not None
    columns = (result.cycles, result.observables, result.flags, result.grow_steps, result.merge_steps)
    expected = [
        [*(int(c[shot]) for c in columns), integer(result.correction[shot])] for shot in range(len(events))
    ]
    bench = Bench(graph)
    run_cocotb(
        bench,
        set(bench.pins.values()),
        __file__,
        name,
        {
            "events": [integer(e) for e in events],
            "expected": expected,
            "bound": plan.bound,
            "peel_bound": plan.peel_bound,
        },
    )


def all_events(detectors: int) -> np.ndarray:
    return (np.arange(2**detectors)[:, None] >> np.arange(detectors) & 1).astype(bool)


def test_two_detectors_exhaustively():
    graph = compile_graph(stim.DetectorErrorModel("error(0.1) D0 L0\nerror(0.05) D0 D1\nerror(0.2) D1 L1"))
    compare(graph, all_events(2), "two")


def test_a_detector_that_no_error_flips():
    graph = compile_graph(stim.DetectorErrorModel("error(0.1) D1 D2"))
    (plan, _) = plan_arrays(graph)
    assert plan.edges == ()
    alone = dataclasses.replace(graph, num_detectors=1, edges=(), components=((0,),), layers=((0,),))
    compare(alone, all_events(1), "alone")


def test_repetition_code_exhaustively():
    circuit = stim.Circuit.generated(
        "repetition_code:memory",
        distance=3,
        rounds=4,
        before_round_data_depolarization=0.03,
        before_measure_flip_probability=0.01,
    )
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True), weight_bits=4)
    compare(graph, all_events(graph.num_detectors), "repetition")


def test_one_basis_of_a_surface_code():
    circuit = stim.Circuit.generated(
        "surface_code:rotated_memory_x",
        distance=3,
        rounds=3,
        before_measure_flip_probability=0.02,
        before_round_data_depolarization=0.05,
        after_clifford_depolarization=0.01,
    )
    dem = circuit.detector_error_model(decompose_errors=True)
    graph = compile_graph(_largest_component(dem))
    rng = np.random.default_rng(3)
    events = np.concatenate(
        [rng.random((300, graph.num_detectors)) < density for density in (0.05, 0.2, 0.5)]
    )
    compare(graph, events, "surface")


def _largest_component(dem: stim.DetectorErrorModel) -> stim.DetectorErrorModel:
    keep = max(compile_graph(dem).components, key=len)
    number = {d: k for k, d in enumerate(keep)}
    reduced = stim.DetectorErrorModel()
    for edge in compile_graph(dem).edges:
        if edge.u in number:
            ends = [d for d in (edge.u, edge.v) if d >= 0]
            targets = [stim.target_relative_detector_id(number[d]) for d in ends]
            targets += [stim.target_logical_observable_id(0)] * (edge.observables & 1)
            reduced.append("error", edge.probability, targets)
    return reduced


@st.composite
def connected_models(draw) -> stim.DetectorErrorModel:
    """Any connected graph on 2 to 9 detectors, with or without a boundary."""
    count = draw(st.integers(2, 9))
    probability = st.floats(0.001, 0.5)
    mask = st.integers(0, 3)
    dem = stim.DetectorErrorModel()

    def add(ends: list[int]) -> None:
        crossed = draw(mask)
        targets = [stim.target_relative_detector_id(d) for d in ends]
        targets += [stim.target_logical_observable_id(k) for k in range(2) if crossed >> k & 1]
        dem.append("error", draw(probability), targets)

    for d in range(1, count):
        add([draw(st.integers(0, d - 1)), d])
    for _ in range(draw(st.integers(0, 12))):
        u, v = draw(st.integers(0, count - 1)), draw(st.integers(0, count - 1))
        if u != v:
            add([u, v])
    for d in draw(st.sets(st.integers(0, count - 1), max_size=count)):
        add([d])
    return dem


# Each example is a Verilator build of its own; they are the same ones every time, so that the cache holds them.
@settings(
    max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(connected_models(), st.integers(2, 7))
def test_random_graphs_exhaustively(dem, weight_bits):
    graph = compile_graph(dem, weight_bits=weight_bits)
    compare(graph, all_events(graph.num_detectors), "random")


def test_the_largest_code_can_be_read_by_verilator(tmp_path):
    circuit = stim.Circuit.generated(
        "surface_code:rotated_memory_x",
        distance=7,
        rounds=7,
        before_measure_flip_probability=0.003,
        after_clifford_depolarization=0.003,
    )
    graph = compile_graph(_largest_component(circuit.detector_error_model(decompose_errors=True)))
    assert graph.num_detectors == 192
    bench = Bench(graph)
    clock = ClockDomain("sys")
    bench.clock_domains += clock
    pins = {*bench.pins.values(), clock.clk, clock.rst}
    source = tmp_path / "largest.v"
    source.write_text(convert(bench, ios=pins, name="largest").main_source)
    tools = find_toolchain()
    command = [
        tools.perl,
        tools.verilator_root / "bin" / "verilator",
        "--lint-only",
        "-Wno-fatal",
        "-Wno-lint",
        "-Wno-COMBDLY",
        str(source),
    ]
    done = subprocess.run(command, env=tools.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
