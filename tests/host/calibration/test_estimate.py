# SPDX-License-Identifier: BSD-2-Clause
"""Estimated probabilities against those that Stim sampled with, and against the closed formula for pairs."""

import numpy as np
import pytest
import stim

from triplane.host.calibration.estimate import FLOOR, CalibrationError, estimate
from triplane.host.calibration.pairs import correlate
from triplane.host.calibration.structure import Structure, probability, strength
from triplane.host.replay.sampling import memory_circuit

HYPER = stim.DetectorErrorModel("""
    error(0.03) D0
    error(0.02) D3 L0
    error(0.05) D0 D1
    error(0.04) D1 D2
    error(0.03) D2 D3
    error(0.02) D0 D1 ^ D2 D3
    error(0.01) D0 D1 ^ D2
    error(0.015) D1 ^ D2 D3 L0
    error(0.02) D4
    error(0.02) D4 D0
""")


def sampled(dem, shots, seed):
    events, observables, _ = dem.compile_sampler(seed=seed).sample(shots)
    return events, observables


def altered(dem, factor):
    """The same mechanisms with all probabilities multiplied: a reference that is wrong about every one of them."""
    found = stim.DetectorErrorModel()
    for instruction in dem.flattened():
        if instruction.type == "error":
            found.append("error", instruction.args_copy()[0] * factor, instruction.targets_copy())
        else:
            found.append(instruction)
    return found


def test_strengths_and_probabilities_are_inverse():
    p = np.array([0, 1e-9, 0.1, 0.49])
    np.testing.assert_allclose(probability(strength(p)), p, rtol=1e-12)
    assert np.isfinite(strength(0.5))


def test_known_hyperedges_are_recovered():
    events, _ = sampled(HYPER, 400_000, 1)
    found = estimate(Structure.of(altered(HYPER, 0.3)), events)
    truth = Structure.of(HYPER)
    assert truth.groups == found.structure.groups
    np.testing.assert_array_less(np.abs(found.raw - truth.reference), 4.5 * found.error)
    # So many shots tell every one of them to better than a fifth.
    np.testing.assert_array_less(found.error, 0.2 * truth.reference)


def test_errors_are_those_that_repetition_shows():
    structure = Structure.of(HYPER)
    runs = [estimate(structure, sampled(HYPER, 20_000, seed)[0]) for seed in range(60)]
    spread = np.std([run.raw for run in runs], axis=0, ddof=1)
    stated = np.mean([run.error for run in runs], axis=0)
    np.testing.assert_allclose(spread, stated, rtol=0.35)  # the spread of 60 is known to 9 %


def test_circuit_noise_is_recovered():
    dem = memory_circuit(distance=3, rounds=3, probability=0.005).detector_error_model(decompose_errors=True)
    events, _ = sampled(dem, 400_000, 2)
    found = estimate(Structure.of(altered(dem, 2.0)), events)
    truth = Structure.of(dem).reference
    pulls = (found.raw - truth) / found.error
    assert len(pulls) > 100
    assert abs(pulls.mean()) < 0.5
    assert 0.8 < pulls.std() < 1.2
    assert np.abs(pulls).max() < 5


def test_two_detectors_are_the_published_formula():
    dem = stim.DetectorErrorModel("error(0.1) D0\nerror(0.07) D0 D1\nerror(0.05) D1")
    events, _ = sampled(dem, 50_000, 3)
    found = estimate(Structure.of(dem), events)
    xi, xj = events.mean(axis=0)
    xij = (events[:, 0] & events[:, 1]).mean()
    # Google Quantum AI, doi:10.1038/s41586-021-03588-y, supplement: p_ij in closed form
    pij = 0.5 - np.sqrt(0.25 - (xij - xi * xj) / (1 - 2 * xi - 2 * xj + 4 * xij))
    boundary = [(x - pij) / (1 - 2 * pij) for x in (xi, xj)]
    by_group = dict(zip(found.structure.groups, probability(found.strengths), strict=True))
    assert by_group[0, 1] == pytest.approx(pij, rel=1e-9)
    assert [by_group[(0,)], by_group[(1,)]] == pytest.approx(boundary, rel=1e-9)
    pairs = correlate(found.structure, found.strengths, events)
    assert pairs.measured[0, 1] == pytest.approx(pij, rel=1e-9)
    assert pairs.modelled[0, 1] == pytest.approx(pij, rel=1e-9)
    at = found.structure.groups.index((0, 1))
    assert pairs.error[0, 1] == pytest.approx(found.error[at] * (0.5 - pij), rel=1e-3)


def test_detection_rates_of_the_model_are_those_of_the_shots():
    dem = memory_circuit(distance=3, rounds=2, probability=0.01).detector_error_model(decompose_errors=True)
    events, _ = sampled(dem, 20_000, 4)
    structure = Structure.of(dem)
    found = estimate(structure, events, floor=1e-9)
    for detector in range(structure.num_detectors):
        index = {group: k for k, group in enumerate(structure.groups)}
        if (detector,) not in index or found.clipped[index[(detector,)]]:
            continue  # nothing is left to take up the difference
        total = sum(s for g, s in zip(structure.groups, found.strengths, strict=True) if detector in g)
        assert float(probability(total)) == pytest.approx(events[:, detector].mean(), rel=1e-9)


