# SPDX-License-Identifier: BSD-2-Clause
"""Classical expressions, apart from Qiskit's classes: numbers of up to 32 bits, unsigned.

An expression is a tuple of its operation and its operands:

    ("const", 3) ("bit", 5) ("bits", (3, 4, 5)) ("var", "name")    leaves; the first of `bits` weighs least
    ("not", a, width) ("neg", a, width) ("lnot", a)
    ("and" | "or" | "xor", a, b) ("land" | "lor", a, b)
    ("add" | "sub" | "shl" | "mul", a, b, width) ("shr", a, b)
    ("eq" | "ne" | "lt" | "le", a, b)
    ("low", a, width)                                                    the lowest bits
"""

from __future__ import annotations

from typing import Any, TypeAlias

Expression: TypeAlias = tuple[Any, ...]

MAX_BITS = 32
LEAVES = ("const", "bit", "bits", "var")
CHOICES = ("lnot", "land", "lor", "eq", "ne", "lt", "le")
"""Operations that give 0 or 1."""


def bits_of(expression: Expression) -> set[int]:
    """Classical bits that it reads."""
    match expression[0]:
        case "bit":
            return {expression[1]}
        case "bits":
            return set(expression[1])
        case "const" | "var":
            return set()
        case _:
            return set().union(*(bits_of(part) for part in expression[1:] if isinstance(part, tuple)))


def inverted(expression: Expression) -> Expression:
    """Its opposite, of a choice."""
    match expression[0]:
        case "lnot":
            inner: Expression = expression[1]
            return inner
        case "eq":
            return ("ne", *expression[1:])
        case "ne":
            return ("eq", *expression[1:])
        case _:
            return ("lnot", expression)


_WORDS = {
    "and": "&",
    "or": "|",
    "xor": "^",
    "land": "and",
    "lor": "or",
    "add": "+",
    "sub": "-",
    "mul": "*",
    "shl": "<<",
    "shr": ">>",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
}


def said(expression: Expression) -> str:
    """In words: `c3` is classical bit 3, `c0..c2` are bits of which the first weighs least."""
    match expression:
        case ("const" | "var", value):
            return str(value)
        case ("bit", number):
            return f"c{number}"
        case ("bits", numbers):
            first, last = numbers[0], numbers[-1]
            row = tuple(range(first, last + 1))
            return (
                f"c{first}..c{last}"
                if numbers == row and len(row) > 2
                else ",".join(f"c{k}" for k in numbers)
            )
        case (("not" | "neg" | "lnot") as name, inner, *_):
            return f"{ {'not': '~', 'neg': '-', 'lnot': 'not '}[name] }{_inner(inner)}"
        case ("low", inner, width):
            return f"{_inner(inner)} mod 2**{width}"
        case (name, left, right, *_):
            return f"{_inner(left)} {_WORDS[name]} {_inner(right)}"
        case _:
            raise AssertionError(f"{expression[0]} is no operation")


def _inner(expression: Expression) -> str:
    return said(expression) if expression[0] in LEAVES else f"({said(expression)})"


def single_bit(expression: Expression) -> tuple[int, int] | None:
    """(bit, value) of an expression that asks for one bit's value; None of any other."""
    match expression:
        case ("bit", number):
            return number, 1
        case ("bits", (number,)):
            return number, 1
        case ("lnot", inner):
            found = single_bit(inner)
            return None if found is None else (found[0], 1 - found[1])
        case ("eq", (("bit" | "bits"), _) as inner, ("const", value)) if value in (0, 1):
            found = single_bit(inner)
            return None if found is None else (found[0], value)
        case ("ne", (("bit" | "bits"), _) as inner, ("const", value)) if value in (0, 1):
            found = single_bit(inner)
            return None if found is None else (found[0], 1 - value)
    return None
