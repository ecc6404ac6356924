# SPDX-License-Identifier: BSD-2-Clause
"""Filling of lookup tables: against enumeration of all errors, the transform, sampled shots and matching."""

import itertools

import numpy as np
import pytest
import stim
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import hadamard

from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.layouts import LAST, UNMATCHED
from triplane.gateware.decoder.table import TableShape, observed_detectors, table_crc
from triplane.host.replay.references import decode_with_pymatching
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.models.decoder.lut import fill_table, joint_distribution, mechanisms

DETECTORS, OBSERVABLES = 4, 2


@st.composite
def models(draw) -> stim.DetectorErrorModel:
    """Up to seven mechanisms on four detectors and two observables, some decomposed, some hyperedges."""
    lines = [f"detector D{DETECTORS - 1}", f"logical_observable L{OBSERVABLES - 1}"]
    names = [f"D{k}" for k in range(DETECTORS)] + [f"L{k}" for k in range(OBSERVABLES)]
    targets = st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True)
    for _ in range(draw(st.integers(0, 7))):
        parts = draw(st.lists(targets, min_size=1, max_size=2))
        p = draw(st.sampled_from([0.0, 1e-9, 0.01, 0.2, 0.5]))
        lines.append(f"error({p}) " + " ^ ".join(map(" ".join, parts)))
    return stim.DetectorErrorModel("\n".join(lines))


def enumerated(dem: stim.DetectorErrorModel) -> np.ndarray:
    """The joint distribution by going through all subsets of the errors."""
    errors = []
    for error in dem.flattened():
        if error.type == "error":
            mask = 0
            for target in error.targets_copy():
                if not target.is_separator():
                    mask ^= 1 << target.val + (0 if target.is_relative_detector_id() else DETECTORS)
            errors.append((mask, error.args_copy()[0]))
    joint = np.zeros(1 << DETECTORS + OBSERVABLES)
    for happened in itertools.product([False, True], repeat=len(errors)):
        outcome, probability = 0, 1.0
        for (mask, p), yes in zip(errors, happened, strict=True):
            outcome ^= mask if yes else 0
            probability *= p if yes else 1 - p
        joint[outcome] += probability
    return joint.reshape(1 << OBSERVABLES, 1 << DETECTORS)


@settings(deadline=None)
@given(models())
def test_joint_distribution_is_the_enumerated_one(dem):
    np.testing.assert_allclose(joint_distribution(dem), enumerated(dem), rtol=1e-12)


@settings(deadline=None)
@given(models(), st.permutations(range(DETECTORS)), st.integers(1, DETECTORS))
def test_left_out_detectors_are_marginalised(dem, order, kept):
    chosen = order[:kept]
    expected = np.zeros((1 << OBSERVABLES, 1 << kept))
    joint = enumerated(dem)
    for syndrome in range(1 << DETECTORS):
        seen = sum((syndrome >> d & 1) << k for k, d in enumerate(chosen))
        expected[:, seen] += joint[:, syndrome]
    np.testing.assert_allclose(joint_distribution(dem, chosen), expected, rtol=1e-12)


