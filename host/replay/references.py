# SPDX-License-Identifier: BSD-2-Clause
"""What others decode from the same shots: PyMatching, correlated PyMatching, and the data set's own
predictions.

A shot has failed when any observable is predicted wrongly. Rates carry the 95 % Wilson score interval, which
stays inside 0 to 1 and keeps its coverage at the low counts of good decoders.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import stim

from triplane.host.replay.datasets import Dataset

CONFIDENCE = 0.95
BATCH_SHOTS = 10_000
"""Shots per call of PyMatching: between calls progress is shown and a cancellation is noticed."""

Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rate:
    """A logical error rate: failed shots, shots, and the interval that holds the true rate with
    `CONFIDENCE`.
    """

    failures: int
    shots: int

    @property
    def rate(self) -> float:
        """Share of failed shots."""
        return self.failures / self.shots

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the Wilson score interval."""
        from scipy.stats import binomtest  # a second to import, and not every command needs it

        found = binomtest(self.failures, self.shots).proportion_ci(
            confidence_level=CONFIDENCE, method="wilson"
        )
        return float(found.low), float(found.high)


@dataclass(frozen=True)
class Reference:
    """Another decoder's result on the same shots.

    Attributes:
        name: key in reports, such as "pymatching" or "published_tensor_network_contraction".
        label: for people.
        rate: its logical error rate; None where it could not decode.
        seconds: time it took here; None for predictions that came with the data.
        error: why it could not decode.
    """

    name: str
    label: str
    rate: Rate | None
    seconds: float | None = None
    error: str | None = None

    def as_json(self) -> dict[str, object]:
        """Rate, failures, interval and time; the error where there is no rate."""
        if self.rate is None:
            return {"label": self.label, "logical_error_rate": None, "error": self.error}
        return {
            "label": self.label,
            "logical_error_rate": self.rate.rate,
            "failures": self.rate.failures,
            "confidence_interval": list(self.rate.interval),
            "seconds": self.seconds,
        }


def logical_error_rate(predicted: Bits, actual: Bits) -> Rate:
    """Rate of shots in which any observable differs; both bool (shots, observables)."""
    if predicted.shape != actual.shape:
        raise ValueError(
            f"predictions have shape {predicted.shape}, observables {actual.shape}; they must agree"
        )
    return Rate(int((predicted != actual).any(axis=1).sum()), len(actual))


def decode_with_pymatching(
    model: stim.DetectorErrorModel,
    events: Bits,
    *,
    correlated: bool,
    progress: Callable[[int, int], None] | None = None,
) -> Bits:
    """Predicted flips, bool (shots, model.num_observables), of matching or of two-pass correlated matching.

    progress is called with (shots done, shots) after each batch. Raises ValueError where no matching exists.
    """
    import pymatching

    matching = pymatching.Matching.from_detector_error_model(model, enable_correlations=correlated)
    predicted = np.zeros((len(events), model.num_observables), dtype=np.bool_)
    for start in range(0, len(events), BATCH_SHOTS):
        batch = events[start : start + BATCH_SHOTS]
        flips = np.asarray(matching.decode_batch(batch, enable_correlations=correlated))
        # PyMatching knows only the observables that some edge crosses.
        predicted[start : start + len(batch), : flips.shape[1]] = flips
        if progress is not None:
            progress(start + len(batch), len(events))
    return predicted


def compare(dataset: Dataset, *, progress: Callable[[int, int], None] | None = None) -> list[Reference]:
    """Every reference on the shots of the data set; one that cannot decode them is listed with its error."""
    references = []
    for name, label, correlated in (
        ("pymatching", "PyMatching", False),
        ("correlated_pymatching", "PyMatching, correlated", True),
    ):
        started = time.perf_counter()
        try:
            predicted = decode_with_pymatching(
                dataset.model, dataset.events, correlated=correlated, progress=progress
            )
        except (ValueError, RuntimeError) as error:
            references.append(Reference(name, label, None, error=" ".join(str(error).split())))
            continue
        rate = logical_error_rate(predicted, dataset.observables)
        references.append(Reference(name, label, rate, seconds=time.perf_counter() - started))
    for key, predicted in sorted(dataset.predictions.items()):
        rate = logical_error_rate(predicted, dataset.observables)
        references.append(Reference(f"published_{key}", f"published: {key.replace('_', ' ')}", rate))
    return references
