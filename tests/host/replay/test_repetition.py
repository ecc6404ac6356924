# SPDX-License-Identifier: BSD-2-Clause
"""Counts of IBM's repetition code: what the bits mean, the estimate, and the table against matching."""

import json
from pathlib import Path

import numpy as np
import pytest

from triplane.gateware.decoder.table import TableShape
from triplane.host.replay.references import decode_with_pymatching
from triplane.host.replay.repetition import (
    DETECTORS,
    SYNDROMES,
    Counts,
    CountsError,
    estimate_model,
    load_counts,
    uniform_model,
)
from triplane.sim.models.decoder.lut import fill_table, joint_distribution

SHAPE = TableShape(tuple(range(DETECTORS)), 1)
EXPERIMENT = {
    "index": 0,
    "logical": "1",
    "link_neighbours": [[3, 1], [1, 7]],
    "code_qubits": [3, 1, 7],
    # Undisturbed; link 0 flipped before round 0; its first readout wrong; code qubit 0 flipped at the end
    "counts": {"0x70": 5, "0x75": 3, "0x71": 2, "0x60": 1},
}


def write(folder: Path, **changes: object) -> Path:
    path = folder / "counts.json"
    path.write_text(json.dumps({"experiments": [EXPERIMENT | changes]}))
    return path


def test_outcomes_become_syndromes(tmp_path):
    (counts,) = load_counts(write(tmp_path))
    assert counts.shots == 11
    assert counts.table[0, 0b000000] == 5
    assert counts.table[0, 0b000101] == 3
    assert counts.table[0, 0b010001] == 2
    assert counts.table[1, 0b010000] == 1
    seen, decoded = counts.split(seed=1)
    np.testing.assert_array_equal(seen.table + decoded.table, counts.table)
    assert seen.shots == 5
    assert counts.failures(np.zeros(SYNDROMES, dtype=np.uint32)) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"link_neighbours": [[3, 7], [1, 7]]}, "counts.json #0: links between .* are no chain"),
        ({"logical": "+"}, "logical state '\\+' is neither"),
        ({"counts": {"0x80": 1}}, "outcome 0x80 has more than seven bits"),
        ({"counts": None}, "is no file of repetition code counts"),
    ],
)
def test_malformed_files_are_refused(tmp_path, changes, message):
    with pytest.raises(CountsError, match=message):
        load_counts(write(tmp_path, **changes))


def test_estimate_finds_the_probabilities_that_made_the_counts():
    truth = joint_distribution(uniform_model(0.004))
    counts = Counts("exact", np.rint(truth * 1e12).astype(np.int64))
    np.testing.assert_allclose(joint_distribution(estimate_model(counts)), truth, atol=1e-5)


def test_recorded_counts_are_decoded_no_worse_than_by_matching(published_data):
    files = sorted(published_data("ibm_repetition_d3").glob("*.json"))
    assert files
    syndromes = (np.arange(SYNDROMES)[:, None] >> np.arange(DETECTORS)) & 1 == 1
    for file in files:
        failures = matching = 0
        for number, counts in enumerate(load_counts(file)[:12]):
            seen, decoded = counts.split(number)
            model = estimate_model(seen)
            failures += decoded.failures(fill_table(model, SHAPE).observables)
            matching += decoded.failures(decode_with_pymatching(model, syndromes, correlated=False)[:, 0])
        assert failures <= matching, file.name
