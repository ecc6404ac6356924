# SPDX-License-Identifier: BSD-2-Clause
"""Reading data sets: the published layout, single files, and which half a fitted model may decode."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pymatching
import pytest
import stim

from triplane.host.replay.datasets import DatasetError, load_dataset


def write_appended(path: Path, sampled: Any) -> None:
    bits = np.concatenate([sampled.events, sampled.observables], axis=1)
    stim.write_shot_data_file(
        data=bits,
        path=str(path),
        format=path.suffix[1:],
        num_detectors=sampled.events.shape[1],
        num_observables=sampled.observables.shape[1],
    )


def assert_same(found: Any, sampled: Any) -> None:
    assert (found.events == sampled.events).all()
    assert (found.observables == sampled.observables).all()
    assert found.model == sampled.model


def test_published_layout(written: Path, sampled: Any) -> None:
    found = load_dataset([written])
    assert_same(found, sampled)
    assert list(found.predictions) == ["zeros"]
    assert found.name == "experiment"
    assert set(found.files.all()) == {"model", "events", "observables", "properties", "published_zeros"}


@pytest.mark.parametrize("suffix", [".b8", ".01", ".dets"])
def test_files_with_appended_observables(tmp_path: Path, sampled: Any, suffix: str) -> None:
    sampled.model.to_file(tmp_path / "m.dem")
    write_appended(tmp_path / f"shots{suffix}", sampled)
    assert_same(load_dataset([tmp_path / "m.dem", tmp_path / f"shots{suffix}"]), sampled)
    assert_same(load_dataset([tmp_path]), sampled)


def test_files_in_any_order(written: Path, sampled: Any) -> None:
    names = ["obs_flips_actual.01", "circuit_detector_error_model.dem", "detection_events.b8"]
    assert_same(load_dataset([written / name for name in names]), sampled)


def test_circuit_gives_the_model(written: Path, sampled: Any) -> None:
    (written / "circuit_detector_error_model.dem").unlink()
    circuit = stim.Circuit.generated(
        "surface_code:rotated_memory_z",
        distance=3,
        rounds=3,
        after_clifford_depolarization=0.01,
        before_round_data_depolarization=0.01,
        before_measure_flip_probability=0.01,
        after_reset_flip_probability=0.01,
    )
    circuit.to_file(written / "circuit.stim")
    assert_same(load_dataset([written]), sampled)


@pytest.mark.parametrize(("stem", "parity"), [("pij_from_even_for_odd", 1), ("pij_from_odd_for_even", 0)])
def test_fitted_model_decodes_the_other_half(written: Path, sampled: Any, stem: str, parity: int) -> None:
    sampled.model.to_file(written / f"{stem}.dem")
    found = load_dataset([written], model=f"{stem}.dem")
    assert (found.indices % 2 == parity).all()
    assert found.shots == 250
    assert (found.events == sampled.events[parity::2]).all()
    assert (found.observables == sampled.observables[parity::2]).all()
    assert len(found.predictions["zeros"]) == 250
    with pytest.raises(DatasetError, match=r"holds 250 shots that .* fewer than the 251"):
        load_dataset([written], model=f"{stem}.dem", shots=251)


def test_model_by_path(written: Path, sampled: Any, tmp_path: Path) -> None:
    sampled.model.to_file(tmp_path / "elsewhere.dem")
    assert load_dataset([written], model=tmp_path / "elsewhere.dem").files.model == tmp_path / "elsewhere.dem"


def test_first_shots(written: Path, sampled: Any) -> None:
    found = load_dataset([written], shots=3)
    assert (found.events == sampled.events[:3]).all()
    assert found.shots_in_files == 500
    with pytest.raises(DatasetError, match="holds 500 shots, fewer than the 501 asked for"):
        load_dataset([written], shots=501)


def detection_fractions(model: stim.DetectorErrorModel) -> Any:
    """Expected fraction of each detector, from independent errors."""
    agreement = np.ones(model.num_detectors)
    for instruction in model.flattened():
        if instruction.type == "error":
            hit = np.zeros(model.num_detectors, dtype=int)
            for target in instruction.targets_copy():
                if target.is_relative_detector_id():
                    hit[target.val] ^= 1
            agreement[hit == 1] *= 1 - 2 * instruction.args_copy()[0]
    return (1 - agreement) / 2


def test_even_means_index_from_zero(sycamore: Path) -> None:
    folder = sycamore / "surface_code_bX_d3_r01_center_3_5"
    events = load_dataset([folder]).events
    fitted_on_even = detection_fractions(
        stim.DetectorErrorModel.from_file(folder / "pij_from_even_for_odd.dem")
    )
    assert np.abs(fitted_on_even - events[0::2].mean(axis=0)).max() < 5e-6
    assert np.abs(fitted_on_even - events[1::2].mean(axis=0)).max() > 1e-3
    fitted_on_odd = detection_fractions(
        stim.DetectorErrorModel.from_file(folder / "pij_from_odd_for_even.dem")
    )
    assert np.abs(fitted_on_odd - events[1::2].mean(axis=0)).max() < 2e-4
    assert np.abs(fitted_on_odd - events[0::2].mean(axis=0)).max() > 1e-3


@pytest.mark.parametrize(
    "name", ["d3_r01_center_3_5", "d3_r03_center_3_5", "d3_r05_center_3_5", "d5_r01_center_5_5"]
)
def test_published_predictions_are_those_of_the_default_model(sycamore: Path, name: str) -> None:
    found = load_dataset([sycamore / f"surface_code_bX_{name}"])
    assert found.shots == 50_000
    assert set(found.predictions) == {"pymatching", "tensor_network_contraction"}
    predicted = pymatching.Matching.from_detector_error_model(found.model).decode_batch(found.events)
    assert (predicted == found.predictions["pymatching"]).all()


def test_directory_with_choice(written: Path, tmp_path: Path) -> None:
    shutil.copy(written / "detection_events.b8", written / "more.b8")
    assert load_dataset([written]).shots == 500  # the published name wins
    (written / "detection_events.b8").rename(written / "other.b8")
    with pytest.raises(
        DatasetError, match=r"2 candidates for the file of detection events.*more.b8, other.b8"
    ):
        load_dataset([written])
    dem = written / "circuit_detector_error_model.dem"
    shutil.copy(dem, written / "a.dem")
    dem.rename(written / "b.dem")
    with pytest.raises(
        DatasetError, match=r"2 candidates for the error model .*a.dem, b.dem; choose with --model"
    ):
        load_dataset([written])
