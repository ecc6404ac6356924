# SPDX-License-Identifier: BSD-2-Clause
"""Gates: the standard library as gates of Qiskit, definitions of the program inlined, modifiers and broadcasting.

Phases are those of the specification (U(a, b, c) has the determinant's root that makes its upper left element
(1 + exp(ia)) / 2), since a `ctrl @` in front makes them visible.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from openqasm3 import ast
from qiskit.circuit import Gate, Parameter, ParameterExpression, QuantumRegister, Qubit, library
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import blocks, modifiers, places, runtime
from triplane.host.compiler.qasm.casts import radians, real_of
from triplane.host.compiler.qasm.errors import NotKnownError, wrong
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.scopes import GateDefinition, Qubits
from triplane.host.compiler.qasm.types import Angle, Float, Value

Number: TypeAlias = float | ParameterExpression


@dataclass(frozen=True)
class Known:
    """A gate that Qiskit has.

    Attributes:
        make: from its parameters.
        parameters: how many.
        qubits: how many.
        phase: what is to be added, from its parameters.
    """

    make: Callable[..., Gate]
    parameters: int
    qubits: int
    phase: Callable[..., Number] | None = None


BUILT_IN = {
    "U": Known(library.UGate, 3, 1, lambda theta, phi, lam: theta / 2),
}

STANDARD = {
    "p": Known(library.PhaseGate, 1, 1),
    "x": Known(library.XGate, 0, 1),
    "y": Known(library.YGate, 0, 1),
    "z": Known(library.ZGate, 0, 1),
    "h": Known(library.HGate, 0, 1),
    "s": Known(library.SGate, 0, 1),
    "sdg": Known(library.SdgGate, 0, 1),
    "t": Known(library.TGate, 0, 1),
    "tdg": Known(library.TdgGate, 0, 1),
    "sx": Known(library.SXGate, 0, 1),
    "rx": Known(library.RXGate, 1, 1),
    "ry": Known(library.RYGate, 1, 1),
    "rz": Known(library.RZGate, 1, 1),
    "cx": Known(library.CXGate, 0, 2),
    "cy": Known(library.CYGate, 0, 2),
    "cz": Known(library.CZGate, 0, 2),
    "cp": Known(library.CPhaseGate, 1, 2),
    "crx": Known(library.CRXGate, 1, 2),
    "cry": Known(library.CRYGate, 1, 2),
    "crz": Known(library.CRZGate, 1, 2),
    "ch": Known(library.CHGate, 0, 2),
    "swap": Known(library.SwapGate, 0, 2),
    "ccx": Known(library.CCXGate, 0, 3),
    "cswap": Known(library.CSwapGate, 0, 3),
    "cu": Known(library.CUGate, 4, 2),
    "CX": Known(library.CXGate, 0, 2),
    "phase": Known(library.PhaseGate, 1, 1),
    "cphase": Known(library.CPhaseGate, 1, 2),
    "id": Known(library.IGate, 0, 1),
    "u1": Known(library.PhaseGate, 1, 1),
    "u2": Known(lambda phi, lam: library.U2Gate(phi, lam), 2, 1, lambda phi, lam: -(phi + lam) / 2),
    "u3": Known(library.UGate, 3, 1, lambda theta, phi, lam: -(phi + lam) / 2),
}


def find(low: Lowering, name: str, node: ast.QASMNode) -> Known | GateDefinition:
    """A gate by its name."""
    found = low.scope.find(name)
    if found is not None:
        if isinstance(found[0], GateDefinition):
            return found[0]
        raise wrong(node, f"'{name}' is no gate")
    if name in BUILT_IN:
        return BUILT_IN[name]
    if name in STANDARD:
        if low.standard:
            return STANDARD[name]
        raise wrong(node, f"gate '{name}' is not declared; include \"stdgates.inc\"; at the beginning has it")
    raise wrong(node, f"gate '{name}' is not declared")


def apply(low: Lowering, node: ast.QuantumGate) -> None:
    """A gate, over registers as often as they are long."""
    if node.duration is not None:
        raise wrong(node, "a gate's duration is not supported: how long a gate takes is known to the device")
    gate = find(low, node.name.name, node)
    values = [low.evaluate(low, argument) for argument in node.arguments]
    controls, wanted = modifiers.resolve(low, node.modifiers), _signature(gate)
    _count(node, len(values), wanted[0], "parameter")
    operands = [places.qubits_of(low, part) for part in node.qubits]
    _count(node, len(operands), wanted[1] + modifiers.controls(controls), "qubit")
    for qubits in broadcast(operands, node):
        places.distinct(qubits, node)
        for numbers, conditional in _settings(low, gate, values, controls, node):
            body = _expanded(low, gate, numbers, qubits[modifiers.controls(controls) :], node)
            operations = modifiers.applied(body, controls, qubits, node)
            if conditional is not None:
                operations = [blocks.Branch(conditional, operations, [])]
            for operation in operations:
                low.emit(operation, node)


def _settings(
    low: Lowering,
    gate: Known | GateDefinition,
    values: list[Value],
    controls: list[modifiers.Modifier],
    node: ast.QuantumGate,
) -> list[tuple[list[Number], expr.Expr | None]]:
    """Parameters of a gate, each with the condition that it is played under.

    A gate of one angle turns by as much for a sum of angles as for each of them in turn. So an angle that only the run
    knows is turned by bit by bit, by a branch for each.
    """
    value = values[0] if len(values) == 1 else None
    if value is None or not value.runtime or not isinstance(value.type, Angle) or not isinstance(gate, Known):
        return [
            (
                [
                    real_of(v, part, "a gate's parameter")
                    for v, part in zip(values, node.arguments, strict=True)
                ],
                None,
            )
        ]
    for modifier in controls:
        if modifier.word == "pow" and modifier.amount != int(modifier.amount):
            raise wrong(node, f"pow({modifier.amount:g}) of a turn by an angle of the run is not supported")
    word = runtime.as_expr(value, node)
    width = runtime.width_of(word)
    return [([radians(1 << bit, width)], runtime.bit_of(word, bit)) for bit in range(width)]


def _signature(gate: Known | GateDefinition) -> tuple[int, int]:
    if isinstance(gate, Known):
        return gate.parameters, gate.qubits
    return len(gate.node.arguments), len(gate.node.qubits)


def _count(node: ast.QuantumGate, given: int, wanted: int, what: str) -> None:
    if given != wanted:
        raise wrong(
            node, f"'{node.name.name}' takes {wanted} {what}{'' if wanted == 1 else 's'} here, not {given}"
        )


def broadcast(operands: list[Qubits], node: ast.QASMNode) -> list[tuple[Qubit, ...]]:
    """Operands of each repetition: registers go qubit by qubit, single qubits stay."""
    lengths = {len(operand.qubits) for operand in operands if operand.register}
    if len(lengths) > 1:
        raise wrong(
            node, f"registers of different lengths, {' and '.join(map(str, sorted(lengths)))}, in one gate"
        )
    count = lengths.pop() if lengths else 1
    return [tuple(o.qubits[index if o.register else 0] for o in operands) for index in range(count)]


def _expanded(
    low: Lowering,
    gate: Known | GateDefinition,
    numbers: list[Any],
    qubits: tuple[Qubit, ...],
    node: ast.QASMNode,
) -> blocks.Block:
    """Operations of a gate without its modifiers."""
    if isinstance(gate, GateDefinition):
        return inlined(low, gate.node, numbers, qubits, node)
    body: blocks.Block = [blocks.Apply(gate.make(*numbers), qubits)]
    if gate.phase is not None:
        body.append(blocks.Phase(gate.phase(*numbers)))
    return body


def inlined(
    low: Lowering,
    definition: ast.QuantumGateDefinition,
    numbers: list[Any],
    qubits: tuple[Qubit, ...],
    node: Any,
) -> blocks.Block:
    """Operations of a definition's body for these parameters and qubits."""
    name = definition.name.name
    if name in low.expanding:
        raise wrong(node, f"gate '{name}' uses itself")
    low.expanding.append(name)
    try:
        with low.scoped("gate", low.outermost), low.collecting() as block:
            for argument, number in zip(definition.arguments, numbers, strict=True):
                low.declare(argument.name, Value(Float(), number), argument)
            for operand, qubit in zip(definition.qubits, qubits, strict=True):
                low.declare(operand.name, Qubits((qubit,), False), operand)
            for statement in definition.body:
                low.run(statement)
    finally:
        low.expanding.pop()
    unitary(block, node, name)
    return list(blocks.flat(block))


