# SPDX-License-Identifier: BSD-2-Clause
"""The outer decoder: what PyMatching says of escalated shots, and nothing else is touched."""

import doctest

import numpy as np
import pymatching
import pytest
import stim

from triplane.host.replay.sampling import memory_circuit
from triplane.host.runtime import outer as module
from triplane.host.runtime.outer import OuterDecoder, OuterDecoderError

CIRCUIT = memory_circuit(distance=3, rounds=3, probability=0.02)
DEM = CIRCUIT.detector_error_model(decompose_errors=True)


@pytest.fixture(scope="module")
def shots():
    events, flips = CIRCUIT.compile_detector_sampler(seed=5).sample(3_000, separate_observables=True)
    rng = np.random.default_rng(6)
    return events, flips, rng.integers(0, 2, 3_000, dtype=np.uint32), rng.random(3_000) < 0.3


def test_escalated_shots_get_what_correlated_matching_says(shots):
    events, _, fabric, escalated = shots
    matching = pymatching.Matching.from_detector_error_model(DEM, enable_correlations=True)
    expected = matching.decode_batch(events, enable_correlations=True)[:, 0]
    plain = matching.decode_batch(events)[:, 0]
    assert (expected != plain).any()
    found = OuterDecoder(DEM).amend(events, fabric, escalated)
    np.testing.assert_array_equal(found.observables[escalated], expected[escalated])
    np.testing.assert_array_equal(found.observables[~escalated], fabric[~escalated])
    np.testing.assert_array_equal(found.amended, escalated & (fabric != expected))
    assert found.num_escalated == escalated.sum()
    assert found.num_amended == (escalated & (fabric != expected)).sum() > 0


def test_batches_do_not_matter(shots):
    events, _, fabric, escalated = shots
    whole = OuterDecoder(DEM).amend(events, fabric, escalated)
    pieces = OuterDecoder(DEM, batch_shots=7).amend(events, fabric, escalated)
    np.testing.assert_array_equal(pieces.observables, whole.observables)


@pytest.mark.parametrize("count", [0, 10])
def test_nothing_escalated(shots, count):
    events, _, fabric, _ = shots
    given = fabric[:count].copy()
    found = OuterDecoder(DEM).amend(events[:count], given, np.zeros(count, dtype=bool))
    np.testing.assert_array_equal(found.observables, fabric[:count])
    assert found.observables is not given
    assert found.num_escalated == found.num_amended == 0


def test_several_observables():
    dem = stim.DetectorErrorModel("error(0.1) D0 L0\nerror(0.1) D1 L2\nlogical_observable L3")
    events = np.array([[1, 0], [0, 1], [1, 1], [1, 1]], dtype=bool)
    found = OuterDecoder(dem).amend(events, np.array([8, 0, 0, 9]), np.array([True, True, True, False]))
    assert found.observables.tolist() == [1, 4, 5, 9]
    assert found.observables.dtype == np.uint32


def test_the_example_runs():
    assert doctest.testmod(module) == doctest.TestResults(failed=0, attempted=4)


def test_shapes_are_checked(shots):
    events, _, fabric, escalated = shots
    outer = OuterDecoder(DEM)
    with pytest.raises(
        OuterDecoderError, match=r"events have shape \(3000, 3\), the model needs \(shots, 24\)"
    ):
        outer.amend(events[:, :3], fabric, escalated)
    with pytest.raises(
        OuterDecoderError, match=r"observables have shape \(9,\), the events are of 3000 shots"
    ):
        outer.amend(events, fabric[:9], escalated)
    with pytest.raises(OuterDecoderError, match=r"escalated have shape \(3000, 1\)"):
        outer.amend(events, fabric, escalated[:, None])
    with pytest.raises(OuterDecoderError, match="escalated must be bool, one for each shot, not int64"):
        outer.amend(events, fabric, np.arange(3000))
    with pytest.raises(
        OuterDecoderError, match="observables must be words of 32 bits without sign, not float64"
    ):
        outer.amend(events, fabric.astype(float), escalated)
    with pytest.raises(OuterDecoderError, match="observables must be words of 32 bits"):
        outer.amend(events, fabric.astype(np.int64) - 1, escalated)


def test_models_are_checked():
    with pytest.raises(OuterDecoderError, match="PyMatching cannot decode with this model"):
        OuterDecoder(stim.DetectorErrorModel("error(0.1) D0 D1 D2"))
    with pytest.raises(OuterDecoderError, match="33 observables; a result record holds 32"):
        OuterDecoder(stim.DetectorErrorModel("error(0.1) D0 L32"))
    with pytest.raises(OuterDecoderError, match="batch_shots must be at least 1, not 0"):
        OuterDecoder(DEM, batch_shots=0)
