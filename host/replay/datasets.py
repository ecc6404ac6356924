# SPDX-License-Identifier: BSD-2-Clause
"""Data sets of detection events: the published Sycamore layout, and any model with shots beside it.

The layout of Google Quantum AI's "Suppressing quantum errors by scaling a surface code logical qubit"
(DOI 10.5281/zenodo.6804040) is one directory per experiment:

    detection_events.b8                     shots of detection events
    obs_flips_actual.01                     shots of observable flips
    circuit_detector_error_model.dem        model derived from the circuit
    pij_from_even_for_odd.dem               model fitted to the even shots, made to decode the odd ones
    pij_from_odd_for_even.dem               the other way round
    obs_flips_predicted_by_NAME.01          predictions of the publisher's decoders
    properties.yml                          shots, circuit_detectors, circuit_observables, ...

Which shots are "even". A shot's parity is that of its index counted from 0. This was read from the data: the
detection fractions that pij_from_even_for_odd.dem implies equal those of shots 0, 2, 4, ... to 5e-7 at d=3, 1
round (the odd shots differ by 2.5e-3, their statistical noise), and over all experiments the difference
between the two models correlates with (shots 0, 2, ...) minus (shots 1, 3, ...) at +0.6 to +0.9998. Google's
matching predictions cannot tell: they are those of the circuit's model on all shots, equal to PyMatching's
bit for bit. `tests/host/replay/test_datasets.py` repeats both comparisons.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import stim
import yaml

from triplane.host.replay.files import FITTED_ON_HALF, PREDICTED, PUBLISHED, Files, find_files
from triplane.host.replay.shotfiles import (
    Bits,
    DatasetError,
    read_bits,
    read_bytes,
    read_events,
    read_events_and_observables,
    read_model,
)

__all__ = ["Dataset", "DatasetError", "load_dataset"]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Shots to decode and what is known about them.

    Attributes:
        name: of the directory, the files' stem, or the circuit.
        model: the detector error model that decodes.
        events: detection events, bool (shots, model.num_detectors).
        observables: true flips, bool (shots, model.num_observables).
        predictions: publisher's decoder -> predicted flips, bool (shots, model.num_observables).
        indices: int64 (shots,), index of each shot in the files, from 0.
        shots_in_files: how many shots the files hold.
        files: where it came from; None for sampled data.
        properties: content of properties.yml, or what the sampler was told.
        contents: part (see `Files.all`) -> the very bytes that were read and decoded; empty for sampled data.
    """

    name: str
    model: stim.DetectorErrorModel
    events: Bits
    observables: Bits
    predictions: dict[str, Bits]
    indices: npt.NDArray[np.int64]
    shots_in_files: int
    files: Files | None
    properties: dict[str, object]
    contents: dict[str, bytes] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def shots(self) -> int:
        """How many shots are to be decoded."""
        return len(self.events)

    def evidence(self) -> Iterator[tuple[str, bytes, str]]:
        """(part, bytes, absolute path) of every file that was read, for a run's manifest."""
        for part, path in (self.files.all() if self.files else {}).items():
            yield part, self.contents[part], str(path.resolve())


def load_dataset(
    paths: Sequence[Path], *, model: str | Path | None = None, shots: int | None = None
) -> Dataset:
    """Read a data set.

    Args:
        paths: one directory, or the files themselves: a model (.dem or .stim), a file of detection events
        and, where
            they are not appended to it, a file of observables (.b8, .01 or .dets).
        model: another model: the name of a file in the directory, or a path. A model fitted on half of the
        shots
            (`pij_from_even_for_odd.dem`, `pij_from_odd_for_even.dem`) decodes the other half only.
        shots: take only the first so many of the shots that the model may decode.

    Raises DatasetError naming file, value and remedy.
    """
    files = find_files(paths, None if model is None else str(model))
    # Each file is read once: what is kept as evidence is what was decoded.
    contents = {part: read_bytes(path) for part, path in files.all().items()}
    dem = read_model(files.model, contents["model"])
    properties = _read_properties(files.properties, contents.get("properties", b""))
    _compare(files, properties, "circuit_detectors", dem.num_detectors, "detectors")
    _compare(files, properties, "circuit_observables", dem.num_observables, "observables")
    if files.observables is None:
        events, observables = read_events_and_observables(
            files.events, contents["events"], dem.num_detectors, dem.num_observables
        )
    else:
        events = read_events(files.events, contents["events"], dem.num_detectors)
        observables = read_bits(
            files.observables, contents["observables"], dem.num_observables, what="observable"
        )
        _same_shots(files.observables, len(observables), files.events, len(events))
    _compare(files, properties, "shots", len(events), "shots", found_in=files.events)
    predictions = {}
    for path in files.predictions:
        name = path.stem.removeprefix(PREDICTED)
        bits = read_bits(path, contents[PUBLISHED + name], dem.num_observables, what="predicted observable")
        _same_shots(path, len(bits), files.events, len(events))
        predictions[name] = bits

    parity = FITTED_ON_HALF.get(files.model.stem)
    indices = (
        np.arange(len(events), dtype=np.int64)
        if parity is None
        else np.arange(parity, len(events), 2, dtype=np.int64)
    )
    if len(indices) == 0:
        raise DatasetError(
            f"{files.events}: holds {len(events)} shot, none of the half that {files.model.name} may decode"
        )
    if shots is not None:
        if shots < 1:
            raise DatasetError(f"shots must be at least 1, not {shots}")
        if shots > len(indices):
            half = (
                ""
                if parity is None
                else f" that {files.model.name} may decode (it was fitted on the other half)"
            )
            raise DatasetError(
                f"{files.events}: holds {len(indices)} shots{half}, fewer than the {shots} asked for"
            )
        indices = indices[:shots]
    return Dataset(
        name=files.events.parent.resolve().name if len(paths) == 1 else files.events.stem,
        model=dem,
        events=events[indices],
        observables=observables[indices],
        predictions={name: bits[indices] for name, bits in predictions.items()},
        indices=indices,
        shots_in_files=len(events),
        files=files,
        properties=properties,
        contents=contents,
    )


def _same_shots(path: Path, shots: int, events: Path, expected: int) -> None:
    if shots != expected:
        raise DatasetError(
            f"{path}: holds {shots} shots, but {events.name} holds {expected}; they are not of one run"
        )


def _read_properties(path: Path | None, data: bytes) -> dict[str, object]:
    if path is None:
        return {}
    try:
        content = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: must hold a mapping of properties, not {type(content).__name__}")
    return {str(key): value for key, value in content.items()}


def _compare(
    files: Files,
    properties: dict[str, object],
    key: str,
    found: int,
    what: str,
    *,
    found_in: Path | None = None,
) -> None:
    declared = properties.get(key)
    if declared is not None and declared != found:
        raise DatasetError(
            f"{found_in or files.model}: has {found} {what}, but {files.properties} says {key}: {declared}; "
            "the files are not of one experiment"
        )
