# SPDX-License-Identifier: BSD-2-Clause
"""What a compiled circuit takes, before anything is started: memories, registers, time, and feed-forward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from triplane.gateware.sequencer.layouts import BRANCH_CYCLES, LEAD
from triplane.gateware.shape import FabricShape
from triplane.hal.control import ControlProgram
from triplane.hal.device import ADC_HZ, Device
from triplane.hal.html import grid, pairs
from triplane.host.compiler.circuits.registers import SHOTS, Registers
from triplane.host.compiler.circuits.tree import (
    Capture,
    Decide,
    Node,
    Play,
    Read,
    Repeat,
    Segment,
    Shift,
    children,
    walk,
)
from triplane.sim.qpu.gates import READOUT_SAMPLES

DISCRIMINATE = 7
"""Cycles from the last sample of a window to its bit; see docs/readout.md."""
GENERATOR = 8
"""Cycles from an event to the first sample."""


@dataclass(frozen=True)
class Use:
    """Of a memory: how much of how much."""

    resource: str
    used: int
    limit: int


@dataclass(frozen=True)
class FeedForward:
    """A condition and what it decides.

    Attributes:
        condition: slot or bits, in words.
        action: what the paths begin with.
        latency_cycles: from the result valid to the first event of the slower path, at least.
        wait_cycles: from the CAPTURE to that event: what the qubits wait.
        qubit: that has the shortest coherence of those which the action is for.
    """

    condition: str
    action: str
    latency_cycles: int
    wait_cycles: int
    qubit: int | None


@dataclass(frozen=True)
class Estimate:
    """Before a circuit is started.

    Attributes:
        uses: of each memory.
        cycles: of a shot on its longest path; loops that depend on results are counted once.
        open_loops: there are such loops.
        feed_forward: conditions and their actions, in the order of the program.
        coherence_s: qubit -> the shorter of T1 and T2.
    """

    uses: tuple[Use, ...]
    cycles: int
    open_loops: bool
    feed_forward: tuple[FeedForward, ...]
    coherence_s: dict[int, float]

    @property
    def duration_us(self) -> float:
        """Of a shot."""
        return self.cycles / ADC_HZ * 1e6

    @property
    def largest(self) -> str:
        """The memory that is used most, in words."""
        use = max(self.uses, key=lambda each: each.used / each.limit)
        return f"of {use.resource} it uses {use.used} of {use.limit}"

    def _repr_html_(self) -> str:
        return "".join(
            (
                pairs(
                    {
                        "a shot takes": f"{self.duration_us:.2f} µs, {self.cycles:,} cycles"
                        + (" with one pass of each open loop" if self.open_loops else ""),
                        "used most": self.largest,
                    }
                ),
                grid(
                    ("decided by", "then", "latency / cycles", "qubits wait / ns"),
                    (
                        (f.condition, f.action, f.latency_cycles, f"{f.wait_cycles / ADC_HZ * 1e9:.0f}")
                        for f in self.feed_forward
                    ),
                ),
                grid(
                    ("memory", "used", "of"),
                    ((use.resource, use.used, use.limit) for use in self.uses if use.used),
                ),
            )
        )

    def late(self, budget: float) -> list[str]:
        """Feed-forward that takes more than a share of the coherence of its qubit, each with by how much."""
        found = []
        for each in self.feed_forward:
            if each.qubit is None:
                continue
            share = each.wait_cycles / ADC_HZ / self.coherence_s[each.qubit]
            if share > budget:
                found.append(
                    f"feed-forward by {each.condition} takes {each.wait_cycles} cycles, {share:.1%} of the "
                    f"coherence of qubit {each.qubit}, {share / budget:.1f} times its budget of {budget:.1%}; "
                    "use better qubits, or raise `budget`"
                )
        return found


def estimated(
    program: ControlProgram, shape: FabricShape, nodes: Sequence[Node], registers: Registers, device: Device
) -> Estimate:
    """Of a program and the tree that it was made of."""
    uses = [
        Use("program words", len(program.sequence.words), shape.program_words),
        Use("groups", len(program.sequence.groups), shape.groups),
        Use("registers", registers.most, SHOTS - 1),
    ]
    for number, drive in enumerate(program.drives):
        uses.append(Use(f"pulse entries of drive {number}", len(drive.entries), shape.pulse_entries))
        uses.append(
            Use(f"envelope clocks of drive {number}", len(drive.envelope) // 2, shape.envelope_clocks)
        )
    for number, tones in enumerate(program.tones):
        uses.append(Use(f"windows of line {number}", len(tones.entries), shape.windows))
    coherence = {number: min(q.t1_us, q.t2_us) * 1e-6 for number, q in enumerate(device.qubits)}
    clock = _Clock(device)
    clock.take(nodes)
    return Estimate(
        tuple(uses), clock.now, clock.is_open, tuple(_feed_forward(nodes, device, coherence)), coherence
    )


def _result_cycles(device: Device, line: int) -> int:
    """From a CAPTURE to its result."""
    return (
        GENERATOR + round(device.lines[line].delay_ns * 1e-9 * ADC_HZ) + READOUT_SAMPLES // 2 + DISCRIMINATE
    )


class _Clock:
    """Time along the longest path: segments, and the waits for results between them.

    Attributes:
        now: cycles since the shot began.
        due: slot -> when its result is there.
        is_open: there were loops of unknown length, which count once.
    """

    def __init__(self, device: Device, now: int = 0, due: dict[int, int] | None = None) -> None:
        self.device, self.now, self.due = device, now, due or {}
        self.is_open = False

    def take(self, nodes: Sequence[Node]) -> None:
        """Go through nodes, one after the other."""
        for node in nodes:
            if isinstance(node, Segment):
                for op in node.ops:
                    if isinstance(op, Capture):
                        arrives = self.now + op.time + _result_cycles(self.device, op.line)
                        self.due |= dict.fromkeys(op.slots, arrives)
                self.now += node.cycles
            else:
                if isinstance(node, Read | Decide):
                    self.now = max(self.now, self.due.pop(node.slot, 0)) + LEAD + BRANCH_CYCLES
                self._inside(node)

    def _inside(self, node: Node) -> None:
        """Bodies: all of a loop that was unrolled, else the longest, as often as it is known to be played."""
        began = self.now
        if type(node).__name__ == "Unrolled":
            for body in children(node):
                self.take(body)
            return
        paths = [_Clock(self.device, began, dict(self.due)) for _ in children(node)]
        for path, body in zip(paths, children(node), strict=True):
            path.take(body)
            self.is_open |= path.is_open
            for slot, due in path.due.items():
                self.due[slot] = max(due, self.due.get(slot, 0))
        self.is_open |= type(node).__name__ == "While"
        times = node.times if isinstance(node, Repeat) else 1
        self.now += times * (max((path.now for path in paths), default=began) - began)


def _feed_forward(
    nodes: Sequence[Node], device: Device, coherence: dict[int, float]
) -> Iterator[FeedForward]:
    """Latencies of decisions: the instructions between a result and an event are a cycle each."""
    for node in walk(tuple(nodes)):
        if not isinstance(node, Decide):
            continue
        line = node.slot // 8
        latency = LEAD + 1
        acts = [_acts(body) for body in (node.one, node.zero)]
        qubits = sorted({q for _, found in acts for q in found})
        names = " or ".join(text for text, _ in acts if text) or "nothing"
        worst = min(qubits, key=lambda q: coherence[q], default=None)
        yield FeedForward(f"slot {node.slot}", names, latency, _result_cycles(device, line) + latency, worst)


def _acts(body: Sequence[Node]) -> tuple[str, set[int]]:
    """What a path begins with, in words, and for which qubits."""
    for node in body:
        if isinstance(node, Segment):
            ops = node.ops
            names = [f"{op.gate} {', '.join(map(str, op.qubits))}" for op in ops if isinstance(op, Play)]
            qubits = {q for op in ops if isinstance(op, Play | Capture) for q in op.qubits}
            qubits |= {op.qubit for op in ops if isinstance(op, Shift)}
            if any(isinstance(op, Shift) for op in ops):
                names.append(
                    "rz " + ", ".join(sorted({str(op.qubit) for op in ops if isinstance(op, Shift)}))
                )
            return "; ".join(names), qubits
    return "", set()
