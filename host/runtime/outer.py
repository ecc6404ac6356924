# SPDX-License-Identifier: BSD-2-Clause
"""The outer decoder: correlated matching for the few shots that the fabric found hard.

The fabric flags a shot whose passes disagree on an observable, and counts the cycles that it took
(docs/decisions/0010-confidence.md). Those shots are decoded once more by PyMatching with correlations (Higgott and
Gidney, "Sparse Blossom", arXiv:2303.15933; two-pass correlated matching after Fowler, arXiv:1310.0863), and its answer
stands for the fabric's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pymatching
import stim

MAX_OBSERVABLES = 32
BATCH_SHOTS = 10_000


class OuterDecoderError(ValueError):
    """A model or shots that the outer decoder cannot take; the message says what and what is needed."""


@dataclass(frozen=True)
class Amendments:
    """What the outer decoder made of a batch of shots.

    Attributes:
        observables: uint32 (shots,), bit k = predicted flip of observable k; of shots that were not escalated, what the
            fabric predicted.
        escalated: bool (shots,), which were decoded again.
        amended: bool (shots,), which of them now have another prediction.
    """

    observables: npt.NDArray[np.uint32]
    escalated: npt.NDArray[np.bool_]
    amended: npt.NDArray[np.bool_]

    @property
    def num_escalated(self) -> int:
        """Shots that were decoded again."""
        return int(self.escalated.sum())

    @property
    def num_amended(self) -> int:
        """Shots whose prediction changed."""
        return int(self.amended.sum())


class OuterDecoder:
    r"""Correlated PyMatching for escalated shots.

    Example:
        >>> import numpy as np, stim
        >>> outer = OuterDecoder(stim.DetectorErrorModel("error(0.1) D0 L0\nerror(0.01) D0 D1\nerror(0.1) D1"))
        >>> events = np.array([[True, False], [True, False]])
        >>> outer.amend(events, np.array([0, 0], dtype=np.uint32), np.array([True, False])).observables
        array([1, 0], dtype=uint32)

    Args:
        dem: the model that decodes; errors of many detectors must be decomposed.
        batch_shots: shots per call of PyMatching: between calls a cancellation is noticed.

    Raises:
        OuterDecoderError: PyMatching cannot take the model, there are more than 32 observables, or `batch_shots` is
            below 1.
    """

    def __init__(self, dem: stim.DetectorErrorModel, *, batch_shots: int = BATCH_SHOTS) -> None:
        if batch_shots < 1:
            raise OuterDecoderError(f"batch_shots must be at least 1, not {batch_shots}")
        if dem.num_observables > MAX_OBSERVABLES:
            raise OuterDecoderError(
                f"the model has {dem.num_observables} observables; a result record holds {MAX_OBSERVABLES}"
            )
        self.num_detectors = int(dem.num_detectors)
        self.num_observables = int(dem.num_observables)
        self._batch_shots = batch_shots
        try:
            self._matching = pymatching.Matching.from_detector_error_model(dem, enable_correlations=True)
        except ValueError as error:
            text = " ".join(str(error).split())
            raise OuterDecoderError(f"PyMatching cannot decode with this model: {text}") from error

    def decode(self, events: npt.ArrayLike) -> npt.NDArray[np.uint32]:
        """Predicted observables of every shot, uint32 (shots,), from detection events, bool (shots, num_detectors).

        Raises:
            OuterDecoderError: the events have another shape.
        """
        defects = self._checked(events)
        words = np.zeros(len(defects), dtype=np.uint32)
        for start in range(0, len(defects), self._batch_shots):
            batch = defects[start : start + self._batch_shots]
            flips = np.asarray(self._matching.decode_batch(batch, enable_correlations=True), dtype=np.uint32)
            # PyMatching knows only the observables that some edge crosses.
            places = np.arange(flips.shape[1], dtype=np.uint32)
            words[start : start + len(batch)] = np.bitwise_or.reduce(flips << places, axis=1, initial=0)
        return words

    def amend(
        self, events: npt.ArrayLike, observables: npt.ArrayLike, escalated: npt.ArrayLike
    ) -> Amendments:
        """Decode escalated shots again; the others keep what they have.

        Args:
            events: detection events of all shots, bool (shots, num_detectors), column k = detector k.
            observables: the fabric's predictions, whole numbers (shots,), bit k = observable k.
            escalated: bool (shots,).

        Raises:
            OuterDecoderError: a shape is another one, predictions are no words of 32 bits, or `escalated` is not bool
                (indices of shots, say).
        """
        defects = self._checked(events)
        fabric, chosen = np.asarray(observables), np.asarray(escalated)
        for name, array in (("observables", fabric), ("escalated", chosen)):
            if array.shape != (len(defects),):
                raise OuterDecoderError(
                    f"{name} have shape {array.shape}, the events are of {len(defects)} shots; give ({len(defects)},)"
                )
        if chosen.dtype != np.bool_:
            raise OuterDecoderError(f"escalated must be bool, one for each shot, not {chosen.dtype}")
        if fabric.dtype.kind not in "ui" or (
            fabric.size and not 0 <= int(fabric.min()) <= int(fabric.max()) < 1 << 32
        ):
            raise OuterDecoderError(f"observables must be words of 32 bits without sign, not {fabric.dtype}")
        words = fabric.astype(np.uint32)
        words[chosen] = self.decode(defects[chosen])
        return Amendments(words, chosen.copy(), words != fabric)

    def _checked(self, events: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        defects = np.asarray(events, dtype=np.bool_)
        if defects.ndim != 2 or defects.shape[1] != self.num_detectors:
            raise OuterDecoderError(
                f"events have shape {defects.shape}, the model needs (shots, {self.num_detectors})"
            )
        return defects
