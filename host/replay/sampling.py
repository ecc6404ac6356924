# SPDX-License-Identifier: BSD-2-Clause
"""A data set without files: shots sampled from a rotated surface-code memory experiment by Stim."""

from __future__ import annotations

import numpy as np
import stim

from triplane.host.replay.datasets import Dataset
from triplane.host.replay.shotfiles import DatasetError

MAX_BITS = 1 << 31
"""Bits that are sampled at once; each takes a byte."""


def memory_circuit(*, distance: int, rounds: int, probability: float) -> stim.Circuit:
    """Stim's rotated surface code, Z memory, with the same probability for all four of its noise parameters.

    Raises ValueError naming the parameter that is out of range.
    """
    if distance < 3 or distance % 2 == 0:
        raise ValueError(f"distance must be odd and at least 3, not {distance}")
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, not {rounds}")
    if not 0 < probability <= 0.5:
        raise ValueError(f"probability must be above 0 and at most 0.5, not {probability}")
    return stim.Circuit.generated(
        "surface_code:rotated_memory_z",
        distance=distance,
        rounds=rounds,
        after_clifford_depolarization=probability,
        before_round_data_depolarization=probability,
        before_measure_flip_probability=probability,
        after_reset_flip_probability=probability,
    )


def without_resets(circuit: stim.Circuit) -> stim.Circuit:
    """The same memory experiment with ancillas that are measured and not reset.

    A bit of an ancilla is then the parity of all its stabilizers so far, so each stabilizer is the XOR of two
    consecutive bits, and a bit that is read wrongly makes events two rounds apart.

    A flip of all ancillas just before their measurement is taken for a bit that is read wrongly.

    Args:
        circuit: ancillas are measured by MR, all at once, and data by M, as in Stim's generated memories.
    """
    kept = stim.Circuit()
    before: dict[int, int] = {}  # measurement -> the one before it of the same ancilla
    latest: dict[int, int] = {}  # ancilla -> its last measurement
    count = 0
    fresh: set[int] = set()  # ancillas that were measured, and nothing has happened to them since
    for instruction in circuit.flattened():
        name, targets, arguments = instruction.name, instruction.targets_copy(), instruction.gate_args_copy()
        qubits = [target.value for target in targets]
        if name == "MR":
            for qubit in qubits:
                if qubit in latest:
                    before[count] = latest[qubit]
                latest[qubit] = count
                count += 1
            if len(kept) and kept[-1].name == "X_ERROR" and kept[-1].targets_copy() == targets:
                arguments = kept.pop().gate_args_copy()
            kept.append("M", qubits, arguments)
            fresh = set(qubits)
        elif name in ("DETECTOR", "OBSERVABLE_INCLUDE"):
            bits: set[int] = set()
            for target in targets:
                measured = count + target.value
                bits ^= {measured} ^ ({before[measured]} if measured in before else set())
            kept.append(name, [stim.target_rec(bit - count) for bit in sorted(bits)], arguments)
        elif name == "X_ERROR" and set(qubits) <= fresh:
            continue  # of the reset
        else:
            if name == "M":
                count += len(qubits)
            if name not in ("TICK", "SHIFT_COORDS", "QUBIT_COORDS"):
                fresh -= set(qubits)
            kept.append(instruction)
    return kept


def sample_dataset(
    circuit: stim.Circuit, *, name: str, shots: int, seed: int, properties: dict[str, object]
) -> Dataset:
    """Sample a circuit. The same seed, circuit and version of Stim on the same kind of machine give the same
    shots.

    Raises:
        DatasetError: no shots, or more than `MAX_BITS` has room for: out of memory, the sampler ends the process.
    """
    if shots < 1:
        raise DatasetError(f"shots must be at least 1, not {shots}")
    most = MAX_BITS // max(circuit.num_detectors + circuit.num_observables, 1)
    if shots > most:
        raise DatasetError(
            f"{shots:,} shots of {circuit.num_detectors} detectors are too many at once; take at most {most:,}"
        )
    events, observables = circuit.compile_detector_sampler(seed=seed).sample(shots, separate_observables=True)
    return Dataset(
        name=name,
        model=circuit.detector_error_model(decompose_errors=True),
        events=events.astype(np.bool_, copy=False),
        observables=observables.astype(np.bool_, copy=False),
        predictions={},
        indices=np.arange(shots, dtype=np.int64),
        shots_in_files=shots,
        files=None,
        properties=properties,
    )
