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
