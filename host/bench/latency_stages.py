# SPDX-License-Identifier: BSD-2-Clause
"""Latencies of the real fabric, taken apart into stages, shot by shot.

Both ends are the converters': the cycle in which the last sample of the last window enters, and the first cycle in
which the drive that the results condition puts out something else than 0. What lies between is told by the stamps of
the board: the trace of the sequencer, records of rounds, result records.
"""

from __future__ import annotations

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

Stages = Mapping[str, list[int]]
"""Stage -> cycles of each shot."""

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
