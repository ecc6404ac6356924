# SPDX-License-Identifier: BSD-2-Clause
"""`for`, `while`, `break` and `continue`.

A loop is *rolled*, a loop of the circuit, where nothing in it needs a value that changes from one iteration to the
next; otherwise it is unrolled, if its values are known. The first way is tried first if the loop has anything to do
with qubits, the second if it only computes. Should a rolled loop hide a value that is needed later on, `loads` lowers
the program again with every loop unrolled that can be.

The variable of a rolled `for` is a variable of the run, which the body's first instruction steps; so `continue`, which
jumps to the end of the body, does not lose a step.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from openqasm3 import ast
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import blocks, declarations, operations, places, runtime
from triplane.host.compiler.qasm.casts import cast, integer_of, number_of
from triplane.host.compiler.qasm.control import changed, flags, guarded, leave, nested
from triplane.host.compiler.qasm.errors import NotKnownError, not_known, wrong
from triplane.host.compiler.qasm.lowering import Exit, Lowering, Outcome, Snapshot
from triplane.host.compiler.qasm.parsing import walk
from triplane.host.compiler.qasm.scopes import Array, Bits, Subroutine, Variable
from triplane.host.compiler.qasm.types import MACHINE_BITS, Bit, Bool, Int, Value

MOST_ITERATIONS = 20_000
SHORT = 64
"""Operations: a loop that only computes stays unrolled if it leaves no more than these."""

QUANTUM = (
    ast.QuantumGate,
    ast.QuantumPhase,
    ast.QuantumMeasurement,
    ast.QuantumReset,
    ast.QuantumBarrier,
    ast.DelayInstruction,
    ast.Box,
)


def touches_qubits(low: Lowering, node: Any, seen: frozenset[str] = frozenset()) -> bool:
    """Whether statements, or the subroutines that they call, do anything to qubits."""
    for part in walk(node):
        if isinstance(part, QUANTUM):
            return True
        if isinstance(part, ast.FunctionCall) and part.name.name not in seen:
            found = low.scope.find(part.name.name)
            if found is not None and isinstance(found[0], Subroutine):
                name = part.name.name
                if touches_qubits(low, found[0].node.body, seen | {name}):
                    return True
    return False


def _either(
    low: Lowering, node: Any, rolled: Callable[[], Outcome], unrolled: Callable[[], Outcome]
) -> Outcome:
    """One way of lowering a loop, or the other where the first needs a value that is not known."""
    if low.scope.body_of == "gate":
        return unrolled()
    ways = [rolled, unrolled]
    if not low.rolled or not touches_qubits(low, node):
        ways.reverse()
    before = Snapshot(low)
    try:
        outcome = ways[0]()
    except NotKnownError as error:
        before.restore()
        try:
            return ways[1]()
        except NotKnownError as second:
            raise (second if ways[0] is rolled else error) from None
    if ways[0] is unrolled and low.rolled and low.written - before.written > SHORT:
        before.restore()
        try:
            return rolled()
        except NotKnownError:
            before.restore()
            return unrolled()
    return outcome


def while_loop(low: Lowering, node: ast.WhileLoop) -> Outcome:
    """`while`."""
    return _either(low, node, lambda: _rolled_while(low, node), lambda: _unrolled_while(low, node))


def _condition(low: Lowering, node: ast.WhileLoop) -> Value:
    return cast(low.evaluate(low, node.while_condition), Bool(), node.while_condition)


def _unrolled_while(low: Lowering, node: ast.WhileLoop) -> Outcome:
    def steps() -> Iterator[Callable[[], Outcome]]:
        while number_of(_condition(low, node), node.while_condition, "the condition of an unrolled loop"):
            yield lambda: nested(low, node.block)

    return unroll(low, steps(), node, [*node.block, node.while_condition])


def _rolled_while(low: Lowering, node: ast.WhileLoop) -> Outcome:
    low.forget(changed(low, [*node.block, node.while_condition]), node)
    with low.collecting() as first:
        condition = _condition(low, node)
    if not condition.runtime and not number_of(condition, node.while_condition, "a condition"):
        return Outcome()
    with low.running(loop=True) as body:
        if first:
            # The condition does something itself, such as a measurement: it is the beginning of an endless loop's body.
            again = _condition(low, node)
            stop: blocks.Block = [blocks.Leave("break")]
            low.emit(blocks.Branch(runtime.as_expr(operations.logic_not(again, node), node), stop, []), node)
        outcome, broken = _native(low, node.block)
    asked = expr.lift(True) if first else runtime.as_expr(condition, node)
    low.emit(blocks.While(asked, body), node)
    endless = condition.known and not broken
    return _behind(low, Outcome(endless, outcome.pending), node)


def _native(low: Lowering, statements: list[Any]) -> tuple[Outcome, bool]:
    """Body of a loop of the run; the second result: whether a `break` leaves it."""
    stop = Exit(low.depth, low.loops, [], native=True, word="break")
    again = Exit(low.depth, low.loops, [], native=True, word="continue")
    low.breaks.append(stop)
    low.continues.append(again)
    try:
        outcome = nested(low, statements)
    finally:
        low.breaks.pop()
        low.continues.pop()
    return Outcome(False, outcome.pending - {stop, again}), stop in outcome.pending


def _behind(low: Lowering, outcome: Outcome, node: Any) -> Outcome:
    """Behind a loop of the run: what has left the loop around as well leaves that too."""
    for exit_ in outcome.pending:
        if exit_.flag is not None and exit_.loops < low.loops:
            low.emit(blocks.Branch(exit_.flag, [blocks.Leave("break")], []), node)
    return outcome


def unroll(low: Lowering, steps: Iterator[Callable[[], Outcome]], node: Any, nodes: list[Any]) -> Outcome:
    """Iterations one after the other.

    Args:
        low: the lowering.
        steps: the iterations; what decides whether there is another one is computed between them.
        node: where errors are shown.
        nodes: whatever an iteration may assign in.
    """
    stop = Exit(low.depth, low.loops, low.slot())
    return _iterate(low, steps, stop, node, nodes, [0]).landed(stop)


def _iterate(
    low: Lowering,
    steps: Iterator[Callable[[], Outcome]],
    stop: Exit,
    node: Any,
    nodes: list[Any],
    count: list[int],
) -> Outcome:
    pending: frozenset[Exit] = frozenset()
    for step in steps:
        count[0] += 1
        if count[0] > MOST_ITERATIONS:
            raise not_known(
                node, f"the loop has more than {MOST_ITERATIONS} iterations and cannot be unrolled"
            )
        outcome = _iteration(low, step, stop)
        pending |= outcome.pending
        if outcome.dead:
            return Outcome(True, pending)
        if flags(low, outcome):
            inner = guarded(low, outcome, [node], lambda: _iterate(low, steps, stop, node, nodes, count))
            return Outcome(inner.dead, pending | inner.pending)
    return Outcome(False, pending)


def _iteration(low: Lowering, step: Callable[[], Outcome], stop: Exit) -> Outcome:
    again = Exit(low.depth, low.loops, low.slot())
    low.breaks.append(stop)
    low.continues.append(again)
    try:
        return step().landed(again)
    finally:
        low.breaks.pop()
        low.continues.pop()


def leaves(low: Lowering, node: ast.BreakStatement | ast.ContinueStatement) -> Outcome:
    """`break` and `continue`."""
    stack = low.breaks if isinstance(node, ast.BreakStatement) else low.continues
    if not stack:
        raise wrong(node, "there is no loop around it")
    return leave(low, stack[-1], node)


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
    return _either(
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
        return [places.bit_value(place, index, source) for index in range(place.type.width)]
    raise wrong(source, "for goes over a range, a set, a register of bits or an array of one dimension")


def _names(nodes: Any, name: str) -> bool:
    return any(isinstance(part, ast.Identifier) and part.name == name for part in walk(nodes))


def _over_values(low: Lowering, node: ast.ForInLoop, kind: Any, values: list[Any]) -> Outcome:
    def iteration(element: Any) -> Outcome:
        value = cast(places.read(low, element, node), kind, node)
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
    values = places.span_of(low, source)
    name = node.identifier.name
    used = _names(node.block, name)

    def rolled() -> Outcome:
        return _stepped(low, node, kind, values) if used else _repeat(low, node, len(values))

    def unrolled() -> Outcome:
        return _over_values(low, node, kind, [Value(Int(None, True), value) for value in values])

    return unrolled() if len(values) < 2 else _either(low, node, rolled, unrolled)


def _repeat(low: Lowering, node: ast.ForInLoop, count: int) -> Outcome:
    """A loop whose body does not use its variable."""
    low.forget(changed(low, node.block), node)
    with low.running(loop=True) as body:
        outcome, _ = _native(low, node.block)
    low.emit(blocks.Repeat(count, body), node)
    return _behind(low, outcome, node)


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
        outcome, _ = _native(low, node.block)
    low.emit(blocks.Repeat(len(values), body), node)
    return _behind(low, outcome, node)


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
        outcome, _ = _native(low, node.block)
    low.emit(blocks.While(runtime.as_expr(more, node), body), node)
    return _behind(low, outcome, node)
