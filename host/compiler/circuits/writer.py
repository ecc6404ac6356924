# SPDX-License-Identifier: BSD-2-Clause
"""Instructions of a program, with what is known of its time: no event can come too late, and no queue can overflow.

`slack` is a lower bound of the cursor less the cycle in which the next instruction is executed. An event is in time
if its slack is `IN_TIME` or more; every instruction takes from it, every advance of the cursor gives. Where paths
meet the smaller holds. `ahead` is an upper bound, and `queued` counts the events of each channel that may still wait:
where a program runs too far ahead of its time, it is held (`hold`) until the cursor is near.
"""

from __future__ import annotations

from collections.abc import Iterable

from triplane.gateware.sequencer.layouts import BRANCH_CYCLES, LEAD
from triplane.host.compiler.circuits.lateness import Lateness

IN_TIME = 2
AFTER_DECISION = LEAD - 1
"""Slack behind a wait for a result, of either branch."""
AFTER_READ = LEAD - BRANCH_CYCLES
HELD = 24
"""Cycles that the cursor is at most ahead of time behind a hold."""
LONG_HELD = 1000
"""The same, of a hold that is there for bounds of waits."""
HOLD_CYCLES = 4
"""Instructions of a hold that needs not hold."""
HOLD_LOSS = 8
"""By how much less than its bound a hold may leave the cursor ahead."""
PATIENCE = 130_000
"""Bound of waits for results, in cycles from their execution; they come long before."""
MOST_AHEAD = 60_000
"""Cycles that a program runs ahead at most, so that bounds are kept."""
LONG_WORDS = 5
"""Instructions of a wait that long: it is followed by a hold."""
MAX_ADVANCE = 2**17 - 1
SCRATCH = (29, 30)
"""Registers that a hold uses."""


class Writer:
    """Lines of a program.

    Args:
        queue_events: that the queue of a channel holds.
        slack: to begin with.
        lateness: is told of all steps.

    Attributes:
        lines: of its source.
        slack, ahead: as above, in cycles.
        queued: channel -> events.
        queue_events: as given.
    """

    def __init__(self, queue_events: int, slack: int, lateness: Lateness) -> None:
        self.lines: list[str] = []
        self.lateness = lateness
        self.slack = slack
        self.ahead = LONG_HELD
        self.queue_events = queue_events
        self.queued: dict[int, int] = {}
        self._meets: dict[str, tuple[int, int, dict[int, int]]] = {}
        self._labels = 0

    # Instructions

    def do(self, text: str, cycles: int = 1) -> None:
        """An instruction that is no event and goes on with the next."""
        self.lines.append(f"    {text}")
        self.slack -= cycles
        self.lateness.executed(cycles)

    def event(self, text: str, channels: tuple[int, ...], advance: int = 0, label: str = "") -> None:
        """An event at the cursor, which then advances; with a label of its own, if it is to be found again."""
        self.need(IN_TIME)
        if label:
            self.lines.append(f"{self.label(label)}:")
        first = min(advance, MAX_ADVANCE)
        self.do(f"{text}, +{first}" if first else text)
        self.slack += first
        self.ahead += first
        self.lateness.advanced(first)
        for channel in channels:
            self.queued[channel] = self.queued.get(channel, 0) + 1
        self.advance(advance - first)

    def advance(self, cycles: int) -> None:
        """Move the cursor."""
        while cycles > 0:
            step = min(cycles, MOST_AHEAD)
            self.do(f"wait {step}")
            self.slack += step
            self.ahead += step
            self.lateness.advanced(step)
            cycles -= step
            if self.ahead > MOST_AHEAD:
                self.hold(LONG_HELD)

    def need(self, slack: int) -> None:
        """Have at least so much."""
        if self.slack < slack:
            self.advance(slack - self.slack + 1)

    # Time

    def hold(self, bound: int = HELD) -> None:
        """Wait until the cursor is less than `bound` cycles ahead: a channel has an event a cycle at most."""
        cursor, now = SCRATCH
        again = self.label("hold")
        self.do(f"cursor r{cursor}")
        self.lines.append(f"{again}:")
        self.do(f"now r{now}")
        self.do(f"sub r{now}, r{cursor}, r{now}")
        self.do(f"bge r{now}, {bound}, {again}")
        self.slack = min(self.slack, bound - HOLD_LOSS)
        self.ahead = bound
        self.lateness.held(bound)
        self.queued = {channel: min(count, bound + LEAD) for channel, count in self.queued.items()}

    def begin_loop(self, name: str, channels: Iterable[int]) -> tuple[str, int]:
        """A place that is come to again, from anywhere in the loop: its label, and the slack that it needs there."""
        head = self.label(name)
        self.lines.append(f"{head}:")
        slack = self.slack
        self.hold()
        self.queued = dict.fromkeys(channels, HELD + LEAD)
        return head, slack

    def end_loop(self, head: tuple[str, int], text: str, cycles: int = 1) -> None:
        """An instruction that goes back to the head; `text` without the label; `cycles` if it does not."""
        self.need(head[1] + BRANCH_CYCLES)
        self.do(f"{text} {head[0]}" if text == "jump" else f"{text}, {head[0]}", cycles)

    def waited(self, slack: int) -> None:
        """A wait is over, and leaves so much."""
        self.slack = slack

    def wait(self, text: str, slot: int, slack: int, target: str | None = None) -> None:
        """An instruction that waits for a result: what was due before its measurement has been played then.

        Args:
            text: of the instruction.
            slot: whose result.
            slack: behind it.
            target: label further on that it may go to, with the same slack.
        """
        self.lines.append(f"    {text}")
        self.waited(slack)
        self.lateness.waited(slot, slack)
        if target is not None:
            self.meet(target, slack, 0)

    # Places

    def label(self, name: str) -> str:
        """A new one."""
        self._labels += 1
        return f"{name}_{self._labels}"

    def branch(self, text: str, target: str) -> None:
        """An instruction that goes on with the next, or to a label further on, which its text names."""
        self.meet(target, self.slack - BRANCH_CYCLES)
        self.do(text)

    def jump(self, target: str) -> None:
        """Go to a label further on."""
        self.meet(target, self.slack - BRANCH_CYCLES)
        self.lines.append(f"    jump {target}")

    def meet(self, target: str, slack: int, cycles: int = BRANCH_CYCLES) -> None:
        """A path goes to a label, in so many cycles and with that slack."""
        known = self._meets.get(target, (slack, self.ahead, {}))
        queued = {
            channel: max(known[2].get(channel, 0), self.queued.get(channel, 0))
            for channel in known[2].keys() | self.queued.keys()
        }
        self._meets[target] = min(known[0], slack), max(known[1], self.ahead), queued
        self.lateness.meet(target, cycles)

    def here(self, target: str, *, falls: bool = True) -> None:
        """The label is here; `falls`: the instruction before it goes on here as well."""
        if falls:
            self.meet(target, self.slack, 0)
        self.lines.append(f"{target}:")
        if target in self._meets:
            slack, ahead, queued = self._meets.pop(target)
            self.slack, self.ahead, self.queued = slack, ahead, dict(queued)
            self.lateness.here(target)
