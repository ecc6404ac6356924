# SPDX-License-Identifier: BSD-2-Clause
"""Declarations: types as they are written, qubits, variables, constants, arrays, aliases, input and output."""

from __future__ import annotations

from typing import Any

import numpy as np
from openqasm3 import ast
from qiskit.circuit import Parameter, QuantumRegister
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import indices, measurements, places
from triplane.host.compiler.qasm.casts import cast, integer_of
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.exits import PLAIN, Outcome
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.scopes import Array, Qubits, Variable
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
    machine_type,
    with_article,
)

DIMENSIONS = 7
"""The specification's limit."""


def size_of(low: Lowering, node: ast.Expression, what: str, limit: int = indices.LARGEST) -> int:
    """A positive size that is known when compiling."""
    size = integer_of(low.evaluate(low, node), node, f"the size of {what}")
    if not 0 < size <= limit:
        raise wrong(node, f"the size of {what} must be 1 to {limit}, not {size}")
    return size


def scalar(low: Lowering, node: ast.ClassicalType) -> Scalar:
    """The type that is written there, arrays apart."""

    def width(default: int | None, limit: int = indices.LARGEST) -> Any:
        size: ast.Expression | None = getattr(node, "size", None)
        return default if size is None else size_of(low, size, "a type", limit)

    match node:
        case ast.BitType():
            return Bit(width(1), register=node.size is not None)
        case ast.BoolType():
            return Bool()
        case ast.IntType() | ast.UintType():
            return Int(width(MACHINE_BITS), isinstance(node, ast.IntType))
        case ast.FloatType():
            return Float(width(64))
        case ast.AngleType():
            return Angle(width(None, 1024))
        case ast.ComplexType():
            return Complex()
        case ast.DurationType():
            return Duration()
        case ast.StretchType():
            raise wrong(
                node, "stretch is not supported: its length is settled by a scheduler that knows the device"
            )
    raise wrong(node, f"{type(node).__name__} is not supported here")


def qubits(low: Lowering, node: ast.QubitDeclaration) -> Outcome:
    """`qubit q;`, `qubit[n] q;`, `qreg q[n];`."""
    size = 1 if node.size is None else size_of(low, node.size, "a register")
    if low.physical:
        raise wrong(node, "a program has either physical qubits, such as $0, or declared ones")
    register = QuantumRegister(size, low.unique(node.qubit.name, owner=True))
    low.declare(node.qubit.name, Qubits(tuple(register), node.size is not None), node)
    low.resources.qubits.append(register)
    return PLAIN


def classical(low: Lowering, node: ast.ClassicalDeclaration) -> Outcome:
    """A variable, with or without a value."""
    if isinstance(node.type, ast.ArrayType):
        return _array(low, node)
    kind = scalar(low, node.type)
    # The value is computed first: `int n = n + 1;` in a block means the outer n.
    value = None if node.init_expression is None else _initial(low, node.init_expression, kind)
    variable = low.variable(node.identifier.name, kind)
    low.declare(node.identifier.name, variable, node)
    if isinstance(node.init_expression, ast.QuantumMeasurement):
        measurements.into(low, node.init_expression, variable, node)
    elif value is not None:
        low.store(variable, value, node)
    return PLAIN


def _initial(low: Lowering, node: Any, kind: Scalar) -> Value | None:
    if isinstance(node, ast.QuantumMeasurement):
        return None
    return cast(low.evaluate(low, node), kind, node)


def constant(low: Lowering, node: ast.ConstantDeclaration) -> Outcome:
    """`const`: known when compiling."""
    kind = scalar(low, node.type)
    if isinstance(node.init_expression, ast.QuantumMeasurement):
        raise wrong(node, "a const must be known when compiling, and a measurement is not")
    value = cast(low.evaluate(low, node.init_expression), kind, node.init_expression)
    if value.runtime:
        raise wrong(node, f"const '{node.identifier.name}' must be known when compiling")
    low.declare(node.identifier.name, value, node)
    return PLAIN


def _array(low: Lowering, node: ast.ClassicalDeclaration) -> Outcome:
    assert isinstance(node.type, ast.ArrayType)
    base = scalar(low, node.type.base_type)
    if len(node.type.dimensions) > DIMENSIONS:
        raise wrong(node, f"an array has at most {DIMENSIONS} dimensions, not {len(node.type.dimensions)}")
    shape = tuple(size_of(low, part, "an array") for part in node.type.dimensions)
    if np.prod(shape, dtype=float) > indices.LARGEST:
        raise wrong(node, f"an array has at most {indices.LARGEST} elements")
    name = node.identifier.name
    cells = np.empty(shape, dtype=object)
    for index in np.ndindex(shape):
        cells[index] = _cell(low, f"{name}_{'_'.join(map(str, index))}", base)
    array = Array(cells, base)
    low.declare(name, array, node)
    if node.init_expression is not None:
        fill(low, array, node.init_expression, node)
    return PLAIN


