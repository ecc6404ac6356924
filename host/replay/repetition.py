# SPDX-License-Identifier: BSD-2-Clause
"""Published counts of a distance-3 repetition code over two rounds, whose link qubits are not reset.

The data are of "syndrome_derived_errors" in https://github.com/quantumjim/data4papers (Apache-2.0): one file for a job
on `ibm_hanoi`, many layouts in it, 100,000 shots of each. A shot is seven classical bits:

    bits 0, 1    link qubits, measured in round 0
    bits 2, 3    link qubits, measured in round 1
    bits 4 to 6  code qubits, measured at the end; link k compares the code qubits k and k + 1

A link qubit that is not reset carries its last outcome on, so the parity of round 1 is the XOR of both its outcomes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import stim

ROUNDS = 2
LINKS = 2
CODES = 3
DETECTORS = LINKS * (ROUNDS + 1)
SYNDROMES = 1 << DETECTORS
LEAST_PROBABILITY = 1e-6
"""Of a mechanism that the estimate finds no trace of: absent ones have no finite weight."""


class CountsError(ValueError):
    """A file of counts that does not hold what it should."""


@dataclass(frozen=True)
class Counts:
    """Counts of one layout and one prepared state.

    Attributes:
        name: file and number of the experiment.
        table: int64 (2, 64), row = whether code qubit 0 was flipped at the end (the observable), column = syndrome:
            bit k is detector k, two for each of three layers.
    """

    name: str
    table: npt.NDArray[np.int64]

    @property
    def shots(self) -> int:
        """Number of shots."""
        return int(self.table.sum())

    def split(self, seed: int) -> tuple[Counts, Counts]:
        """Two random halves without a shot in common: the one to estimate from, the other to decode."""
        rng = np.random.default_rng(seed)
        half = rng.multivariate_hypergeometric(self.table.ravel(), self.shots // 2).reshape(self.table.shape)
        return Counts(self.name, half), Counts(self.name, self.table - half)

    def failures(self, predicted: npt.NDArray[np.generic]) -> int:
        """Shots whose observable is not the predicted one: (64,), 0 or 1 for each syndrome."""
        return int(np.where(predicted.astype(bool), self.table[0], self.table[1]).sum())


def load_counts(path: Path) -> list[Counts]:
    """All experiments of a file. Raises CountsError naming file, experiment and what is wrong."""
    try:
        experiments = json.loads(path.read_text())["experiments"]
        return [_parse(f"{path.name} #{e['index']}", e) for e in experiments]
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise CountsError(
            f"{path} is no file of repetition code counts ({error!r}); see triplane.host.replay.repetition"
        ) from error


def _parse(name: str, experiment: dict[str, Any]) -> Counts:
    links, codes = experiment["link_neighbours"], experiment["code_qubits"]
    chain = [{codes[k], codes[k + 1]} for k in range(LINKS)]
    if [set(pair) for pair in links] != chain:
        raise CountsError(f"{name}: links between {links} are no chain along the code qubits {codes}")
    if experiment["logical"] not in ("0", "1"):
        raise CountsError(f"{name}: logical state {experiment['logical']!r} is neither '0' nor '1'")
    logical = int(experiment["logical"])
    table = np.zeros((2, SYNDROMES), dtype=np.int64)
    for key, count in experiment["counts"].items():
        outcome = int(key, 16)
        if outcome >> (ROUNDS * LINKS + CODES):
            raise CountsError(f"{name}: outcome {key} has more than seven bits")
        bit = [outcome >> k & 1 for k in range(ROUNDS * LINKS + CODES)]
        syndrome = 0
        for k in range(LINKS):
            first, second = bit[k], bit[LINKS + k]
            last = bit[4 + k] ^ bit[5 + k]
            for layer, event in enumerate((first, second, last ^ first ^ second)):
                syndrome |= event << (LINKS * layer + k)
        table[bit[4] ^ logical, syndrome] += count
    return Counts(name, table)


def uniform_model(probability: float) -> stim.DetectorErrorModel:
    """The code's error model with one probability for every gate, idle, link state and readout.

    Detectors and the observable are those of `Counts`.
    """
    p = probability
    rounds = "\n".join(
        f"""
        DEPOLARIZE1({p}) 0 2 4
        CX 0 1 2 3
        DEPOLARIZE2({p}) 0 1 2 3
        CX 2 1 4 3
        DEPOLARIZE2({p}) 2 1 4 3
        X_ERROR({p}) 1 3
        M({p}) 1 3
        """
        for _ in range(ROUNDS)
    )
    # Round 1 compares its parity, the XOR of both outcomes, with that of round 0, the first: what remains is its own.
    text = f"""
        R 0 1 2 3 4
        X_ERROR({p}) 0 1 2 3 4
        {rounds}
        M({p}) 0 2 4
        DETECTOR(0, 0) rec[-7]
        DETECTOR(1, 0) rec[-6]
        DETECTOR(0, 1) rec[-5]
        DETECTOR(1, 1) rec[-4]
        DETECTOR(0, 2) rec[-3] rec[-2] rec[-7] rec[-5]
        DETECTOR(1, 2) rec[-2] rec[-1] rec[-6] rec[-4]
        OBSERVABLE_INCLUDE(0) rec[-3]
    """
    return stim.Circuit(text).detector_error_model(decompose_errors=True)


def estimate_model(counts: Counts) -> stim.DetectorErrorModel:
    """The mechanisms of `uniform_model` with the probabilities that the detection events of these counts speak for.

    Observables are not looked at. For independent mechanisms the expectation of (-1)**(parity of some detectors) is the
    product of 1 - 2p over the mechanisms that flip that parity; the logarithms of all 63 are fitted by least squares,
    weighted by their variance, with no p below 0. The pairwise method of Spitz et al., doi:10.1002/qute.201800012,
    uses the same identity for two detectors at a time.
    """
    from scipy.linalg import hadamard
    from scipy.optimize import nnls

    model = uniform_model(0.01)
    errors = [e for e in model.flattened() if e.type == "error"]
    masks = np.array([_mask(e) for e in errors])
    parity = (1 - hadamard(SYNDROMES)) // 2
    expectation = np.clip((1 - 2 * parity) @ counts.table.sum(axis=0) / counts.shots, 1 / counts.shots, 1.0)
    deviation = np.sqrt(np.maximum(1 - expectation**2, 1 / counts.shots)) / expectation
    weight = 1 / deviation[1:, None]
    fitted, _ = nnls(parity[1:, masks] * weight, -np.log(expectation[1:]) * weight[:, 0])
    probability = np.clip(-np.expm1(-fitted) / 2, LEAST_PROBABILITY, 0.5)
    estimated = stim.DetectorErrorModel()
    found = dict(zip(map(str, errors), probability, strict=True))
    for instruction in model.flattened():
        if instruction.type == "error":
            p = float(found[str(instruction)])
            estimated.append("error", p, instruction.targets_copy())
        else:
            estimated.append(instruction)
    return estimated


def _mask(error: stim.DemInstruction) -> int:
    mask = 0
    for target in error.targets_copy():
        if target.is_relative_detector_id():
            mask ^= 1 << target.val
    return mask
