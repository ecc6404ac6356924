# SPDX-License-Identifier: BSD-2-Clause
"""What is looked for in a circuit as it was given, where its gates and delays still have their names and units."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Delay

from triplane.hal.device import ADC_HZ
from triplane.host.compiler.circuits.errors import CircuitError
from triplane.host.compiler.circuits.straight import delay_cycles
from triplane.host.compiler.circuits.writer import LONG_WORDS, MOST_AHEAD


def check_circuit(circuit: Any, program_words: int) -> None:
    """See that all angles are numbers, and that a program has room for each delay.

    Args:
        circuit: that is to be compiled.
        program_words: that the board holds.

    Raises:
        CircuitError: they are not, it has not, or that is no circuit.
    """
    if not isinstance(circuit, QuantumCircuit):
        raise CircuitError(f"a {type(circuit).__name__} is no QuantumCircuit: {circuit!r:.80}")
    for operation, qubits in _operations(circuit):
        if not isinstance(operation, Delay):
            for number in operation.params:
                if isinstance(number, float) and not math.isfinite(number):
                    raise CircuitError(
                        f"{operation.name} of qubit {qubits[0]} has the parameter {number}; give it a finite number"
                    )
    words, name = longest_delay(circuit)
    if words > program_words:
        most_s = program_words // LONG_WORDS * MOST_AHEAD / ADC_HZ
        raise CircuitError(
            f"{name} is too long: a program of {program_words} instructions, which the board holds, can wait for "
            f"{most_s * 1e3:.0f} ms; shorten it, or wait on the host between two jobs"
        )


def longest_delay(circuit: QuantumCircuit) -> tuple[int, str]:
    """Instructions that the longest delay of a circuit takes, and its name; those of parameters are left out.

    Raises:
        CircuitError: a delay has no length that is known.
    """
    found = (0, "")
    for operation, qubits in _operations(circuit):
        if isinstance(operation, Delay) and not getattr(operation.duration, "parameters", None):
            words = LONG_WORDS * math.ceil(delay_cycles(operation) / MOST_AHEAD)
            found = max(
                found, (words, f"the delay of {operation.duration:g} {operation.unit} on qubit {qubits[0]}")
            )
    return found


def _operations(circuit: QuantumCircuit, places: list[int] | None = None) -> Iterator[tuple[Any, list[int]]]:
    """All operations, those of blocks too, each with its qubits as the outermost circuit counts them."""
    outer = places or list(range(circuit.num_qubits))
    for instruction in circuit.data:
        qubits = [outer[circuit.find_bit(bit).index] for bit in instruction.qubits]
        yield instruction.operation, qubits
        for block in getattr(instruction.operation, "blocks", ()):
            yield from _operations(block, qubits)
