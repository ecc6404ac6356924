# SPDX-License-Identifier: BSD-2-Clause
"""Casts between types, by the table of the specification (Types and Casting).

Beyond it, as programs are written: a literal integer becomes an angle, an angle becomes a float, and a register takes
an integer literal that fits. A value that is too large for an integer is left to us by the specification: a literal,
what is computed of literals, and a float are refused; what has a width of its own is cut to its low bits, as in C, and
so is a literal where the cast is written out. A negative literal becomes unsigned with its bits, as in C99.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from openqasm3 import ast
from qiskit.circuit import ParameterExpression
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import runtime
from triplane.host.compiler.qasm.errors import not_known, wrong
from triplane.host.compiler.qasm.types import (
    LITERAL,
    MACHINE_BITS,
    Angle,
    Bit,
    Bool,
    Complex,
    Duration,
    Float,
    Int,
    Scalar,
    Value,
    with_article,
    wrapped,
)

Cast: TypeAlias = Callable[[Value, Scalar, ast.QASMNode], Value]
TURN = 2 * math.pi


def number_of(value: Value, node: ast.QASMNode, wanted: str) -> int | float | complex:
    """The number of a known value.

    Raises:
        NotKnownError: only the run, or a later binding, knows it.
    """
    if isinstance(value.data, expr.Expr):
        blame = frozenset(variable.var for variable in expr.iter_vars(value.data))
        message = f"{wanted} must be known when compiling; this value is known only while running"
        raise not_known(node, message, blame)
    if isinstance(value.data, ParameterExpression):
        names = ", ".join(sorted(parameter.name for parameter in value.data.parameters))
        raise not_known(
            node, f"{wanted} must be known when compiling; give inputs={{...}} a value of {names}"
        )
    if not isinstance(value.data, int | float | complex):
        raise wrong(node, f"{wanted} must be a number, not {with_article(value.type)}")
    return value.data


def integer_of(value: Value, node: ast.QASMNode, wanted: str) -> int:
    """The integer of a known value, e.g. an index or a size."""
    number = number_of(value, node, wanted)
    if not isinstance(value.type, Int | Bit | Bool) or not isinstance(number, int):
        raise wrong(node, f"{wanted} must be an integer, not {with_article(value.type)}")
    return int(number)


def real_of(value: Value, node: ast.QASMNode, wanted: str) -> float | ParameterExpression:
    """A real number or a Parameter, e.g. of a gate; an angle in radians."""
    if isinstance(value.data, ParameterExpression):
        return value.data
    number = number_of(value, node, wanted)
    if isinstance(number, complex) or isinstance(value.type, Duration):
        raise wrong(node, f"{wanted} must be an angle or a number, not {with_article(value.type)}")
    return radians(number, value.type.width) if isinstance(value.type, Angle) else float(number)


def radians(data: float, width: int | None) -> float:
    """An angle's value in radians."""
    return data if width is None else data * TURN / (1 << width)


def _to_bool(value: Value, target: Scalar, node: ast.QASMNode) -> Value:
    if value.runtime:
        return Value(target, runtime.truth(runtime.as_expr(value, node)))
    return Value(target, bool(number_of(value, node, "a condition")))


def _to_int(value: Value, target: Scalar, node: ast.QASMNode) -> Value:
    assert isinstance(target, Int)
    if not value.runtime:
        number = number_of(value, node, "an integer")
        if isinstance(number, complex) or (isinstance(number, float) and not math.isfinite(number)):
            raise wrong(node, f"{number} is not an integer")
        if value.type == LITERAL or isinstance(value.type, Float):
            _check_fits(number, target, node)
        return Value(target, wrapped(int(number), target))
    width = target.width or MACHINE_BITS
    if width > MACHINE_BITS:
        raise wrong(node, f"{target} is wider than the {MACHINE_BITS} bits that a value of a run can have")
    signed = isinstance(value.type, Int) and value.type.signed
    return Value(
        Int(width, target.signed), runtime.resized(runtime.as_expr(value, node), width, signed=signed)
    )


def _check_fits(number: float, target: Int, node: ast.QASMNode) -> None:
    """Raise QasmError for a number that the target has too few bits for."""
    if target.width is None:
        return
    half = 1 << (target.width - 1)
    most = (half if target.signed else 2 * half) - 1
    if not -half <= int(number) <= most:
        remedy = f"; {target}({number}) takes its low bits" if isinstance(number, int) else ""
        least = -half if target.signed else 0
        raise wrong(
            node, f"{number} does not fit into {with_article(target)}, which is {least} to {most}{remedy}"
        )


