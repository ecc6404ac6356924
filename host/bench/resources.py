# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench resources`: what decoder and sequencer take of a device and how deep their logic is, by open tools.

Synthesised, not measured on a device: area and levels of logic for UltraScale+ come from Yosys without placement, and
the ECP5 row is placed and routed. The engine is that of the rotated surface code with circuit noise, both bases, in
windows of the default size; its parts are mapped one by one and put together again. The sequencer is mapped whole.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from litex.gen import LiteXModule
from litex.soc.interconnect.csr_bus import CSRBank, Interface

from triplane.boards.synthesis import (
    XCZU49DR_LUTS,
    Figures,
    LogicPath,
    SynthesisError,
    figures,
    joined,
    mapped,
    place_and_route,
    synthesize,
)
from triplane.boards.synthesis.harness import arrays_verilog, engine_parts, routed_engine_verilog, to_verilog
from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.gateware.decoder.unionfind.plan import plan_arrays
from triplane.gateware.decoder.window import WindowPlan, default_window, sliding_window
from triplane.gateware.sequencer.core import Sequencer
from triplane.host.bench import BenchContext, benchmark
from triplane.host.replay.progress import ProgressView
from triplane.host.replay.sampling import memory_circuit

DISTANCES = (3, 5)
LARGEST = 7
"""Distance whose area is extrapolated from what the parts of the last of `DISTANCES` take."""

PROBABILITY = 0.001
"""Of the circuit noise; the weights differ with it, the hardware does not."""

LEVELS_GOAL = "<= 8"
"""Levels that 245.76 MHz leaves room for; deeper logic runs at half the clock."""

SHARE_GOALS = {5: "<= 12", LARGEST: "<= 35"}
"""Distance -> share of the XCZU49DR's LUTs for the whole engine, %."""

HELIOS_LUTS = {3: 1_600, 5: 10_100, 7: 31_100}
"""Helios (distributed union-find, unit weights, no observables), one basis, phenomenological: LUTs by the same tool."""

CHANNELS, SLOTS, GROUPS, PROGRAM_WORDS = 4, 8, 64, 256
"""Of the sequencer."""

PATHS = 12
"""Groups of registers whose longest path is a row."""

MEASURES = (
    ("LUTs", "luts", "LUTs"),
    ("registers", "registers", "FFs"),
    ("carry chains", "carries", "CARRY8"),
    ("block RAM", "brams", "BRAM36"),
    ("DSP", "dsps", "DSP48"),
)
"""Measure -> attribute of `Figures`, unit."""

PartSize = Callable[[WindowPlan], int]
GROWS_WITH: dict[str, PartSize] = {
    "arrays": lambda plan: len(plan.edges),
    "weights": lambda plan: plan.num_classes,
    "relief": lambda plan: sum(map(len, plan.reliefs)),
    "buffer": lambda plan: plan.num_vertices,
    "record": lambda plan: len(plan.edges),
    "queue": lambda plan: 1,
    "frame": lambda plan: 1,
    "control": lambda plan: 1,
    "rest": lambda plan: len(plan.edges),
}
"""Part of an engine -> what its area grows with; the rest are bus registers and the engine's own logic."""


@dataclass(frozen=True)
class Engine:
    """A mapped engine: its plan, what each of its parts takes, and the whole."""

    plan: WindowPlan
    parts: dict[str, Figures]
    whole: Figures


@benchmark(
    "resources",
    help="Area and depth of decoder and sequencer by synthesis; a placed and routed d=3 on the ECP5.",
)
def bench_resources(ctx: BenchContext) -> None:
    """Rows per part, per device share, per longest path; where the extra is not installed the reason is a row."""
    command = "triplane bench resources" + (" --quick" if ctx.quick else "")
    with ProgressView() as view:
        try:
            _sequencer(ctx, command, view)
            for distance in DISTANCES[:1] if ctx.quick else DISTANCES:
                _array(ctx, distance, command, view)
                engine = map_engine(distance, view)
                _engine(ctx, distance, engine, command)
            if not ctx.quick:
                _extrapolated(ctx, engine, command)
                _ecp5(ctx, command, view)
        except SynthesisError as error:
            ctx.skip(work="synthesis", reason=str(error), command=command)


def sequencer_verilog() -> str:
    """Verilog of a sequencer with its registers on a bus; what would be wired to a board are ports of `top`."""
    top = LiteXModule()
    top.core = core = Sequencer(CHANNELS, SLOTS, num_groups=GROUPS, program_depth=PROGRAM_WORDS)
    top.bank = bank = CSRBank(core.get_csrs(), bus=Interface(data_width=32))
    bus = bank.bus
    inputs = [
        bus.adr,
        bus.we,
        bus.re,
        bus.dat_w,
        core.now,
        core.measuring,
        core.busy,
        core.frame,
        core.frame_ready,
    ]
    inputs += [core.start, core.external, core.outcome_room]
    inputs += [signal for result in core.results for signal in result.flatten()]
    outputs = [
        bus.dat_r,
        core.outcome_valid,
        core.outcome,
        core.frame_wait,
        core.frame_shot,
        core.frame_round,
        core.safe,
        core.silence,
        core.running,
    ]
    outputs += [
        signal for event in core.events for signal in (event.valid, event.kind, event.value, event.time)
    ]
    for direction, signals in (("in", inputs), ("out", outputs)):
        for number, signal in enumerate(signals):
            signal.name_override = f"{direction}{number}_{signal.backtrace[-1][0]}"
    return to_verilog(top, [*inputs, *outputs])


def memory_graph(distance: int, rounds: int) -> DecodingGraph:
    """Graph of the rotated surface code over `rounds`; both bases are in it, as components."""
    circuit = memory_circuit(distance=distance, rounds=rounds, probability=PROBABILITY)
    return compile_graph(circuit.detector_error_model(decompose_errors=True))


