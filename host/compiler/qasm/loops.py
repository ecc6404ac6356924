# SPDX-License-Identifier: BSD-2-Clause
"""`for`, `while`, `break` and `continue`.

A loop is *rolled*, a loop of the circuit, where nothing in it needs a value that changes from one iteration to the
next; otherwise it is unrolled, if its values are known. The first way is tried first if the loop has anything to do
with qubits, the second if it only computes. Should a rolled loop hide a value that is needed later on, `loads` lowers
the program again with every loop unrolled that can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from openqasm3 import ast
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import blocks, operations, runtime
from triplane.host.compiler.qasm.casts import cast, number_of
from triplane.host.compiler.qasm.control import changed, leave, nested
from triplane.host.compiler.qasm.errors import NotKnownError, wrong
from triplane.host.compiler.qasm.exits import Exit, Outcome
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.parsing import walk
from triplane.host.compiler.qasm.scopes import Subroutine
from triplane.host.compiler.qasm.snapshots import Snapshot
from triplane.host.compiler.qasm.types import Bool, Value
from triplane.host.compiler.qasm.unrolling import unroll

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


def either(
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
        hopeless = error.loop is not node if ways[0] is unrolled else not _changes(low, node, error, before)
        if hopeless:
            raise
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


def _changes(low: Lowering, node: Any, error: NotKnownError, before: Snapshot) -> bool:
    """Whether a value that is not known hangs on what the loop changes alone, so that unrolling may make it known."""
    if error.blame is None:
        return True
    held = {variable.storage.var for variable in changed(low, [node]) if variable.storage is not None}
    return error.blame <= held | before.created()


def while_loop(low: Lowering, node: ast.WhileLoop) -> Outcome:
    """`while`."""
    return either(low, node, lambda: _rolled_while(low, node), lambda: _unrolled_while(low, node))


def _condition(low: Lowering, node: ast.WhileLoop) -> Value:
    return cast(low.evaluate(low, node.while_condition), Bool(), node.while_condition)


def _decided(low: Lowering, node: ast.WhileLoop) -> bool:
    try:
        return bool(
            number_of(_condition(low, node), node.while_condition, "the condition of an unrolled loop")
        )
    except NotKnownError as error:
        error.loop = node
        raise


def _unrolled_while(low: Lowering, node: ast.WhileLoop) -> Outcome:
    def steps() -> Iterator[Callable[[], Outcome]]:
        while _decided(low, node):
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
        outcome, broken = native(low, node.block)
    asked = expr.lift(True) if first else runtime.as_expr(condition, node)
    low.emit(blocks.While(asked, body), node)
    endless = condition.known and not broken
    return behind(low, Outcome(endless, outcome.pending), node)


def native(low: Lowering, statements: list[Any]) -> tuple[Outcome, bool]:
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


def behind(low: Lowering, outcome: Outcome, node: Any) -> Outcome:
    """Behind a loop of the run: what has left the loop around as well leaves that too."""
    for exit_ in outcome.pending:
        if exit_.flag is not None and exit_.loops < low.loops:
            low.emit(blocks.Branch(exit_.flag, [blocks.Leave("break")], []), node)
    return outcome


def leaves(low: Lowering, node: ast.BreakStatement | ast.ContinueStatement) -> Outcome:
    """`break` and `continue`."""
    stack = low.breaks if isinstance(node, ast.BreakStatement) else low.continues
    if not stack:
        raise wrong(node, "there is no loop around it")
    return leave(low, stack[-1], node)
