# SPDX-License-Identifier: BSD-2-Clause
"""Sampled shots: refused where they cannot be, before the sampler is asked."""

import pytest

from triplane.host.replay.sampling import memory_circuit, sample_dataset
from triplane.host.replay.shotfiles import DatasetError


@pytest.mark.parametrize(
    ("shots", "message"),
    [(0, "must be at least 1"), (10**14, "24 detectors are too many at once; take at most 85")],
)
def test_a_number_of_shots_that_cannot_be_sampled(shots, message):
    circuit = memory_circuit(distance=3, rounds=3, probability=0.001)
    with pytest.raises(DatasetError, match=message):
        sample_dataset(circuit, name="sampled", shots=shots, seed=1, properties={})
