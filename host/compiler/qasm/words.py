# SPDX-License-Identifier: BSD-2-Clause
"""Single bits of values, and values of single bits."""

from __future__ import annotations

from collections.abc import Sequence

from openqasm3 import ast

from triplane.host.compiler.qasm import runtime
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.types import Bit, Value


def bit_value(value: Value, index: int, node: ast.QASMNode) -> Value:
    """A bit of a value."""
    if isinstance(value.data, int):
        return Value(Bit(), int(value.data) >> index & 1)
    return Value(Bit(), runtime.bit_of(runtime.as_expr(value, node), index))


def collected(bits: Sequence[Value], node: ast.QASMNode) -> Value:
    """A register of bits, lowest first."""
    kind = Bit(len(bits), True)
    if all(bit.known for bit in bits):
        return Value(kind, sum(1 << place for place, bit in enumerate(bits) if bit.data))
    if len(bits) > 32:
        raise wrong(node, f"a value of a run can have 32 bits, not {len(bits)}")
    return runtime.joined([runtime.as_expr(bit, node) for bit in bits], kind)
