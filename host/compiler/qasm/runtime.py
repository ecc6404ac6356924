# SPDX-License-Identifier: BSD-2-Clause
"""Arithmetic of a run: expressions of Qiskit over registers of the sequencer.

The sequencer adds, subtracts, shifts, and, or, xors, takes parities and compares, on registers of 32 bits. It neither
multiplies nor divides. So a product by a constant is left to the compiler behind (a power of two is a shift already),
a quotient or a remainder by a power of two is a shift or a mask, and every other is refused.

Qiskit's expressions know unsigned integers only. Signed ones are two's complement: sums and products are the same;
comparisons and widening flip the sign bit first, which maps the signed order to the unsigned one; shifts to the right
shift the opposite of negative numbers. A shift by the width or more leaves zero, or the sign.
"""

from __future__ import annotations

from openqasm3 import ast
from qiskit.circuit.classical import expr, types

from triplane.host.compiler.qasm.errors import not_known, wrong
from triplane.host.compiler.qasm.types import (
    MACHINE_BITS,
    Angle,
    Bit,
    Bool,
    Int,
    Scalar,
    Value,
    machine_type,
    with_article,
)

BITWISE = {"&": expr.bit_and, "|": expr.bit_or, "^": expr.bit_xor}
ORDER = {"<": expr.less, "<=": expr.less_equal, ">": expr.greater, ">=": expr.greater_equal}
EQUAL = {"==": expr.equal, "!=": expr.not_equal}
LOGIC = {"&&": expr.logic_and, "||": expr.logic_or}


def constant(number: int, width: int) -> expr.Expr:
    """A number modulo 2**width."""
    return expr.lift(number & ((1 << width) - 1), types.Uint(width))


def width_of(value: expr.Expr) -> int:
    """Bits of an unsigned expression; a Bool has one."""
    kind = value.type
    return kind.width if isinstance(kind, types.Uint) else 1


def flipped(value: expr.Expr) -> expr.Expr:
    """With its sign bit flipped: the order of signed numbers becomes that of unsigned ones."""
    width = width_of(value)
    return expr.bit_xor(value, constant(1 << (width - 1), width))


def resized(value: expr.Expr, width: int, *, signed: bool = False) -> expr.Expr:
    """An integer of another width; a wider one keeps its sign where it is signed."""
    before = width_of(value)
    if isinstance(value.type, types.Uint) and before == width:
        return value
    wide = expr.cast(value, types.Uint(width))
    if not signed or width < before:
        return wide
    sign = constant(1 << (before - 1), width)
    return expr.sub(expr.bit_xor(wide, sign), sign)


def as_expr(value: Value, node: ast.QASMNode) -> expr.Expr:
    """A value as the sequencer holds it.

    Raises:
        NotKnownError: the sequencer cannot hold it.
    """
    if isinstance(value.data, expr.Expr):
        if width_of(value.data) > MACHINE_BITS:
            raise wrong(
                node,
                f"{with_article(value.type)} of a run cannot be computed with; take {MACHINE_BITS} bits of it at "
                "a time",
            )
        return value.data
    kind = machine_type(value.type)
    if kind is None or not isinstance(value.data, int):
        raise not_known(
            node,
            f"{with_article(value.type)} cannot be held while running: the sequencer's registers are integers of "
            f"{MACHINE_BITS} bits; use it only where its value is known when compiling",
        )
    if isinstance(kind, types.Uint):
        return constant(int(value.data), kind.width)
    return expr.lift(bool(value.data))


def truth(value: expr.Expr) -> expr.Expr:
    """Whether it is not zero."""
    return (
        value if isinstance(value.type, types.Bool) else expr.not_equal(value, constant(0, width_of(value)))
    )


def shift_right(value: expr.Expr, amount: expr.Expr, *, signed: bool) -> expr.Expr:
    """To the right; a signed one keeps its sign."""
    if not signed:
        return expr.shift_right(value, amount)
    width = width_of(value)
    # All ones of a negative number, whose opposite bits are shifted: zeros come in, and are turned over again.
    minus = expr.sub(constant(0, width), expr.shift_right(value, constant(width - 1, width)))
    return expr.bit_xor(expr.shift_right(expr.bit_xor(value, minus), amount), minus)


def shift(op: str, value: Value, amount: Value, node: ast.QASMNode) -> Value:
    """`<<` and `>>` of a value by a value, one of which only the run knows."""
    kind = value.type
    left, right = as_expr(value, node), as_expr(amount, node)
    if not isinstance(left.type, types.Uint) or not isinstance(right.type, types.Uint):
        raise wrong(
            node, f"'{op}' needs a register or an integer on both sides, not {value.type} and {amount.type}"
        )
    if op == "<<":
        return Value(kind, expr.shift_left(left, right))
    return Value(kind, shift_right(left, right, signed=isinstance(kind, Int) and kind.signed))


def _simple(op: str, left: expr.Expr, right: expr.Expr) -> expr.Expr | None:
    """A bit that is compared with a constant is the bit, or its opposite."""
    for bit, other in ((left, right), (right, left)):
        if isinstance(bit.type, types.Bool) and isinstance(other, expr.Value):
            return bit if bool(other.value) == (op == "==") else expr.logic_not(bit)
    return None


