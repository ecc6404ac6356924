# SPDX-License-Identifier: BSD-2-Clause
"""What a program does while running, as a tree, and the circuit that is built of it at the end.

A tree of our own stands between, since a loop's body may have to be thrown away and unrolled instead, and since all
variables are to be declared in the outermost circuit: there every simulator and every compiler finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from qiskit.circuit import (
    CASE_DEFAULT,
    ClassicalRegister,
    Clbit,
    Operation,
    ParameterExpression,
    QuantumCircuit,
    QuantumRegister,
    Qubit,
)
from qiskit.circuit.classical import expr
from qiskit.circuit.library import Measure


@dataclass
class Apply:
    """An operation on qubits and, if it measures, a bit."""

    operation: Operation
    qubits: tuple[Qubit, ...]
    clbits: tuple[Clbit, ...] = ()


@dataclass
class Phase:
    """A phase of all qubits; without effect once a measurement has decided whether it is there."""

    angle: float | ParameterExpression


@dataclass
class Assign:
    """A variable or register takes the value of an expression."""

    target: expr.Expr
    value: expr.Expr


@dataclass
class Branch:
    """`if`, with `else` where that has anything to do."""

    condition: expr.Expr
    then: Block
    otherwise: Block


@dataclass
class Switch:
    """`switch`; no labels: the default."""

    target: expr.Expr
    cases: list[tuple[tuple[int, ...], Block]]


@dataclass
class Repeat:
    """`for`, with a body that does not use the index."""

    count: int
    body: Block


@dataclass
class While:
    """`while`."""

    condition: expr.Expr
    body: Block


@dataclass
class Leave:
    """`break` or `continue` of the innermost Repeat or While."""

    word: str


Node: TypeAlias = "Apply | Phase | Assign | Branch | Switch | Repeat | While | Leave | Block"
Block: TypeAlias = list[Node]


@dataclass
class Resources:
    """What a circuit holds, in order of declaration."""

    qubits: list[QuantumRegister] = field(default_factory=list)
    bits: list[ClassicalRegister] = field(default_factory=list)
    variables: list[expr.Var] = field(default_factory=list)
    inputs: list[expr.Var] = field(default_factory=list)


def assemble(resources: Resources, block: Block, name: str) -> QuantumCircuit:
    """The circuit of a tree."""
    circuit = QuantumCircuit(*resources.qubits, *resources.bits, name=name, inputs=resources.inputs)
    for variable in resources.variables:
        circuit.add_uninitialized_var(variable)
    _fill(circuit, block, outermost=True)
    return circuit


def empty(block: Block) -> bool:
    """Whether nothing is done."""
    return all(isinstance(node, list) and empty(node) for node in block)


def _fill(circuit: QuantumCircuit, block: Block, *, outermost: bool = False) -> None:
    for node in block:
        if isinstance(node, list):
            _fill(circuit, node, outermost=outermost)
        elif isinstance(node, Phase):
            if outermost:
                circuit.global_phase += node.angle
        else:
            _add(circuit, node)


def _add(circuit: QuantumCircuit, node: Apply | Assign | Branch | Switch | Repeat | While | Leave) -> None:
    match node:
        case Apply():
            circuit.append(node.operation, node.qubits, node.clbits)
        case Assign():
            circuit.store(node.target, node.value)
        case Branch():
            _add_branch(circuit, node)
        case Switch():
            with circuit.switch(node.target) as case:
                for labels, body in node.cases:
                    with case(*(labels or (CASE_DEFAULT,))):
                        _fill(circuit, body)
        case Repeat():
            with circuit.for_loop(range(node.count)):
                _fill(circuit, node.body)
        case While():
            with circuit.while_loop(node.condition):
                _fill(circuit, node.body)
        case Leave(word="break"):
            circuit.break_loop()
        case Leave():
            circuit.continue_loop()


def _add_branch(circuit: QuantumCircuit, node: Branch) -> None:
    with circuit.if_test(node.condition) as otherwise:
        _fill(circuit, node.then)
    if not empty(node.otherwise):
        with otherwise:
            _fill(circuit, node.otherwise)


def measured(qubit: Qubit, clbit: Clbit) -> Apply:
    """A measurement."""
    return Apply(Measure(), (qubit,), (clbit,))


def flat(block: Block) -> Sequence[Node]:
    """The nodes of a block, those of its nested lists among them."""
    return [inner for node in block for inner in (flat(node) if isinstance(node, list) else [node])]
