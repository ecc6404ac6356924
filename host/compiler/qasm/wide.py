# SPDX-License-Identifier: BSD-2-Clause
"""Registers of more bits than the sequencer's: measured into, indexed and copied, but not computed with."""

from __future__ import annotations

from openqasm3 import ast
from qiskit.circuit import ClassicalRegister
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import blocks
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.types import MACHINE_BITS, Value, with_article


def is_wide(target: expr.Var | None) -> bool:
    """Whether it is such a register."""
    return target is not None and isinstance(target.var, ClassicalRegister) and len(target.var) > MACHINE_BITS


def assignments(target: expr.Var, value: Value, node: ast.QASMNode) -> list[blocks.Assign]:
    """A register's assignment, bit by bit.

    Raises:
        QasmError: the value is an expression.
    """
    register = target.var
    if isinstance(value.data, int):
        bits = [expr.lift(bool(value.data >> place & 1)) for place in range(len(register))]
    elif isinstance(value.data, expr.Var) and isinstance(value.data.var, ClassicalRegister):
        bits = [expr.lift(bit) for bit in value.data.var]
    else:
        raise wrong(
            node,
            f"{with_article(value.type)} of a run can be copied, not computed: {MACHINE_BITS} bits are the most",
        )
    return [blocks.Assign(expr.lift(held), bit) for held, bit in zip(register, bits, strict=True)]
