# SPDX-License-Identifier: BSD-2-Clause
"""Readout errors, and results as they would be without them, by `mitiq.rem`: matrices and the nearest distribution.

Errors of different qubits are taken as independent. What is not seen by that is crosstalk between readouts, and what a
decision within a circuit made of a wrong bit. Needs the extra `mitigation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

MAX_QUBITS = 10
"""Of a whole distribution: it has 2**qubits numbers, and the matrix the square of that."""


@dataclass(frozen=True)
class ReadoutErrors:
    """How often the bit of a qubit is read wrong.

    Attributes:
        flips: float (qubits, 2): probability that a 0 is read as 1, and a 1 as 0; physical qubits.
        shots: that each was found with.
    """

    flips: Floats
    shots: int

    @classmethod
    def counted(cls, zeros: Bits, ones: Bits) -> ReadoutErrors:
        """Of bits, bool (shots, qubits), read from qubits that were prepared in 0, and in 1.

        A wrong preparation counts as a wrong readout.

        Raises:
            ValueError: a qubit's bit says nothing of its state.
        """
        flips = np.column_stack([zeros.mean(axis=0), 1 - ones.mean(axis=0)])
        blind = np.flatnonzero(flips.sum(axis=1) > 0.95)
        if len(blind):
            raise ValueError(
                f"the readout of qubit {blind[0]} is wrong for {flips[blind[0], 0]:.1%} of the zeros and "
                f"{flips[blind[0], 1]:.1%} of the ones; calibrate it before it is mitigated"
            )
        return cls(flips, len(zeros))

    def table(self, qubit: int, table: Floats) -> Floats:
        """Numbers of the bits 0 and 1 whose mean over bits as they are read is that of `table` over the true ones."""
        return np.asarray(table @ _rem().generate_inverse_confusion_matrix(1, *self.flips[qubit]), np.float64)

    def distribution(self, bits: Bits, qubits: Sequence[int]) -> Floats:
        """Probabilities of the true bits.

        Args:
            bits: bool (shots, bits), bit 0 first.
            qubits: physical qubit of each bit.

        Returns:
            float (2**bits,), by the number of which bit 0 is the least significant.

        Raises:
            ValueError: more than `MAX_QUBITS` bits.
        """
        if len(qubits) > MAX_QUBITS:
            raise ValueError(
                f"the distribution of {len(qubits)} bits has too many numbers, {MAX_QUBITS} bits are the most; "
                "ask for expectation values, or for a part of the bits"
            )
        # mitiq's strings have their first bit first, and count it as the most significant
        strings = ["".join(map(str, row[::-1])) for row in bits.astype(int)]
        rem = _rem()
        found = rem.bitstrings_to_probability_vector(strings)
        matrices = [np.array([[1 - p0, p1], [p0, 1 - p1]]) for p0, p1 in self.flips[list(qubits)[::-1]]]
        inverse = rem.generate_tensored_inverse_confusion_matrix(len(qubits), matrices)
        return np.asarray(rem.closest_positive_distribution(inverse @ found), np.float64)


def _rem() -> Any:
    try:
        from mitiq.rem import inverse_confusion_matrix
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error}; readout mitigation needs an extra: "
            "uv sync --extra mitigation, or pip install triplane[mitigation]"
        ) from error
    return inverse_confusion_matrix
