# SPDX-License-Identifier: BSD-2-Clause
"""Feed-forward: which condition lets the sequencer do what, and for how long qubits wait for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from triplane.gateware.dsp.layouts import NUM_TONES
from triplane.hal.device import Device
from triplane.host.compiler.circuits.expressions import said
from triplane.host.compiler.circuits.lateness import Late
from triplane.host.compiler.circuits.timing import result_cycles
from triplane.host.compiler.circuits.tree import (
    Again,
    Capture,
    Decide,
    If,
    Leave,
    Node,
    Play,
    Segment,
    Shift,
    Switch,
    While,
    walk,
)


@dataclass(frozen=True)
class FeedForward:
    """A condition and what it decides.

    Attributes:
        condition: in words; `c3` is classical bit 3 of the circuit.
        by_register: the result is read into a register first; else the sequencer branches on the result itself.
        actions: case of the condition, such as "1" or "true" -> what its path begins with, in words; "" if it is empty.
        latency_cycles: from the last result that is waited for valid to the first event of the slower path; where none
            is waited for, from the end of what was played before. Longer where other channels are still busy then.
        wait_cycles: from the CAPTURE of that result to that event: what the qubits wait.
        qubit: that has the shortest coherence of those which the actions are for.
    """

    condition: str
    by_register: bool
    actions: dict[str, str]
    latency_cycles: int
    wait_cycles: int
    qubit: int | None

    @property
    def waits_for_result(self) -> bool:
        """Whether it waits for one, and is not by numbers that have been there for long."""
        return self.wait_cycles > self.latency_cycles

    @property
    def action(self) -> str:
        """All that it may do, in words."""
        return " or ".join(plays for plays in self.actions.values() if plays) or "nothing"


def feed_forward(
    nodes: Sequence[Node], decisions: Mapping[int, Late], device: Device, coherence: Mapping[int, float]
) -> Iterator[FeedForward]:
    """All decisions of a tree, in the order of the program.

    Args:
        nodes: the tree.
        decisions: how late they act, see `Lateness.decisions`.
        device: that they are for.
        coherence: qubit -> s.
    """
    for node in walk(tuple(nodes)):
        cases = _cases(node)
        if cases is None:
            continue
        condition, bodies = cases
        begun = {case: _begins(body) for case, body in bodies.items()}
        qubits = {qubit for _, found in begun.values() for qubit in found}
        late = decisions.get(id(node), Late(0, None))
        waited = 0 if late.slot is None else result_cycles(device, late.slot // NUM_TONES)
        yield FeedForward(
            condition,
            not isinstance(node, Decide),
            {case: plays for case, (plays, _) in begun.items()},
            late.cycles,
            waited + late.cycles,
            min(sorted(qubits), key=lambda q: coherence[q], default=None),
        )


def _cases(node: Node) -> tuple[str, dict[str, Sequence[Node]]] | None:
    """Condition of a decision, and what is done in which case; None of any other node."""
    match node:
        case Decide():
            return f"slot {node.slot}", {"1": node.one, "0": node.zero}
        case If():
            return said(node.condition), {"true": node.then, "false": node.otherwise}
        case While():
            return f"while {said(node.condition)}", {"true": node.body}
        case Switch():
            cases = {", ".join(map(str, values)) or "any other": body for values, body in node.cases}
            return said(node.target), dict(cases)
        case _:
            return None


def _begins(body: Sequence[Node]) -> tuple[str, set[int]]:
    """What a path begins with, in words, and for which qubits."""
    for node in body:
        match node:
            case Segment():
                ops = node.ops
                names = [f"{op.gate} {', '.join(map(str, op.qubits))}" for op in ops if isinstance(op, Play)]
                read = sorted({qubit for op in ops if isinstance(op, Capture) for qubit in op.qubits})
                turned = sorted({op.qubit for op in ops if isinstance(op, Shift)})
                names += [f"rz {', '.join(map(str, turned))}"] if turned else []
                names += [f"measure {', '.join(map(str, read))}"] if read else []
                qubits = {qubit for op in ops if isinstance(op, Play) for qubit in op.qubits}
                return "; ".join(names) or "delay", qubits | {*read, *turned}
            case Leave():
                return "break", set()
            case Again():
                return "continue", set()
            case Decide() | If() | Switch() | While():
                return "decides again", set()
            case _:
                continue
    return "", set()