def _cell(low: Lowering, name: str, base: Scalar) -> Variable:
    """A cell; bits of arrays are variables and not registers, since nobody reads them out of the circuit."""
    variable = Variable(name, base, low.depth)
    low.variables.append(variable)
    return variable


def fill(low: Lowering, array: Array, source: Any, node: ast.QASMNode) -> None:
    """Give all cells of an array, or of a slice of one, their values.

    Args:
        low: the lowering.
        array: the cells.
        source: a list in braces, or an expression that means an array.
        node: where errors are shown.
    """
    if isinstance(source, ast.ArrayLiteral):
        if len(source.values) != len(array.cells):
            raise wrong(source, f"{len(source.values)} values for {len(array.cells)} elements")
        for cell, part in zip(array.cells, source.values, strict=True):
            if isinstance(cell, Variable):
                low.store(cell, low.evaluate(low, part), part)
            else:
                fill(low, Array(cell, array.base), part, part)
        return
    place = places.locate(low, source)
    if not isinstance(place, Array):
        raise wrong(node, "an array can be given an array or a list in braces, nothing else")
    copy(low, place, array, node)


def copy(low: Lowering, source: Array, target: Array, node: ast.QASMNode) -> None:
    """Copy an array of the same shape."""
    if source.cells.shape != target.cells.shape:
        raise wrong(
            node,
            f"an array of shape {source.cells.shape} does not fit into one of shape {target.cells.shape}",
        )
    values = [low.load(variable, node) for variable in source.variables()]
    if not set(source.variables()).isdisjoint(target.variables()):
        values = [low.held(value, node) for value in values]
    for variable, value in zip(target.variables(), values, strict=True):
        low.store(variable, value, node)


def alias(low: Lowering, node: ast.AliasStatement) -> Outcome:
    """`let`."""
    place = places.locate(low, node.value)
    if isinstance(place, Value):
        raise wrong(node, "let is for registers, their parts and arrays")
    low.declare(node.target.name, place, node)
    return PLAIN


def interface(low: Lowering, node: ast.IODeclaration) -> Outcome:
    """`input` and `output`."""
    if isinstance(node.type, ast.ArrayType):
        raise wrong(node, "arrays are not supported as input or output; declare their elements one by one")
    kind, name = scalar(low, node.type), node.identifier.name
    if node.io_identifier is ast.IOKeyword.input:
        low.declare(name, _input(low, name, kind, node), node)
        return PLAIN
    if machine_type(kind) is None and not isinstance(kind, Bit):
        raise wrong(
            node,
            f"{with_article(kind)} is no output of a run; outputs are bits, bools and integers of up to "
            f"{MACHINE_BITS} bits",
        )
    variable = low.variable(name, kind, register=False)
    low.keep(variable)  # in a register, since that is what a run returns
    low.declare(name, variable, node)
    low.outputs.append(name)
    return PLAIN


def _input(low: Lowering, name: str, kind: Scalar, node: ast.QASMNode) -> Value | Variable:
    if name in low.given:
        return _bound(low, name, kind, node)
    if isinstance(kind, Float | Angle):
        parameter = Parameter(low.unique(name, owner=True))
        low.inputs[name] = (kind, parameter)
        return Value(kind, parameter)
    machine = machine_type(kind)
    if machine is None:
        raise wrong(
            node,
            f"input '{name}' of type {kind} needs a value when compiling: loads(source, inputs={{'{name}': ...}})",
        )
    variable = Variable(name, kind, low.depth, assigned=True)
    variable.storage = expr.Var.new(low.unique(name, owner=True), machine)
    variable.constant = "it is an input"
    low.variables.append(variable)
    low.resources.inputs.append(variable.storage)
    low.inputs[name] = (kind, variable.storage)
    return variable


def _bound(low: Lowering, name: str, kind: Scalar, node: ast.QASMNode) -> Value:
    """An input whose value is given when loading."""
    given = low.given[name]
    match given:
        case bool():
            value = Value(Bool(), given)
        case int() | np.integer():
            value = Value(LITERAL, int(given))
        case float() | np.floating():
            value = Value(Float(), float(given))
        case complex():
            value = Value(Complex(), given)
        case str() if given and set(given) <= {"0", "1"}:
            value = Value(Bit(len(given), True), int(given, 2))
        case _:
            raise wrong(node, f"input '{name}' is {with_article(kind)} and cannot be given {given!r}")
    low.inputs[name] = (kind, None)
    return cast(value, kind, node)
