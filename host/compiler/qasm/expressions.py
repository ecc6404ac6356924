# SPDX-License-Identifier: BSD-2-Clause
"""Expressions to values: numbers where they are known, expressions of Qiskit where only the run knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openqasm3 import ast

from triplane.host.compiler.qasm import (
    access,
    constants,
    declarations,
    operations,
    places,
    runtime,
    subroutines,
)
from triplane.host.compiler.qasm.casts import cast, integer_of
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.scopes import Array, Subroutine
from triplane.host.compiler.qasm.types import (
    LITERAL,
    MACHINE_BITS,
    Bit,
    Bool,
    Complex,
    Duration,
    Float,
    Int,
    Span,
    Value,
)

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
FUNCTIONS = {*constants.REAL, "mod", "pow", "real", "imag", "popcount", "rotl", "rotr"}


def evaluate(low: Lowering, node: Any) -> Value:
    """The value of an expression.

    Raises:
        QasmError: an undeclared name, a wrong type, an unsupported feature.
    """
    handler = HANDLERS.get(type(node))
    if handler is None:
        raise wrong(node, f"{type(node).__name__} is not supported as an expression")
    return handler(low, node)


def _identifier(low: Lowering, node: ast.Identifier) -> Value:
    if low.scope.find(node.name) is None and node.name in constants.NAMES:
        return Value(Float(), constants.NAMES[node.name])
    return access.read(low, places.named(low, node), node)


def _indexed(low: Lowering, node: Any) -> Value:
    return access.read(low, places.locate(low, node), node)


def _binary(low: Lowering, node: ast.BinaryExpression) -> Value:
    left, right = evaluate(low, node.lhs), evaluate(low, node.rhs)
    op = node.op.name
    if (
        op == "/"
        and left.type == right.type == LITERAL
        and left.data
        and right.data
        and not _exact(left, right)
    ):
        low.notes.append(
            f"line {node.span.start_line}: {left.data}/{right.data} is a division of integers; write "
            f"{left.data}.0/{right.data} for the ratio"
            if node.span
            else "a division of integers was cut"
        )
    return operations.binary(op, left, right, node)


def _exact(left: Value, right: Value) -> bool:
    return int(left.data) % int(right.data) == 0  # type: ignore[arg-type]


def _unary(low: Lowering, node: ast.UnaryExpression) -> Value:
    return operations.unary(node.op.name, evaluate(low, node.expression), node)


def _cast(low: Lowering, node: ast.Cast) -> Value:
    value, kind = evaluate(low, node.argument), declarations.scalar(low, node.type)
    if value.type == LITERAL and isinstance(kind, Int):
        # Somebody has asked for its low bits
        value = Value(Int(int(value.data).bit_length() + 1, True), value.data)  # type: ignore[arg-type]
    return cast(value, kind, node)


def _duration(low: Lowering, node: ast.DurationLiteral) -> Value:
    unit = node.unit.name
    if unit == "dt":
        return Value(Duration(), Span(node.value, "dt"))
    return Value(Duration(), Span(node.value * SECONDS[unit], "s"))


def _size(low: Lowering, node: ast.SizeOf) -> Value:
    place = places.locate(low, node.target)
    if not isinstance(place, Array):
        raise wrong(node, "sizeof is of an array")
    axis = 0 if node.index is None else integer_of(evaluate(low, node.index), node, "a dimension")
    if not 0 <= axis < place.cells.ndim:
        raise wrong(node, f"the array has {place.cells.ndim} dimensions, there is none of number {axis}")
    return Value(Int(MACHINE_BITS, False), place.cells.shape[axis])


def _call(low: Lowering, node: ast.FunctionCall) -> Value:
    name = node.name.name
    found = low.scope.find(name)
    if found is not None:
        if not isinstance(found[0], Subroutine):
            raise wrong(node, f"'{name}' is no subroutine")
        return subroutines.value_of(low, found[0], node)
    if name not in FUNCTIONS:
        raise wrong(node, f"'{name}' is neither a subroutine nor a built-in function")
    return _built_in(low, name, [evaluate(low, argument) for argument in node.arguments], node)


def _built_in(low: Lowering, name: str, arguments: list[Value], node: ast.FunctionCall) -> Value:
    if name in ("rotl", "rotr"):
        return _rotated(name, arguments, node)
    if not any(value.runtime for value in arguments):
        return constants.function(name, arguments, node)
    if name == "popcount" and len(arguments) == 1:
        return runtime.popcount(arguments[0], node)
    if name == "mod" and len(arguments) == 2:
        return operations.binary("%", arguments[0], arguments[1], node)
    if name == "pow" and len(arguments) == 2:
        return operations.binary("**", arguments[0], arguments[1], node)
    raise wrong(node, f"{name} of a value of a run cannot be computed: the sequencer has integers only")


def _rotated(name: str, arguments: list[Value], node: ast.FunctionCall) -> Value:
    if len(arguments) != 2:
        raise wrong(node, f"{name} takes 2 arguments, not {len(arguments)}")
    value, amount = arguments
    if not value.runtime and not amount.runtime:
        places_ = integer_of(amount, node, "the amount of a rotation")
        return constants.rotated(value, places_ if name == "rotl" else -places_, node)
    return runtime.rotated(value, amount, node, left=name == "rotl")


def _refused(reason: str) -> Callable[[Lowering, Any], Value]:
    def handler(low: Lowering, node: ast.QASMNode) -> Value:
        raise wrong(node, reason)

    return handler


HANDLERS: dict[type, Callable[[Lowering, Any], Value]] = {
    ast.Identifier: _identifier,
    ast.IndexExpression: _indexed,
    ast.IndexedIdentifier: _indexed,
    ast.Concatenation: _indexed,
    ast.BinaryExpression: _binary,
    ast.UnaryExpression: _unary,
    ast.Cast: _cast,
    ast.SizeOf: _size,
    ast.FunctionCall: _call,
    ast.DurationLiteral: _duration,
    ast.IntegerLiteral: lambda low, node: Value(LITERAL, node.value),
    ast.FloatLiteral: lambda low, node: Value(Float(), node.value),
    ast.ImaginaryLiteral: lambda low, node: Value(Complex(), complex(0, node.value)),
    ast.BooleanLiteral: lambda low, node: Value(Bool(), node.value),
    ast.BitstringLiteral: lambda low, node: Value(Bit(node.width, True), node.value),
    ast.DurationOf: _refused(
        "durationof is not supported: how long a gate takes is known to the device, not here"
    ),
    ast.ArrayLiteral: _refused("a list in braces is for the declaration of an array only"),
}
