# SPDX-License-Identifier: BSD-2-Clause
"""`def` subroutines: inlined where they are called, since the sequencer has no stack.

A `return` that only the run decides sets a flag, and what follows it in the subroutine is guarded by the flag (see
`control`). Without one the result is the returned value itself, which stays known if it is.
"""

from __future__ import annotations

from typing import Any

from openqasm3 import ast

from triplane.host.compiler.qasm import control, declarations, measurements, places
from triplane.host.compiler.qasm.casts import cast, integer_of
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.exits import Exit, Frame, Outcome
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.scopes import Array, Qubits, Subroutine, Symbol, Variable
from triplane.host.compiler.qasm.types import Scalar, Value, with_article


def define(low: Lowering, node: ast.SubroutineDefinition) -> None:
    """Remember a subroutine."""
    low.declare(node.name.name, Subroutine(node), node)


def value_of(low: Lowering, subroutine: Subroutine, node: ast.FunctionCall) -> Value:
    """Inline a call for its value."""
    value, outcome = call(low, subroutine, node)
    if outcome.pending:
        raise wrong(
            node, "a subroutine that may end the program cannot be called for a value; call it as a statement"
        )
    if value is None:
        raise wrong(node, f"'{node.name.name}' returns nothing, so it has no value")
    return value


def call(low: Lowering, subroutine: Subroutine, node: ast.FunctionCall) -> tuple[Value | None, Outcome]:
    """Inline a call; the results are the returned value, None without one, and whether the program ends in it."""
    definition = subroutine.node
    name = definition.name.name
    if any(frame.name == name for frame in low.frames):
        raise wrong(node, f"'{name}' calls itself; subroutines are inlined, so recursion is not possible")
    if len(node.arguments) != len(definition.arguments):
        raise wrong(node, f"'{name}' takes {len(definition.arguments)} arguments, not {len(node.arguments)}")
    arguments = [
        _argument(low, formal, actual)
        for formal, actual in zip(definition.arguments, node.arguments, strict=True)
    ]
    returned = None if definition.return_type is None else declarations.scalar(low, definition.return_type)
    frame = Frame(name, returned, Exit(low.depth, low.loops, low.slot()))
    breaks, continues = low.breaks, low.continues
    low.breaks, low.continues = [], []
    low.frames.append(frame)
    try:
        with low.scoped("def", low.outermost):
            for formal, argument in zip(definition.arguments, arguments, strict=True):
                _bind(low, formal.name.name, argument, formal)
            outcome = control.sequence(low, definition.body)
    finally:
        low.frames.pop()
        low.breaks, low.continues = breaks, continues
    return _result(low, frame, outcome, node), outcome.landed(frame.exit)


def _argument(low: Lowering, formal: Any, actual: Any) -> Symbol:
    """An actual argument: qubits and arrays by reference, others by value."""
    if isinstance(formal, ast.QuantumArgument):
        return _qubits(low, formal, places.locate(low, actual), actual)
    if isinstance(formal.type, ast.ArrayReferenceType):
        return _array(low, formal, places.locate(low, actual), actual)
    return cast(low.evaluate(low, actual), declarations.scalar(low, formal.type), actual)


def _qubits(low: Lowering, formal: ast.QuantumArgument, place: Any, node: Any) -> Qubits:
    if not isinstance(place, Qubits):
        raise wrong(node, f"argument '{formal.name.name}' must be qubits")
    if formal.size is None:
        if len(place.qubits) != 1:
            raise wrong(node, f"argument '{formal.name.name}' is one qubit, not {len(place.qubits)}")
        return Qubits(place.qubits, False)
    size = declarations.size_of(low, formal.size, "a register")
    if len(place.qubits) != size:
        raise wrong(node, f"argument '{formal.name.name}' is {size} qubits, not {len(place.qubits)}")
    return Qubits(place.qubits, True)


def _array(low: Lowering, formal: ast.ClassicalArgument, place: Any, node: Any) -> Array:
    assert isinstance(formal.type, ast.ArrayReferenceType)
    name = formal.name.name
    if not isinstance(place, Array):
        raise wrong(node, f"argument '{name}' must be an array")
    base = declarations.scalar(low, formal.type.base_type)
    if base != place.base:
        raise wrong(node, f"argument '{name}' is an array of {base}, not of {place.base}")
    wanted = formal.type.dimensions
    if isinstance(wanted, list):
        shape = tuple(declarations.size_of(low, part, "an array") for part in wanted)
        if shape != place.cells.shape:
            raise wrong(node, f"argument '{name}' has shape {shape}, not {place.cells.shape}")
    elif integer_of(low.evaluate(low, wanted), wanted, "#dim") != place.cells.ndim:
        raise wrong(node, f"argument '{name}' has another number of dimensions than {place.cells.ndim}")
    readonly = formal.access is ast.AccessControl.readonly
    if place.readonly and not readonly:
        raise wrong(node, f"argument '{name}' would be changed, and this array can be read only")
    return Array(place.cells, place.base, readonly)


def _bind(low: Lowering, name: str, argument: Symbol, node: Any) -> None:
    if not isinstance(argument, Value):
        low.declare(name, argument, node)
        return
    variable = low.variable(name, argument.type, register=False)
    low.declare(name, variable, node)
    low.store(variable, argument, node)


def returns(low: Lowering, node: ast.ReturnStatement) -> Outcome:
    """`return`."""
    frame = low.frames[-1]
    value = _returned(low, node, frame)
    if value is not None:
        _keep(low, frame, value, node)
    return control.leave(low, frame.exit, node)


def _returned(low: Lowering, node: ast.ReturnStatement, frame: Frame) -> Value | None:
    if node.expression is None:
        if frame.type is not None:
            raise wrong(node, f"'{frame.name}' returns {with_article(frame.type)}, so return needs a value")
        return None
    if frame.type is None:
        raise wrong(
            node, f"'{frame.name}' returns nothing; write '-> type' behind its arguments to return a value"
        )
    if isinstance(node.expression, ast.QuantumMeasurement):
        return cast(measurements.value(low, node.expression), frame.type, node)
    return cast(low.evaluate(low, node.expression), frame.type, node)


def _keep(low: Lowering, frame: Frame, value: Value, node: Any) -> None:
    """The result is a variable as soon as the run decides which of several returns it comes from."""
    if low.depth == frame.exit.depth:
        frame.value = value
        return
    if frame.result is None:
        kind: Scalar = value.type
        frame.result = Variable("result", kind, frame.exit.depth)
        low.variables.append(frame.result)
    low.store(frame.result, value, node)


def _result(low: Lowering, frame: Frame, outcome: Outcome, node: Any) -> Value | None:
    if frame.type is None:
        return None
    if frame.result is not None:
        return low.load(frame.result, node)
    if frame.value is None or not outcome.dead:
        raise wrong(node, f"'{frame.name}' ends without return; it is to return {with_article(frame.type)}")
    return frame.value


def statement(low: Lowering, node: ast.ExpressionStatement) -> Outcome:
    """A call whose result nobody wants, or another expression."""
    expression = node.expression
    found = low.scope.find(expression.name.name) if isinstance(expression, ast.FunctionCall) else None
    if isinstance(expression, ast.FunctionCall) and found is not None and isinstance(found[0], Subroutine):
        return call(low, found[0], expression)[1]
    low.evaluate(low, expression)
    return Outcome()
