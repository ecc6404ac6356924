# SPDX-License-Identifier: BSD-2-Clause
"""What can be indexed, read and assigned to: variables, registers, slices, sets, arrays and their cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from openqasm3 import ast
from qiskit.circuit import Qubit
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import access, indices, runtime, words
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.scopes import (
    Array,
    Bits,
    GateDefinition,
    Place,
    Qubits,
    Subroutine,
    Variable,
)
from triplane.host.compiler.qasm.types import Angle, Bit, Int, Value, with_article


def named(low: Lowering, node: ast.Identifier) -> Place | Value:
    """What a name stands for, other than a gate or subroutine."""
    if node.name.startswith("$"):
        return physical(low, node)
    found = low.scope.find(node.name)
    if found is None:
        raise wrong(node, f"'{node.name}' is not declared")
    symbol, outside = found
    if isinstance(symbol, GateDefinition | Subroutine):
        raise wrong(
            node,
            f"'{node.name}' is no variable but a {'gate' if isinstance(symbol, GateDefinition) else 'subroutine'}",
        )
    if outside and isinstance(symbol, Qubits):
        raise wrong(node, f"qubits '{node.name}' cannot be seen in here; pass them as an argument")
    return symbol


def physical(low: Lowering, node: ast.Identifier) -> Qubits:
    """A qubit of the device, e.g. `$3`; the register of all of them is there from the beginning."""
    return Qubits((low.resources.qubits[0][int(node.name[1:])],), False)


def locate(low: Lowering, node: Any) -> Place | Value:
    """The place that an identifier with or without indices means."""
    if isinstance(node, ast.Identifier):
        return named(low, node)
    if isinstance(node, ast.IndexedIdentifier):
        place = named(low, node.name)
        for element in node.indices:
            place = indexed(low, place, element, node)
        return place
    if isinstance(node, ast.IndexExpression):
        return indexed(low, locate(low, node.collection), node.index, node)
    if isinstance(node, ast.Concatenation):
        return joined(locate(low, node.lhs), locate(low, node.rhs), node)
    value = low.evaluate(low, node)
    assert isinstance(value, Value)
    return value


def indexed(low: Lowering, place: Place | Value, element: Any, node: ast.QASMNode) -> Place | Value:
    """An index, range or set in brackets applied to a place."""
    if isinstance(place, Array):
        return _cells(low, place, element, node)
    if isinstance(element, list):
        if len(element) != 1:
            raise wrong(node, f"{len(element)} indices in one bracket are for arrays only")
        element = element[0]
    if isinstance(place, Qubits):
        if not place.register:
            raise wrong(node, "a single qubit has no index")
        return _of_qubits(place, indices.indices_of(low, element, len(place.qubits), node))
    if isinstance(place, Value):
        return _of_value(low, place, element, node)
    return _of_bits(low, place, element, node)


def _of_qubits(place: Qubits, found: int | list[int]) -> Qubits:
    if isinstance(found, int):
        return Qubits((place.qubits[found],), False)
    return Qubits(tuple(place.qubits[index] for index in found), True)


def _of_bits(low: Lowering, place: Variable | Bits, element: Any, node: ast.QASMNode) -> Place | Value:
    bits = bits_of(place, node)
    if not isinstance(element, ast.DiscreteSet | ast.RangeDefinition):
        index = low.evaluate(low, element)
        if index.runtime:
            return _chosen(low, place, index, node)
    found = indices.indices_of(low, element, len(bits), node)
    if isinstance(found, int):
        return Bits((bits[found],), False)
    return Bits(tuple(bits[index] for index in found), True)


def _chosen(low: Lowering, place: Variable | Bits | Value, index: Value, node: ast.QASMNode) -> Value:
    """A bit whose place only the run knows; beyond the register's end it is 0."""
    value = place if isinstance(place, Value) else access.read(low, place, node)
    word = runtime.as_expr(value, node)
    if not isinstance(index.type, Int | Bit):
        raise wrong(node, f"an index must be an integer, not {with_article(index.type)}")
    chosen = expr.shift_right(word, runtime.resized(runtime.as_expr(index, node), 32))
    return Value(Bit(), runtime.bit_of(chosen, 0))


