# SPDX-License-Identifier: BSD-2-Clause
"""The union-find array under Verilator against its golden model, bit for bit and cycle for cycle."""

import dataclasses
import subprocess
from collections.abc import Sequence

import cocotb
import numpy as np
import stim
from cocotb.triggers import ReadOnly, RisingEdge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litex.gen import LiteXModule
from migen import Cat, ClockDomain, Signal

from triplane.gateware.decoder.graph import BOUNDARY, DecodingGraph, compile_graph
from triplane.gateware.decoder.unionfind.array import UnionFindArray
from triplane.gateware.decoder.unionfind.plan import ArrayEdge, ArrayPlan, plan_arrays
from triplane.gateware.verilog import convert
from triplane.sim.cocotb_runner import parameters, run_cocotb
from triplane.sim.models.decoder.unionfind import ArrayResult, ArrayTables, committed_by, decode_array
from triplane.sim.streams import start_clock
from triplane.sim.toolchain import find_toolchain


class Bench(LiteXModule):
    """One array; `weights` are the words that the weight buses carry, class after class."""

    def __init__(self, plan: ArrayPlan, num_observables: int, num_classes: int) -> None:
        buses = [Signal(plan.weight_bits) for _ in range(num_classes)]
        self.array = array = UnionFindArray(plan, num_observables, buses, with_commit=True)
        weights = Signal(plan.weight_bits * num_classes)
        self.comb += [Cat(*buses).eq(weights), array.held.eq(array.events)]
        self.pins = {"weights": weights} | {
            name: getattr(array, name)
            for name in (
                "events", "load", "load_base", "relieve", "relieved", "first_growth", "alive", "peel", "peeled",
                "flood", "seeds", "flooded", "idle", "done", "observables", "unmatched", "correction", "committed",
                "committed_observables", "grow_steps", "merge_steps",
            )
        }  # fmt: skip
        for name, signal in self.pins.items():
            signal.name_override = name


async def pulse(dut, name: str, answer: str, bound: int) -> int:
    """Raises an input for one cycle, `load_base` ends with it; returns the cycles until the output is 1.

    Ends in that cycle, read only.
    """
    getattr(dut, name).value = 1
    await ReadOnly()
    assert int(dut.idle.value), f"not idle for {name}"
    cycles = 0
    while True:
        await RisingEdge(dut.sys_clk)
        getattr(dut, name).value = 0
        dut.load_base.value = 0
        cycles += 1
        await ReadOnly()
        if int(getattr(dut, answer).value):
            return cycles
        assert cycles < bound, f"no {answer} within the bound of {bound} cycles"


@cocotb.test()
async def decodes_as_the_model_does(dut) -> None:
    """Every shot in every pass: reload, decode, flood, peel; base weights are loaded long before or with the events."""
    p = parameters()
    for name in ("load", "load_base", "relieve", "peel", "flood"):
        getattr(dut, name).value = 0
    await start_clock(dut)
    for number, (events, alive, passes) in enumerate(p["shots"]):
        dut.alive.value = p["all"] if alive is None else alive
        dut.events.value = events
        for turn, (reliefs, first_growth, seeds, wanted) in enumerate(passes):
            dut.weights.value = p["base"]
            dut.load_base.value = 1
            if turn or number % 2:
                await RisingEdge(dut.sys_clk)
                dut.load_base.value = 0
            for level, relieved in enumerate(reliefs):
                dut.weights.value = p["levels"][level]
                dut.relieved.value = relieved
                dut.relieve.value = 1
                await RisingEdge(dut.sys_clk)
                dut.relieve.value = 0
            dut.first_growth.value = first_growth
            cycles = await pulse(dut, "load", "done", p["bound"])
            got = [cycles] + [
                int(getattr(dut, n).value) for n in ("observables", "unmatched", "grow_steps", "merge_steps")
            ]
            await RisingEdge(dut.sys_clk)
            if seeds is not None:
                dut.seeds.value = seeds
                got.append(await pulse(dut, "flood", "flooded", p["flood_bound"]))
                got.append(int(dut.committed.value))
                await RisingEdge(dut.sys_clk)
                await ReadOnly()
                got.append(int(dut.committed_observables.value))
                await RisingEdge(dut.sys_clk)
            got.append(await pulse(dut, "peel", "peeled", p["peel_bound"]))
            got.append(int(dut.correction.value))
            await RisingEdge(dut.sys_clk)
            assert got == wanted, f"shot {number}, pass {turn}, events {events:#x}: got {got}, model {wanted}"


def integer(bits: np.ndarray) -> int:
    """Bits to an integer, bit k = entry k."""
    return sum(1 << int(k) for k in np.flatnonzero(bits))


