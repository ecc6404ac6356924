# SPDX-License-Identifier: BSD-2-Clause
"""What can be indexed, read and assigned to: variables, registers, slices, sets, arrays and their cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from openqasm3 import ast
from qiskit.circuit import Clbit, Qubit
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import blocks, runtime
from triplane.host.compiler.qasm.casts import cast, integer_of
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
from triplane.host.compiler.qasm.types import Angle, Bit, Int, Value, wrapped

LARGEST = 1 << 16
"""Elements: no register, array or range is longer."""


def span_of(low: Lowering, node: ast.RangeDefinition, size: int | None = None) -> range:
    """The indices of a range, both ends among them.

    Args:
        low: the lowering.
        node: the range.
        size: of what is indexed; ends that are left out are its ends, and negative ones count from its end.
    """

    def number(part: ast.Expression | None, default: int) -> int:
        if part is None:
            if size is None:
                raise wrong(node, "this range needs both ends")
            return default
        found = integer_of(low.evaluate(low, part), part, "a range's end or step")
        return found if size is None else wrapped_index(found, size, part)

    step = 1
    if node.step is not None:
        step = integer_of(low.evaluate(low, node.step), node.step, "a range's step")
    if step == 0:
        raise wrong(node, "a range's step must not be 0")
    first, last = (0, (size or 1) - 1)[:: 1 if step > 0 else -1]
    start, end = number(node.start, first), number(node.end, last)
    found = range(start, end + (1 if step > 0 else -1), step)
    if abs(end - start) // abs(step) > LARGEST:
        raise wrong(node, f"a range of more than {LARGEST} elements is too long")
    return found


def wrapped_index(index: int, size: int, node: ast.QASMNode) -> int:
    """An index from the front, or from the end where it is negative."""
    if not -size <= index < size:
        raise wrong(node, f"index {index} is out of range: there are {size} elements, 0 to {size - 1}")
    return index % size


def indices_of(low: Lowering, node: Any, size: int, at: ast.QASMNode) -> int | list[int]:
    """One index, or several, that an index element means in something of `size` elements."""
    if isinstance(node, ast.DiscreteSet):
        parts = [integer_of(low.evaluate(low, part), part, "an index") for part in node.values]
        return [wrapped_index(part, size, at) for part in parts]
    if isinstance(node, ast.RangeDefinition):
        found = list(span_of(low, node, size))
        if not found:
            raise wrong(at, "an index set must not be empty")
        return found
    return wrapped_index(integer_of(low.evaluate(low, node), node, "an index"), size, at)


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
        return _of_qubits(place, indices_of(low, element, len(place.qubits), node))
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
    found = indices_of(low, element, len(bits), node)
    if isinstance(found, int):
        return Bits((bits[found],), False)
    return Bits(tuple(bits[index] for index in found), True)


def _chosen(low: Lowering, place: Variable | Bits | Value, index: Value, node: ast.QASMNode) -> Value:
    """A bit whose place only the run knows; beyond the register's end it is 0."""
    value = place if isinstance(place, Value) else read(low, place, node)
    word = runtime.as_expr(value, node)
    if not isinstance(index.type, Int | Bit):
        raise wrong(node, f"an index must be an integer, not a {index.type}")
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
        raise wrong(node, f"a {kind} has no bits to be indexed")
    return tuple((place, index) for index in range(kind.width))


def _of_value(low: Lowering, value: Value, element: Any, node: ast.QASMNode) -> Value:
    kind = value.type
    if not isinstance(kind, Bit | Int | Angle) or kind.width is None or kind == Bit():
        raise wrong(node, f"a {kind} has no bits to be indexed")
    if not isinstance(element, ast.DiscreteSet | ast.RangeDefinition):
        index = low.evaluate(low, element)
        if index.runtime:
            return _chosen(low, value, index, node)
    found = indices_of(low, element, kind.width, node)
    if isinstance(found, int):
        return bit_value(value, found, node)
    return collected([bit_value(value, index, node) for index in found], node)


def bit_value(value: Value, index: int, node: ast.QASMNode) -> Value:
    """A bit of a value."""
    if isinstance(value.data, int):
        return Value(Bit(), int(value.data) >> index & 1)
    return Value(Bit(), runtime.bit_of(runtime.as_expr(value, node), index))


def collected(bits: Sequence[Value], node: ast.QASMNode) -> Value:
    """A register of bits, lowest first."""
    kind = Bit(len(bits), True)
    if all(bit.known for bit in bits):
        return Value(kind, sum(1 << place for place, bit in enumerate(bits) if bit.data))
    if len(bits) > 32:
        raise wrong(node, f"a value of a run can have 32 bits, not {len(bits)}")
    return runtime.joined([runtime.as_expr(bit, node) for bit in bits], kind)


