# SPDX-License-Identifier: BSD-2-Clause
"""What a calibration found: as JSON, and as the manifest of the run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import stim

from triplane.host.calibration.estimate import Estimate
from triplane.host.calibration.judge import Judgement
from triplane.host.calibration.pairs import Pairs
from triplane.host.calibration.structure import probability
from triplane.host.replay.datasets import Dataset


@dataclasses.dataclass(frozen=True)
class Calibration:
    """An estimated model and what is known of it.

    Attributes:
        dataset: events, and the reference model.
        fit: "even", "odd" or "all": the shots that were fitted, by the parity of their index in the files from 0.
        judged: shots that the judgements are of; those that were fitted where `fit` is "all".
        estimate: strengths and errors.
        pairs: p_ij of the fitted shots, and of the fitted model.
        model: the fitted model.
        judgements: the reference, the fitted model and the publisher's one where there is one.
        weight_bits: of the union-find decoders and of the board.
        floor: asked for; None where it follows from the errors.
        extra: name and content of other models that were judged, for the manifest.
        board: what the board said of the loaded tables; empty where none was asked for.
        run: id of the run's manifest; "" where it is not recorded.
    """

    dataset: Dataset
    fit: str
    judged: int
    estimate: Estimate
    pairs: Pairs
    model: stim.DetectorErrorModel
    judgements: tuple[Judgement, ...]
    weight_bits: int
    floor: float | None
    extra: dict[str, tuple[bytes, str]] = dataclasses.field(default_factory=dict)
    board: dict[str, str] = dataclasses.field(default_factory=dict)
    run: str = ""

    @property
    def warnings(self) -> list[str]:
        """What a person should know before using the model."""
        found = self.estimate.warnings()
        outside = int((self.estimate.structure.group_of < 0).sum())
        if outside:
            found.append(
                f"{outside} mechanisms flip no detector or more than can be estimated; they stay as they were"
            )
        if self.fit == "all":
            found.append("the model decodes the shots that it was fitted on: its rates here are too good")
        return found

    def groups(self) -> list[dict[str, Any]]:
        """Every estimated probability with its error, the largest groups of detectors first."""
        found = self.estimate
        rows = zip(
            found.structure.groups,
            probability(found.structure.reference),
            probability(found.strengths),
            probability(found.raw),
            found.error,
            found.clipped,
            found.kept,
            strict=True,
        )
        return [
            {
                "detectors": list(group),
                "reference": float(reference),
                "probability": float(p),
                "estimate": float(raw),
                # dp = dtheta (1 - 2p) / 2
                "error": None if math.isnan(error) else float(error * (0.5 - raw)),
                "clipped": bool(clipped),
                "kept": bool(kept),
            }
            for group, reference, p, raw, error, clipped, kept in rows
        ]

    def as_json(self) -> dict[str, Any]:
        """The result as `--json` writes it, with the keys that scripts may rely on."""
        groups = self.groups()
        return {
            "dataset": self.dataset.name,
            "reference": self.dataset.files.model.name if self.dataset.files else self.dataset.name,
            "fit": self.fit,
            "shots_fitted": self.estimate.shots,
            "shots_judged": self.judged,
            "floor": self.floor,
            "weight_bits": self.weight_bits,
            "mechanisms": len(self.estimate.structure.group_of),
            "probabilities": len(groups),
            "clipped": int(self.estimate.clipped.sum()),
            "unresolved": int(self.estimate.unresolved.sum()),
            "kept": int(self.estimate.kept.sum()),
            "warnings": self.warnings,
            "logical_error_rate": {each.name: each.as_json() for each in self.judgements},
            "unexplained_pairs": [
                {"detectors": [i, j], "probability": p, "error": error}
                for i, j, p, error in self.pairs.strangers()
            ],
            "groups": groups,
            "board": self.board or None,
            "run": self.run or None,
        }


def record(result: Calibration, command: Sequence[str]) -> Calibration:
    """File the run's manifest; returns the result with its id."""
    from triplane.host.provenance import RunRecorder

    recorder = RunRecorder(command=list(command))
    for name, data, source in result.dataset.evidence():
        recorder.add_input(name, data, source=source)
    for name, (data, source) in result.extra.items():
        recorder.add_input(name, data, source=source)
    recorder.add_output("model", f"{result.model}\n".encode(), source="the fitted model")
    content = result.as_json()
    del content["run"]
    recorder.set(
        model=content["reference"],
        tables={key: value for key, value in result.board.items() if key != "build_hash"},
        gateware={key: value for key, value in result.board.items() if key == "build_hash"},
        seeds={},
        parameters={
            "fit": result.fit,
            "floor": result.floor,
            "weight_bits": result.weight_bits,
            "shots": result.dataset.shots,
        },
    )
    return dataclasses.replace(result, run=recorder.commit(content))
