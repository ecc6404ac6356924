# SPDX-License-Identifier: BSD-2-Clause
"""Cross-resonance has a direction: a `cx` against it is one along it between Hadamard gates on both qubits.

Qiskit's own pass for this ends the process's thread where a circuit has variables (`substitute_node_with_dag`, seen in
2.6 with stores inside control flow), so that circuits are laid out and routed for a target without directions, and
this pass comes behind.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import ControlFlowOp
from qiskit.converters import circuit_to_dag, dag_to_circuit
from qiskit.dagcircuit import DAGCircuit
from qiskit.transpiler import TransformationPass


class Directed(TransformationPass):  # type: ignore[misc]  # Qiskit ships no types
    """Turns every `cx` that is not among the directions.

    Args:
        directions: (control, target) of all couplings.
    """

    def __init__(self, directions: Collection[tuple[int, int]]) -> None:
        super().__init__()
        self._directions = frozenset(directions)

    def run(self, dag: DAGCircuit) -> DAGCircuit:
        """Of a circuit on physical qubits."""
        circuit = dag_to_circuit(dag)
        return circuit_to_dag(self._turned(circuit, range(circuit.num_qubits)))

    def _turned(self, circuit: QuantumCircuit, places: Sequence[int]) -> QuantumCircuit:
        turned = circuit.copy_empty_like()
        of: Mapping[Any, int] = dict(zip(circuit.qubits, places, strict=True))
        for each in circuit.data:
            qubits = [of[bit] for bit in each.qubits]
            operation = each.operation
            if isinstance(operation, ControlFlowOp):
                blocks = [self._turned(block, qubits) for block in operation.blocks]
                turned.append(operation.replace_blocks(blocks), each.qubits, each.clbits)
            elif operation.name == "cx" and tuple(qubits) not in self._directions:
                for bit in each.qubits:
                    _hadamard(turned, bit)
                turned.append(operation, each.qubits[::-1])
                for bit in each.qubits:
                    _hadamard(turned, bit)
            else:
                turned.append(each)
        return turned


def _hadamard(circuit: QuantumCircuit, qubit: Any) -> None:
    circuit.rz(math.pi / 2, qubit)
    circuit.sx(qubit)
    circuit.rz(math.pi / 2, qubit)