def test_members_of_a_group_keep_their_proportion():
    dem = stim.DetectorErrorModel(
        "error(0.02) D0 D1\nerror(0.01) D0 D1 L0\nerror(0.05) D0\nerror(0.05) D1\nerror(0.1) L0"
    )
    structure = Structure.of(dem)
    assert structure.groups == ((0, 1), (0,), (1,))
    assert structure.group_of.tolist() == [0, 0, 1, 2, -1]
    theta = 2 * structure.reference
    fitted = [e.args_copy()[0] for e in structure.model(dem, theta)]
    first, second = strength(fitted[:2])
    assert first / second == pytest.approx(strength(0.02) / strength(0.01))
    assert first + second == pytest.approx(theta[0])
    assert fitted[4] == 0.1  # no detector sees it


def test_structure_stays():
    dem = memory_circuit(distance=3, rounds=3, probability=0.01).detector_error_model(decompose_errors=True)
    structure = Structure.of(dem)
    same = structure.model(dem, structure.reference)
    assert same.approx_equals(dem.flattened(), atol=1e-12)
    other = structure.model(dem, 2 * structure.reference)
    assert [str(i.targets_copy()) for i in other] == [str(i.targets_copy()) for i in dem.flattened()]


def test_negative_estimates_are_clipped_and_said():
    truth = stim.DetectorErrorModel("error(0.1) D0\nerror(0.1) D1\ndetector D2")
    reference = stim.DetectorErrorModel("error(0.1) D0\nerror(0.1) D1\nerror(0.1) D0 D1\nerror(0.1) D2")
    for seed in range(20):
        events, _ = sampled(truth, 5_000, seed)
        found = estimate(Structure.of(reference), events, floor=1e-4)
        pair = found.structure.groups.index((0, 1))
        if found.raw[pair] < 0:
            break
    else:
        pytest.fail("no seed gave a negative estimate")
    assert found.clipped[pair]
    assert probability(found.strengths[pair]) == pytest.approx(1e-4)
    silent = found.structure.groups.index((2,))
    assert found.clipped[silent]
    assert found.raw[silent] == 0
    assert probability(estimate(Structure.of(reference), events).strengths[silent]) == pytest.approx(FLOOR)


def test_too_few_shots():
    dem = memory_circuit(distance=3, rounds=3, probability=0.001).detector_error_model(decompose_errors=True)
    events, _ = sampled(dem, 2_000, 5)
    with pytest.raises(CalibrationError, match="99 shots are too few to estimate a model from"):
        estimate(Structure.of(dem), events[:99])
    (warning,) = estimate(Structure.of(dem), events[:500]).warnings()
    assert "500 shots are too few" in warning
    assert "about 2000 shots" in warning


def test_random_detectors():
    dem = stim.DetectorErrorModel("error(0.5) D0\nerror(0.1) D1")
    events, _ = sampled(dem, 2_000, 6)
    with pytest.raises(CalibrationError, match=r"detector 0 fires in \d\d\.\d% of 2000 shots"):
        estimate(Structure.of(dem), events)


def test_a_parity_that_says_nothing_keeps_the_reference():
    dem = stim.DetectorErrorModel("error(0.35) D0\nerror(0.35) D1\nerror(0.01) D0 D1\nerror(0.1) D2")
    events, _ = sampled(dem, 400, 7)
    found = estimate(Structure.of(dem), events)
    pair = found.structure.groups.index((0, 1))
    assert found.kept.tolist() == [g == (0, 1) for g in found.structure.groups]
    assert found.strengths[pair] == pytest.approx(strength(0.01))
    assert "1 probabilities stay as the reference has them" in found.warnings()[-1]


@pytest.mark.parametrize("floor", [0.0, 0.5, -1.0])
def test_floor_out_of_range(floor):
    dem = stim.DetectorErrorModel("error(0.1) D0")
    with pytest.raises(CalibrationError, match="floor must be above 0 and below 0.5"):
        estimate(Structure.of(dem), np.zeros((200, 1), dtype=bool), floor=floor)


def test_events_of_another_model():
    with pytest.raises(CalibrationError, match=r"shape \(200, 2\), the model needs \(shots, 1\)"):
        estimate(Structure.of(stim.DetectorErrorModel("error(0.1) D0")), np.zeros((200, 2), dtype=bool))


def test_strangers_are_named():
    truth = stim.DetectorErrorModel(
        "error(0.05) D0\nerror(0.05) D1\nerror(0.05) D2\nerror(0.03) D0 D1\nerror(0.02) D1 D2"
    )
    reference = stim.DetectorErrorModel("error(0.05) D0\nerror(0.05) D1\nerror(0.05) D2\nerror(0.03) D0 D1")
    events, _ = sampled(truth, 50_000, 8)
    structure = Structure.of(reference)
    pairs = correlate(structure, estimate(structure, events).strengths, events)
    ((first, second, p, error),) = pairs.strangers()
    assert (first, second) == (1, 2)
    assert abs(p - 0.02) < 4.5 * error
    everything = Structure.of(truth)
    assert correlate(everything, everything.reference, events).strangers() == []
