# SPDX-License-Identifier: BSD-2-Clause
"""What a picture of a timeline is made of: channels, results on their lines, and what led to which event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from triplane.gateware.sequencer.isa import GROUP, find
from triplane.gateware.sequencer.layouts import Kind, Outcome
from triplane.gateware.sequencer.opcodes import Unit
from triplane.gateware.sequencer.program import Program
from triplane.host.reasons import Reason
from triplane.host.timeline import Played, Timeline
from triplane.sim.models.sequencer.results import Arrival

WAITS = (Outcome.TAKEN, Outcome.PASSED, Outcome.TIMED_OUT)


def causes(shown: Timeline, why: Mapping[int, Reason]) -> list[tuple[int, Played, str]]:
    """(cycle of the wait, event, reason) of the first event that a wait has led to on each channel.

    A branch on a register is put down to the last result that was waited for.
    """
    waits = [decision for decision in shown.decisions if decision.outcome in WAITS]
    found: dict[tuple[int, int, int], tuple[int, Played, str]] = {}
    for event in shown.played:
        reason = why.get(event.address)
        if event.kind not in (Kind.PLAY, Kind.PHASE) or reason is None:
            continue
        before = [wait for wait in waits if wait.cycle <= event.cycle]
        exact = [wait for wait in before if wait.address == reason.branch]
        if exact or before:
            wait = (exact or before)[-1]
            found.setdefault((wait.cycle, reason.branch, event.channel), (wait.cycle, event, reason.text))
    # A tone has its reason where no pulse has the same: the row of its line is full of results.
    lines = {channel for group in shown.program.groups if group.slots for channel in group.channels}
    told = {(wait, branch) for wait, branch, channel in found if channel not in lines}
    return [
        cause
        for (wait, branch, channel), cause in found.items()
        if channel not in lines or (wait, branch) not in told
    ]


def results(shown: Timeline) -> Iterator[tuple[Arrival, int, int]]:
    """(result, channel of the line that it came by, how many before it came by that line in the same cycle)."""
    channel_of = {
        slot: channel for group in shown.program.groups for slot in group.slots for channel in group.channels
    }
    together: Counter[tuple[int, int]] = Counter()
    for result in shown.results:
        if result.slot in channel_of:
            place = result.cycle, channel_of[result.slot]
            yield result, place[1], together[place]
            together[place] += 1


def sounding(program: Program) -> list[int]:
    """Channels that the program has pulses or windows for, whether it played them or not."""
    found: set[int] = set()
    for word in program.words.tolist():
        form = find(word)
        if form is not None and form.unit == Unit.EVENT and form.mnemonic in ("play", "capture"):
            found.update(program.groups[GROUP.extract(word)].channels)
    return sorted(found)
