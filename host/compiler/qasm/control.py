# SPDX-License-Identifier: BSD-2-Clause
"""Sequences, and how control leaves them.

What a condition that is known when compiling decides is decided here, and nothing of it is left in the circuit. Where
only the run decides, Qiskit has `break` and `continue` of its loops and nothing else. So every other way out (`return`
of an inlined subroutine, `break` of an unrolled loop, `end`) sets a flag, and the statements behind it, up to the
place that it leads to, are guarded by the flag.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from openqasm3 import ast
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import blocks, runtime
from triplane.host.compiler.qasm.casts import cast, integer_of, number_of
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.exits import Exit, Outcome
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.parsing import walk
from triplane.host.compiler.qasm.scopes import Array, Bits, Variable
from triplane.host.compiler.qasm.types import Bool, Int, Value, with_article, wrapped


def leave(low: Lowering, exit_: Exit, node: ast.QASMNode) -> Outcome:
    """Control leaves for a place."""
    if exit_.native:
        low.emit(blocks.Leave(exit_.word), node)
    elif low.depth > exit_.depth:
        low.emit(blocks.Assign(low.flag(exit_, node), expr.lift(True)), node)
        if low.loops > exit_.loops:
            low.emit(blocks.Leave("break"), node)
    return Outcome(True, frozenset({exit_}))


def sequence(low: Lowering, statements: Sequence[Any]) -> Outcome:
    """Statements one after the other."""
    pending: frozenset[Exit] = frozenset()
    for number, statement in enumerate(statements):
        outcome = low.run(statement)
        pending |= outcome.pending
        if outcome.dead:
            return Outcome(True, pending)
        rest = statements[number + 1 :]
        if rest and flags(low, outcome):
            inner = guarded(low, outcome, rest, functools.partial(sequence, low, rest))
            return Outcome(inner.dead, pending | inner.pending)
    return Outcome(False, pending)


def flags(low: Lowering, outcome: Outcome) -> list[expr.Var]:
    """Flags that may have been set; a loop of the run in between is left by its own `break`."""
    return [
        exit_.flag
        for exit_ in outcome.pending
        if exit_.flag is not None and not exit_.native and exit_.loops == low.loops
    ]


def guarded(low: Lowering, outcome: Outcome, nodes: Sequence[Any], rest: Callable[[], Outcome]) -> Outcome:
    """What follows a statement that control may not have come out of."""
    set_ = sorted(flags(low, outcome), key=lambda flag: flag.name)
    left: expr.Expr = set_[0]
    for flag in set_[1:]:
        left = expr.logic_or(left, flag)
    low.forget(changed(low, nodes), nodes[0])
    with low.running() as block:
        inner = rest()
    low.emit(blocks.Branch(expr.logic_not(left), block, []), nodes[0])
    return inner


def nested(low: Lowering, statements: Sequence[Any]) -> Outcome:
    """Statements in a scope of their own."""
    with low.scoped():
        return sequence(low, statements)


def changed(low: Lowering, nodes: Iterable[Any]) -> list[Variable]:
    """Variables that statements may assign to."""
    found: dict[Variable, None] = {}
    for node in (inner for part in nodes for inner in walk(part)):
        for name in _targets(node):
            symbol = low.scope.find(name)
            if symbol is None:
                continue
            match symbol[0]:
                case Variable() as variable:
                    found[variable] = None
                case Bits(bits=bits):
                    found.update((variable, None) for variable, _ in bits)
                case Array() as array:
                    found.update((variable, None) for variable in array.variables())
    return list(found)


def _targets(node: ast.QASMNode) -> list[str]:
    """Names that a node may assign to: its left side, and arrays that it hands to a subroutine."""
    if isinstance(node, ast.ClassicalAssignment):
        return [_root(node.lvalue)]
    if isinstance(node, ast.QuantumMeasurementStatement) and node.target is not None:
        return [_root(node.target)]
    if isinstance(node, ast.FunctionCall):
        arguments = [inner for part in node.arguments for inner in walk(part)]
        return [part.name for part in arguments if isinstance(part, ast.Identifier)]
    return []


def _root(node: Any) -> str:
    return str(node.name if isinstance(node, ast.Identifier) else node.name.name)


def branch(low: Lowering, node: ast.BranchingStatement) -> Outcome:
    """`if`."""
    condition = cast(low.evaluate(low, node.condition), Bool(), node.condition)
    if not condition.runtime:
        decided = bool(number_of(condition, node.condition, "a condition"))
        return nested(low, node.if_block if decided else node.else_block)
    low.forget(changed(low, [*node.if_block, *node.else_block]), node)
    with low.running() as then:
        first = nested(low, node.if_block)
    with low.running() as otherwise:
        second = nested(low, node.else_block)
    low.emit(blocks.Branch(runtime.as_expr(condition, node), then, otherwise), node)
    return Outcome(first.dead and second.dead, first.pending | second.pending)


def switch(low: Lowering, node: ast.SwitchStatement) -> Outcome:
    """`switch`."""
    target = low.evaluate(low, node.target)
    if not isinstance(target.type, Int):
        raise wrong(
            node,
            f"switch is over an integer, not {with_article(target.type)}; write int(...) or uint[n](...)",
        )
    if not node.cases:
        raise wrong(node, "switch needs at least one case")
    labels = _labels(low, node, target.type)
    bodies = [block.statements for _, block in node.cases]
    default = None if node.default is None else node.default.statements
    if not target.runtime:
        number = integer_of(target, node.target, "the target of switch")
        for values, body in zip(labels, bodies, strict=True):
            if number in values:
                return nested(low, body)
        return Outcome() if default is None else nested(low, default)
    return _switched(low, node, target, [*zip(labels, bodies, strict=True)], default)


def _labels(low: Lowering, node: ast.SwitchStatement, kind: Int) -> list[list[int]]:
    seen: set[int] = set()
    labels: list[list[int]] = []
    for values, _ in node.cases:
        labels.append([])
        for part in values:
            value = low.evaluate(low, part)
            number = integer_of(value, part, "a label of case")
            if wrapped(number, kind) != number:
                raise wrong(part, f"label {number} is no value of {kind}")
            if number in seen:
                raise wrong(part, f"label {number} stands twice in this switch")
            seen.add(number)
            labels[-1].append(number)
    return labels


def _switched(
    low: Lowering, node: ast.SwitchStatement, target: Value, cases: list[tuple[list[int], Any]], default: Any
) -> Outcome:
    word = runtime.as_expr(target, node)
    if not isinstance(word, expr.Var):  # simulators take no other
        held = low.temporary("switched", word.type)
        low.emit(blocks.Assign(held, word), node)
        word = held
    low.forget(changed(low, [*(body for _, body in cases), default or []]), node)
    mask = (1 << runtime.width_of(word)) - 1
    emitted = blocks.Switch(word, [])
    outcomes = []
    for labels, body in [*cases, *([] if default is None else [([], default)])]:
        with low.running() as block:
            outcomes.append(nested(low, body))
        emitted.cases.append((tuple(label & mask for label in labels), block))
    low.emit(emitted, node)
    dead = default is not None and all(outcome.dead for outcome in outcomes)
    return Outcome(dead, frozenset().union(*(outcome.pending for outcome in outcomes)))


def end(low: Lowering, node: ast.EndStatement) -> Outcome:
    """`end`."""
    return leave(low, low.end, node)


def compound(low: Lowering, node: ast.CompoundStatement) -> Outcome:
    """`{ ... }`."""
    return nested(low, node.statements)
