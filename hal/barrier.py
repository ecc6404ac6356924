# SPDX-License-Identifier: BSD-2-Clause
"""What a decoder is asked for beside its tables: limits of a window, and the barrier that a shot's frame waits at.

A window of which the hardness is above `DecodeLimits.hard_above` is flagged hard in its record. Where the barrier of a
shot allows for it, a shot with a hard window may be amended after its end: `Board.amend` adds an outer decoder's flips
to the frame, if they come within `BarrierRequest.amend_within_cycles`; else the fabric's own result stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triplane.gateware.frame.barrier import TIMEOUT_BITS
from triplane.hal.errors import RegisterValueError
from triplane.hal.registers import WORD_MAX

MAX_DEADLINE_CYCLES = 2**16 - 1
MAX_HARDNESS = 2**16 - 1
MAX_AMEND_CYCLES = 2**TIMEOUT_BITS - 1

NEVER_HARD = MAX_HARDNESS
"""Threshold that flags nothing."""

PASSES_DISAGREE = 2**15 - 1
"""Threshold that flags the windows of which the last pass changed the observables, and no others."""


def check_whole(name: str, value: object, least: int, most: int, remedy: str) -> int:
    """`value` as an int; raises RegisterValueError with the name, the value and the remedy unless it is in range."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise RegisterValueError(f"{name} must be a whole number, not {value!r}; {remedy}")
    if not least <= value <= most:
        raise RegisterValueError(f"{name} must be {least} to {most}, not {value}; {remedy}")
    return int(value)


@dataclass(frozen=True)
class DecodeLimits:
    """How long a window may be decoded, and which windows are hard. In force until others are set.

    Attributes:
        deadline_cycles: from the last round of a window being taken; from then on no pass goes on or starts, and the
            record is flagged late. 0 for none.
        hard_above: windows of a `hardness` (see `layouts.RESULT`) above this are flagged hard. `PASSES_DISAGREE` flags
            those whose last pass changed the observables, less also those of more growth steps, `NEVER_HARD` none.

    Raises:
        RegisterValueError: a value is out of its range, or no whole number.
    """

    deadline_cycles: int = 0
    hard_above: int = NEVER_HARD

    def __post_init__(self) -> None:
        check_whole(
            "deadline_cycles",
            self.deadline_cycles,
            0,
            MAX_DEADLINE_CYCLES,
            "give cycles of the board's clock, or 0 for no deadline",
        )
        check_whole(
            "hard_above",
            self.hard_above,
            0,
            MAX_HARDNESS,
            f"give {PASSES_DISAGREE} to flag windows whose passes disagree, {NEVER_HARD} to flag none",
        )


@dataclass(frozen=True)
class BarrierRequest:
    """Which rounds must be in the frame before the barrier is released.

    Attributes:
        shot: from 0 since the run started.
        rounds: of that shot; all of its layers for the barrier at its end.
        amend_within_cycles: cycles after the shot's end in which it may be amended if a window of it is flagged hard:
            so long does the barrier wait for an amendment. 0: no shot may be amended, and the barrier waits for rounds
            only.

    Raises:
        RegisterValueError: a value is out of its range, or no whole number.
    """

    shot: int
    rounds: int
    amend_within_cycles: int = 0

    def __post_init__(self) -> None:
        check_whole("shot", self.shot, 0, WORD_MAX, "shots count from 0 since the run started")
        check_whole(
            "rounds",
            self.rounds,
            1,
            WORD_MAX,
            "a barrier waits for at least one round; give the shot's layers",
        )
        check_whole(
            "amend_within_cycles",
            self.amend_within_cycles,
            0,
            MAX_AMEND_CYCLES,
            "give cycles after the shot's end, or 0 where nothing may be amended",
        )


@dataclass(frozen=True)
class BarrierState:
    """The barrier and the frame, as they are now. Counters count from the start of the run.

    Attributes:
        waiting: the barrier that was requested has not been released.
        open: the last shot may be amended now.
        frame: flips of the present shot so far, or of the last one until the next has its first result.
        reaction_cycles: of the last release, from the last round that it waited for entering.
        released: barriers released.
        amended: shots amended.
        expired: shots that might have been amended, and were not.
        refused: amendments that were not taken: too late, or of a shot that is not hard.
    """

    waiting: bool
    open: bool
    frame: int
    reaction_cycles: int
    released: int
    amended: int
    expired: int
    refused: int
