# SPDX-License-Identifier: BSD-2-Clause
"""What a compiled circuit takes, before anything is started: memories, registers, time, and feed-forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from triplane.gateware.shape import FabricShape
from triplane.hal.control import ControlProgram
from triplane.hal.device import ADC_HZ, Device
from triplane.hal.html import grid, pairs
from triplane.host.compiler.circuits.feed_forward import FeedForward, feed_forward
from triplane.host.compiler.circuits.lateness import Late
from triplane.host.compiler.circuits.registers import SHOTS, Registers
from triplane.host.compiler.circuits.timing import Clock
from triplane.host.compiler.circuits.tree import Node


@dataclass(frozen=True)
class Use:
    """Of a memory: how much of how much."""

    resource: str
    used: int
    limit: int


@dataclass(frozen=True)
class Estimate:
    """Before a circuit is started.

    Attributes:
        uses: of each memory.
        cycles: of a shot on its longest path; loops that depend on results are counted once.
        open_loops: there are such loops.
        feed_forward: conditions and their actions, in the order of the program.
        held_cycles: qubit -> for how long it holds a state, at most: from its first pulse to its readout.
        coherence_s: qubit -> the shorter of T1 and T2.
    """

    uses: tuple[Use, ...]
    cycles: int
    open_loops: bool
    feed_forward: tuple[FeedForward, ...]
    held_cycles: dict[int, int]
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

    def long(self, budget: float) -> list[str]:
        """Qubits that hold a state for more than a share of their coherence, each with by how much."""
        found = []
        for qubit, cycles in sorted(self.held_cycles.items()):
            held_s = cycles / ADC_HZ
            share = held_s / self.coherence_s[qubit]
            if share > budget:
                passes = " in one pass of each open loop" if self.open_loops else ""
                budget_us = budget * self.coherence_s[qubit] * 1e6
                found.append(
                    f"qubit {qubit} holds a state for {held_s * 1e6:.1f} µs{passes}, {share / budget:.1f} times its "
                    f"budget of {budget_us:.1f} µs, {budget:.0%} of its coherence; "
                    "shorten the circuit, use better qubits, or raise `duration_budget`"
                )
        return found


def estimated(
    program: ControlProgram,
    shape: FabricShape,
    nodes: Sequence[Node],
    decisions: Mapping[int, Late],
    registers: Registers,
    device: Device,
) -> Estimate:
    """Of a program, the tree that it was made of, and how late the decisions of the tree act."""
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
    clock = Clock.of(nodes, device)
    return Estimate(
        tuple(uses),
        clock.now,
        clock.is_open,
        tuple(feed_forward(nodes, decisions, device, coherence)),
        clock.longest,
        coherence,
    )
