# SPDX-License-Identifier: BSD-2-Clause
"""Which file plays which part: the model, the detection events, the observables, the publisher's predictions.

In a directory, names decide; where names leave a choice nothing is guessed, and the error lists the
candidates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from triplane.host.replay.shotfiles import MODEL_SUFFIXES, SHOT_FORMATS, DatasetError

FITTED_ON_HALF = {
    "pij_from_even_for_odd": 1,
    "pij_from_odd_for_even": 0,
    "fitted_from_even_for_odd": 1,
    "fitted_from_odd_for_even": 0,
}
"""Models fitted on one half of the shots -> parity of the 0-based index of the shots they may decode: those that are
published, and those that `triplane calibrate-decoder` writes."""

PREFERRED_MODELS = ("circuit_detector_error_model.dem",)
PREDICTED = "obs_flips_predicted_by_"
PUBLISHED = "published_"
"""What the part of a prediction's file is called: this and the name of the publisher's decoder."""

NOT_SHOTS_OF_DETECTORS = ("measurements", "sweep")


@dataclasses.dataclass(frozen=True)
class Files:
    """The files that play a part; observables is None where they are appended to each record of events."""

    model: Path
    events: Path
    observables: Path | None
    predictions: tuple[Path, ...] = ()
    properties: Path | None = None

    def all(self) -> dict[str, Path]:
        """Name of the part -> file, for the run's manifest."""
        named = {"model": self.model, "events": self.events}
        if self.observables is not None:
            named["observables"] = self.observables
        if self.properties is not None:
            named["properties"] = self.properties
        return named | {PUBLISHED + path.stem.removeprefix(PREDICTED): path for path in self.predictions}


def find_files(paths: Sequence[Path], model: str | None) -> Files:
    """Sort paths (one directory, or files) into parts; model names another model, in the directory or by
    path.

    Raises DatasetError where a part is missing or there are several candidates for it.
    """
    if not paths:
        raise DatasetError("name a directory, or a model (.dem) and a file of shots (.b8, .01, .dets)")
    for path in paths:
        if not path.exists():
            raise DatasetError(f"{path}: no such file or directory")
    directories = [path for path in paths if path.is_dir()]
    if directories and len(paths) > 1:
        raise DatasetError(
            f"{directories[0]}: is a directory among {len(paths)} paths; give one directory, or files only"
        )
    if directories:
        return _find_in_directory(directories[0], model)
    models = [path for path in paths if path.suffix in MODEL_SUFFIXES]
    shot_files = [path for path in paths if path.suffix in SHOT_FORMATS]
    for path in paths:
        if path not in models and path not in shot_files:
            raise DatasetError(
                f"{path}: unknown suffix {path.suffix!r}; models are {', '.join(MODEL_SUFFIXES)}, "
                f"shots are {', '.join(SHOT_FORMATS)}"
            )
    folder = (shot_files or models)[0].parent
    if model is not None:
        models = [_named_model(folder, model)]
    if len(models) != 1:
        raise DatasetError(
            f"one model is needed, not {len(models)}: "
            + (f"{_names(models)}; leave all but one away" if models else "add a .dem file, or --model FILE")
        )
    if not 1 <= len(shot_files) <= 2:
        raise DatasetError(
            f"one file of detection events and at most one of observables are needed, not {len(shot_files)}"
            + (f": {_names(shot_files)}" if shot_files else "; add a .b8, .01 or .dets file")
        )
    if len(shot_files) == 2 and _is_observables(shot_files[0]) and not _is_observables(shot_files[1]):
        shot_files.reverse()
    return Files(models[0], shot_files[0], shot_files[1] if len(shot_files) == 2 else None)


def _find_in_directory(folder: Path, model: str | None) -> Files:
    try:
        entries = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror}); check its permissions") from error
    shot_files = [path for path in entries if path.suffix in SHOT_FORMATS]
    predictions = tuple(path for path in shot_files if path.stem.startswith(PREDICTED))
    truths = [path for path in shot_files if _is_observables(path) and path not in predictions]
    events = [
        path for path in shot_files if not _is_observables(path) and path.stem not in NOT_SHOTS_OF_DETECTORS
    ]
    if model is not None:
        chosen = _named_model(folder, model)
    else:
        models = (
            [path for path in entries if path.name in PREFERRED_MODELS]
            or [path for path in entries if path.suffix == ".dem" and path.stem not in FITTED_ON_HALF]
            or [path for path in entries if path.suffix == ".dem"]
            or [path for path in entries if path.suffix == ".stim"]
        )
        chosen = _the_one(folder, models, "error model (.dem or .stim)", "choose with --model NAME")
    event_file = _the_one(
        folder,
        [path for path in events if path.stem == "detection_events"] or events,
        "file of detection events (detection_events.b8, or any .b8, .01, .dets)",
        "give the files themselves instead of the directory",
    )
    truth = None
    if truths:
        truth = _the_one(
            folder,
            [path for path in truths if path.stem == "obs_flips_actual"] or truths,
            "file of observables",
            "give the files themselves instead of the directory",
        )
    properties = folder / "properties.yml"
    return Files(chosen, event_file, truth, predictions, properties if properties.is_file() else None)


def _is_observables(path: Path) -> bool:
    return "obs" in path.stem.lower()


def _named_model(folder: Path, model: str) -> Path:
    for candidate in (folder / model, Path(model)):
        if candidate.is_file():
            if candidate.suffix not in MODEL_SUFFIXES:
                raise DatasetError(
                    f"{candidate}: is not a model; models are {', '.join(MODEL_SUFFIXES)} files"
                )
            return candidate
    there = sorted(path for suffix in MODEL_SUFFIXES for path in folder.glob(f"*{suffix}"))
    raise DatasetError(
        f"model {model}: neither a file in {folder} nor a path; there: {_names(there) or 'no model'}"
    )


def _the_one(folder: Path, candidates: list[Path], what: str, remedy: str) -> Path:
    if not candidates:
        raise DatasetError(f"{folder}: holds no {what}")
    if len(candidates) > 1:
        raise DatasetError(
            f"{folder}: holds {len(candidates)} candidates for the {what}: {_names(candidates)}; {remedy}"
        )
    return candidates[0]


def _names(paths: Sequence[Path]) -> str:
    shown = ", ".join(path.name for path in paths[:6])
    return shown + (f" and {len(paths) - 6} more" if len(paths) > 6 else "")
