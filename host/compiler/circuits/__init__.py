# SPDX-License-Identifier: BSD-2-Clause
"""Dynamic circuits: Qiskit's circuits become control programs.

A circuit goes through four levels, all of them plain objects that can be kept: the circuit, the circuit in the gates
of the device (Qiskit's transpiler), a tree of scheduled segments with decisions between them (`tree`), and a program.

Time is ours: within a segment, which has no decision, everything has a time, and frames of qubits stand in the phases
of pulse-table entries for nothing. Between segments the sequencer decides, which takes instructions, and each
instruction a cycle. `writer` keeps a lower bound of how far the cursor is ahead, through all branches and loops, and
moves it on where an event could be late; and it holds a program that could run so far ahead that a queue overflows.
So neither fault can happen.

The obvious other way would be a table of times for all branches, which needs a bound for every loop, and nothing
decided by a result could be early. Needs Qiskit (extra `qiskit`): the base package imports nothing from here.
"""

from triplane.host.compiler.circuits.compile import compile_circuit, compile_transpiled
from triplane.host.compiler.circuits.compiled import CompiledCircuit
from triplane.host.compiler.circuits.errors import CircuitError, CoherenceWarning
from triplane.host.compiler.circuits.options import Options

__all__ = [
    "CircuitError",
    "CoherenceWarning",
    "CompiledCircuit",
    "Options",
    "compile_circuit",
    "compile_transpiled",
]
