# SPDX-License-Identifier: BSD-2-Clause
"""Types of OpenQASM 3, and what a value of each is made of.

| type | known when compiling | known when running |
|---|---|---|
| `bit`, `bool` | int 0 or 1, bool | `Bool` |
| `bit[n]`, `uint[n]` | int | `Uint(n)` |
| `int[n]` | int with its sign | `Uint(n)`, two's complement |
| `angle[n]` | int, in units of 2 pi / 2**n; Parameter | `Uint(n)` |
| `angle`, `float` | float; Parameter | - |
| `complex`, `duration` | complex, `Span` | - |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from qiskit.circuit import ParameterExpression
from qiskit.circuit.classical import expr, types

MACHINE_BITS = 32
"""Width of `int` and `uint` without a size, and the widest value of a run: a register of the sequencer."""


@dataclass(frozen=True)
class Bit:
    """`bit`, or `bit[width]` where it is a register."""

    width: int = 1
    register: bool = False

    def __str__(self) -> str:
        return f"bit[{self.width}]" if self.register else "bit"


@dataclass(frozen=True)
class Bool:
    """`bool`."""

    def __str__(self) -> str:
        return "bool"


@dataclass(frozen=True)
class Int:
    """`int[width]` or `uint[width]`.

    Attributes:
        width: None: of a literal, which takes the width it needs.
        signed: whether it is `int`.
        of_bits: whether it was computed of registers and literals alone; a register takes its low bits.
    """

    width: int | None
    signed: bool
    of_bits: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        name = "int" if self.signed else "uint"
        return name if self.width is None else f"{name}[{self.width}]"


@dataclass(frozen=True)
class Float:
    """`float[width]`."""

    width: int = 64

    def __str__(self) -> str:
        return f"float[{self.width}]"


@dataclass(frozen=True)
class Angle:
    """`angle[width]`; width None: not quantised."""

    width: int | None

    def __str__(self) -> str:
        return "angle" if self.width is None else f"angle[{self.width}]"


@dataclass(frozen=True)
class Complex:
    """`complex[float]`."""

    def __str__(self) -> str:
        return "complex[float]"


@dataclass(frozen=True)
class Duration:
    """`duration`."""

    def __str__(self) -> str:
        return "duration"


@dataclass(frozen=True)
class Span:
    """A length of time.

    Attributes:
        amount: how long.
        unit: "s", or "dt", whose length only the device knows.
    """

    amount: float
    unit: str


def with_article(kind: object) -> str:
    """A type with its article: "an int[8]", "a uint[8]"."""
    text = str(kind)
    return f"an {text}" if text[0] in "ai" else f"a {text}"


Scalar: TypeAlias = Bit | Bool | Int | Float | Angle | Complex | Duration
Data: TypeAlias = bool | int | float | complex | ParameterExpression | Span | expr.Expr


@dataclass(frozen=True)
class Value:
    """A value and its type.

    Attributes:
        type: of OpenQASM.
        data: as the table above has it.
    """

    type: Scalar
    data: Data

    @property
    def runtime(self) -> bool:
        """Whether only the run knows it."""
        return isinstance(self.data, expr.Expr)

    @property
    def symbolic(self) -> bool:
        """Whether it holds a Parameter, which is bound after compiling."""
        return isinstance(self.data, ParameterExpression)

    @property
    def known(self) -> bool:
        """Whether it is a number."""
        return not self.runtime and not self.symbolic


LITERAL = Int(None, True)
"""Type of `7`."""


def machine_type(kind: Scalar) -> types.Type | None:
    """Qiskit's type of a value of a run; None: there is none, the sequencer cannot hold it."""
    match kind:
        case Bool() | Bit(register=False):
            return types.Bool()
        case Bit(width=width) | Int(width=int(width)) | Angle(width=int(width)) if width <= MACHINE_BITS:
            return types.Uint(width)
    return None


def wrapped(number: int, kind: Int) -> int:
    """A number as a variable of that type holds it: modulo 2**width, two's complement."""
    if kind.width is None:
        return number
    number &= (1 << kind.width) - 1
    return number - (1 << kind.width) if kind.signed and number >> (kind.width - 1) else number