@settings(deadline=None)
@given(models())
def test_entries_are_the_most_likely_observables(dem):
    table = fill_table(dem, TableShape(tuple(range(DETECTORS)), OBSERVABLES))
    joint = enumerated(dem)
    chosen = joint[table.observables, np.arange(1 << DETECTORS)]
    np.testing.assert_allclose(chosen, joint.max(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(table.confidence == 0, joint.max(axis=0) == 0)
    assert table.failure_rate == pytest.approx(1 - chosen.sum(), abs=1e-12)


def test_rare_syndromes_keep_their_precision():
    """The transform agrees where float64 lets it; the convolution is right below that too."""
    lines = [f"error(1e-4) D{k}" for k in range(7)] + ["error(2e-4) D7 L0"]
    dem = stim.DetectorErrorModel("\n".join(lines))
    joint = joint_distribution(dem).ravel()
    logarithm = np.zeros(len(joint))
    for mask, p in mechanisms(dem, range(8)).items():
        logarithm[0] += np.log1p(-2 * p) / 2
        logarithm[mask] -= np.log1p(-2 * p) / 2
    transform = hadamard(len(joint))
    by_transform = transform @ np.exp(transform @ logarithm) / len(joint)
    np.testing.assert_allclose(joint, by_transform, atol=1e-15)
    assert joint[0b01111111] == pytest.approx(1e-4**7 * (1 - 2e-4), rel=1e-12, abs=0)


def test_confidence_is_a_quantised_log_likelihood_ratio():
    dem = stim.DetectorErrorModel(
        "error(0.01) D0 L0\nerror(0.3) D0\nerror(0.1) D1\nerror(0.1) D1 L0\ndetector D2"
    )
    table = fill_table(dem, TableShape((0, 1, 2), 1, 2), nats_per_unit=1.5)
    # D0 alone: 0.3 against 0.01, 3.7 nats; D1 alone: even; D2 never.
    assert table.confidence[0b001] == 3
    assert table.confidence[0b010] == 1
    assert table.confidence[0b100] == 0
    events = np.array([[1, 0, 0], [0, 0, 1]], dtype=bool)
    observables, flags = table.decode(events)
    assert observables.tolist() == [0, 0]
    assert flags.tolist() == [3 << 8 | LAST, UNMATCHED | LAST]


def test_surface_code_against_matching():
    """The same shots, 200,000 at p=0.5 %: fewer failures than matching, and as many as computed."""
    circuit = memory_circuit(distance=3, rounds=3, probability=0.005)
    dem = circuit.detector_error_model(decompose_errors=True)
    shape = TableShape(observed_detectors(compile_graph(dem)), 1)
    assert (len(shape.detectors), shape.block_rams) == (16, 8)
    table = fill_table(dem, shape)
    shots = 200_000
    events, observables = circuit.compile_detector_sampler(seed=5).sample(shots, separate_observables=True)
    failures = int((table.decode(events)[0] != observables[:, 0]).sum())
    matching = int((decode_with_pymatching(dem, events, correlated=False) != observables).sum())
    assert failures <= matching
    assert abs(failures - shots * table.failure_rate) < 5 * np.sqrt(shots * table.failure_rate)


def test_words_hold_entries_from_the_least_significant_bit():
    shape = TableShape((3, 1, 0, 2), 2, 3)
    assert (shape.entry_bits, shape.entries_per_word, shape.words) == (8, 4, 4)
    observables, confidence = np.arange(16, dtype=np.uint32) % 4, np.arange(16, dtype=np.uint8) % 8
    words = shape.pack(observables, confidence)
    for entry in range(16):
        field = int(words[entry // 4]) >> 8 * (entry % 4) & 0xFF
        assert field == entry % 4 | entry % 8 << 2
    assert table_crc(np.frombuffer(b"12345678", dtype="<u4")) == 0x9AE0DAAF
    events = np.array([[0, 0, 0, 1], [1, 0, 1, 0]], dtype=bool)
    assert shape.addresses(events).tolist() == [0b0001, 0b1100]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((tuple(range(25)), 1), "1 to 24 detectors in its address, not 25"),
        (((), 1), "needs detectors in its address"),
        (((0, 0), 1), "names a detector twice"),
        (((0,), 33), "1 to 32 observables, not 33"),
        (((0,), 1, 9), "confidence_bits must be 0 to 8, not 9"),
        (((0,), 31, 3), "31 observables and 3 bits of confidence do not fit"),
    ],
)
def test_shapes_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TableShape(*arguments)


def test_fields_that_do_not_fit_are_refused():
    shape = TableShape((0,), 1, 1)
    two, zero = np.array([0, 2]), np.zeros(2, dtype=np.uint8)
    with pytest.raises(ValueError, match="observables of 2 do not fit 1 bits"):
        shape.pack(two.astype(np.uint32), zero)
    with pytest.raises(ValueError, match="confidence have shape"):
        shape.pack(zero.astype(np.uint32), np.zeros(4, dtype=np.uint8))


def test_limits_name_the_number_and_the_remedy():
    dem = stim.DetectorErrorModel("error(0.1) D25 L0")
    with pytest.raises(ValueError, match=r"26 detectors and 1 observables need 2\*\*27.*name fewer"):
        joint_distribution(dem)
    with pytest.raises(ValueError, match="detector 26 is not in the model"):
        joint_distribution(dem, [26])
    with pytest.raises(ValueError, match="predicts 2 observables, the model has 1"):
        fill_table(dem, TableShape((0,), 2))
    with pytest.raises(ValueError, match="nats_per_unit must be above 0, not 0"):
        fill_table(dem, TableShape((0,), 1), nats_per_unit=0)
