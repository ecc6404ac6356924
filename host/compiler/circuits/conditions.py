# SPDX-License-Identifier: BSD-2-Clause
"""Qiskit's classical expressions and conditions become ours; see `expressions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qiskit.circuit import ClassicalRegister, Clbit, Parameter
from qiskit.circuit.classical import expr, types

from triplane.host.compiler.circuits.errors import CircuitError
from triplane.host.compiler.circuits.expressions import MAX_BITS, Expression, inverted
from triplane.host.compiler.circuits.tree import Assign, Put

Bits = Mapping[Clbit, int]

_WRAPPING = {expr.Binary.Op.ADD: "add", expr.Binary.Op.SUB: "sub", expr.Binary.Op.SHIFT_LEFT: "shl"}
_PLAIN = {
    expr.Binary.Op.BIT_AND: "and",
    expr.Binary.Op.BIT_OR: "or",
    expr.Binary.Op.BIT_XOR: "xor",
    expr.Binary.Op.LOGIC_AND: "land",
    expr.Binary.Op.LOGIC_OR: "lor",
    expr.Binary.Op.SHIFT_RIGHT: "shr",
    expr.Binary.Op.EQUAL: "eq",
    expr.Binary.Op.NOT_EQUAL: "ne",
    expr.Binary.Op.LESS: "lt",
    expr.Binary.Op.LESS_EQUAL: "le",
}
_SWAPPED = {expr.Binary.Op.GREATER: "lt", expr.Binary.Op.GREATER_EQUAL: "le"}


class Conditions:
    """Expressions of one circuit.

    Attributes:
        variables: names, each once; equal names of different variables get a number.
    """

    def __init__(self) -> None:
        self.variables: list[str] = []
        self._names: dict[Any, str] = {}

    def expression(self, given: Any, bits: Bits) -> Expression:
        """Of a condition, a target or a value.

        Raises:
            CircuitError: a type or an operation that the sequencer has not.
        """
        match given:
            case (Clbit() | ClassicalRegister() as of, value):
                return "eq", self.expression(of, bits), ("const", int(value))
            case Clbit():
                return "bit", bits[given]
            case ClassicalRegister():
                _narrow(len(given), f"register {given.name!r}")
                return "bits", tuple(bits[bit] for bit in given)
            case expr.Value():
                _width(given.type)
                return "const", int(given.value)
            case expr.Var():
                return self._var(given, bits)
            case expr.Cast():
                return self._cast(given, bits)
            case expr.Unary():
                return self._unary(given, bits)
            case expr.Binary():
                return self._binary(given, bits)
            case expr.Index():
                shifted = "shr", self.expression(given.target, bits), self.expression(given.index, bits)
                return "low", shifted, 1
            case _:
                raise CircuitError(
                    f"the sequencer cannot compute {type(given).__name__}; it has bits and numbers"
                )

    def stored(self, lvalue: Any, value: Expression, bits: Bits) -> Assign | Put:
        """A value goes to a variable, to a bit of one, to a classical bit, or to a register of them.

        Raises:
            CircuitError: there is no such place.
        """
        match lvalue:
            case expr.Index(target=expr.Var()):
                place = self.expression(lvalue.index, bits)
                whole = self.expression(lvalue.target, bits)
                width = _width(lvalue.target.type)
                others = "and", whole, ("not", ("shl", ("const", 1), place, width), width)
                return self.stored(lvalue.target, ("or", others, ("shl", value, place, width)), bits)
            case expr.Var(var=Clbit()):
                return Put((bits[lvalue.var],), value)
            case expr.Var(var=ClassicalRegister()):
                _narrow(len(lvalue.var), f"register {lvalue.var.name!r}")
                return Put(tuple(bits[bit] for bit in lvalue.var), value)
            case expr.Var():
                return Assign(self._named(lvalue), value)
            case _:
                raise CircuitError(f"a store goes to a variable or to bits, not to {type(lvalue).__name__}")

    def loop_variable(self, parameter: Any) -> str | None:
        """Name of a loop's variable; None where it is a parameter."""
        return None if isinstance(parameter, Parameter) else self._named(parameter)

    def _named(self, var: expr.Var) -> str:
        _width(var.type)
        if var.var not in self._names:
            name = var.name or "variable"
            taken = sum(known.split("'")[0] == name for known in self.variables)
            self._names[var.var] = name if not taken else f"{name}'{taken}"
            self.variables.append(self._names[var.var])
        return self._names[var.var]

    def _var(self, var: expr.Var, bits: Bits) -> Expression:
        if isinstance(var.var, Clbit | ClassicalRegister):
            return self.expression(var.var, bits)
        return "var", self._named(var)

    def _cast(self, cast: expr.Cast, bits: Bits) -> Expression:
        inner = self.expression(cast.operand, bits)
        wide = _width(cast.operand.type)
        if isinstance(cast.type, types.Bool):
            return ("ne", inner, ("const", 0)) if wide > 1 else inner
        return ("low", inner, _width(cast.type)) if _width(cast.type) < wide else inner

    def _unary(self, unary: expr.Unary, bits: Bits) -> Expression:
        inner = self.expression(unary.operand, bits)
        match unary.op:
            case expr.Unary.Op.BIT_NOT:
                return "not", inner, _width(unary.type)
            case expr.Unary.Op.LOGIC_NOT:
                return inverted(inner)
            case _:
                return "neg", inner, _width(unary.type)

    def _binary(self, binary: expr.Binary, bits: Bits) -> Expression:
        left, right = self.expression(binary.left, bits), self.expression(binary.right, bits)
        operation = binary.op
        if operation in _PLAIN:
            return _PLAIN[operation], left, right
        if operation in _SWAPPED:
            return _SWAPPED[operation], right, left
        if operation in _WRAPPING:
            return _WRAPPING[operation], left, right, _width(binary.type)
        if operation == expr.Binary.Op.MUL:
            left, right = (right, left) if left[0] == "const" else (left, right)
            if right[0] == "const":
                return "mul", left, right, _width(binary.type)
            raise CircuitError(
                "the sequencer multiplies by constants only; a product of two variables is not supported"
            )
        raise CircuitError(
            f"the sequencer has no {operation.name.lower()}; compute it on the host, or by shifts"
        )


def _narrow(width: int, what: str) -> None:
    if width > MAX_BITS:
        raise CircuitError(f"{what} has {width} bits; the sequencer computes with {MAX_BITS} at most")


def _width(kind: types.Type) -> int:
    """Bits of a type."""
    if isinstance(kind, types.Bool):
        return 1
    if isinstance(kind, types.Uint):
        _narrow(kind.width, "a number")
        return int(kind.width)
    raise CircuitError(f"the sequencer has no values of type {type(kind).__name__}; use Uint or Bool")
