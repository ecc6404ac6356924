# SPDX-License-Identifier: BSD-2-Clause
"""Times of the operations of one segment: each as early as its qubits and channels are free, or as late.

A resource is a qubit `("q", n)`, a drive channel `("c", n)` or a readout line `("l", n)`. A channel takes one event a
cycle, in the order of their times, so that a shift of a frame waits for a pulse of its channel, also for one that
concerns others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from triplane.host.compiler.circuits.tree import Capture, Play, Segment, Shift, Timed

Resource: TypeAlias = tuple[str, int]
WindowOf: TypeAlias = Callable[[tuple[int, ...], int | None], Capture | None]
Alignment: TypeAlias = Literal["asap", "alap"]


@dataclass
class _Item:
    """An operation, None for idling and barriers, and for how long it takes what."""

    op: Timed | None
    time: int
    uses: dict[Resource, int]


class Scheduler:
    """Takes operations in an order that their qubits allow."""

    def __init__(self, alignment: Alignment = "alap") -> None:
        self._alignment = alignment
        self._items: list[_Item] = []
        self._free: dict[Resource, int] = {}
        self._open: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, op: Play | Shift, uses: Mapping[Resource, int]) -> None:
        """Play or shift something."""
        self._place(op, uses)

    def idle(self, qubit: int, cycles: int) -> None:
        """Leave a qubit alone."""
        self._place(None, {("q", qubit): cycles})

    def barrier(self, qubits: Iterable[int]) -> None:
        """What comes later begins later, on these qubits."""
        self._place(None, {("q", qubit): 0 for qubit in qubits})

    def capture(self, line: int, qubit: int, cycles: int, window_of: WindowOf) -> None:
        """Read a qubit out, together with those that are read out on its line already, if nothing came since.

        Args:
            line: whose tones.
            qubit: what.
            cycles: that line and qubit are busy.
            window_of: makes the operation, at time 0, of all of its qubits, in place of a window that is not needed any
                more; None where they cannot be read out at once.
        """
        if not self._joins(line, qubit, cycles, window_of):
            op = window_of((qubit,), None)
            assert op is not None, "one qubit can be read out alone"
            self._place(op, {("q", qubit): cycles, ("l", line): cycles})
            self._open[line] = len(self._items) - 1

    def _joins(self, line: int, qubit: int, cycles: int, window_of: WindowOf) -> bool:
        number = self._open.get(line)
        if number is None:
            return False
        item = self._items[number]
        assert isinstance(item.op, Capture)
        free = all(self._free[resource] == item.time + cycles for resource in item.uses)
        if not free or ("q", qubit) in item.uses:
            return False
        op = window_of((*item.op.qubits, qubit), item.op.window)
        if op is None:
            return False
        item.op = op
        item.uses["q", qubit] = cycles
        item.time = max(item.time, self._free.get(("q", qubit), 0))
        self._items.append(self._items.pop(number))
        self._open = {k: at - (at > number) for k, at in self._open.items()}
        self._open[line] = len(self._items) - 1
        self._free.update(dict.fromkeys(item.uses, item.time + cycles))
        return True

    def finish(self, waited: Collection[int] = ()) -> Segment:
        """The segment so far; the next one begins with nothing.

        Args:
            waited: slots whose results are waited for behind it: their readouts need not end before.
        """
        end = 0
        for item in self._items:
            for cycles in item.uses.values():
                end = max(end, item.time + (0 if _is_waited(item, waited) else cycles))
        if self._alignment == "alap":
            self._move_late(end, waited)
        ops = [dataclasses.replace(item.op, time=item.time) for item in self._items if item.op is not None]
        self.__init__(self._alignment)  # type: ignore[misc]
        return Segment(tuple(sorted(ops, key=lambda op: op.time)), end)

    def _place(self, op: Timed | None, uses: Mapping[Resource, int]) -> None:
        time = max((self._free.get(resource, 0) for resource in uses), default=0)
        self._items.append(_Item(op, time, dict(uses)))
        self._free.update({resource: time + cycles for resource, cycles in uses.items()})

    def _move_late(self, end: int, waited: Collection[int]) -> None:
        """Readouts stay where they are: the next decision waits for them."""
        limit: dict[Resource, int] = {}
        for item in reversed(self._items):
            if not isinstance(item.op, Capture):
                item.time = min(
                    (limit.get(resource, end) - cycles for resource, cycles in item.uses.items()),
                    default=item.time,
                )
            limit.update(dict.fromkeys(item.uses, item.time))


def _is_waited(item: _Item, waited: Collection[int]) -> bool:
    return isinstance(item.op, Capture) and not set(item.op.slots).isdisjoint(waited)
