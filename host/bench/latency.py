# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench latency`: from the last ADC sample to what is done about it, on the real fabric, stage by stage."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from triplane.hal.drivers.sim import SimBoard
from triplane.host.bench.fabric_loop import Loop
from triplane.host.bench.latency_stages import TOTAL, Reaction, Stages, feedback, reaction, sample
from triplane.host.bench.registry import BenchContext, benchmark
from triplane.host.replay.ledger import Stage, ns_to_cycles
from triplane.host.replay.progress import ProgressView

SEED = 2026
COMMAND = "triplane bench latency"
P = 0.003

TABLE_DISTANCE, TABLE_ROUNDS = 3, 3
SHOTS, QUICK_SHOTS = 400, 40
PERIOD = 64
"""Cycles from one round to the next; nothing that is measured at d=3 depends on it."""

WINDOWS_DISTANCE, WINDOWS_ROUNDS, PASSES = 5, 11, 2
"""So few rounds that there is a window of each kind; for 25 the last window takes the same cycles, by the model."""
WINDOWS_SHOTS = 4_000
WINDOWS_PERIOD_NS = 400
"""From one round to the next; three of them pass from the window before being complete to the last one."""

FIGURES = {"min": "min", "median": "median", "mean": "mean", "p999": "p99.9", "max": "max"}


@benchmark(
    "latency", help="From the last ADC sample to the conditional pulse, stage by stage, on the real fabric."
)
def bench_latency(ctx: BenchContext) -> None:
    """`discriminate`, `feedback`, `decode` and `reaction`, with a lookup table and with union-find."""
    ctx.seeds["samples"] = SEED
    with ProgressView() as view:
        _table(ctx, view)
        work = f"reaction, d={WINDOWS_DISTANCE}, union-find"
        if ctx.quick:
            reason = "its board takes minutes to build, and its shots many more; run without --quick"
            ctx.skip(work=work, reason=reason, command=COMMAND)
        else:
            _windows(ctx, view)


def _table(ctx: BenchContext, view: ProgressView) -> None:
    loop = Loop.with_table(TABLE_DISTANCE, TABLE_ROUNDS, P, period=PERIOD)
    shots = QUICK_SHOTS if ctx.quick else SHOTS
    with loop.connect(view.build) as board:
        _manifest(ctx, "table", loop, board)
        stages = feedback(board, loop, shots, SEED)
        _report(ctx, "discriminate", {TOTAL: stages["discriminate"]}, {"max": "<= 8"})
        _report(ctx, "feedback", stages, {"max": "<= 24"})
        which = f"d={TABLE_DISTANCE}, lookup table"
        found = reaction(board, loop, sample(loop, shots, SEED))
        _report(ctx, f"decode, {which}", {TOTAL: found.stages["decode"]}, {})
        _report(ctx, f"reaction, {which}", found.stages, {"max": "<= 45"})
        _compared(ctx, f"reaction, {which}", found)


def _windows(ctx: BenchContext, view: ProgressView) -> None:
    loop = Loop.with_windows(
        WINDOWS_DISTANCE,
        WINDOWS_ROUNDS,
        P,
        passes=PASSES,
        period=ns_to_cycles(WINDOWS_PERIOD_NS, ctx.clock_hz),
    )
    with loop.connect(view.build) as board:
        _manifest(ctx, "windows", loop, board)
        counter = view.count("shots on the fabric", WINDOWS_SHOTS)
        found = reaction(board, loop, sample(loop, WINDOWS_SHOTS, SEED), counter.to)
    which = (
        f"d={WINDOWS_DISTANCE}, union-find, p={P:.1%}, {PASSES} passes, {WINDOWS_ROUNDS} rounds, "
        f"{WINDOWS_SHOTS:,} shots"
    )
    _report(ctx, f"decode, {which}", {TOTAL: found.stages["decode"]}, {})
    _report(ctx, f"reaction, {which}", found.stages, {"mean": "<= 100", "p999": "<= 246"})
    _compared(ctx, f"reaction, {which}", found)


def _manifest(ctx: BenchContext, name: str, loop: Loop, board: SimBoard) -> None:
    """What the figures rest on."""
    ctx.add_input(f"{name}.circuit", str(loop.circuit).encode(), source="stim.Circuit.generated")
    ctx.tables[name] = {
        "structure_hash": loop.decoder.structure_hash,
        "table_hash": loop.decoder.table_hash,
    }
    ctx.gateware[name] = {"build_hash": board.identify().build_hash}


def _report(ctx: BenchContext, work: str, stages: Stages, goals: Mapping[str, str]) -> None:
    """Rows of a latency: its total with its goals, and what the total is made of. goals: figure -> goal."""
    row = functools.partial(ctx.row, work=work, unit="cycles", command=_command(ctx))
    for stage, cycles in stages.items():
        figures = Stage(stage, np.array(cycles, dtype=np.uint64), None, clock_hz=ctx.clock_hz).summary()
        for figure, name in FIGURES.items():
            goal = goals.get(figure) if stage == TOTAL else None
            row(measure=f"{stage}, {name}", value=figures[figure], goal=goal)


def _compared(ctx: BenchContext, work: str, found: Reaction) -> None:
    row = functools.partial(ctx.row, work=work, command=_command(ctx))
    row(measure="rounds whose events are not Stim's", value=found.wrong_rounds, unit="rounds", goal="<= 0")
    row(
        measure="records that differ from the golden model",
        value=found.wrong_records,
        unit="records",
        goal="<= 0",
    )
    row(
        measure="shots that took the branch that the model's frame does not take",
        value=found.wrong_branches,
        unit="shots",
        goal="<= 0",
    )
    row(measure="shots whose frame flips the observable", value=found.flips, unit="shots", goal=None)


def _command(ctx: BenchContext) -> str:
    return COMMAND + (" --quick" if ctx.quick else "")
