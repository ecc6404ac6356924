# SPDX-License-Identifier: BSD-2-Clause
"""Observables as numbers of measured bits: which terms are measured together, and what a shot gives for each.

A term is a string over `IXYZ` and the projectors `01+-rl`, the last letter being qubit 0's, as in Qiskit. Terms that
ask for the same basis in every qubit, or do not ask, are measured by the same shots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.quantum_info import PauliList

from triplane.host.runtime.mitigation import ReadoutErrors

Bits = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

BASES = {"I": "I", "Z": "Z", "0": "Z", "1": "Z", "X": "X", "+": "X", "-": "X", "Y": "Y", "r": "Y", "l": "Y"}
"""Letter of a term -> Pauli that is measured for it."""

NUMBERS = {
    **dict.fromkeys("XYZ", (1.0, -1.0)),
    **dict.fromkeys("0+r", (1.0, 0.0)),
    **dict.fromkeys("1-l", (0.0, 1.0)),
}
"""Letter -> its number for the bits 0 and 1."""

REGISTER = "triplane_basis"


@dataclass(frozen=True)
class Basis:
    """Terms that are measured together.

    Attributes:
        letters: Pauli of each qubit, from qubit 0 on; "I" where no term asks.
        terms: that it serves.
    """

    letters: str
    terms: frozenset[str]

    @property
    def qubits(self) -> list[int]:
        """That are measured, ascending."""
        return [qubit for qubit, letter in enumerate(self.letters) if letter != "I"]

    def measured(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """The circuit with a measurement in this basis at its end, in a register of its own, the last one."""
        found = circuit.copy()
        register = ClassicalRegister(len(self.qubits), REGISTER)
        found.add_register(register)
        found.barrier(self.qubits)
        for bit, qubit in zip(register, self.qubits, strict=True):
            if self.letters[qubit] == "Y":
                found.sdg(qubit)
            if self.letters[qubit] != "Z":
                found.h(qubit)
            found.measure(qubit, bit)
        return found


def bases(terms: Iterable[str]) -> list[Basis]:
    """The fewest bases that are found for terms; those of identities alone need none."""
    wanted: dict[str, set[str]] = {}
    for term in sorted(set(terms)):
        wanted.setdefault("".join(BASES[letter] for letter in term), set()).add(term)
    labels = [label for label in wanted if set(label) != {"I"}]
    if not labels:
        return []
    found = []
    for group in PauliList(labels).group_commuting(qubit_wise=True):
        members = group.to_labels()
        letters = ["I"] * len(members[0])
        for label in members:
            letters = [ours if theirs == "I" else theirs for ours, theirs in zip(letters, label, strict=True)]
        served = frozenset().union(*(wanted[label] for label in members))
        found.append(Basis("".join(reversed(letters)), served))
    return found


def numbers(
    basis: Basis,
    observable: Mapping[str, float],
    bits: Bits,
    physical: Mapping[int, int],
    errors: ReadoutErrors | None = None,
) -> Floats:
    """What each shot gives for the part of an observable that a basis serves.

    Args:
        basis: that was measured.
        observable: term -> coefficient.
        bits: bool (shots, measured qubits), in the order of `basis.qubits`.
        physical: qubit of the circuit -> that of the device.
        errors: that are taken out; None: none.

    Returns:
        float (shots,).
    """
    total = np.zeros(len(bits))
    for term, coefficient in observable.items():
        if term in basis.terms:
            part = np.full(len(bits), float(coefficient))
            for column, qubit in enumerate(basis.qubits):
                letter = term[-1 - qubit]
                if letter != "I":
                    part *= _table(letter, physical[qubit], errors)[bits[:, column].astype(np.intp)]
            total += part
    return total


def largest(
    basis: Basis, observable: Mapping[str, float], physical: Mapping[int, int], errors: ReadoutErrors | None
) -> float:
    """Bound of what a shot can give."""
    bound = 0.0
    for term, coefficient in observable.items():
        if term in basis.terms:
            tables = [
                _table(term[-1 - qubit], physical[qubit], errors)
                for qubit in basis.qubits
                if term[-1 - qubit] != "I"
            ]
            bound += abs(float(coefficient)) * float(np.prod([np.abs(table).max() for table in tables]))
    return bound


def constant(observable: Mapping[str, float]) -> float:
    """Coefficient of the identity."""
    return sum(float(coefficient) for term, coefficient in observable.items() if set(term) == {"I"})


def _table(letter: str, qubit: int, errors: ReadoutErrors | None) -> Floats:
    table = np.array(NUMBERS[letter])
    return errors.table(qubit, table) if errors else table
