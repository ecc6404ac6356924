# SPDX-License-Identifier: BSD-2-Clause
"""Loops that are unrolled: iterations one after the other, and the ways out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from triplane.host.compiler.qasm.control import flags, guarded
from triplane.host.compiler.qasm.errors import not_known
from triplane.host.compiler.qasm.exits import Exit, Outcome
from triplane.host.compiler.qasm.lowering import Lowering

MOST_ITERATIONS = 20_000


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
            error = not_known(
                node, f"the loop has more than {MOST_ITERATIONS} iterations and cannot be unrolled"
            )
            error.loop = node
            raise error
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
