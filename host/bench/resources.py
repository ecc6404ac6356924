# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench resources`: what the decoder takes of a device and how deep its logic is, by open tools.

Synthesised, not measured on a device: area and levels of logic for UltraScale+ come from Yosys without placement, and
the ECP5 row is placed and routed. Arrays are those of the rotated surface code with circuit noise, as many rounds as
the distance, one array per basis, with the weight registers of its edges.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from triplane.boards.synthesis import (
    XCZU49DR_LUTS,
    Figures,
    SynthesisError,
    place_and_route,
    synthesize,
)
from triplane.boards.synthesis.harness import arrays_verilog, harnessed_verilog
from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.gateware.decoder.unionfind.plan import ArrayPlan, plan_arrays
from triplane.host.bench import BenchContext, benchmark
from triplane.host.replay.progress import ProgressView
from triplane.host.replay.sampling import memory_circuit

DISTANCES = (3, 5)
LARGEST = 7
"""Distance whose area is extrapolated from LUTs per edge: Yosys would take hours for one of its arrays."""

PROBABILITY = 0.001
"""Of the circuit noise; the weights differ with it, the hardware does not."""

LEVELS_GOAL = "<= 8"
"""Levels that 245.76 MHz leaves room for; deeper logic runs at half the clock."""

HELIOS_LUTS = {3: 1_600, 5: 10_100, 7: 31_100}
"""Helios (distributed union-find, unit weights, no observables), one basis, phenomenological: LUTs by the same tool."""

PATHS = 5
"""Groups of registers whose longest path is a row."""


@benchmark(
    "resources", help="Area and depth of the decoder by synthesis; a placed and routed d=3 on the ECP5."
)
def bench_resources(ctx: BenchContext) -> None:
    """Rows per array, per device share, per longest path; where the extra is not installed the reason is a row."""
    command = "triplane bench resources" + (" --quick" if ctx.quick else "")
    with ProgressView() as view:
        try:
            for distance in DISTANCES[:1] if ctx.quick else DISTANCES:
                luts_per_edge = _arrays(ctx, distance, command, view)
            if not ctx.quick:
                _extrapolated(ctx, luts_per_edge, command)
                _ecp5(ctx, command, view)
        except SynthesisError as error:
            ctx.skip(work="synthesis", reason=str(error), command=command)


def memory_graph(distance: int) -> DecodingGraph:
    """Graph of the rotated surface code over `distance` rounds; both bases are in it, as components."""
    circuit = memory_circuit(distance=distance, rounds=distance, probability=PROBABILITY)
    return compile_graph(circuit.detector_error_model(decompose_errors=True))


def _arrays(ctx: BenchContext, distance: int, command: str, view: ProgressView) -> float:
    """Rows of one distance; returns its LUTs per edge."""
    graph = memory_graph(distance)
    plans = plan_arrays(graph)
    total = 0
    for number, plan in enumerate(plans):
        work = f"d={distance}, array {number}: {len(plan.vertices)} elements, {len(plan.edges)} edges"
        found = synthesize(arrays_verilog(graph, [plan]), label=work, report=view.step)
        total += found.luts
        row = functools.partial(ctx.row, work=work, command=command)
        row(measure="LUTs", value=found.luts, unit="LUTs", goal=None)
        row(measure="LUTs per element", value=found.luts / len(plan.vertices), unit="LUTs", goal=None)
        row(measure="LUTs per edge", value=found.luts / len(plan.edges), unit="LUTs", goal=None)
        row(measure="registers", value=found.registers, unit="FFs", goal=None)
        row(measure="carry chains", value=found.carries, unit="CARRY8", goal=None)
        row(measure="block RAM", value=found.brams, unit="BRAM36", goal=None)
        row(measure="DSP", value=found.dsps, unit="DSP48", goal=None)
        _levels(ctx, found, work, command)
    work = f"d={distance}, both bases, arrays alone"
    ctx.row(
        work=work,
        measure="share of the XCZU49DR",
        value=100 * total / XCZU49DR_LUTS,
        unit="% of LUTs",
        goal=None,
        command=command,
    )
    ctx.row(
        work=work,
        measure="LUTs, Helios, one basis, unit weights",
        value=HELIOS_LUTS[distance],
        unit="LUTs",
        goal=None,
        command=command,
    )
    return total / _edges(plans)


def _levels(ctx: BenchContext, found: Figures, work: str, command: str) -> None:
    assert found.path is not None, "an array has registers"
    row = functools.partial(ctx.row, work=work, unit="levels", command=command)
    measure = f"longest path: {found.path.luts} LUTs, {found.path.carries} carries"
    row(measure=measure, value=found.path.levels, goal=LEVELS_GOAL)
    for path in found.paths[:PATHS]:
        row(measure=f"path {_local(path.start)} to {_local(path.end)}", value=path.levels, goal=None)


def _local(name: str) -> str:
    """A net's name without those of the modules around the array."""
    return name.rpartition("unionfindarray_")[2]


def _extrapolated(ctx: BenchContext, luts_per_edge: float, command: str) -> None:
    edges = _edges(plan_arrays(memory_graph(LARGEST)))
    ctx.row(
        work=f"d={LARGEST}, both bases, extrapolated: {edges} edges at {luts_per_edge:.1f} LUTs, not synthesised",
        measure="share of the XCZU49DR",
        value=100 * edges * luts_per_edge / XCZU49DR_LUTS,
        unit="% of LUTs",
        goal=None,
        command=command,
    )


def _ecp5(ctx: BenchContext, command: str, view: ProgressView) -> None:
    graph = memory_graph(3)
    work = "d=3, both bases, ECP5 LFE5U-85F-6, placed and routed"
    found = place_and_route(harnessed_verilog(graph, plan_arrays(graph)), label=work, report=view.step)
    row = functools.partial(ctx.row, work=work, goal=None, command=command)
    row(measure="Fmax", value=found.fmax_mhz, unit="MHz")
    row(measure="LUT4", value=found.luts, unit="LUTs")
    row(measure="share of the LFE5U-85F", value=100 * found.luts / found.available_luts, unit="% of LUTs")
    row(measure="registers", value=found.registers, unit="FFs")


def _edges(plans: Sequence[ArrayPlan]) -> int:
    return sum(len(plan.edges) for plan in plans)