def expected(tables: ArrayTables, result: ArrayResult, events: np.ndarray, shot: int, seeds) -> list[int]:
    """What the bench reads of one shot."""
    columns = (result.cycles, result.observables, result.unmatched, result.grow_steps, result.merge_steps)
    got = [int(c[shot]) for c in columns]
    if seeds is not None:
        committed, cycles = committed_by(tables, result.forest[[shot]], seeds[None])
        flips = np.bitwise_xor.reduce(
            result.potentials[shot][committed[0] & events[shot]], initial=np.uint32(0)
        )
        got += [int(cycles[0]), integer(committed[0]), int(flips)]
    return [*got, int(result.peel_cycles[shot]), integer(result.correction[shot])]


def run_bench(graph: DecodingGraph, plan: ArrayPlan, shots: list, name: str, levels: Sequence = ()) -> None:
    """`shots`: (events, alive or None for all, passes), a pass: (relieved per level, first growth, seeds, results)."""
    bench = Bench(plan, max(graph.num_observables, 1), graph.num_classes)
    run_cocotb(
        bench,
        set(bench.pins.values()),
        __file__,
        name,
        {
            "shots": shots,
            "all": 2 ** len(plan.edges) - 1,
            "base": packed(graph.weights, graph.weight_bits),
            "levels": [packed(weights, graph.weight_bits) for weights in levels],
            "bound": plan.bound,
            "peel_bound": plan.peel_bound,
            "flood_bound": plan.flood_bound,
        },
    )


def packed(weights: np.ndarray, bits: int) -> int:
    return sum(int(w) << bits * k for k, w in enumerate(weights))


def compare(graph: DecodingGraph, events: np.ndarray, name: str) -> None:
    """One pass with everything alive, and the whole-shot model says the same."""
    (plan,) = plan_arrays(graph)
    tables = ArrayTables.build(plan, graph)
    result = decode_array(tables, events)
    shots = [
        (integer(e), None, [([], graph.first_growth, None, expected(tables, result, events, shot, None))])
        for shot, e in enumerate(events)
    ]
    run_bench(graph, plan, shots, name)


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


def open_future(graph: DecodingGraph) -> tuple[DecodingGraph, ArrayPlan]:
    """The graph with a second boundary edge, of other observables, at every other vertex; a third of all is switchable.

    The model of a window whose future is open.
    """
    (plan,) = plan_arrays(graph)
    number = len(plan.edges)
    added = [
        ArrayEdge(number + k, v, BOUNDARY, 2, k % graph.num_classes)
        for k, v in enumerate(range(0, len(plan.vertices), 2))
    ]
    edges = tuple(dataclasses.replace(e, switchable=k % 3 == 0) for k, e in enumerate((*plan.edges, *added)))
    return dataclasses.replace(graph, num_observables=2), dataclasses.replace(plan, edges=edges)


def test_second_pass_dead_edges_two_boundaries_and_commit():
    circuit = stim.Circuit.generated(
        "surface_code:rotated_memory_x",
        distance=3,
        rounds=3,
        before_measure_flip_probability=0.02,
        before_round_data_depolarization=0.05,
        after_clifford_depolarization=0.01,
    )
    graph, plan = open_future(
        compile_graph(_largest_component(circuit.detector_error_model(decompose_errors=True)))
    )
    tables = ArrayTables.build(plan, graph)
    rng = np.random.default_rng(11)
    classes = np.array([e.weight_class for e in plan.edges])
    switchable = np.array([e.switchable for e in plan.edges])
    base = graph.weights.astype(int)
    levels = [np.maximum(base // divisor, 1) for divisor in (2, 4)]
    shots, unlike = [], 0
    for _ in range(250):
        events = rng.random((1, len(plan.vertices))) < rng.choice([0.1, 0.3])
        alive = ~switchable | (rng.random(len(plan.edges)) < 0.6)
        seeds = events[0] & (rng.random(len(plan.vertices)) < 0.4)
        first = decode_array(tables, events, alive=alive)
        assert not (first.correction[0] & ~alive).any()
        relieved = rng.random((len(levels), len(plan.edges))) < 0.3
        loaded = base[classes]
        for lighter, mine in zip(levels, relieved, strict=True):
            loaded = np.where(mine, lighter[classes], loaded)
        second = decode_array(tables, events, alive=alive, weights=loaded, first_growth=0)
        unlike += int(first.observables[0] != second.observables[0])
        passes = [
            (reliefs, growth, integer(seeds), expected(tables, result, events, 0, seeds))
            for reliefs, growth, result in (
                ([], graph.first_growth, first),
                ([integer(mine) for mine in relieved], 0, second),
            )
        ]
        shots.append((integer(events[0]), integer(alive), passes))
    assert unlike > 10, "the second pass should say something else at times"
    run_bench(graph, plan, shots, "passes", levels)


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
    (plan,) = plan_arrays(graph)
    bench = Bench(plan, 1, graph.num_classes)
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
