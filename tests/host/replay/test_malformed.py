# SPDX-License-Identifier: BSD-2-Clause
"""Malformed data sets: each is refused by a DatasetError that names file, value and remedy, never by anything
else.
"""

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stim
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triplane.host.replay.datasets import DatasetError, load_dataset

MODEL = "error(0.1) D0 D1\nerror(0.1) D1 L0\nerror(0.1) D0\n"
EVENTS, OBSERVABLES, DEM = "detection_events.b8", "obs_flips_actual.01", "circuit_detector_error_model.dem"
PREDICTIONS = "obs_flips_predicted_by_zeros.01"


def refused(paths: Path | list[Path], match: str, **options: Any) -> None:
    with pytest.raises(DatasetError, match=match):
        load_dataset(paths if isinstance(paths, list) else [paths], **options)


def test_nothing_there(tmp_path: Path) -> None:
    refused([], "name a directory")
    refused(tmp_path / "absent", "absent: no such file or directory")
    refused(tmp_path, "holds no error model")


@pytest.mark.parametrize(
    ("name", "match"),
    [(DEM, "holds no error model"), (EVENTS, "holds no file of detection events")],
)
def test_missing_part(written: Path, name: str, match: str) -> None:
    (written / name).unlink()
    refused(written, match)


def test_missing_observables(written: Path) -> None:
    (written / OBSERVABLES).unlink()
    (written / PREDICTIONS).unlink()
    refused(
        written,
        "1500 bytes fit records of the 24 detectors alone, so no observables are in it; put the observables",
    )


@pytest.mark.parametrize("name", [DEM, EVENTS, OBSERVABLES, PREDICTIONS, "properties.yml"])
def test_empty_file(written: Path, name: str) -> None:
    (written / name).write_bytes(b"")
    refused(written, f"{name}: is empty")


def test_truncated_events(written: Path) -> None:
    data = (written / EVENTS).read_bytes()
    (written / EVENTS).write_bytes(data[:-1])
    refused(written, "its size is 1499 bytes, not a multiple of 3, the b8 record of 24 detectors")


def test_shot_counts_differ(written: Path) -> None:
    data = (written / EVENTS).read_bytes()
    (written / EVENTS).write_bytes(data[:-3])
    refused(written, r"obs_flips_actual.01: holds 500 shots, but detection_events.b8 holds 499")


def test_predictions_of_another_run(written: Path) -> None:
    (written / PREDICTIONS).write_text("0\n" * 7)
    refused(written, r"predicted_by_zeros.01: holds 7 shots, but detection_events.b8 holds 500")


def test_observables_of_another_width(written: Path) -> None:
    (written / OBSERVABLES).write_text("00\n" * 500)
    refused(written, r"first line holds 2 bits, but the model has 1 observable;")


@pytest.mark.parametrize("content", ["0\n2\n", "0\n\n", "x\n", "0\n1", "\n"])
def test_observables_not_bits(written: Path, content: str) -> None:
    if content == "0\n1":
        (written / OBSERVABLES).write_text("0\n" * 499 + "01")
    else:
        (written / OBSERVABLES).write_text(content)
    refused(written, r"obs_flips_actual.01: (is not 01 data|first line)")


def test_model_of_other_detectors(written: Path) -> None:
    (written / DEM).write_text(MODEL)
    refused(
        written,
        r"circuit_detector_error_model.dem: has 2 detectors, but .*properties.yml says circuit_detectors: 24",
    )
    (written / "properties.yml").unlink()
    refused(
        written,
        r"holds wider records, .*shot \d+ has bits set in the padding of a b8 record of 2 det",
    )


def test_properties_disagree_on_shots(written: Path) -> None:
    (written / "properties.yml").write_text("shots: 499\n")
    refused(written, r"detection_events.b8: has 500 shots, but .*properties.yml says shots: 499")


@pytest.mark.parametrize("content", ["a: [", "- 1\n", "just text"])
def test_properties_not_a_mapping(written: Path, content: str) -> None:
    (written / "properties.yml").write_text(content)
    refused(written, r"properties.yml: (is not YAML|must hold a mapping)")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("eror(0.1) D0", r"stim says: .*eror"),
        ("error(2) D0", r"stim says: .*"),
        ("error(0.1) D0 ^\n", "stim says: "),
        ("repeat 3 {", "stim says: "),
        ("detector(1, 2) D0\nlogical_observable L0", "holds no errors"),
        ("# nothing\n", "declares no detectors"),
        ("error(0.1) L0", "declares no detectors"),
        ("error(0.1) D0 D1", "declares no observables"),
        ("repeat 5000000000 {\n error(0.1) D0 L0\n}", "holds 5000000000 errors, more than"),
        ("error(0.1) D99999999 L0", "declares 100000000 detectors, more than"),
    ],
)
def test_model_not_usable(written: Path, content: str, match: str) -> None:
    (written / "properties.yml").unlink()
    (written / DEM).write_text(content)
    refused(written, f"circuit_detector_error_model.dem: .*{match}")


def test_model_not_text(written: Path) -> None:
    (written / DEM).write_bytes(b"error(0.1) D0 \xff")
    refused(written, "is not text .byte 0xff at offset 14")


