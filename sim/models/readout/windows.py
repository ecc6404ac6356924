# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/readout/windows.py`: events to windows, to the cycle."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from triplane.gateware.readout.layouts import CAPTURE_KIND, ENTRY_BITS, Window

CHECK_CYCLES = 2
"""Cycles from an event to its window being accepted or refused."""
QUEUE = 4
"""Windows that can wait behind the one that runs."""


@dataclass(frozen=True)
class Scheduled:
    """An accepted window: its entry, and the cycle of its first sample."""

    window: Window
    start: int

    @property
    def stop(self) -> int:
        """Cycle after its last sample."""
        return self.start + self.window.length


@dataclass(frozen=True)
class Schedule:
    """What became of events.

    Attributes:
        accepted: in the order of their samples.
        collisions: cycles in which a window was refused.
        unknown: cycles in which an event meant nothing to the line.
    """

    accepted: tuple[Scheduled, ...]
    collisions: tuple[int, ...]
    unknown: tuple[int, ...]


def schedule(
    events: Iterable[tuple[int, int, int]],
    table: Mapping[int, Window],
    lead: int,
    *,
    num_windows: int = 64,
) -> Schedule:
    """Windows of events.

    Args:
        events: (cycle, kind, value), in ascending order of cycles.
        table: entry -> window; every entry that events name.
        lead: cycles from an event with delay 0 to its first sample.
        num_windows: entries of the table.
    """
    accepted: list[Scheduled] = []
    waiting: deque[int] = deque()
    collisions, unknown = [], []
    # A window leaves the queue this long before its first sample: an event with delay 0 enters at its check, is at the
    # head one cycle later, and leaves at once.
    leaves_early = lead - CHECK_CYCLES - 1
    for cycle, kind, value in events:
        entry = value & (1 << ENTRY_BITS) - 1
        if kind != CAPTURE_KIND or entry >= num_windows:
            unknown.append(cycle)
            continue
        window, check = table[entry], cycle + CHECK_CYCLES
        start = cycle + lead + window.delay
        while waiting and waiting[0] < check:
            waiting.popleft()
        if len(waiting) >= QUEUE or (accepted and start < accepted[-1].stop):
            collisions.append(check)
            continue
        accepted.append(Scheduled(window, start))
        waiting.append(start - leaves_early)
    return Schedule(tuple(accepted), tuple(collisions), tuple(unknown))
