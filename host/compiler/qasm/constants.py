# SPDX-License-Identifier: BSD-2-Clause
"""Arithmetic and built-in functions of values that are known when compiling, Parameters among them."""

from __future__ import annotations

import cmath
import math
import operator
from collections.abc import Callable
from typing import Any

from openqasm3 import ast
from qiskit.circuit import ParameterExpression

from triplane.host.compiler.qasm.casts import cast, integer_of, number_of
from triplane.host.compiler.qasm.errors import not_known, wrong
from triplane.host.compiler.qasm.types import (
    LITERAL,
    MACHINE_BITS,
    Angle,
    Bit,
    Bool,
    Complex,
    Float,
    Int,
    Scalar,
    Value,
    with_article,
    wrapped,
)

WIDEST_LITERAL = 4096
"""Bits: no literal arithmetic makes numbers longer than this."""

NAMES = {
    "pi": math.pi,
    "π": math.pi,
    "tau": math.tau,
    "τ": math.tau,
    "euler": math.e,
    "ℇ": math.e,
}

ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

SIMPLE: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}

REAL: dict[str, Callable[[float], float]] = {
    "arccos": math.acos,
    "arcsin": math.asin,
    "arctan": math.atan,
    "ceiling": lambda x: float(math.ceil(x)),
    "cos": math.cos,
    "exp": math.exp,
    "floor": lambda x: float(math.floor(x)),
    "log": math.log,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}

COMPLEX: dict[str, Callable[[complex], complex]] = {"exp": cmath.exp, "sqrt": cmath.sqrt}
SYMBOLIC = ("arccos", "arcsin", "arctan", "cos", "exp", "log", "sin", "tan")


def integers(op: str, a: int, b: int, node: ast.QASMNode) -> int:
    """`+ - * / % ** & | ^ << >>` of integers, quotients cut towards zero as in C."""
    if op in ("/", "%"):
        if b == 0:
            raise wrong(node, "division by zero")
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return quotient if op == "/" else a - quotient * b
    if op in ("**", "<<", ">>"):
        if b < 0:
            raise wrong(node, f"'{op}' by {b}: an integer's power or shift must not be negative")
        longest = {"**": 0 if abs(a) < 2 else a.bit_length() * b, "<<": b if a else 0, ">>": 0}[op]
        if longest > WIDEST_LITERAL:
            raise wrong(node, f"the result of '{op}' by {b} is too long")
        return int({"**": operator.pow, "<<": operator.lshift, ">>": operator.rshift}[op](a, b))
    return int(SIMPLE[op](a, b))


def floats(op: str, a: Any, b: Any, node: ast.QASMNode) -> Any:
    """`+ - * / % **` of floats, complex numbers or Parameters."""
    symbolic = isinstance(a, ParameterExpression) or isinstance(b, ParameterExpression)
    try:
        match op:
            case "/":
                return a / b
            case "**":
                return a**b
            case "%" if not symbolic and not isinstance(a, complex) and not isinstance(b, complex):
                return math.fmod(a, b)
            case "+" | "-" | "*":
                return SIMPLE[op](a, b)
    except ZeroDivisionError:
        raise wrong(node, "division by zero") from None
    except (ArithmeticError, ValueError, TypeError, RuntimeError) as error:
        raise wrong(node, f"'{op}' cannot be computed: {error}") from error
    if symbolic:
        raise not_known(
            node, f"'{op}' needs a number, which the Parameter gets only after compiling; give inputs={{...}}"
        )
    raise wrong(node, f"'{op}' is not defined for these types")


def compared(op: str, a: Value, b: Value, node: ast.QASMNode) -> Value:
    """A comparison of two known values of one type."""
    left, right = number_of(a, node, "a comparison"), number_of(b, node, "a comparison")
    if isinstance(left, complex) and op not in ("==", "!="):
        raise wrong(node, f"complex numbers have no order, so there is no '{op}' of them")
    return Value(Bool(), ORDER[op](left, right))


def function(name: str, arguments: list[Value], node: ast.QASMNode) -> Value:
    """A built-in function of known values."""
    if name in ("mod", "pow"):
        return _two(name, arguments, node)
    if name in ("real", "imag"):
        number = complex(number_of(_only(name, arguments, node), node, f"the argument of {name}"))
        return Value(Float(), number.real if name == "real" else number.imag)
    if name == "popcount":
        return _popcount(_only(name, arguments, node), node)
    value = _only(name, arguments, node)
    if isinstance(value.data, ParameterExpression):
        return Value(Float(), _symbolic(name, value.data, node))
    if isinstance(value.type, Complex):
        if name not in COMPLEX:
            raise wrong(node, f"{name} is not defined for complex numbers")
        return Value(Complex(), _computed(COMPLEX[name], complex(value.data), name, node))  # type: ignore[arg-type]
    real = cast(value, Float(), node).data
    return Value(Float(), _computed(REAL[name], real, name, node))


def _computed(function: Callable[[Any], Any], number: Any, name: str, node: ast.QASMNode) -> Any:
    try:
        return function(number)
    except (ArithmeticError, ValueError) as error:
        raise wrong(node, f"{name}({number}) has no value: {error}") from error


def _symbolic(name: str, parameter: ParameterExpression, node: ast.QASMNode) -> ParameterExpression:
    if name == "sqrt":
        return parameter**0.5
    if name not in SYMBOLIC:
        raise not_known(
            node, f"{name} needs a number, which {parameter} gets only after compiling; give inputs={{...}}"
        )
    applied: ParameterExpression = getattr(parameter, name)()
    return applied


def _only(name: str, arguments: list[Value], node: ast.QASMNode) -> Value:
    if len(arguments) != 1:
        raise wrong(node, f"{name} takes 1 argument, not {len(arguments)}")
    return arguments[0]


def _two(name: str, arguments: list[Value], node: ast.QASMNode) -> Value:
    if len(arguments) != 2:
        raise wrong(node, f"{name} takes 2 arguments, not {len(arguments)}")
    a, b = arguments
    op = "%" if name == "mod" else "**"
    if all(isinstance(value.type, Int | Bit | Bool) for value in arguments):
        left, right = (integer_of(value, node, f"an argument of {name}") for value in arguments)
        kind = a.type if isinstance(a.type, Int) else LITERAL
        return Value(kind, wrapped(integers(op, left, right, node), kind))
    kind_of: Scalar = Complex() if Complex() in (a.type, b.type) else Float()
    return Value(kind_of, floats(op, cast(a, kind_of, node).data, cast(b, kind_of, node).data, node))


def _popcount(value: Value, node: ast.QASMNode) -> Value:
    width = getattr(value.type, "width", 1)
    if not isinstance(value.data, int) or width is None or isinstance(value.type, Float):
        raise wrong(
            node, f"popcount needs a register or an integer with a width, not {with_article(value.type)}"
        )
    return Value(Int(MACHINE_BITS, False), (value.data & ((1 << width) - 1)).bit_count())


def rotated(value: Value, amount: int, node: ast.QASMNode) -> Value:
    """Bits of a known value, rotated to the left."""
    if not isinstance(value.type, Bit | Int | Angle) or value.type.width is None:
        raise wrong(
            node, f"only a register or an integer with a width can be rotated, not {with_article(value.type)}"
        )
    if not isinstance(value.data, int):
        raise not_known(node, "what is rotated must be known when compiling")
    width = value.type.width
    bits = value.data & ((1 << width) - 1)
    places = amount % width
    turned = ((bits << places) | (bits >> (width - places))) & ((1 << width) - 1)
    return Value(value.type, wrapped(turned, value.type) if isinstance(value.type, Int) else turned)