def test_circuit_not_usable(written: Path) -> None:
    (written / DEM).unlink()
    (written / "c.stim").write_text("FROBNICATE 1")
    refused(written, r"c.stim: is not a Stim circuit; stim says: .*FROBNICATE")
    (written / "c.stim").write_text(
        "R 0\nX_ERROR(0.1) 0\nM 0\nDETECTOR rec[-1]\nDETECTOR rec[-1]\nDETECTOR rec[-1]\n"
        "OBSERVABLE_INCLUDE(0) rec[-1]"
    )
    refused(written, r"c.stim: no matching graph follows from this circuit; stim says: .*")


def test_named_model(written: Path) -> None:
    refused(
        written, r"model absent.dem: neither .*; there: circuit_detector_error_model.dem", model="absent.dem"
    )
    refused(written, r"detection_events.b8: is not a model", model=EVENTS)


def test_paths_that_do_not_fit_together(written: Path, tmp_path: Path) -> None:
    refused([written, written / DEM], "is a directory among 2 paths")
    refused([written / DEM], "one file of detection events .* not 0")
    refused([written / EVENTS], "one model is needed, not 0")
    refused([written / DEM, written / DEM, written / EVENTS], "one model is needed, not 2")
    refused([written / DEM, written / EVENTS, written / OBSERVABLES, written / PREDICTIONS], "not 3")
    refused([written / DEM, written / "properties.yml"], "unknown suffix '.yml'")


def test_shots_that_are_a_directory(written: Path) -> None:
    (written / EVENTS).unlink()
    (written / EVENTS).mkdir()
    refused(written, "holds no file of detection events")
    refused([written / DEM, written / EVENTS], "is a directory among 2 paths")


def test_unreadable(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", fail)
    refused(
        written,
        r"circuit_detector_error_model.dem: cannot be read \(Permission denied\); check its permissions",
    )


def test_events_alone_are_not_taken_for_appended_observables(tmp_path: Path) -> None:
    (tmp_path / "m.dem").write_text(MODEL)
    for name, content in (("s.b8", b"\0\1\2\3"), ("s.dets", b"shot\nshot D0\n"), ("s.01", b"00\n10\n")):
        (tmp_path / name).write_bytes(content)
        refused([tmp_path / "m.dem", tmp_path / name], r"observable.*(put the observables|separate file)")


def test_events_of_fewer_bytes(written: Path, sampled: Any) -> None:
    (written / OBSERVABLES).unlink()
    stim.write_shot_data_file(
        data=sampled.events[:499],
        path=str(written / EVENTS),
        format="b8",
        num_detectors=sampled.events.shape[1],
    )
    refused([written / DEM, written / EVENTS], r"1497 bytes fit records of the 24 detectors alone")


def test_dets_out_of_range(tmp_path: Path) -> None:
    (tmp_path / "m.dem").write_text(MODEL)
    for content in (
        "shot D2\n",
        "shot L1\n",
        "shot M0\n",
        "shot D-1\n",
        "shit D0\n",
        "shot D99999999999999999999\n",
    ):
        (tmp_path / "s.dets").write_text(content)
        refused([tmp_path / "m.dem", tmp_path / "s.dets"], r"s.dets: is not dets data .* stim says: ")


def test_half_of_a_single_shot(tmp_path: Path) -> None:
    (tmp_path / "pij_from_even_for_odd.dem").write_text(MODEL)
    (tmp_path / "s.dets").write_text("shot D0 L0\n")
    refused([tmp_path / "pij_from_even_for_odd.dem", tmp_path / "s.dets"], "holds 1 shot, none of the half")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    model=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode), st.just(MODEL.encode())),
    shots=st.one_of(
        st.binary(max_size=40), st.text("01\n", max_size=30).map(str.encode), st.just(b"shot D0 L0\n")
    ),
    observables=st.one_of(st.none(), st.binary(max_size=20), st.text("01\n", max_size=20).map(str.encode)),
    suffix=st.sampled_from([".b8", ".01", ".dets"]),
    properties=st.one_of(st.none(), st.binary(max_size=20), st.text(max_size=20).map(str.encode)),
)
def test_any_bytes_are_read_or_refused(
    model: bytes, shots: bytes, observables: bytes | None, suffix: str, properties: bytes | None
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "m.dem").write_bytes(model)
        (folder / f"s{suffix}").write_bytes(shots)
        if observables is not None:
            (folder / "obs.01").write_bytes(observables)
        if properties is not None:
            (folder / "properties.yml").write_bytes(properties)
        with contextlib.suppress(DatasetError):
            found = load_dataset([folder])
            assert found.shots == len(found.observables) > 0
            assert found.events.shape[1] == found.model.num_detectors


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_changed_byte_of_a_good_file_is_read_or_refused(data: Any) -> None:
    events = np.array([[1, 0], [0, 1], [1, 1]], dtype=bool)
    flips = np.array([[1], [0], [1]], dtype=bool)
    suffix = data.draw(st.sampled_from([".b8", ".01", ".dets"]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "m.dem").write_text(MODEL)
        shots = folder / f"s{suffix}"
        stim.write_shot_data_file(
            data=np.concatenate([events, flips], axis=1),
            path=str(shots),
            format=suffix[1:],
            num_detectors=2,
            num_observables=1,
        )
        victim = data.draw(st.sampled_from([folder / "m.dem", shots]))
        content = bytearray(victim.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        victim.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
        with contextlib.suppress(DatasetError):
            found = load_dataset([folder])
            assert found.observables.shape == (found.shots, found.model.num_observables)
