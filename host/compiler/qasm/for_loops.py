# SPDX-License-Identifier: BSD-2-Clause
"""`for`, over ranges, sets, registers and arrays.

The variable of a rolled `for` is a variable of the run, which the body's first instruction steps; so `continue`, which
jumps to the end of the body, does not lose a step.
"""

from __future__ import annotations

import functools
from typing import Any

from openqasm3 import ast
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import access, blocks, declarations, indices, places, runtime, words
from triplane.host.compiler.qasm.casts import cast, integer_of
from triplane.host.compiler.qasm.control import changed, nested
from triplane.host.compiler.qasm.errors import not_known, wrong
from triplane.host.compiler.qasm.exits import Outcome
from triplane.host.compiler.qasm.loops import behind, either, native
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.parsing import walk
from triplane.host.compiler.qasm.scopes import Array, Bits, Variable
from triplane.host.compiler.qasm.types import MACHINE_BITS, Bit, Int, Value
from triplane.host.compiler.qasm.unrolling import unroll


def for_loop(low: Lowering, node: ast.ForInLoop) -> Outcome:
    """`for`."""
    kind = declarations.scalar(low, node.type)
    source = node.set_declaration
    if isinstance(source, ast.RangeDefinition):
        return _over_range(low, node, kind, source)
    if isinstance(source, ast.DiscreteSet):
        values: list[Any] = [low.evaluate(low, part) for part in source.values]
    else:
        values = _elements(low, source)
    if _names(node.block, node.identifier.name) or len(values) < 2:
        return _over_values(low, node, kind, values)
    return either(
        low, node, lambda: _repeat(low, node, len(values)), lambda: _over_values(low, node, kind, values)
    )


def _elements(low: Lowering, source: Any) -> list[Any]:
    """Elements of an array or register, read when their turn comes."""
    place = places.locate(low, source)
    if isinstance(place, Array) and place.cells.ndim == 1:
        return list(place.variables())
    if isinstance(place, Variable | Bits) and isinstance(getattr(place, "type", Bit(1, True)), Bit):
        return [Bits((bit,), False) for bit in places.bits_of(place, source)]
    if isinstance(place, Value) and isinstance(place.type, Bit) and place.type.register:
        return [words.bit_value(place, index, source) for index in range(place.type.width)]
    raise wrong(source, "for goes over a range, a set, a register of bits or an array of one dimension")


def _names(nodes: Any, name: str) -> bool:
    return any(isinstance(part, ast.Identifier) and part.name == name for part in walk(nodes))


def _over_values(low: Lowering, node: ast.ForInLoop, kind: Any, values: list[Any]) -> Outcome:
    def iteration(element: Any) -> Outcome:
        value = cast(access.read(low, element, node), kind, node)
        with low.scoped():
            variable = Variable(node.identifier.name, kind, low.depth)
            low.variables.append(variable)
            low.declare(node.identifier.name, variable, node)
            low.store(variable, value, node)
            return nested(low, node.block)

    return unroll(low, (functools.partial(iteration, element) for element in values), node, list(node.block))


def _over_range(low: Lowering, node: ast.ForInLoop, kind: Any, source: ast.RangeDefinition) -> Outcome:
    if source.start is None or source.end is None:
        raise wrong(source, "the range of a for loop needs both ends")
    ends = [low.evaluate(low, part) for part in (source.start, source.end)]
    if any(value.runtime for value in ends):
        return _counted(low, node, kind, source, ends)
    values = indices.span_of(low, source)
    name = node.identifier.name
    used = _names(node.block, name)

    def rolled() -> Outcome:
        return _stepped(low, node, kind, values) if used else _repeat(low, node, len(values))

    def unrolled() -> Outcome:
        return _over_values(low, node, kind, [Value(Int(None, True), value) for value in values])

    return unrolled() if len(values) < 2 else either(low, node, rolled, unrolled)


def _repeat(low: Lowering, node: ast.ForInLoop, count: int) -> Outcome:
    """A loop whose body does not use its variable."""
    low.forget(changed(low, node.block), node)
    with low.running(loop=True) as body:
        outcome, _ = native(low, node.block)
    low.emit(blocks.Repeat(count, body), node)
    return behind(low, outcome, node)


def _counter(low: Lowering, node: ast.ForInLoop, kind: Any) -> Variable:
    if not isinstance(kind, Int) or kind.width is None or kind.width > MACHINE_BITS:
        raise not_known(node, f"a loop's variable of type {kind} is no counter of a run")
    if node.identifier.name in {variable.name for variable in changed_names(node)}:
        raise not_known(node, f"'{node.identifier.name}' is assigned in the loop that counts with it")
    variable = Variable(node.identifier.name, kind, low.depth, assigned=True)
    low.variables.append(variable)
    return variable


def changed_names(node: ast.ForInLoop) -> list[ast.Identifier]:
    """Identifiers that a loop's body assigns to."""
    lvalues = [part.lvalue for part in walk(node.block) if isinstance(part, ast.ClassicalAssignment)]
    lvalues += [
        part.target
        for part in walk(node.block)
        if isinstance(part, ast.QuantumMeasurementStatement) and part.target is not None
    ]
    return [part if isinstance(part, ast.Identifier) else part.name for part in lvalues]


def _stepped(low: Lowering, node: ast.ForInLoop, kind: Any, values: range) -> Outcome:
    """A loop that counts over a known range."""
    variable = _counter(low, node, kind)
    storage = low.storage(variable, node)
    low.forget(changed(low, node.block), node)
    low.emit(blocks.Assign(storage, runtime.constant(values.start - values.step, kind.width)), node)
    with low.running(loop=True) as body, low.scoped():
        low.declare(node.identifier.name, variable, node)
        stepped = expr.add(storage, runtime.constant(values.step, kind.width))
        low.emit(blocks.Assign(storage, stepped), node)
        outcome, _ = native(low, node.block)
    low.emit(blocks.Repeat(len(values), body), node)
    return behind(low, outcome, node)


def _counted(
    low: Lowering, node: ast.ForInLoop, kind: Any, source: ast.RangeDefinition, ends: list[Value]
) -> Outcome:
    """A loop between ends that only the run knows; the last value must not be the type's largest."""
    step = (
        1
        if source.step is None
        else integer_of(low.evaluate(low, source.step), source.step, "a range's step")
    )
    if step == 0:
        raise wrong(source, "a range's step must not be 0")
    variable = _counter(low, node, kind)
    storage = low.storage(variable, node)
    start, last = (runtime.as_expr(cast(value, kind, source), source) for value in ends)
    stop = low.temporary("last", last.type)
    low.forget(changed(low, node.block), node)
    low.emit(blocks.Assign(stop, last), node)
    low.emit(blocks.Assign(storage, expr.sub(start, runtime.constant(step, kind.width))), node)
    following = expr.add(storage, runtime.constant(step, kind.width))
    more = runtime.compare("<=" if step > 0 else ">=", following, stop, signed=kind.signed)
    with low.running(loop=True) as body, low.scoped():
        low.declare(node.identifier.name, variable, node)
        low.emit(blocks.Assign(storage, following), node)
        outcome, _ = native(low, node.block)
    low.emit(blocks.While(runtime.as_expr(more, node), body), node)
    return behind(low, outcome, node)
