# SPDX-License-Identifier: BSD-2-Clause
"""Operators: which type two operands meet in, and who computes them, we or the run."""

from __future__ import annotations

import math
from typing import Any

from openqasm3 import ast
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import constants, runtime
from triplane.host.compiler.qasm.casts import cast, integer_of, number_of, real_of
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.promotion import BITWISE, COMPARISONS, common
from triplane.host.compiler.qasm.types import (
    LITERAL,
    MACHINE_BITS,
    Angle,
    Bit,
    Bool,
    Duration,
    Float,
    Int,
    Span,
    Value,
    with_article,
    wrapped,
)


def binary(op: str, left: Value, right: Value, node: ast.QASMNode) -> Value:
    """`left op right`."""
    if op in ("&&", "||"):
        return _logical(op, left, right, node)
    if Duration() in (left.type, right.type):
        return _durations(op, left, right, node)
    if op in ("<<", ">>"):
        return _shifted(op, left, right, node)
    if isinstance(left.type, Angle) or isinstance(right.type, Angle):
        return _angles(op, left, right, node)
    if op in BITWISE and isinstance(left.type, Bit | Bool) and isinstance(right.type, Bit | Bool):
        return _bitwise(op, left, right, node)
    kind = common(op, left, right, node)
    result = _of_type(op, cast(left, kind, node), cast(right, kind, node), node)
    return Value(kind, result.data) if isinstance(result.type, Int) else result


def unary(op: str, value: Value, node: ast.QASMNode) -> Value:
    """`- ~ !` of a value."""
    if op == "!":
        return logic_not(cast(value, Bool(), node), node)
    if op == "~":
        return _inverted(value, node)
    if value.runtime:
        if not isinstance(value.type, Int | Angle):
            raise wrong(node, f"{with_article(value.type)} has no negative; cast it to int")
        return runtime.negated(value, node)
    if isinstance(value.data, Span):
        return Value(value.type, Span(-value.data.amount, value.data.unit))
    if isinstance(value.type, Bit | Bool):
        raise wrong(node, f"{with_article(value.type)} has no negative; cast it to int")
    data: Any = value.data
    if isinstance(value.type, Int):
        return Value(value.type, wrapped(-data, value.type))
    if isinstance(value.type, Angle) and not value.symbolic:
        return Value(value.type, -data % (math.tau if value.type.width is None else 1 << value.type.width))
    return Value(value.type, -data)


def _logical(op: str, left: Value, right: Value, node: ast.QASMNode) -> Value:
    a, b = cast(left, Bool(), node), cast(right, Bool(), node)
    for one, other in ((a, b), (b, a)):
        if one.known:
            decided = bool(one.data) == (op == "||")
            return one if decided else other
    return Value(Bool(), runtime.LOGIC[op](runtime.as_expr(a, node), runtime.as_expr(b, node)))


def logic_not(value: Value, node: ast.QASMNode) -> Value:
    """`!` of a bool."""
    if value.known:
        return Value(Bool(), not value.data)
    return Value(Bool(), expr.logic_not(runtime.as_expr(value, node)))


def _inverted(value: Value, node: ast.QASMNode) -> Value:
    kind = value.type
    if not isinstance(kind, Bit | Int | Angle) or value.symbolic:
        raise wrong(node, f"'~' needs bits, not {with_article(kind)}; '!' is the logical one")
    if kind.width is None:
        raise wrong(node, "'~' needs a type with a width; cast it, e.g. to uint[8]")
    if value.runtime:
        return runtime.inverted(value, node)
    data = ~integer_of(Value(Int(kind.width, False), value.data), node, "'~'")
    return Value(kind, wrapped(data, kind if isinstance(kind, Int) else Int(kind.width, False)))


def _durations(op: str, left: Value, right: Value, node: ast.QASMNode) -> Value:
    """Sums of durations, multiples of them, and their ratio."""
    a, b = left.data, right.data
    if isinstance(a, Span) and isinstance(b, Span):
        if a.unit != b.unit:
            raise wrong(
                node,
                "durations in dt and in seconds cannot be combined: only the device knows how long dt is",
            )
        if op in ("+", "-"):
            return Value(Duration(), Span(constants.floats(op, a.amount, b.amount, node), a.unit))
        if op == "/":
            return Value(Float(), constants.floats(op, a.amount, b.amount, node))
        if op in COMPARISONS:
            return Value(Bool(), constants.ORDER[op](a.amount, b.amount))
    elif isinstance(a, Span) and op in ("*", "/"):
        return Value(Duration(), Span(_scaled(op, a.amount, right, node), a.unit))
    elif isinstance(b, Span) and op == "*":
        return Value(Duration(), Span(_scaled(op, b.amount, left, node), b.unit))
    raise wrong(node, f"'{op}' is not defined for {left.type} and {right.type}")