def unitary(block: blocks.Block, node: ast.QASMNode, name: str) -> None:
    """Gates, phases and barriers only."""
    for operation in blocks.flat(block):
        if isinstance(operation, blocks.Phase):
            continue
        if not isinstance(operation, blocks.Apply) or not isinstance(
            operation.operation, Gate | library.Barrier
        ):
            raise wrong(
                node,
                f"gate '{name}' does something that is no gate, such as a reset, a delay or a branch of the run",
            )


def phase(low: Lowering, node: ast.QuantumPhase) -> None:
    """`gphase(angle)`, with controls a phase of these."""
    number = real_of(low.evaluate(low, node.argument), node.argument, "a phase")
    controls = modifiers.resolve(low, node.modifiers)
    operands = [places.qubits_of(low, part) for part in node.qubits]
    if len(operands) != modifiers.controls(controls):
        raise wrong(
            node,
            f"gphase takes {modifiers.controls(controls)} qubits here, one for each control, not {len(operands)}",
        )
    for qubits in broadcast(operands, node):
        places.distinct(qubits, node)
        for operation in modifiers.applied([blocks.Phase(number)], controls, qubits, node):
            low.emit(operation, node)


def check(low: Lowering, definition: ast.QuantumGateDefinition) -> None:
    """Lower a definition once for nothing, so that its errors are found where nobody uses it."""
    parameters = [Parameter(argument.name) for argument in definition.arguments]
    qubits = tuple(QuantumRegister(len(definition.qubits), "q"))
    # What needs the parameters' values cannot be checked without them.
    with contextlib.suppress(NotKnownError):
        inlined(low, definition, parameters, qubits, definition)
