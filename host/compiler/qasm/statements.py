# SPDX-License-Identifier: BSD-2-Clause
"""Statements: which function lowers which, and those that fit into a line or two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openqasm3 import ast
from qiskit.circuit import Qubit
from qiskit.circuit.library import Barrier, Reset

from triplane.host.compiler.qasm import (
    access,
    blocks,
    control,
    declarations,
    for_loops,
    gates,
    loops,
    measurements,
    operations,
    places,
    subroutines,
)
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.exits import PLAIN, Outcome
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.scopes import Array, GateDefinition
from triplane.host.compiler.qasm.timing import delay

LIBRARY = "stdgates.inc"


def plain(action: Callable[[Lowering, Any], object]) -> Callable[[Lowering, Any], Outcome]:
    """A statement that control always comes out of."""

    def handler(low: Lowering, node: Any) -> Outcome:
        action(low, node)
        return PLAIN

    return handler


def assignment(low: Lowering, node: ast.ClassicalAssignment) -> None:
    """`=` and its compounds."""
    name = node.lvalue.name if isinstance(node.lvalue, ast.Identifier) else node.lvalue.name.name
    measurements.changeable(low, name, node)
    target = places.locate(low, node.lvalue)
    if isinstance(target, Array):
        if node.op.name != "=":
            raise wrong(node, f"'{node.op.name}' is not defined for arrays")
        declarations.fill(low, target, node.rvalue, node)
        return
    value = low.evaluate(low, node.rvalue)
    if node.op.name != "=":
        if node.op.name == "~=":
            raise wrong(node, "'~=' has no meaning in the specification; write a = ~b")
        value = operations.binary(node.op.name[:-1], access.read(low, target, node), value, node)
    access.assign(low, target, value, node)


def barrier(low: Lowering, node: ast.QuantumBarrier) -> None:
    """`barrier`; without operands of all qubits."""
    qubits = list(dict.fromkeys(q for part in node.qubits for q in places.qubits_of(low, part).qubits))
    fence(low, qubits if node.qubits else everything(low), node)


def everything(low: Lowering) -> list[Qubit]:
    """All qubits of the program."""
    return [qubit for register in low.resources.qubits for qubit in register]


def fence(low: Lowering, qubits: list[Qubit], node: ast.QASMNode) -> None:
    """A barrier, of at least one qubit."""
    if qubits:
        low.emit(blocks.Apply(Barrier(len(qubits)), tuple(qubits)), node)


def reset(low: Lowering, node: ast.QuantumReset) -> None:
    """`reset`."""
    for qubit in places.qubits_of(low, node.qubits).qubits:
        low.emit(blocks.Apply(Reset(), (qubit,)), node)


def box(low: Lowering, node: ast.Box) -> Outcome:
    """`box`: nothing moves across its ends, which barriers see to."""
    if node.duration is not None:
        raise wrong(
            node, "a box's duration is not supported: what is in it takes as long as the device's pulses"
        )
    fence(low, everything(low), node)
    outcome = control.nested(low, node.body)
    fence(low, everything(low), node)
    return outcome


def include(low: Lowering, node: ast.Include) -> None:
    """`include "stdgates.inc"`; a program is one text, so there are no other files."""
    if node.filename != LIBRARY:
        raise wrong(
            node, f'only "{LIBRARY}" can be included, not "{node.filename}"; put its text into the program'
        )
    low.standard = True


def gate(low: Lowering, node: ast.QuantumGateDefinition) -> None:
    """`gate`."""
    name = node.name.name
    if name in gates.BUILT_IN or (low.standard and name in gates.STANDARD):
        raise wrong(node, f"gate '{name}' is there already, by \"{LIBRARY}\"")
    gates.check(low, node)
    low.declare(name, GateDefinition(node), node)


def refused(reason: str) -> Callable[[Lowering, Any], Outcome]:
    """A statement that is not supported."""

    def handler(low: Lowering, node: ast.QASMNode) -> Outcome:
        raise wrong(node, reason)

    return handler


def pragma(low: Lowering, node: ast.Pragma) -> None:
    """`pragma`: ignored, with a note."""
    low.notes.append(f"pragma {node.command} is ignored")


PULSES = "is not supported: pulses are made from the device's calibration, see triplane.host.compiler.gates"

STATEMENTS: dict[type, Callable[[Lowering, Any], Outcome]] = {
    ast.AliasStatement: declarations.alias,
    ast.Box: box,
    ast.BranchingStatement: control.branch,
    ast.BreakStatement: loops.leaves,
    ast.CalibrationDefinition: refused(f"defcal {PULSES}"),
    ast.CalibrationGrammarDeclaration: refused(f"defcalgrammar {PULSES}"),
    ast.CalibrationStatement: refused(f"cal {PULSES}"),
    ast.ClassicalAssignment: plain(assignment),
    ast.ClassicalDeclaration: declarations.classical,
    ast.CompoundStatement: control.compound,
    ast.ConstantDeclaration: declarations.constant,
    ast.ContinueStatement: loops.leaves,
    ast.DelayInstruction: plain(delay),
    ast.EndStatement: control.end,
    ast.ExpressionStatement: subroutines.statement,
    ast.ExternDeclaration: refused("extern is not supported: the sequencer calls nothing outside itself"),
    ast.ForInLoop: for_loops.for_loop,
    ast.Include: plain(include),
    ast.IODeclaration: declarations.interface,
    ast.Pragma: plain(pragma),
    ast.QuantumBarrier: plain(barrier),
    ast.QuantumGate: plain(gates.apply),
    ast.QuantumGateDefinition: plain(gate),
    ast.QuantumMeasurementStatement: plain(measurements.statement),
    ast.QuantumPhase: plain(gates.phase),
    ast.QuantumReset: plain(reset),
    ast.QubitDeclaration: declarations.qubits,
    ast.ReturnStatement: subroutines.returns,
    ast.SubroutineDefinition: plain(subroutines.define),
    ast.SwitchStatement: control.switch,
    ast.WhileLoop: loops.while_loop,
}
