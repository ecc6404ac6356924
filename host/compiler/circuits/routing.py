# SPDX-License-Identifier: BSD-2-Clause
"""Routing of circuits that jump out of loops: each gate between far qubits brings its own swaps, there and back.

A router lets qubits drift apart and brings them back at the end of a loop's body, where `break_loop` and
`continue_loop` pass the swaps over: wrong results without an error (Qiskit#16857, in 2.6). Where each qubit is back in
its place after every gate there is nothing to pass over, for up to twice the swaps.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import rustworkx as rx
from qiskit import QuantumCircuit
from qiskit.circuit import BreakLoopOp, ContinueLoopOp, ControlFlowOp, Qubit
from qiskit.converters import circuit_to_dag, dag_to_circuit
from qiskit.dagcircuit import DAGCircuit
from qiskit.transpiler import TransformationPass


def has_jumps(circuit: QuantumCircuit) -> bool:
    """Whether a `break_loop` or a `continue_loop` is anywhere in a circuit."""
    return any(
        isinstance(each.operation, BreakLoopOp | ContinueLoopOp)
        or any(map(has_jumps, getattr(each.operation, "blocks", ())))
        for each in circuit.data
    )


class ThereAndBack(TransformationPass):  # type: ignore[misc]  # Qiskit ships no types
    """Puts swaps around every gate between far qubits, along the way with the smallest error.

    Args:
        qubits: of the device.
        errors: (qubit, qubit) -> error of a gate between the two, of all couplings, in any order.
    """

    def __init__(self, qubits: int, errors: Mapping[tuple[int, int], float]) -> None:
        super().__init__()
        graph = rx.PyGraph(multigraph=False)
        graph.add_nodes_from(range(qubits))
        # A coupling without any error is still a gate: the shorter way is taken.
        graph.add_edges_from([(*pair, 1e-9 - math.log1p(-error)) for pair, error in errors.items()])
        self._graph = graph

    def run(self, dag: DAGCircuit) -> DAGCircuit:
        """Of a circuit on physical qubits, with gates of at most two qubits.

        Raises:
            ValueError: no couplings lead from one qubit of a gate to the other.
        """
        circuit = dag_to_circuit(dag)
        places = range(circuit.num_qubits)
        used = self._used(circuit, places)
        if not used:
            return dag
        return circuit_to_dag(self._routed(circuit, places, sorted(used)))

    def _used(self, circuit: QuantumCircuit, places: Sequence[int]) -> set[int]:
        """All qubits that a circuit needs, with those between; none if nothing is far."""
        touched, far = set(), False
        for qubits in self._gates(circuit, places):
            way = self._way(*qubits) if len(qubits) == 2 else qubits
            far |= len(way) > 2
            touched.update(way)
        return touched if far else set()

    def _gates(self, circuit: QuantumCircuit, places: Sequence[int]) -> list[list[int]]:
        of = dict(zip(circuit.qubits, places, strict=True))
        found = []
        for each in circuit.data:
            qubits = [of[bit] for bit in each.qubits]
            if isinstance(each.operation, ControlFlowOp):
                for block in each.operation.blocks:
                    found += self._gates(block, qubits)
            elif each.name != "barrier":
                found.append(qubits)
        return found

    def _way(self, first: int, last: int) -> list[int]:
        """Qubits from one to the other, both included."""
        ways = rx.dijkstra_shortest_paths(self._graph, first, last, weight_fn=float)
        if last not in ways:
            raise ValueError(
                f"no couplings lead from qubit {first} to qubit {last}; choose others with initial_layout"
            )
        return list(ways[last])

    def _routed(self, circuit: QuantumCircuit, places: Sequence[int], used: Sequence[int]) -> QuantumCircuit:
        """Blocks and jumps are on all used qubits, so that no swap moves from one side of a jump to the other."""
        routed = circuit.copy_empty_like()
        bits: dict[int, Any] = dict(zip(places, circuit.qubits, strict=True))
        missing = {place: Qubit() for place in used if place not in bits}
        routed.add_bits(missing.values())
        bits |= missing
        wide = [bits[place] for place in used]
        of = {bit: place for place, bit in bits.items()}
        for each in circuit.data:
            operation = each.operation
            if isinstance(operation, BreakLoopOp | ContinueLoopOp):
                routed.append(type(operation)(len(wide), len(each.clbits)), wide, each.clbits)
            elif isinstance(operation, ControlFlowOp):
                inside = [of[bit] for bit in each.qubits]
                blocks = [self._routed(block, inside, used) for block in operation.blocks]
                order = inside + [place for place in used if place not in inside]
                routed.append(operation.replace_blocks(blocks), [bits[place] for place in order], each.clbits)
            elif len(each.qubits) == 2 and each.name != "barrier":
                way = [bits[place] for place in self._way(*(of[bit] for bit in each.qubits))]
                swaps = list(itertools.pairwise(way[:-1]))
                for pair in swaps:
                    routed.swap(*pair)
                routed.append(operation, way[-2:])
                for pair in reversed(swaps):
                    routed.swap(*pair)
            else:
                routed.append(each)
        return routed