def compare(op: str, left: expr.Expr, right: expr.Expr, *, signed: bool) -> Value:
    """A comparison of two values of one type."""
    if op in EQUAL:
        return Value(Bool(), _simple(op, left, right) or EQUAL[op](left, right))
    if isinstance(left.type, types.Bool):
        left, right = resized(left, 1), resized(right, 1)
    elif signed:
        left, right = flipped(left), flipped(right)
    return Value(Bool(), ORDER[op](left, right))


def _divided(op: str, left: expr.Expr, divisor: int, *, signed: bool) -> expr.Expr:
    """Quotient or remainder by a power of two; a signed quotient is cut towards zero, as in C."""
    width = width_of(left)
    places, mask = constant(divisor.bit_length() - 1, width), constant(divisor - 1, width)
    if not signed:
        return expr.bit_and(left, mask) if op == "%" else expr.shift_right(left, places)
    minus = shift_right(left, constant(width - 1, width), signed=True)
    quotient = shift_right(expr.add(left, expr.bit_and(minus, mask)), places, signed=True)
    return quotient if op == "/" else expr.sub(left, expr.shift_left(quotient, places))


def _product(left: Value, right: Value, node: ast.QASMNode) -> expr.Expr:
    if left.runtime and right.runtime:
        raise wrong(node, "two values of a run cannot be multiplied: the sequencer has no multiplier")
    changing, factor = (left, right) if left.runtime else (right, left)
    value, number = as_expr(changing, node), as_expr(factor, node)
    assert isinstance(number, expr.Value)
    if number.value and number.value & (number.value - 1) == 0:
        return expr.shift_left(value, constant(number.value.bit_length() - 1, width_of(value)))
    return expr.mul(value, number)


def arithmetic(op: str, left: Value, right: Value, node: ast.QASMNode) -> Value:
    """`+ - * / % ** & | ^` of two values of one type, one of which only the run knows."""
    kind = left.type
    if op == "*":
        return Value(kind, _product(left, right, node))
    if op in ("/", "%", "**"):
        return _by_constant(op, left, right, node)
    a, b = as_expr(left, node), as_expr(right, node)
    if op in BITWISE:
        return Value(kind, BITWISE[op](a, b))
    return Value(kind, expr.add(a, b) if op == "+" else expr.sub(a, b))


def _by_constant(op: str, left: Value, right: Value, node: ast.QASMNode) -> Value:
    signed = isinstance(left.type, Int) and left.type.signed
    if op == "**":
        if left.data == 2 and right.runtime:
            one = constant(1, width_of(as_expr(right, node)))
            return Value(left.type, expr.shift_left(one, as_expr(right, node)))
        raise wrong(node, "a power of a value of a run cannot be taken: the sequencer has no multiplier")
    divisor = right.data
    if not isinstance(divisor, int) or divisor <= 0 or divisor & (divisor - 1):
        named = divisor if isinstance(divisor, int) else "a value of a run"
        raise wrong(
            node,
            f"'{op}' by {named} cannot be done while running: the sequencer divides by powers of two only",
        )
    return Value(left.type, _divided(op, as_expr(left, node), divisor, signed=signed))


def rotated(value: Value, amount: Value, node: ast.QASMNode, *, left: bool) -> Value:
    """`rotl` and `rotr`."""
    word = as_expr(value, node)
    width = width_of(word)
    if not isinstance(amount.data, int):
        raise not_known(
            node, "a value can be rotated by a number that is known when compiling, not by one of a run"
        )
    places = amount.data % width if left else -amount.data % width
    up = expr.shift_left(word, constant(places, width)) if places else word
    down = expr.shift_right(word, constant(width - places, width)) if places else word
    return Value(value.type, expr.bit_or(up, down))


def popcount(value: Value, node: ast.QASMNode) -> Value:
    """How many bits are set, as a `uint` of the machine's width."""
    word = as_expr(value, node)
    total = constant(0, MACHINE_BITS)
    for place in range(width_of(word)):
        total = expr.add(total, resized(bit_of(word, place), MACHINE_BITS))
    return Value(Int(MACHINE_BITS, False), total)


def bit_of(word: expr.Expr, place: int) -> expr.Expr:
    """A bit of a word, as a Bool."""
    if isinstance(word.type, types.Bool):
        return word
    return expr.index(word, constant(place, max(1, place.bit_length())))


def joined(bits: list[expr.Expr], kind: Scalar) -> Value:
    """A register of single bits, the first of which is the lowest."""
    width = len(bits)
    word: expr.Expr | None = None
    for place, bit in enumerate(bits):
        term = resized(bit, width)
        term = expr.shift_left(term, constant(place, width)) if place else term
        word = term if word is None else expr.bit_or(word, term)
    assert word is not None
    return Value(kind, word)


def inverted(value: Value, node: ast.QASMNode) -> Value:
    """`~`."""
    assert isinstance(value.type, Bit | Int | Angle)
    return Value(value.type, expr.bit_not(as_expr(value, node)))


def negated(value: Value, node: ast.QASMNode) -> Value:
    """`-`: modulo 2**width, as in C."""
    word = as_expr(value, node)
    return Value(value.type, expr.sub(constant(0, width_of(word)), word))
