# SPDX-License-Identifier: BSD-2-Clause
"""What a program did on the golden model, and what the world answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from triplane.gateware.sequencer.layouts import TRACE, Fault
from triplane.sim.models.sequencer.queue import Release
from triplane.sim.models.sequencer.results import Arrival


@dataclass(frozen=True)
class Stop:
    """A fault: what, of which channel (0 where it is none's), of which instruction, and in which cycle it arose."""

    fault: Fault
    channel: int
    address: int
    time: int


@dataclass(frozen=True)
class FrameAnswer:
    """In which cycle the frame is ready, and what it is."""

    cycle: int
    frame: int


@dataclass
class Run:
    """What a program did.

    Attributes:
        releases: events as they left their queues, by cycle, then channel.
        trace: records as the trace port has them (`layouts.TRACE`).
        stop: the fault, None for none.
        exit_code: None where the program did not halt.
        end: cycle in which the last instruction was executed, or the fault arose.
        registers: at the end.
        cursor: at the end, low half.
        instructions, events: executed.
        outcomes: (cycle, word) of everything that the program gave out.
        expected: (cycle, shot, round) of every question for the frame.
        exhausted: stopped after as many instructions as were allowed.
    """

    releases: list[Release] = field(default_factory=list)
    trace: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(0, TRACE.dtype))
    stop: Stop | None = None
    exit_code: int | None = None
    end: int = 0
    registers: list[int] = field(default_factory=list)
    cursor: int = 0
    instructions: int = 0
    events: int = 0
    outcomes: list[tuple[int, int]] = field(default_factory=list)
    expected: list[tuple[int, int, int]] = field(default_factory=list)
    exhausted: bool = False


Respond = Callable[[Release], Iterable[Arrival]]
Room = Callable[[int], int]
"""A cycle, and the first one from it on in which there is room for an outcome."""

Frames = Callable[[int, int, int], FrameAnswer | None]
