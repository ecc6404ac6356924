# SPDX-License-Identifier: BSD-2-Clause
"""`inv`, `pow`, `ctrl` and `negctrl` applied to lists of gates and phases.

Modifiers act from the right: the one beside the gate first. A power that is no integer is taken of the matrix (the
principal one, as the specification says) unless the gate is a single one that Qiskit has a root of.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from openqasm3 import ast
from qiskit.circuit import Gate, ParameterExpression, QuantumCircuit, Qubit, library
from qiskit.quantum_info import Operator

from triplane.host.compiler.qasm.blocks import Apply, Block, Node, Phase
from triplane.host.compiler.qasm.casts import integer_of, real_of
from triplane.host.compiler.qasm.errors import not_known, wrong
from triplane.host.compiler.qasm.lowering import Lowering

MOST_CONTROLS = 64
LONGEST_POWER = 10_000
WIDEST_ROOT = 6
"""Qubits: a matrix of more is too large to take a root of."""

ROOTS = {"z": math.pi, "s": math.pi / 2, "t": math.pi / 4, "sdg": -math.pi / 2, "tdg": -math.pi / 4}
"""Angles of phase gates, whose powers are phase gates."""


ADDITIVE = {
    "p": library.PhaseGate,
    "rx": library.RXGate,
    "ry": library.RYGate,
    "rz": library.RZGate,
    "cp": library.CPhaseGate,
    "crx": library.CRXGate,
    "cry": library.CRYGate,
    "crz": library.CRZGate,
}
"""Gates of one angle, of which twice the gate is twice the angle."""


@dataclass(frozen=True)
class Modifier:
    """A modifier: `word` is "inv", "pow", "ctrl" or "negctrl"; `amount` is its argument."""

    word: str
    amount: Any


def resolve(low: Lowering, nodes: Sequence[ast.QuantumGateModifier]) -> list[Modifier]:
    """Modifiers with their arguments, from left to right."""
    resolved = []
    for node in nodes:
        word = node.modifier.name
        amount: Any = 1
        if node.argument is not None:
            value = low.evaluate(low, node.argument)
            if word == "pow":
                amount = real_of(value, node.argument, "a power")
            else:
                amount = integer_of(value, node.argument, "a number of controls")
                if not 0 < amount <= MOST_CONTROLS:
                    raise wrong(node, f"the number of controls must be 1 to {MOST_CONTROLS}, not {amount}")
        resolved.append(Modifier(word, amount))
    return resolved


def controls(modifiers: Sequence[Modifier]) -> int:
    """How many qubits the modifiers add in front."""
    return sum(modifier.amount for modifier in modifiers if modifier.word in ("ctrl", "negctrl"))


def applied(body: Block, modifiers: Sequence[Modifier], qubits: tuple[Qubit, ...], node: Any) -> Block:
    """Operations of a modified gate.

    Args:
        body: operations of the gate itself, on the last of the qubits.
        modifiers: from left to right.
        qubits: all operands; the controls of the leftmost modifier come first.
        node: where errors are shown.
    """
    first = controls(modifiers)
    for modifier in reversed(modifiers):
        if modifier.word == "inv":
            body = [inverse(operation) for operation in reversed(body)]
        elif modifier.word == "pow":
            body = power(body, modifier.amount, qubits[first:], node)
        else:
            first -= modifier.amount
            wires = qubits[first : first + modifier.amount]
            body = [
                part for operation in body for part in controlled(operation, wires, modifier.word == "ctrl")
            ]
    return body


def inverse(operation: Node) -> Node:
    """Of a gate, a barrier or a phase."""
    if isinstance(operation, Phase):
        return Phase(-operation.angle)
    assert isinstance(operation, Apply)
    if isinstance(operation.operation, Gate):
        return Apply(operation.operation.inverse(), operation.qubits)
    return operation


def controlled(operation: Node, wires: tuple[Qubit, ...], on_one: bool) -> Block:
    """With controls in front, that act on one or on zero."""
    if isinstance(operation, Phase):
        gate: Gate = library.PhaseGate(operation.angle)
        if len(wires) > 1:
            gate = library.MCPhaseGate(operation.angle, len(wires) - 1)
        flips: Block = [] if on_one else [Apply(library.XGate(), (wire,)) for wire in wires]
        return [*flips, Apply(gate, wires), *flips]
    assert isinstance(operation, Apply)
    if not isinstance(operation.operation, Gate):
        return [operation]
    state = (1 << len(wires)) - 1 if on_one else 0
    return [Apply(operation.operation.control(len(wires), ctrl_state=state), wires + operation.qubits)]


def power(body: Block, exponent: float | ParameterExpression, qubits: tuple[Qubit, ...], node: Any) -> Block:
    """A gate to a power."""
    if isinstance(exponent, ParameterExpression):
        raise not_known(node, "a power must be known when compiling; give inputs={...} its value")
    if not math.isfinite(exponent):
        raise wrong(node, f"{exponent} is no power")
    if not body:
        return []
    if exponent == int(exponent):
        if len(body) == 1 and (summed := _multiple(body[0], int(exponent))) is not None:
            return [summed]
        if abs(exponent) * len(body) > LONGEST_POWER:
            raise wrong(node, f"pow({exponent:g}) is too long: at most {LONGEST_POWER} gates")
        once = body if exponent >= 0 else [inverse(operation) for operation in reversed(body)]
        return once * int(abs(exponent))
    return _root(body, exponent, node) or _by_matrix(body, exponent, qubits, node)


def _multiple(operation: Node, exponent: int) -> Node | None:
    """The integer power of a phase or of a turn: one by as many times the angle."""
    if isinstance(operation, Phase):
        return Phase(operation.angle * exponent)
    assert isinstance(operation, Apply)
    gate = operation.operation
    if gate.name not in ADDITIVE:
        return None
    return Apply(ADDITIVE[gate.name](gate.params[0] * exponent), operation.qubits)


def _root(body: Block, exponent: float, node: Any) -> Block:
    """The power of a phase or of a single gate that has a simple one; empty: there is none."""
    if len(body) != 1:
        return []
    operation = body[0]
    if isinstance(operation, Phase):
        return [Phase(_principal(operation.angle, node) * exponent)]
    assert isinstance(operation, Apply)
    gate = operation.operation
    if not isinstance(gate, Gate):
        return []
    if gate.name in ROOTS or gate.name == "p":
        angle = _principal(ROOTS.get(gate.name, 0.0) if gate.name in ROOTS else gate.params[0], node)
        return [Apply(library.PhaseGate(angle * exponent), operation.qubits)]
    if gate.name == "x" and abs(exponent) == 0.5:
        return [Apply(library.SXGate() if exponent > 0 else library.SXdgGate(), operation.qubits)]
    if gate.name in ("rx", "ry", "rz") and abs(_number(gate.params[0], node)) < 2 * math.pi:
        return [Apply(ADDITIVE[gate.name](gate.params[0] * exponent), operation.qubits)]
    return []


def _number(angle: Any, node: Any) -> float:
    if isinstance(angle, ParameterExpression):
        raise not_known(
            node, "a power that is no integer needs the gate's parameters; give inputs={...} their values"
        )
    return float(angle)


def _principal(angle: Any, node: Any) -> float:
    """An angle between -pi, which is left out, and pi."""
    number = _number(angle, node)
    return math.pi - (math.pi - number) % (2 * math.pi)


def _by_matrix(body: Block, exponent: float, qubits: tuple[Qubit, ...], node: Any) -> Block:
    if len(qubits) > WIDEST_ROOT:
        raise wrong(
            node,
            f"a power that is no integer is taken of gates on at most {WIDEST_ROOT} qubits, not {len(qubits)}",
        )
    circuit = QuantumCircuit(list(qubits))
    for operation in body:
        if isinstance(operation, Phase):
            circuit.global_phase += _number(operation.angle, node)
        else:
            assert isinstance(operation, Apply)
            for parameter in operation.operation.params:
                _number(parameter, node)
            circuit.append(operation.operation, operation.qubits)
    return [Apply(library.UnitaryGate(principal_power(Operator(circuit).data, exponent)), qubits)]


def principal_power(matrix: npt.NDArray[Any], exponent: float) -> npt.NDArray[Any]:
    """exp(exponent log U), the logarithm's eigenvalues within (-pi, pi].

    Args:
        matrix: unitary, square.
        exponent: any real number.
    """
    from scipy.linalg import schur

    triangular, basis = schur(matrix, output="complex")
    phases = [cmath.phase(value) for value in np.diag(triangular)]
    phases = [math.pi if math.isclose(phase, -math.pi, abs_tol=1e-9) else phase for phase in phases]
    diagonal = np.exp(1j * exponent * np.array(phases))
    powered: npt.NDArray[Any] = (basis * diagonal) @ basis.conj().T
    return powered
