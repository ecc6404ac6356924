# SPDX-License-Identifier: BSD-2-Clause
"""References and their intervals, against independent computations and published figures."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pymatching
import pytest
import stim

from triplane.host.replay.datasets import load_dataset
from triplane.host.replay.references import Rate, compare, logical_error_rate


def wilson(failures: int, shots: int) -> tuple[float, float]:
    """The score interval by its formula (E. B. Wilson, J. Am. Stat. Assoc. 22, 209, 1927)."""
    z, p = 1.959963984540054, failures / shots
    centre = (p + z * z / (2 * shots)) / (1 + z * z / shots)
    half = z / (1 + z * z / shots) * math.sqrt(p * (1 - p) / shots + z * z / (4 * shots * shots))
    return centre - half, centre + half


@pytest.mark.parametrize(("failures", "shots"), [(0, 10), (1, 10_000), (7413, 50_000), (10, 10)])
def test_interval(failures: int, shots: int) -> None:
    assert Rate(failures, shots).interval == pytest.approx(wilson(failures, shots), abs=1e-9)


def test_any_observable_fails_a_shot() -> None:
    actual = np.array([[0, 0], [0, 1], [1, 1]], dtype=bool)
    predicted = np.array([[0, 0], [1, 0], [1, 0]], dtype=bool)
    assert logical_error_rate(predicted, actual) == Rate(2, 3)
    with pytest.raises(ValueError, match=r"shape \(3, 1\), observables \(3, 2\)"):
        logical_error_rate(predicted[:, :1], actual)


def test_same_as_pymatching_itself(sampled: Any) -> None:
    found = {reference.name: reference for reference in compare(sampled)}
    for name, correlated in (("pymatching", False), ("correlated_pymatching", True)):
        matching = pymatching.Matching(sampled.model, enable_correlations=correlated)
        wrong = [
            (matching.decode(shot, enable_correlations=correlated) != flips).any()
            for shot, flips in zip(sampled.events, sampled.observables, strict=True)
        ]
        assert found[name].rate == Rate(sum(wrong), 500)
    assert 0 < found["pymatching"].rate.failures < 100


def test_batches_report_progress(sampled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triplane.host.replay.references.BATCH_SHOTS", 200)
    seen: list[tuple[int, int]] = []
    compare(sampled, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(200, 500), (400, 500), (500, 500)] * 2


def test_a_reference_that_cannot_decode_is_listed(sampled: Any) -> None:
    model = stim.DetectorErrorModel("error(0.1) D0 D1 L0")
    odd = dataclasses.replace(
        sampled, model=model, events=np.array([[1, 0]], dtype=bool), observables=np.array([[0]], dtype=bool)
    )
    first = compare(odd)[0]
    assert first.rate is None
    assert "perfect matching" in (first.error or "")
    assert first.as_json()["logical_error_rate"] is None


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("surface_code_bX_d3_r05_center_3_5", {"pymatching": 0.1565, "correlated_pymatching": 0.1453}),
        ("surface_code_bX_d5_r01_center_5_5", {"published_tensor_network_contraction": 0.00852}),
    ],
)
def test_published_figures(sycamore: Path, name: str, rates: dict[str, float]) -> None:
    found = {reference.name: reference for reference in compare(load_dataset([sycamore / name]))}
    assert found["published_pymatching"].rate == found["pymatching"].rate
    for key, rate in rates.items():
        assert found[key].rate.rate == pytest.approx(rate, abs=5e-5)