def _to_float(value: Value, target: Scalar, node: ast.QASMNode) -> Value:
    assert isinstance(target, Float)
    data = real_of(value, node, "a float")
    if isinstance(data, float) and target.width in (16, 32):
        with np.errstate(over="ignore"):  # beyond its range it is infinite, by IEEE 754
            data = float(np.float16(data) if target.width == 16 else np.float32(data))
    return Value(target, data)


def _to_angle(value: Value, target: Scalar, node: ast.QASMNode) -> Value:
    assert isinstance(target, Angle)
    if isinstance(value.type, Int) and value.type != LITERAL:
        raise wrong(node, f"{with_article(value.type)} cannot become an angle; cast it to float first")
    data = real_of(value, node, "an angle")
    if isinstance(data, ParameterExpression):
        return Value(target, data)
    if not math.isfinite(data):
        raise wrong(node, f"{data} is not an angle")
    if target.width is None:
        return Value(target, data % TURN)
    return Value(target, round(data / TURN * (1 << target.width)) % (1 << target.width))


def _resized_angle(value: Value, target: Scalar, node: ast.QASMNode) -> Value:
    assert isinstance(value.type, Angle)
    assert isinstance(target, Angle)
    if value.known or value.symbolic or value.type.width is None or target.width is None:
        return _to_angle(value, target, node)
    word = runtime.as_expr(value, node)
    more = target.width - value.type.width
    if more >= 0:
        wide = runtime.resized(word, target.width)
        return Value(target, expr.shift_left(wide, runtime.constant(more, target.width)))
    low = runtime.shift_right(word, runtime.constant(-more, value.type.width), signed=False)
    return Value(target, runtime.resized(low, target.width))


def _to_bits(value: Value, target: Scalar, node: ast.QASMNode) -> Value:
    """Integers, angles and other registers, bit by bit."""
    assert isinstance(target, Bit)
    width = getattr(value.type, "width", 1)
    if value.type == LITERAL:
        if isinstance(value.data, int) and 0 <= value.data < (1 << target.width):
            return Value(target, value.data)
        raise wrong(node, f"{value.data} does not fit into {target}")
    if isinstance(value.type, Int) and value.type.of_bits:
        value = cast(value, Int(target.width, False), node)
        width = target.width
    if width != target.width:
        raise wrong(
            node,
            f"{with_article(value.type)} has {width or 'an unknown number of'} bits and does not fit into {target}",
        )
    if value.runtime:
        word = runtime.as_expr(value, node)
        return Value(target, runtime.resized(word, width) if target.register else runtime.truth(word))
    return Value(target, int(integer_bits(value, node)) & ((1 << width) - 1))


def integer_bits(value: Value, node: ast.QASMNode) -> int:
    """The bits of a known value as a number."""
    data = number_of(value, node, "a register")
    if not isinstance(data, int):
        raise wrong(node, f"{with_article(value.type)} has no bits; give the type a width")
    return int(data)


def _to_complex(value: Value, target: Scalar, node: ast.QASMNode) -> Value:
    return Value(target, complex(number_of(value, node, "a complex number")))


CASTS: dict[tuple[type, type], Cast] = {
    **dict.fromkeys([(kind, Bool) for kind in (Bool, Bit, Int, Float, Angle)], _to_bool),
    **dict.fromkeys([(kind, Int) for kind in (Bool, Bit, Int, Float)], _to_int),
    **dict.fromkeys([(kind, Float) for kind in (Bool, Int, Float, Angle)], _to_float),
    **dict.fromkeys([(kind, Bit) for kind in (Bool, Bit, Int, Angle)], _to_bits),
    **dict.fromkeys([(kind, Complex) for kind in (Int, Float, Complex)], _to_complex),
    (Float, Angle): _to_angle,
    (Int, Angle): _to_angle,
    (Angle, Angle): _resized_angle,
    (Bit, Angle): lambda value, target, node: _bits_to_angle(value, target, node),
}


def _bits_to_angle(value: Value, target: Scalar, node: ast.QASMNode) -> Value:
    assert isinstance(value.type, Bit)
    assert isinstance(target, Angle)
    if value.type.width != target.width:
        raise wrong(node, f"{with_article(value.type)} has not the bits of {target}")
    word = runtime.resized(runtime.as_expr(value, node), target.width) if value.runtime else value.data
    return Value(target, word)


def cast(value: Value, target: Scalar, node: ast.QASMNode) -> Value:
    """A value as another type.

    Raises:
        QasmError: the specification has no such cast, or the value does not fit.
    """
    if value.type == target:
        return value
    rule = CASTS.get((type(value.type), type(target)))
    if rule is None:
        raise wrong(node, f"{with_article(value.type)} cannot become {with_article(target)}")
    return rule(value, target, node)