def bits_of(place: Variable | Bits, node: ast.QASMNode) -> tuple[tuple[Variable, int], ...]:
    """The bits of a place, lowest first."""
    if isinstance(place, Bits):
        if not place.register:
            raise wrong(node, "a single bit has no index")
        return place.bits
    kind = place.type
    if not isinstance(kind, Bit | Int | Angle) or kind.width is None or kind == Bit():
        raise wrong(node, f"{with_article(kind)} has no bits to be indexed")
    return tuple((place, index) for index in range(kind.width))


def _of_value(low: Lowering, value: Value, element: Any, node: ast.QASMNode) -> Value:
    kind = value.type
    if not isinstance(kind, Bit | Int | Angle) or kind.width is None or kind == Bit():
        raise wrong(node, f"{with_article(kind)} has no bits to be indexed")
    if not isinstance(element, ast.DiscreteSet | ast.RangeDefinition):
        index = low.evaluate(low, element)
        if index.runtime:
            return _chosen(low, value, index, node)
    found = indices.indices_of(low, element, kind.width, node)
    if isinstance(found, int):
        return words.bit_value(value, found, node)
    return words.collected([words.bit_value(value, index, node) for index in found], node)


def _cells(low: Lowering, place: Array, element: Any, node: ast.QASMNode) -> Place:
    parts = element if isinstance(element, list) else [element]
    if len(parts) > place.cells.ndim:
        raise wrong(node, f"{len(parts)} indices for an array of {place.cells.ndim} dimensions")
    cells: Any = place.cells
    axis = 0
    for part in parts:
        found = indices.indices_of(low, part, cells.shape[axis], node)
        cells = cells[(slice(None),) * axis + (found,)]
        axis += not isinstance(found, int)
    return cells if isinstance(cells, Variable) else Array(cells, place.base, place.readonly)


def joined(left: Place | Value, right: Place | Value, node: ast.QASMNode) -> Place:
    """`left ++ right`."""
    if isinstance(left, Qubits) and isinstance(right, Qubits):
        if set(left.qubits) & set(right.qubits):
            raise wrong(node, "a register cannot be joined with a part of itself")
        return Qubits(left.qubits + right.qubits, True)
    if isinstance(left, Array) and isinstance(right, Array) and left.base == right.base:
        if left.cells.shape[1:] != right.cells.shape[1:]:
            raise wrong(node, "the arrays to be joined differ in shape")
        return Array(np.concatenate([left.cells, right.cells]), left.base)
    if isinstance(left, Variable | Bits) and isinstance(right, Variable | Bits):
        return Bits(_register(left, node) + _register(right, node), True)
    raise wrong(node, "only registers of one kind can be joined by '++'")


def _register(place: Variable | Bits, node: ast.QASMNode) -> tuple[tuple[Variable, int], ...]:
    if isinstance(place, Variable) and place.type == Bit():
        return ((place, 0),)
    if isinstance(place, Bits):
        return place.bits
    if not isinstance(place.type, Bit):
        raise wrong(node, f"{with_article(place.type)} cannot be joined by '++'")
    return bits_of(place, node)


def qubits_of(low: Lowering, node: Any) -> Qubits:
    """The qubits that an operand means."""
    place = locate(low, node)
    if isinstance(place, Qubits):
        return place
    name = node.name if isinstance(node, ast.Identifier) else node.name.name
    raise wrong(node, f"'{name}' is no qubit")


def distinct(qubits: Sequence[Qubit], node: ast.QASMNode) -> None:
    """No qubit twice."""
    if len(set(qubits)) != len(qubits):
        raise wrong(node, "a qubit stands twice among the operands")
