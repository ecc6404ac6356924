# SPDX-License-Identifier: BSD-2-Clause
"""Measurements: into registers directly, into other variables by a bit of the circuit."""

from __future__ import annotations

from collections.abc import Sequence

from openqasm3 import ast
from qiskit.circuit import Clbit
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import access, blocks, places
from triplane.host.compiler.qasm.errors import wrong
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.scopes import Array, Bits, Place, Qubits, Variable
from triplane.host.compiler.qasm.types import Bit, Value


def value(low: Lowering, node: ast.QuantumMeasurement) -> Value:
    """Measure into bits of its own; the result is a value."""
    measured = places.qubits_of(low, node.qubit)
    register = low.register("measured", len(measured.qubits))
    _emit(low, measured, tuple(register), node)
    held = expr.lift(register if measured.register else register[0])
    return Value(Bit(len(register), measured.register), held)


def into(low: Lowering, node: ast.QuantumMeasurement, target: Place | Value, at: ast.QASMNode) -> None:
    """Measure, and assign the result.

    Args:
        low: the lowering.
        node: the measurement.
        target: what the result goes to.
        at: where errors are shown.
    """
    bits = _registered(target)
    if bits is None:
        access.assign(low, target, value(low, node), at)
        return
    measured = places.qubits_of(low, node.qubit)
    if len(measured.qubits) != len(bits):
        raise wrong(at, f"{len(measured.qubits)} qubits are measured into {len(bits)} bits")
    for variable, _ in bits:
        if variable.constant:
            raise wrong(at, f"'{variable.name}' cannot be assigned to: {variable.constant}")
        variable.known, variable.assigned = None, True
    _emit(low, measured, [access.clbit_of(variable, index) for variable, index in bits], at)


def statement(low: Lowering, node: ast.QuantumMeasurementStatement) -> None:
    """`c = measure q;`, `measure q -> c;`, `measure q;`."""
    if node.target is None:
        value(low, node.measure)
        return
    target = places.locate(low, node.target)
    _visible(low, node.target, node)
    into(low, node.measure, target, node)


def _visible(low: Lowering, target: ast.Identifier | ast.IndexedIdentifier, node: ast.QASMNode) -> None:
    name = target.name if isinstance(target, ast.Identifier) else target.name.name
    changeable(low, name, node)


def changeable(low: Lowering, name: str, node: ast.QASMNode) -> None:
    """Variables outside a subroutine can be read in it, not changed."""
    found = low.scope.find(name)
    if found is not None and found[1]:
        raise wrong(
            node,
            f"'{name}' is declared outside this subroutine and cannot be changed in it; return the value",
        )


def _registered(target: Place | Value) -> tuple[tuple[Variable, int], ...] | None:
    """The bits of a target that measurements can write to themselves."""
    if isinstance(target, Value | Array | Qubits):
        return None
    if isinstance(target, Bits):
        bits = target.bits
    elif isinstance(target.type, Bit):
        bits = tuple((target, index) for index in range(target.type.width))
    else:
        return None
    return bits if all(variable.eager for variable, _ in bits) else None


def _emit(low: Lowering, measured: Qubits, bits: Sequence[Clbit], node: ast.QASMNode) -> None:
    for qubit, bit in zip(measured.qubits, bits, strict=True):
        low.emit(blocks.measured(qubit, bit), node)