def default_plan(distance: int) -> WindowPlan:
    """Sliding window of the default size, from a memory that is just long enough for one."""
    window, commit = default_window(distance)
    return sliding_window(memory_graph(distance, window + 4), window=window, commit=commit)


def map_engine(distance: int, view: ProgressView) -> Engine:
    """An engine with the default window, mapped part by part."""
    plan = default_plan(distance)
    netlists, parts = {}, {}
    for part in engine_parts(plan):
        netlist = mapped(part, label=f"d={distance}, engine, {part.name}", report=view.step)
        netlists[part.name] = netlist
        parts["rest" if part.name == "top" else part.name] = figures(netlist, part.name)
    return Engine(plan, parts, figures(joined(netlists)))


def _sequencer(ctx: BenchContext, command: str, view: ProgressView) -> None:
    work = f"sequencer: {CHANNELS} channels, {SLOTS} slots, {GROUPS} groups, {PROGRAM_WORDS} instructions"
    found = synthesize(sequencer_verilog(), label=work, report=view.step)
    row = functools.partial(ctx.row, work=work, command=command)
    for measure, attribute, unit in MEASURES:
        row(measure=measure, value=getattr(found, attribute), unit=unit, goal=None)
    assert found.path is not None, "a sequencer has registers"
    measure = f"longest path: {_text(found.path)}"
    row(measure=measure, value=found.path.levels, unit="levels", goal=LEVELS_GOAL)


def _array(ctx: BenchContext, distance: int, command: str, view: ProgressView) -> None:
    """Rows of the first basis' array alone, over as many rounds as the distance, beside a published one."""
    graph = memory_graph(distance, distance)
    plan = plan_arrays(graph)[0]
    work = (
        f"d={distance}, array 0 of {distance} rounds: {len(plan.vertices)} elements, {len(plan.edges)} edges"
    )
    found = synthesize(arrays_verilog(graph, [plan]), label=work, report=view.step)
    row = functools.partial(ctx.row, work=work, command=command, goal=None, unit="LUTs")
    row(measure="LUTs", value=found.luts)
    row(measure="LUTs per edge", value=found.luts / len(plan.edges))
    row(measure="LUTs, Helios, one basis, unit weights", value=HELIOS_LUTS[distance])


def _engine(ctx: BenchContext, distance: int, engine: Engine, command: str) -> None:
    plan, whole = engine.plan, engine.whole
    title = f"d={distance}, engine, both bases, W={plan.num_layers}, C={plan.commit}"
    row = functools.partial(ctx.row, command=command)
    work = f"{title}: {plan.num_vertices} elements, {len(plan.edges)} edges"
    share, goal = 100 * whole.luts / XCZU49DR_LUTS, SHARE_GOALS.get(distance)
    row(work=work, measure="share of the XCZU49DR", value=share, unit="% of LUTs", goal=goal)
    for measure, attribute, unit in MEASURES:
        row(work=work, measure=measure, value=getattr(whole, attribute), unit=unit, goal=None)
    for name, part in engine.parts.items():
        row(work=f"{title}: {name}", measure="LUTs", value=part.luts, unit="LUTs", goal=None)
        row(work=f"{title}: {name}", measure="registers", value=part.registers, unit="FFs", goal=None)
    assert whole.path is not None, "an engine has registers"
    inside = [path for path in whole.paths if _within_array(path)]
    between = [path for path in whole.paths if not _within_array(path)]
    for where, paths in (("within an array", inside), ("outside or between", between)):
        if paths:
            measure = f"longest path {where}: {_text(paths[0])}"
            row(work=work, measure=measure, value=paths[0].levels, unit="levels", goal=LEVELS_GOAL)
    for path in between[1:PATHS]:
        row(work=work, measure=f"path {_text(path)}", value=path.levels, unit="levels", goal=None)


def _within_array(path: LogicPath) -> bool:
    """Whether a path starts and ends in the same array."""
    part = path.start.partition(".")[0]
    return part.startswith("array") and path.end.startswith(f"{part}.")


def _text(path: LogicPath) -> str:
    return f"{path.start} to {path.end}, {path.luts} LUTs, {path.carries} carries"


def _kind(part: str) -> str:
    return "arrays" if part.startswith("array") else part


def _extrapolated(ctx: BenchContext, engine: Engine, command: str) -> None:
    plan = default_plan(LARGEST)
    total = sum(
        part.luts * GROWS_WITH[_kind(name)](plan) / GROWS_WITH[_kind(name)](engine.plan)
        for name, part in engine.parts.items()
    )
    ctx.row(
        work=f"d={LARGEST}, engine, both bases, W={plan.num_layers}, C={plan.commit}: {len(plan.edges)} edges, "
        f"extrapolated from the parts of d={DISTANCES[-1]}, not synthesised",
        measure="share of the XCZU49DR",
        value=100 * total / XCZU49DR_LUTS,
        unit="% of LUTs",
        goal=SHARE_GOALS[LARGEST],
        command=command,
    )


def _ecp5(ctx: BenchContext, command: str, view: ProgressView) -> None:
    work = "d=3, engine, both bases, ECP5 LFE5U-85F-6, placed and routed"
    found = place_and_route(routed_engine_verilog(default_plan(3)), label=work, report=view.step)
    row = functools.partial(ctx.row, work=work, goal=None, command=command)
    row(measure="Fmax", value=found.fmax_mhz, unit="MHz")
    row(measure="LUT4", value=found.luts, unit="LUTs")
    row(measure="share of the LFE5U-85F", value=100 * found.luts / found.available_luts, unit="% of LUTs")
    row(measure="registers", value=found.registers, unit="FFs")
