# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench latency`: from the last ADC sample to what is done about it, on the real fabric, stage by stage.

Both ends are the converters': the cycle in which the last sample of the last window enters, and the first cycle in
which the drive that the results condition puts out something else than 0. What lies between is told by the stamps of
the board: the trace of the sequencer, records of rounds, result records.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.syndrome.layouts import round_record
from triplane.hal.drivers.sim import SimBoard
from triplane.host.bench.fabric_loop import FLIPPED, START, TONES, Loop
from triplane.host.bench.fabric_shot import LEAD, Shot, run_shot
from triplane.host.bench.gateware import differing_records
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
"""From one round to the next; three of them pass between windows, more than all but the very hardest take."""

Stages = Mapping[str, list[int]]
"""Stage -> cycles of each shot."""

FIGURES = {"min": "min", "median": "median", "mean": "mean", "p999": "p99.9", "max": "max"}
TOTAL = "total"

FEEDBACK = f"""
.channel drive, 0
.group drive, drive
.group line, 1 arms 0
{START}
    capture line, 0
    on.one 0, flip, 500
    halt 0
flip:
    play drive, {FLIPPED}
    halt 1
"""


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
            reason = "its board takes ten minutes and more to build; run without --quick"
            ctx.skip(work=work, reason=reason, command=COMMAND)
        else:
            _windows(ctx, view)


def _table(ctx: BenchContext, view: ProgressView) -> None:
    loop = Loop.with_table(TABLE_DISTANCE, TABLE_ROUNDS, P, period=PERIOD)
    shots = QUICK_SHOTS if ctx.quick else SHOTS
    with loop.connect(view.build) as board:
        ctx.gateware["table"] = {"build_hash": board.identify().build_hash}
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
        ctx.gateware["windows"] = {"build_hash": board.identify().build_hash}
        counter = view.count("shots on the fabric", WINDOWS_SHOTS)
        found = reaction(board, loop, sample(loop, WINDOWS_SHOTS, SEED), counter.to)
    which = (
        f"d={WINDOWS_DISTANCE}, union-find, p={P:.1%}, {PASSES} passes, {WINDOWS_ROUNDS} rounds, "
        f"{WINDOWS_SHOTS:,} shots"
    )
    _report(ctx, f"decode, {which}", {TOTAL: found.stages["decode"]}, {})
    _report(ctx, f"reaction, {which}", found.stages, {"mean": "<= 100", "p999": "<= 246"})
    _compared(ctx, f"reaction, {which}", found)


def sample(loop: Loop, shots: int, seed: int) -> npt.NDArray[np.bool_]:
    """Measurements of shots, bool (shots, measurements), with the loop's noise."""
    return np.asarray(loop.circuit.compile_sampler(seed=seed).sample(shots), dtype=bool)


def feedback(board: SimBoard, loop: Loop, shots: int, seed: int) -> Stages:
    """From one measurement to its pulse; slot 0 is 1, all others are random."""
    loop.load(board, FEEDBACK)
    rng = np.random.default_rng(seed)
    stages: dict[str, list[int]] = {}
    for _ in range(shots):
        bits = rng.integers(2, size=loop.shape.slots).astype(bool)
        bits[0] = True
        shot = run_shot(board, loop, [(0, bits)], live=False)
        edge = _edge(shot)
        last = shot.start + LEAD + TONES.window - 1
        valid = shot.waited() - 1  # a wait ends in the cycle after its result is valid
        _add(
            stages,
            discriminate=valid - last,
            branch=shot.played() - valid,
            generate=edge - shot.played(),
            total=edge - last,
        )
    return stages


@dataclass(frozen=True)
class Reaction:
    """What a run of shots has shown.

    Attributes:
        stages: cycles of each shot.
        flips: shots whose pulse was that of a flipped frame.
        wrong_rounds: rounds whose detection events are not Stim's.
        wrong_records: records that are not the golden model's.
        wrong_branches: shots that took the branch that the model's frame does not take.
    """

    stages: Stages
    flips: int
    wrong_rounds: int
    wrong_records: int
    wrong_branches: int


def reaction(
    board: SimBoard,
    loop: Loop,
    measured: npt.NDArray[np.bool_],
    progress: Callable[[int], None] = lambda _: None,
) -> Reaction:
    """From the last round to the pulse that the frame conditions. measured: bool (shots, measurements)."""
    loop.load(board, loop.program())
    events = loop.events(measured)
    stages: dict[str, list[int]] = {}
    branches, rounds, records = [], [], []
    for number, bits in enumerate(loop.bits(measured), start=1):
        shot = run_shot(board, loop, [(loop.period * r, row) for r, row in enumerate(bits)], live=True)
        _add(stages, **_reaction_stages(loop, shot))
        branches.append(shot.exit_code)
        rounds.append(shot.rounds)
        records.append(RESULT.parse(shot.results))
        progress(number)
    expected = loop.expected(events)
    formed = round_record(loop.shape.syndrome).parse(np.concatenate(rounds))
    words = loop.words(events).reshape(len(formed), -1)
    wrong = [formed[f"events_{k}"] != column for k, column in enumerate(words.T)]
    return Reaction(
        stages,
        sum(branches),
        int(np.any(wrong, axis=0).sum()),
        differing_records(np.concatenate(records), expected),
        int((np.array(branches) != (expected["frame"][:, -1] & 1)).sum()),
    )


def _reaction_stages(loop: Loop, shot: Shot) -> dict[str, int]:
    edge = _edge(shot)
    last = shot.start + loop.period * (loop.rounds - 1) + LEAD + TONES.window - 1
    record = round_record(loop.shape.syndrome).parse(shot.rounds)[-1]
    result = RESULT.parse(shot.results)[-1]
    complete, entered = (int(r["timestamp_lo"]) | int(r["timestamp_hi"]) << 32 for r in (record, result))
    taken = entered + int(result["waited"])
    framed = taken + int(result["decode_cycles"])
    return {
        "collect": complete - last,
        "form": entered - complete,
        "queue": taken - entered,
        "decode": framed - taken,
        "frame": shot.waited() - framed,
        "branch": shot.played() - shot.waited(),
        "generate": edge - shot.played(),
        TOTAL: edge - last,
    }


def _edge(shot: Shot) -> int:
    if shot.edge is None:
        raise RuntimeError(f"no pulse was played in the shot that started in cycle {shot.start}")
    return shot.edge


def _add(stages: dict[str, list[int]], **cycles: int) -> None:
    # Some stamps are low halves of the cycle counter.
    for name, value in cycles.items():
        stages.setdefault(name, []).append(value % 2**32)


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
