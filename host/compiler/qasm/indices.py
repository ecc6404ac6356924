# SPDX-License-Identifier: BSD-2-Clause
"""Indices, ranges and sets in brackets."""

from __future__ import annotations

from typing import Any

from openqasm3 import ast

from triplane.host.compiler.qasm.casts import integer_of
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.lowering import Lowering

LARGEST = 1 << 16
"""Elements: no register, array or range is longer."""


def span_of(low: Lowering, node: ast.RangeDefinition, size: int | None = None) -> range:
    """The indices of a range, both ends among them.

    Args:
        low: the lowering.
        node: the range.
        size: of what is indexed; ends that are left out are its ends, and negative ones count from its end.
    """

    def number(part: ast.Expression | None, default: int) -> int:
        if part is None:
            if size is None:
                raise wrong(node, "this range needs both ends")
            return default
        found = integer_of(low.evaluate(low, part), part, "a range's end or step")
        return found if size is None else wrapped_index(found, size, part)

    step = 1
    if node.step is not None:
        step = integer_of(low.evaluate(low, node.step), node.step, "a range's step")
    if step == 0:
        raise wrong(node, "a range's step must not be 0")
    first, last = (0, (size or 1) - 1)[:: 1 if step > 0 else -1]
    start, end = number(node.start, first), number(node.end, last)
    found = range(start, end + (1 if step > 0 else -1), step)
    if abs(end - start) // abs(step) > LARGEST:
        raise wrong(node, f"a range of more than {LARGEST} elements is too long")
    return found


def wrapped_index(index: int, size: int, node: ast.QASMNode) -> int:
    """An index from the front, or from the end where it is negative."""
    if not -size <= index < size:
        raise wrong(node, f"index {index} is out of range: there are {size} elements, 0 to {size - 1}")
    return index % size


def indices_of(low: Lowering, node: Any, size: int, at: ast.QASMNode) -> int | list[int]:
    """One index, or several, that an index element means in something of `size` elements."""
    if isinstance(node, ast.DiscreteSet):
        parts = [integer_of(low.evaluate(low, part), part, "an index") for part in node.values]
        return [wrapped_index(part, size, at) for part in parts]
    if isinstance(node, ast.RangeDefinition):
        found = list(span_of(low, node, size))
        if not found:
            raise wrong(at, "an index set must not be empty")
        return found
    return wrapped_index(integer_of(low.evaluate(low, node), node, "an index"), size, at)
