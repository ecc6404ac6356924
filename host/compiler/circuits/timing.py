# SPDX-License-Identifier: BSD-2-Clause
"""How long a shot takes on its longest path, and for how long each qubit holds a state in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from triplane.gateware.sequencer.layouts import BRANCH_CYCLES, LEAD
from triplane.hal.device import ADC_HZ, Device
from triplane.host.compiler.circuits.tree import (
    Capture,
    Decide,
    Node,
    Play,
    Read,
    Repeat,
    Segment,
    Unrolled,
    While,
    children,
)
from triplane.sim.qpu.gates import READOUT_SAMPLES

DISCRIMINATE = 7
"""Cycles from the last sample of a window to its bit; see docs/readout.md."""
GENERATOR = 8
"""Cycles from an event to the first sample."""
WINDOW = READOUT_SAMPLES // 2
"""Cycles of a readout window."""


def result_cycles(device: Device, line: int) -> int:
    """From a CAPTURE of a line to its result."""
    return GENERATOR + round(device.lines[line].delay_ns * 1e-9 * ADC_HZ) + WINDOW + DISCRIMINATE


@dataclass
class Clock:
    """Time along the longest path: segments, and the waits for results between them.

    A qubit holds a state from its first pulse to the end of the window that reads it out, or to the end of the shot.

    Attributes:
        device: for its delays.
        now: cycles since the shot began.
        is_open: there were loops of unknown length, which count once.
        longest: qubit -> cycles for which it has held a state, at most.
    """

    device: Device
    now: int = 0
    is_open: bool = False
    longest: dict[int, int] = field(default_factory=dict)
    _due: dict[int, int] = field(default_factory=dict)
    _since: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, nodes: Sequence[Node], device: Device) -> Clock:
        """At the end of a shot."""
        clock = cls(device)
        clock._take(nodes)
        for qubit in list(clock._since):
            clock._release(qubit, clock.now)
        return clock

    def _take(self, nodes: Sequence[Node]) -> None:
        """Go through nodes, one after the other."""
        for node in nodes:
            if isinstance(node, Segment):
                self._segment(node)
            else:
                if isinstance(node, Read | Decide):
                    self.now = max(self.now, self._due.pop(node.slot, 0)) + LEAD + BRANCH_CYCLES
                self._inside(node)

    def _segment(self, segment: Segment) -> None:
        for op in segment.ops:
            time = self.now + op.time
            if isinstance(op, Play):
                for qubit in op.qubits:
                    self._since.setdefault(qubit, time)
            elif isinstance(op, Capture):
                self._due |= dict.fromkeys(op.slots, time + result_cycles(self.device, op.line))
                for qubit in op.qubits:
                    self._release(qubit, time + WINDOW)
        self.now += segment.cycles

    def _release(self, qubit: int, time: int) -> None:
        if qubit in self._since:
            held = time - self._since.pop(qubit)
            self.longest[qubit] = max(held, self.longest.get(qubit, 0))

    def _inside(self, node: Node) -> None:
        """Bodies: all of a loop that was unrolled, else the longest, as often as it is known to be played."""
        if isinstance(node, Unrolled):
            for body in node.bodies:
                self._take(body)
            return
        if isinstance(node, Repeat):
            self._repeat(node)
            return
        bodies = children(node)
        if not bodies:
            return
        paths = [replace(self, _due=dict(self._due), _since=dict(self._since)) for _ in bodies]
        for path, body in zip(paths, bodies, strict=True):
            path._take(body)
        self.now = max(path.now for path in paths)
        self.is_open = isinstance(node, While) or any(path.is_open for path in paths)
        self._due, self._since = {}, {}
        for path in paths:
            for slot, due in path._due.items():
                self._due[slot] = max(due, self._due.get(slot, 0))
            for qubit, since in path._since.items():
                self._since[qubit] = min(since, self._since.get(qubit, since))

    def _repeat(self, node: Repeat) -> None:
        """All passes are as the second: what is held from one to the next is held in each anew."""
        began = self.now
        for _ in range(min(node.times, 2)):
            began = self.now
            self._take(node.body)
        rest = max(node.times - 2, 0) * (self.now - began)
        self.now += rest
        for qubit, since in self._since.items():
            if since >= began:
                self._since[qubit] = since + rest