def _scaled(op: str, amount: float, factor: Value, node: ast.QASMNode) -> float:
    number = number_of(factor, node, "a duration's factor")
    if isinstance(number, complex):
        raise wrong(node, "a duration's factor must be real")
    return float(constants.floats(op, amount, float(number), node))


def _shifted(op: str, left: Value, right: Value, node: ast.QASMNode) -> Value:
    kind = left.type
    if (
        not isinstance(kind, Bit | Int | Angle)
        or left.symbolic
        or (isinstance(kind, Angle) and kind.width is None)
    ):
        raise wrong(node, f"'{op}' shifts bits, and {with_article(kind)} has none; give the type a width")
    if not isinstance(right.type, Int | Bit | Bool):
        raise wrong(node, f"'{op}' shifts by an integer, not by {with_article(right.type)}")
    if right.known and integer_of(right, node, f"the amount of '{op}'") < 0:
        raise wrong(node, f"'{op}' by {right.data}: an amount must not be negative")
    if left.known and right.known:
        width = kind.width
        amount = int(right.data) if width is None else min(int(right.data), width)  # type: ignore[arg-type]
        data = constants.integers(op, int(left.data), amount, node)  # type: ignore[arg-type]
        return Value(kind, wrapped(data, kind if isinstance(kind, Int) else Int(width, False)))
    width = kind.width or MACHINE_BITS
    if right.known:
        right = Value(Int(MACHINE_BITS, False), min(integer_of(right, node, "an amount"), width))
    elif not isinstance(right.type, Int) or right.type.width is None:
        right = cast(right, Int(MACHINE_BITS, False), node)
    if kind == LITERAL:
        left = cast(left, Int(MACHINE_BITS, True), node)
    return runtime.shift(op, left, right, node)


def _angles(op: str, left: Value, right: Value, node: ast.QASMNode) -> Value:
    """Angles with a width are computed as unsigned integers in units of 2 pi / 2**width, others as floats."""
    widths = {value.type.width for value in (left, right) if isinstance(value.type, Angle)}
    if left.symbolic or right.symbolic or None in widths:
        a, b = (real_of(value, node, f"an operand of '{op}'") for value in (left, right))
        if op in COMPARISONS:
            return constants.compared(op, Value(Float(), a), Value(Float(), b), node)
        # Only sums of angles stay angles; a ratio is a number.
        both = isinstance(left.type, Angle) and isinstance(right.type, Angle)
        data = constants.floats(op, a, b, node)
        return Value(Float() if op == "/" and both else Angle(None), data)
    if len(widths) > 1:
        raise wrong(node, f"'{op}' of {left.type} and {right.type}: cast one of them to the other's width")
    return _units(op, left, right, widths.pop(), node)


def _units(op: str, left: Value, right: Value, width: int | None, node: ast.QASMNode) -> Value:
    angle, unit = Angle(width), Int(width, False)
    integer = [isinstance(value.type, Int) for value in (left, right)]
    if op in ("*", "/") and any(integer):
        if op == "/" and integer[0]:
            raise wrong(node, "an integer cannot be divided by an angle")
    elif op in ("*", "%", "**"):
        raise wrong(node, f"'{op}' is not defined for {left.type} and {right.type}")
    operands = [
        cast(value, unit, node)
        if is_integer and op in ("*", "/")
        else Value(unit, cast(value, angle, node).data)
        for value, is_integer in zip((left, right), integer, strict=True)
    ]
    result = _of_type(op, operands[0], operands[1], node)
    if op in COMPARISONS or (op == "/" and not any(integer)):
        return result
    return Value(angle, result.data)


def _bitwise(op: str, left: Value, right: Value, node: ast.QASMNode) -> Value:
    kind = left.type if isinstance(left.type, Bit) and left.type.register else right.type
    a, b = cast(left, kind, node), cast(right, kind, node)
    if a.known and b.known:
        data = constants.integers(op, int(a.data), int(b.data), node)  # type: ignore[arg-type]
        return Value(kind, bool(data) if kind == Bool() else data)
    return runtime.arithmetic(op, a, b, node)


def _of_type(op: str, left: Value, right: Value, node: ast.QASMNode) -> Value:
    """An operator on two values of one type."""
    kind = left.type
    if left.runtime or right.runtime:
        if op in COMPARISONS:
            signed = isinstance(kind, Int) and kind.signed
            return runtime.compare(
                op, runtime.as_expr(left, node), runtime.as_expr(right, node), signed=signed
            )
        return runtime.arithmetic(op, left, right, node)
    if op in COMPARISONS:
        return constants.compared(op, left, right, node)
    if isinstance(kind, Int):
        a, b = integer_of(left, node, "an operand"), integer_of(right, node, "an operand")
        return Value(kind, wrapped(constants.integers(op, a, b, node), kind))
    return Value(kind, constants.floats(op, left.data, right.data, node))
