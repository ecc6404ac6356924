# SPDX-License-Identifier: BSD-2-Clause
"""Points of a sweep on a board: one upload and one start for as many as a program holds, outcomes as they are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane import hal
from triplane.host.compiler.circuits import CompiledCircuit
from triplane.host.compiler.circuits.compiled import Values

SLACK_CYCLES = 50_000
"""Of a program, and `SLACK` of each of its shots: loops that depend on results are counted once."""

SLACK = 50

PASSES = 20
"""Times that a shot may go through all instructions, at least: estimates count pulses and results alone."""

MOST_CYCLES = 2**62

Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sweep:
    """What points of a circuit have given.

    Attributes:
        bits: for each point bool (shots, classical bits), bit 0 first.
        starts: programs that were uploaded and started.
        cycles: of all programs.
        waited_cycles: of these, in which a program waited for room for its outcomes.
    """

    bits: tuple[Bits, ...]
    starts: int
    cycles: int
    waited_cycles: int


def run_points(
    board: hal.Board,
    compiled: CompiledCircuit,
    shots: Sequence[int],
    values: Sequence[Values] | None = None,
    *,
    progress: Callable[[int], object] | None = None,
) -> Sweep:
    """Play points of a sweep.

    Args:
        board: with a fabric of the circuit's shape.
        compiled: the circuit.
        shots: of each point; 0 leaves a point out.
        values: of all parameters, for each point; None: the circuit has none.
        progress: called with the number of new shots; what it raises aborts the program.

    Raises:
        CircuitError: values and parameters do not agree; nothing has started then.
        BoardError: the board failed.
    """
    points = [{}] * len(shots) if values is None else list(values)
    played = [number for number, count in enumerate(shots) if count]
    most = compiled.max_points
    parts = [played[first : first + most] for first in range(0, len(played), most)]
    programs = [compiled.program([shots[k] for k in part], [points[k] for k in part]) for part in parts]
    bits: list[Bits] = [np.zeros((0, compiled.transpiled.num_clbits), np.bool_)] * len(points)
    cycles = waited = 0
    for part, program in zip(parts, programs, strict=True):
        counts = [shots[k] for k in part]
        found, ended = _run(board, compiled, program, sum(counts), progress)
        cycles += ended.cycles
        waited += ended.waited_cycles
        for number, each in zip(part, np.split(found, np.cumsum(counts)[:-1]), strict=True):
            bits[number] = each
    return Sweep(tuple(bits), len(parts), cycles, waited)


def _run(
    board: hal.Board,
    compiled: CompiledCircuit,
    program: hal.ControlProgram,
    shots: int,
    progress: Callable[[int], object] | None,
) -> tuple[Bits, hal.Execution]:
    words: list[npt.NDArray[np.uint32]] = [np.zeros(0, np.uint32)]
    each = max(compiled.words_per_shot, 1)

    def take(part: npt.NDArray[np.uint32]) -> None:
        done = sum(map(len, words)) // each
        words.append(part)
        if progress:
            progress(sum(map(len, words)) // each - done)

    board.load_control(program)
    estimate = max(compiled.estimate.cycles, PASSES * len(program.sequence.words))
    shot = compiled.options.shot_limit_cycles or SLACK * estimate
    limit = min(SLACK_CYCLES + shots * shot, MOST_CYCLES)
    ended = board.execute(limit_cycles=limit, outcomes=take)
    bits = compiled.outcomes(np.concatenate(words))
    if not compiled.words_per_shot:
        bits = np.zeros((shots, 0), np.bool_)
    if len(bits) != shots:
        raise hal.errors.BoardError(f"the board gave {len(bits)} shots, not {shots}; run again")
    return bits, ended
