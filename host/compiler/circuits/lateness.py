# SPDX-License-Identifier: BSD-2-Clause
"""How late decisions act: from a result valid to the first event that it decides, followed as a program is written.

Times are those of the cursor along the longest path. The cursor moves by what is played and by what instructions need,
and a wait for a result moves it to three cycles after its end, unless it is later; so an action is late by the
instructions between, and by what is played between results that came together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from triplane.gateware.sequencer.layouts import EVENT_TO_RELEASE, LEAD
from triplane.host.compiler.circuits.tree import Node

WAIT = 2
"""Cycles of a wait for a result that is there."""


@dataclass(frozen=True)
class Late:
    """Of a decision.

    Attributes:
        cycles: from the last result that it waits for, or, where it waits for none, from the end of what was played
            before, to the first event of the slower path.
        slot: of that result; None where it waits for none.
    """

    cycles: int
    slot: int | None


@dataclass
class _Moment:
    """Where a path is.

    Attributes:
        cursor: cycles since the shot began, at most.
        now: when the next instruction is executed, at most.
        captured: slot -> cursor of its CAPTURE, of results that may still be waited for.
        late: of an event that comes next.
    """

    cursor: int = 0
    now: int = 0
    captured: dict[int, int] = field(default_factory=dict)
    late: Late = Late(0, None)

    def merged(self, other: _Moment) -> _Moment:
        """Both paths meet: the longer one holds, in everything."""
        cursor = max(self.cursor, other.cursor)
        past = {
            slot: max(each.cursor - each.captured[slot] for each in (self, other) if slot in each.captured)
            for slot in self.captured.keys() | other.captured.keys()
        }
        later, earlier = sorted((self.late, other.late), key=lambda late: late.cycles, reverse=True)
        slot = earlier.slot if later.slot is None else later.slot
        captured = {k: cursor - cycles for k, cycles in past.items()}
        return _Moment(cursor, max(self.now, other.now), captured, replace(later, slot=slot))


class Lateness:
    """Follows a program that is written.

    Args:
        result_cycles: slot -> cycles from its CAPTURE to its result.

    Attributes:
        decisions: id of a node of the tree -> how late it acts; those that decide nothing are not there.
    """

    def __init__(self, result_cycles: Callable[[int], int]) -> None:
        self.decisions: dict[int, Late] = {}
        self._result_cycles = result_cycles
        self._now = _Moment()
        self._meets: dict[str, _Moment] = {}
        self._deciding: list[Node] = []
        self._inside = 0

    # What the writer does

    def advanced(self, cycles: int) -> None:
        """The cursor has moved."""
        late = self._now.late
        self._now = replace(
            self._now, cursor=self._now.cursor + cycles, late=replace(late, cycles=late.cycles + cycles)
        )

    def executed(self, cycles: int) -> None:
        """Instructions have taken so much."""
        self._now = replace(self._now, now=self._now.now + cycles)

    def held(self, ahead: int) -> None:
        """The program has waited until the cursor was no further ahead."""
        self._now = replace(self._now, now=max(self._now.now, self._now.cursor - ahead))

    def meet(self, target: str, cycles: int) -> None:
        """This path goes on at a label, after so many cycles."""
        there = replace(self._now, now=self._now.now + cycles)
        known = self._meets.get(target)
        self._meets[target] = there if known is None else known.merged(there)

    def here(self, target: str) -> None:
        """All paths to a label go on."""
        self._now = self._meets.pop(target)

    # What is played, and what is waited for

    def waited(self, slot: int, slack: int) -> None:
        """The next instruction waits for a result, and leaves so much slack behind it."""
        self.acted()
        at = self._now
        capture = at.captured.get(slot)
        end = at.now + WAIT
        if capture is not None:
            result = capture + self._result_cycles(slot)
            end = max(result, end)
        cursor = max(at.cursor, end + LEAD)
        late = Late(cursor - at.cursor, None)
        if capture is not None:
            late = Late(cursor - result + EVENT_TO_RELEASE, slot)
        self._now = replace(at, cursor=cursor, now=end + LEAD - slack, late=late)

    def played(self, cycles: int, captures: Sequence[tuple[int, int]]) -> None:
        """A segment of so many cycles has been played, with (slot, cycles ago) captured.

        Results that were there before it are waited for by nobody any more, unless it is what a decision has played.
        """
        at = self._now
        captured = {
            slot: capture
            for slot, capture in at.captured.items()
            if self._inside or capture + self._result_cycles(slot) > at.cursor - cycles
        }
        captured |= {slot: at.cursor - ago for slot, ago in captures}
        self._now = replace(at, captured=captured, late=Late(0, None))

    # Decisions

    @contextmanager
    def deciding(self, node: Node) -> Iterator[None]:
        """What is written in this block is what a node has decided for."""
        self._deciding.append(node)
        self._inside += 1
        yield
        self._inside -= 1
        self._deciding = [each for each in self._deciding if each is not node]

    def acted(self) -> None:
        """The first event of what was decided for comes next, or another wait."""
        late = self._now.late
        for node in self._deciding:
            known = self.decisions.get(id(node), late)
            self.decisions[id(node)] = max(known, late, key=lambda each: each.cycles)
        self._deciding = []

    @contextmanager
    def loop(self, node: Node) -> Iterator[None]:
        """A loop that a node decides is written in this block; from its second pass on its body's results decide."""
        before = self._now.late
        yield
        after, first = self._now.late, self.decisions.get(id(node))
        if first is not None and after.cycles > before.cycles:
            cycles = first.cycles - before.cycles + after.cycles
            self.decisions[id(node)] = Late(cycles, first.slot if after.slot is None else after.slot)