def _cells(low: Lowering, place: Array, element: Any, node: ast.QASMNode) -> Place:
    parts = element if isinstance(element, list) else [element]
    if len(parts) > place.cells.ndim:
        raise wrong(node, f"{len(parts)} indices for an array of {place.cells.ndim} dimensions")
    cells: Any = place.cells
    axis = 0
    for part in parts:
        found = indices_of(low, part, cells.shape[axis], node)
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
        raise wrong(node, f"a {place.type} cannot be joined by '++'")
    return bits_of(place, node)


def read(low: Lowering, place: Place | Value, node: ast.QASMNode) -> Value:
    """The value of a place."""
    if isinstance(place, Value):
        return place
    if isinstance(place, Variable):
        return low.load(place, node)
    if isinstance(place, Bits):
        whole = _whole(place)
        if whole is not None:
            return cast(low.load(whole, node), Bit(len(place.bits), True), node)
        bits = [_bit(low, variable, index, node) for variable, index in place.bits]
        return collected(bits, node) if place.register else bits[0]
    kind = "an array" if isinstance(place, Array) else "a qubit"
    raise wrong(node, f"{kind} is no value here")


def _whole(place: Bits) -> Variable | None:
    """The variable all of whose bits these are, in order."""
    variable = place.bits[0][0]
    width = getattr(variable.type, "width", None)
    same = place.register and place.bits == tuple((variable, index) for index in range(width or 0))
    return variable if same and isinstance(variable.type, Bit) else None


def _bit(low: Lowering, variable: Variable, index: int, node: ast.QASMNode) -> Value:
    value = low.load(variable, node)
    if value.runtime and variable.storage is not None and not variable.storage.standalone:
        return Value(Bit(), expr.lift(clbit_of(variable, index)))
    return bit_value(value, index, node)


def clbit_of(variable: Variable, index: int) -> Clbit:
    """The circuit's bit behind a bit of a register."""
    assert variable.storage is not None
    held = variable.storage.var
    return held if isinstance(held, Clbit) else held[index]


def assign(low: Lowering, place: Place | Value, value: Value, node: ast.QASMNode) -> None:
    """Give a place a value."""
    if isinstance(place, Variable):
        low.store(place, value, node)
    elif isinstance(place, Bits):
        value = cast(value, Bit(len(place.bits), place.register), node)
        whole = _whole(place)
        if whole is not None:
            low.store(whole, value, node)
            return
        values = [bit_value(value, index, node) for index in range(len(place.bits))]
        for (variable, index), bit in zip(place.bits, values, strict=True):
            _assign_bit(low, variable, index, bit, node)
    else:
        kind = (
            "a constant" if isinstance(place, Value) else "an array" if isinstance(place, Array) else "qubits"
        )
        raise wrong(node, f"{kind} cannot be assigned a {value.type}")


def _assign_bit(low: Lowering, variable: Variable, index: int, bit: Value, node: ast.QASMNode) -> None:
    if variable.type == Bit():
        low.store(variable, bit, node)
        return
    known = variable.known
    inside = low.depth > variable.depth
    if bit.known and isinstance(known, int) and not inside:
        mask = 1 << index
        data = (int(known) & ~mask) | (mask if bit.data else 0)
        if variable.eager and not variable.constant:  # the register's other bits are there already
            low.emit(blocks.Assign(expr.lift(clbit_of(variable, index)), runtime.as_expr(bit, node)), node)
            variable.known, variable.assigned = data, True
            return
        low.store(variable, _as(variable, data), node)
    elif variable.eager and not variable.constant:
        variable.known, variable.assigned = None, True
        low.emit(blocks.Assign(expr.lift(clbit_of(variable, index)), runtime.as_expr(bit, node)), node)
    else:
        low.store(variable, _with_bit(low.load(variable, node), index, bit, node), node)


def _as(variable: Variable, data: int) -> Value:
    kind = variable.type
    return Value(kind, wrapped(data, kind) if isinstance(kind, Int) else data)


def _with_bit(value: Value, index: int, bit: Value, node: ast.QASMNode) -> Value:
    """A value of a run with a bit of it replaced."""
    word = runtime.as_expr(value, node)
    width = runtime.width_of(word)
    rest = expr.bit_and(word, runtime.constant(~(1 << index), width))
    placed = expr.shift_left(
        runtime.resized(runtime.as_expr(bit, node), width), runtime.constant(index, width)
    )
    return Value(value.type, expr.bit_or(rest, placed))


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
