# SPDX-License-Identifier: BSD-2-Clause
r"""The shot loop with an outer decoder in it: hard shots are decoded once more before the barrier at their end.

```
rounds    ..|__________________________________________________|..   the next shot waits for the barrier
record      |__/‾‾\____________________________________________
flag hard   |  |-- outer decoder, `answer_cycles` --> amend
barrier     |___________________________________/‾\____________      released with the amendment,
            |  |-- `amend_within_cycles` ----------------> |         or without it, when this is over
```

An answer that comes in time is added to the frame; of one that is late, or never comes, nothing is left: the fabric's
own result stands, and the loop goes on. A shot without a hard window is released as soon as its rounds are in the
frame.

A shot of several windows is amended once and as a whole, at the barrier at its end: it is escalated where any of its
windows is hard, the outer decoder sees the events of all its rounds, and what it adds is the difference of the whole
shot's frame. A barrier in the middle of a shot sees the fabric's frame only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane import hal
from triplane.gateware.decoder.layouts import HARD, LAST
from triplane.hal.barrier import MAX_AMEND_CYCLES, check_whole
from triplane.host.runtime.outer import OuterDecoder

Words = npt.NDArray[np.uint32]
Bits = npt.NDArray[np.bool_]

RELEASE_CYCLES = 64
"""Cycles between two looks at a barrier that is still waiting."""

RELEASE_LOOKS = 1_000
"""Looks beyond the time-out until a barrier counts as stuck."""


class EscalationError(RuntimeError):
    """The board did not do what the shot loop relies on; the message names the shot and the value."""


@dataclass(frozen=True)
class Escalation:
    """Which shots are escalated, and how long anybody waits for it.

    Attributes:
        answer_cycles: of the board's clock, from a hard shot's records to the outer decoder's answer. A simulated
            board lets so many pass; a board whose clock goes on by itself does at least so.
        amend_within_cycles: after the shot's end; an answer after that is refused, and the barrier does not wait.
        hard_above: hardness above which a window is hard, see `hal.DecodeLimits`.
        deadline_cycles: of every window; 0 for none.

    Raises:
        hal.errors.RegisterValueError: a value is out of its range, or no whole number.
    """

    answer_cycles: int
    amend_within_cycles: int
    hard_above: int = hal.PASSES_DISAGREE
    deadline_cycles: int = 0

    def __post_init__(self) -> None:
        _ = self.limits
        check_whole("answer_cycles", self.answer_cycles, 0, 2**32 - 1, "give cycles of the board's clock")
        check_whole(
            "amend_within_cycles",
            self.amend_within_cycles,
            1,
            MAX_AMEND_CYCLES,
            "give cycles after the shot's end, more than the outer decoder takes",
        )

    @property
    def limits(self) -> hal.DecodeLimits:
        """What the board is told once."""
        return hal.DecodeLimits(self.deadline_cycles, self.hard_above)


@dataclass(frozen=True)
class EscalatedRun:
    """What became of the shots of a run.

    Attributes:
        records: structured (shots, windows), see `layouts.RESULT`, as the board sent them.
        frames: uint32 (shots,), read from the board when the barrier at the shot's end was released; bit k = flip of
            observable k.
        answers: uint32 (shots,), what the outer decoder says; of shots that were not escalated, the fabric's frame.
        escalated: bool (shots,), which had a hard window.
        in_time: bool (shots,), which of them the board let the outer decoder amend.
        outer_s: float64 (shots,), wall time that the outer decoder took; 0 for the others.
        reaction_cycles: int64 (shots,), from the last round entering to the barrier's release.
        cycles: clock cycles of the whole run, waiting included.
        pacing: how well the rounds kept to their schedule within the shots.
    """

    records: npt.NDArray[np.void]
    frames: Words
    answers: Words
    escalated: Bits
    in_time: Bits
    outer_s: npt.NDArray[np.float64]
    reaction_cycles: npt.NDArray[np.int64]
    cycles: int
    pacing: hal.Pacing

    @property
    def fabric(self) -> Words:
        """Frames that the fabric came to by itself, uint32 (shots,)."""
        return np.asarray(self.records["frame"][:, -1])

    @property
    def corrections(self) -> Words:
        """What the outer decoder's answer adds to the fabric's frame, in time or not, uint32 (shots,)."""
        return self.fabric ^ self.answers


def run_escalated(
    board: hal.Board,
    outer: OuterDecoder,
    events: npt.ArrayLike,
    rounds: npt.NDArray[np.uint32],
    escalation: Escalation,
    *,
    round_period_cycles: int = 0,
    check: Callable[[npt.NDArray[np.void], int], None] | None = None,
) -> EscalatedRun:
    """Decode shots one by one on a board that has its program loaded, and have hard ones amended.

    Args:
        outer: decodes whole shots.
        events: detection events, bool (shots, detectors), column k = detector k of the outer decoder's model.
        rounds: the same shots as the board takes them, see `hal.Board.run`.
        round_period_cycles: cycles from one round of a shot to the next.
        check: called with every shot's records and the number of the first of them, before they count.

    Raises:
        EscalationError: events and rounds are of different numbers of shots, a shot's last record does not end it, or
            a barrier is not released.
        OuterDecoderError: the events do not fit the outer decoder's model.
        hal.errors.BoardError: the board refuses, or fails.
    """
    defects = np.asarray(events, dtype=np.bool_)
    shots, layers = rounds.shape[:2]
    if len(defects) != shots:
        raise EscalationError(
            f"there are events of {len(defects)} shots and rounds of {shots}; give both of the same shots"
        )
    outer.decode(defects[:1])  # refuses what does not fit; and the first call of PyMatching takes longest
    board.limit(escalation.limits)
    try:
        return _loop(board, outer, defects, rounds, layers, escalation, round_period_cycles, check)
    finally:
        board.limit(hal.DecodeLimits())


def _loop(
    board: hal.Board,
    outer: OuterDecoder,
    defects: Bits,
    rounds: npt.NDArray[np.uint32],
    layers: int,
    escalation: Escalation,
    period: int,
    check: Callable[[npt.NDArray[np.void], int], None] | None,
) -> EscalatedRun:
    shots = len(rounds)
    chunks: list[npt.NDArray[np.void]] = []
    frames, answers = np.zeros(shots, dtype=np.uint32), np.zeros(shots, dtype=np.uint32)
    escalated, in_time = np.zeros(shots, dtype=np.bool_), np.zeros(shots, dtype=np.bool_)
    outer_s, reaction = np.zeros(shots), np.zeros(shots, dtype=np.int64)
    within = escalation.amend_within_cycles
    # Beyond the time-out an answer is as good as none, whenever it comes: nobody waits any longer for it.
    delay = min(escalation.answer_cycles, within + RELEASE_CYCLES)
    run = board.run(rounds, round_period_cycles=period, shot_by_shot=True)
    done = 0
    for shot in range(shots):
        board.barrier(hal.BarrierRequest(shot, layers, within))
        records = np.asarray(next(run))
        if check is not None:
            check(records, done)
        if not records["flags"][-1] & LAST:
            raise EscalationError(
                f"the last record of shot {shot} does not end it: {layers} rounds are no whole shot of this board"
            )
        frame = answers[shot] = records["frame"][-1]
        if (records["flags"] & HARD).any():
            escalated[shot] = True
            started = time.perf_counter()
            (answers[shot],) = outer.decode(defects[shot : shot + 1])
            outer_s[shot] = time.perf_counter() - started
            board.elapse(delay)
            in_time[shot] = board.amend(shot, int(frame ^ answers[shot]))
        state = _released(board, shot, within)
        frames[shot], reaction[shot] = state.frame, state.reaction_cycles
        chunks.append(records)
        done += len(records)
    return EscalatedRun(
        np.concatenate(chunks).reshape(shots, -1),
        frames,
        answers,
        escalated,
        in_time,
        outer_s,
        reaction,
        int(run.cycles),
        run.pacing,
    )


def _released(board: hal.Board, shot: int, within: int) -> hal.BarrierState:
    for _ in range(within // RELEASE_CYCLES + RELEASE_LOOKS):
        state = board.barrier_state()
        if not state.waiting:
            return state
        board.elapse(RELEASE_CYCLES)
    raise EscalationError(
        f"the barrier of shot {shot} is not released {within} cycles after its end; ask the board for its fault()"
    )
