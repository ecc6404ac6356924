# SPDX-License-Identifier: BSD-2-Clause
"""Reading and assigning places."""

from __future__ import annotations

from openqasm3 import ast
from qiskit.circuit import Clbit
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import blocks, runtime, words
from triplane.host.compiler.qasm.casts import cast
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.scopes import Array, Bits, Place, Variable
from triplane.host.compiler.qasm.types import Bit, Int, Value, with_article, wrapped


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
        return words.collected(bits, node) if place.register else bits[0]
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
    return words.bit_value(value, index, node)


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
        if len(place.bits) > 1 and _overlap(place, value):
            value = low.held(value, node)
        values = [words.bit_value(value, index, node) for index in range(len(place.bits))]
        for (variable, index), bit in zip(place.bits, values, strict=True):
            _assign_bit(low, variable, index, bit, node)
    else:
        kind = (
            "a constant" if isinstance(place, Value) else "an array" if isinstance(place, Array) else "qubits"
        )
        raise wrong(node, f"{kind} cannot be assigned {with_article(value.type)}")


def _overlap(place: Bits, value: Value) -> bool:
    """Whether a value of the run is computed of variables that are to be assigned."""
    if not isinstance(value.data, expr.Expr):
        return False
    read_from = {variable.var for variable in expr.iter_vars(value.data)}
    written = {variable.storage.var for variable, _ in place.bits if variable.storage is not None}
    bits = {clbit_of(variable, index) for variable, index in place.bits if variable.eager}
    return not read_from.isdisjoint(written | bits)


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
