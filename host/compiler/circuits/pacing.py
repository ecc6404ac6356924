# SPDX-License-Identifier: BSD-2-Clause
"""How far ahead of its time a segment has to begin, and where it has to be held so that no queue overflows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from triplane.gateware.sequencer.layouts import LEAD
from triplane.host.compiler.circuits.errors import CircuitError
from triplane.host.compiler.circuits.writer import HELD, HOLD_CYCLES, HOLD_LOSS, IN_TIME

ATTEMPTS = 8
"""Of finding a bound; each is larger than the one before."""


@dataclass(frozen=True)
class Event:
    """An event instruction of a segment; `patch` is the angle that its number becomes."""

    time: int
    text: str
    channels: tuple[int, ...]
    patch: int | None = None


@dataclass(frozen=True)
class Plan:
    """Of a segment.

    Attributes:
        holds: number of an event -> what each channel's queue may have when the program was held before it.
        bound: of the holds, cycles.
        needs: slack at the first event, then behind each hold.
    """

    holds: dict[int, dict[int, int]]
    bound: int
    needs: list[int]


def planned(events: Sequence[Event], queued: Mapping[int, int], queue_events: int) -> Plan:
    """Plan a segment.

    Args:
        events: in the order of time, at least one.
        queued: channel -> events that may wait when it begins.
        queue_events: that a queue holds.

    Raises:
        CircuitError: a queue is too short for events that come so close.
    """
    bound = HELD
    for _ in range(ATTEMPTS):
        holds = _holds(events, queued, queue_events, bound)
        needs = _needs(events, sorted(holds))
        needed = max(needs[1:], default=0) + HOLD_LOSS
        if needed <= bound:
            return Plan(holds, bound, needs)
        bound = needed
    raise CircuitError(
        f"{len(events)} events come so close that no bound keeps the program ahead of them; put delays between"
    )


def _holds(
    events: Sequence[Event], queued: Mapping[int, int], queue_events: int, bound: int
) -> dict[int, dict[int, int]]:
    holds: dict[int, dict[int, int]] = {}
    waiting = dict(queued)
    first = 0
    for number, event in enumerate(events):
        if any(waiting.get(channel, 0) >= queue_events for channel in event.channels):
            # A channel has an event a cycle at most, so that of what was before the segment little can be left.
            left = max(bound + LEAD - event.time, 0)
            waiting = {channel: min(count, left) for channel, count in queued.items()}
            while events[first].time <= event.time - bound - LEAD:
                first += 1
            for earlier in events[first:number]:
                for channel in earlier.channels:
                    waiting[channel] = waiting.get(channel, 0) + 1
            full = [channel for channel in event.channels if waiting.get(channel, 0) >= queue_events]
            if full:
                raise CircuitError(
                    f"channel {full[0]} gets more than {queue_events} events, which its queue holds, within {bound} "
                    "cycles; put a delay between, or build a board with longer queues"
                )
            holds[number] = dict(waiting)
        for channel in event.channels:
            waiting[channel] = waiting.get(channel, 0) + 1
    return holds


def _needs(events: Sequence[Event], holds: Sequence[int]) -> list[int]:
    """Slack at the first event and behind each hold: every instruction takes a cycle."""
    starts = [0, *holds]
    ends = [*holds, len(events)]
    needs: list[int] = []
    after = None
    for start, end in zip(reversed(starts), reversed(ends), strict=True):
        begin = events[start].time
        need = max(
            (IN_TIME + k - (events[start + k].time - begin) for k in range(end - start)), default=IN_TIME
        )
        if after is not None:
            passed = events[end].time - begin - (end - start)
            need = max(need, after + HOLD_CYCLES - passed)
        needs.append(need)
        after = need
    return needs[::-1]
