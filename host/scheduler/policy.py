# SPDX-License-Identifier: BSD-2-Clause
"""Which board a job goes to: what fits, and where its result would be best. A richer policy has the same interface."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

from triplane.host.scheduler.contracts import BoardState, Feature, Kind, Request

FEATURE: dict[Kind, Feature] = {
    "control": "control",
    "program": "control",
    "qasm3": "circuits",
    "qpy": "circuits",
    "sampler": "circuits",
    "estimator": "circuits",
}
"""That a board needs for each kind of job."""


class Score(NamedTuple):
    """What a policy thinks of a board for a job.

    Attributes:
        fits: whether the job may run there at all.
        value: the higher the better.
        reason: for people.
    """

    fits: bool
    value: float
    reason: str


class Policy(Protocol):
    """Judges a board for a job, from the descriptor and the calibration that the board's agent last told."""

    def __call__(self, request: Request, board: BoardState) -> Score:
        """The score."""


def estimated_fidelity(request: Request, board: BoardState) -> Score:
    """First estimate: every operation succeeds by itself, and a shot keeps its coherence with exp(-duration / T2).

    Correlations, crosstalk and which qubits are used are left out, so values of different boards can be compared, and
    no value is a promise.
    """
    needs = request.needs
    feature = FEATURE[request.kind]
    if request.board not in (None, board.name):
        return Score(False, 0.0, f"the job asks for board {request.board}")
    if feature not in board.features:
        return Score(False, 0.0, f"it does not run {feature}")
    if needs.qubits > board.qubits:
        return Score(False, 0.0, f"it has {board.qubits} qubits, the job needs {needs.qubits}")
    if board.coherence_us is not None and needs.duration_us > board.coherence_us:
        return Score(
            False, 0.0, f"a shot lasts {needs.duration_us:g} µs, its coherence {board.coherence_us:g} µs"
        )
    value = (
        (1 - board.one_qubit_error) ** needs.one_qubit_gates
        * (1 - board.two_qubit_error) ** needs.two_qubit_gates
        * (1 - board.readout_error) ** needs.readouts
        * math.exp(-needs.duration_us / (board.coherence_us or math.inf))
    )
    least = needs.minimum_fidelity
    if least is not None and value < least:
        return Score(False, value, f"its estimated fidelity is {value:.3f}, the job asks for {least:g}")
    return Score(True, value, f"estimated fidelity {value:.3f}")
