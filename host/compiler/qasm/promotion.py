# SPDX-License-Identifier: BSD-2-Clause
"""The type that two operands meet in, as in C99; literals take the other one's."""

from __future__ import annotations

from dataclasses import replace

from openqasm3 import ast

from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.types import (
    LITERAL,
    MACHINE_BITS,
    Bit,
    Bool,
    Complex,
    Float,
    Int,
    Scalar,
    Value,
    with_article,
)

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
BITWISE = ("&", "|", "^")


def common(op: str, left: Value, right: Value, node: ast.QASMNode) -> Scalar:
    """The type that both operands are promoted to, as in C99."""
    kinds = (left.type, right.type)
    if Complex() in kinds:
        return Complex()
    if any(isinstance(kind, Float) for kind in kinds):
        return Float(max(kind.width for kind in kinds if isinstance(kind, Float)))
    if op in ("==", "!=") and all(_single(value) for value in (left, right)):
        return Bool()
    return _integers(op, left, right, node)


def _single(value: Value) -> bool:
    """Whether it is a bit: one, a bool, or a literal 0 or 1."""
    kind = value.type
    return kind in (Bool(), Bit()) or (kind == LITERAL and value.data in (0, 1))


def _integers(op: str, left: Value, right: Value, node: ast.QASMNode) -> Int:
    kind = _met(op, left, right, node)
    return replace(kind, of_bits=all(isinstance(v.type, Bit) or v.type == LITERAL for v in (left, right)))


def _met(op: str, left: Value, right: Value, node: ast.QASMNode) -> Int:
    a, b = _integer_type(left, node), _integer_type(right, node)
    if op not in COMPARISONS and op not in BITWISE:
        a, b = _counting(left, a, right), _counting(right, b, left)
    if a.width is None and b.width is None:
        return LITERAL
    if a.width is None:
        return _fitting(b, left)
    if b.width is None:
        return _fitting(a, right)
    return promoted(a, b)


def _integer_type(value: Value, node: ast.QASMNode) -> Int:
    match value.type:
        case Int() as kind:
            return kind
        case Bit(width=width):
            return Int(width, False)
        case Bool():
            return Int(1, False)
    raise wrong(node, f"{with_article(value.type)} cannot be computed with here")


def _counting(value: Value, kind: Int, other: Value) -> Int:
    """Type of an operand of arithmetic; bits take the type of what they are added to, so that they do not overflow."""
    if isinstance(value.type, Int) or kind.width is None:
        return kind
    beside = other.type
    if isinstance(beside, Int) and beside.width is not None and beside.width >= kind.width:
        return beside
    return Int(max(kind.width, MACHINE_BITS), False)


def _fitting(kind: Int, literal: Value) -> Int:
    """The type that a literal takes beside another one: the other's, or a wider one where it does not fit."""
    number = literal.data
    assert kind.width is not None
    if not isinstance(number, int) or number < 0:
        return kind
    return Int(max(kind.width, number.bit_length() + kind.signed), kind.signed)


def promoted(left: Int, right: Int) -> Int:
    """The common type of two integers that have widths."""
    assert left.width is not None
    assert right.width is not None
    if left.signed == right.signed:
        return Int(max(left.width, right.width), left.signed)
    signed, unsigned = (left, right) if left.signed else (right, left)
    return signed if (signed.width or 0) > (unsigned.width or 0) else Int(unsigned.width, False)
