# SPDX-License-Identifier: BSD-2-Clause
"""`delay`: the one statement about time that needs no device."""

from __future__ import annotations

from openqasm3 import ast
from qiskit.circuit import Delay

from triplane.host.compiler.qasm import blocks, places
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.types import Span, with_article


def delay(low: Lowering, node: ast.DelayInstruction) -> None:
    """`delay[d] q;`; without operands of all qubits."""
    value = low.evaluate(low, node.duration)
    span = value.data
    if not isinstance(span, Span):
        raise wrong(
            node.duration, f"a delay takes a duration, such as 100ns or 40dt, not {with_article(value.type)}"
        )
    if not 0 <= span.amount < float("inf"):
        raise wrong(node.duration, f"a delay must not be negative, and {span.amount:g} {span.unit} is")
    if span.unit == "dt" and span.amount != int(span.amount):
        raise wrong(node.duration, f"a delay in dt must be a whole number of them, not {span.amount:g}")
    amount = int(span.amount) if span.unit == "dt" else span.amount
    operands = [places.qubits_of(low, part) for part in node.qubits]
    qubits = [qubit for operand in operands for qubit in operand.qubits]
    places.distinct(qubits, node)
    if not node.qubits:
        qubits = [qubit for register in low.resources.qubits for qubit in register]
    for qubit in qubits:
        low.emit(blocks.Apply(Delay(amount, span.unit), (qubit,)), node)
