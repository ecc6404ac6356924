# SPDX-License-Identifier: BSD-2-Clause
"""Probabilities of error mechanisms from detection events alone.

For independent mechanisms the expectation of (-1)**(parity of the detectors T) is the product of 1 - 2p over the
mechanisms that flip T an odd number of times. With theta = -ln(1 - 2p) and L(T) = -ln of that expectation, products
become sums, and for a set S of detectors

    G(S) = 2**(1 - |S|) * sum over the non-empty subsets T of S of (-1)**(|T| + 1) * L(T)

is the sum of theta over the mechanisms that flip all of S. For two detectors this is the p_ij of Spitz, Tarasinski,
Beenakker and O'Brien, doi:10.1002/qute.201800012, equation 15, as in Google Quantum AI, "Exponential suppression of bit
or phase errors with cyclic error correction", doi:10.1038/s41586-021-03588-y; more detectors are treated as in the
supplement of "Suppressing quantum errors by scaling a surface code logical qubit", doi:10.1038/s41586-022-05434-1.

Groups are estimated from the largest to the smallest, each as G(S) less those that hold it: a four-detector Y-like
mechanism by a four-point correlation, pairs after what they are part of, single detectors (the boundary) last, from
what is left of their rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, diags_array, vstack

from triplane.host.calibration.structure import Structure, strength, subsets

FLOOR = 1e-6
FLOOR_ERRORS = 0.25
"""Share of the standard deviation of an estimate below which it is clipped."""

SIGNIFICANT = 4.0
"""Standard deviations by which an expectation must be above 0 for its logarithm to mean anything."""

LEAST_SHOTS = 100
MOST_UNRESOLVED = 0.75
"""Share of probabilities that are not told from 0, above which a model is warned of."""

CHUNK_BYTES = 1 << 26

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.bool_]


class CalibrationError(ValueError):
    """Detection events that no model can be estimated from; the message says what and what to do."""


@dataclass(frozen=True)
class Estimate:
    """Estimated strengths of the groups of a structure.

    Attributes:
        structure: the groups.
        shots: that were counted.
        raw: float64 (groups,), theta as estimated, which may be negative.
        error: float64 (groups,), its standard deviation.
        strengths: float64 (groups,), theta not below that of the floor; the reference's where `kept`.
        clipped: bool (groups,), where the estimate was below the floor.
        kept: bool (groups,), where the shots say nothing and the reference stays.
    """

    structure: Structure
    shots: int
    raw: Floats
    error: Floats
    strengths: Floats
    clipped: Bits
    kept: Bits

    @property
    def unresolved(self) -> Bits:
        """bool (groups,): whether the estimate is less than two standard deviations above 0."""
        return ~self.kept & (self.raw < 2 * self.error)

    def warnings(self) -> list[str]:
        """What a person should know before using the model."""
        found = []
        share = float(np.mean(self.unresolved))
        if share > MOST_UNRESOLVED:
            found.append(
                f"{self.shots} shots are too few: {share:.0%} of the probabilities are within two standard deviations "
                f"of 0; about {_rounded_up(4 * self.shots)} shots would halve the errors"
            )
        if self.kept.any():
            found.append(
                f"{int(self.kept.sum())} probabilities stay as the reference has them: the parity of their detectors "
                "is as good as random in these shots"
            )
        return found


def estimate(
    structure: Structure,
    events: npt.ArrayLike,
    *,
    floor: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Estimate:
    """Estimates the strength of every group.

    Args:
        structure: the groups, of a reference model.
        events: detection events, bool (shots, detectors).
        floor: least probability of a group; None takes `FLOOR_ERRORS` of the estimate's own standard deviation and at
            least `FLOOR`, since that much no number of shots of this size can exclude.
        progress: called with done and all shots.

    Raises:
        CalibrationError: the events have another shape, there are fewer than `LEAST_SHOTS`, a detector fires so often
            that its rate says nothing, or the floor is not above 0 and below one half.
    """
    bits = np.asarray(events, dtype=bool)
    if bits.ndim != 2 or bits.shape[1] != structure.num_detectors:
        raise CalibrationError(
            f"events have shape {bits.shape}, the model needs (shots, {structure.num_detectors})"
        )
    shots = len(bits)
    if shots < LEAST_SHOTS:
        raise CalibrationError(
            f"{shots} shots are too few to estimate a model from; give at least {LEAST_SHOTS}, better 10000"
        )
    if floor is not None and not 0 < floor < 0.5:
        raise CalibrationError(f"floor must be above 0 and below 0.5, not {floor:g}")
    sets, coefficients = _moments(structure)
    columns = np.ascontiguousarray(bits.T)
    expectation = np.array([1 - 2 * np.count_nonzero(_parity(columns, s)) / shots for s in sets])
    usable = expectation > SIGNIFICANT * np.sqrt((1 - expectation**2) / shots)
    for k, s in enumerate(sets):
        if len(s) == 1 and not usable[k]:
            raise CalibrationError(
                f"detector {s[0]} fires in {(1 - expectation[k]) / 2:.1%} of {shots} shots: too near one half, "
                "or above it, for its errors to be estimated; check the detector, or give more shots"
            )
    kept = (abs(coefficients) @ (~usable).astype(np.float64)) > 0
    sums = coefficients @ -np.log(np.where(usable, expectation, 1.0))

    error = _errors(structure, sets, coefficients, columns, np.where(usable, expectation, 1.0), progress)
    error[kept] = np.nan
    if floor is None:
        least = np.fmax(FLOOR_ERRORS * error, strength(FLOOR))
    else:
        least = np.full(len(sums), strength(floor))
    raw = np.empty(len(sums))
    strengths = np.empty(len(sums))
    for k, holders in enumerate(structure.holders):
        # What was clipped counts with its floor, so that the rates of detectors stay what was seen.
        raw[k] = structure.reference[k] if kept[k] else sums[k] - strengths[list(holders)].sum()
        strengths[k] = raw[k] if kept[k] else max(raw[k], least[k])
    return Estimate(structure, shots, raw, error, strengths, ~kept & (raw < least), kept)


def _moments(structure: Structure) -> tuple[list[tuple[int, ...]], csr_array]:
    """The sets of detectors whose parity is looked at, and (groups, sets): their coefficients in G of each group."""
    index: dict[tuple[int, ...], int] = {}
    rows, cols, values = [], [], []
    for row, group in enumerate(structure.groups):
        for subset in subsets(group):
            rows.append(row)
            cols.append(index.setdefault(subset, len(index)))
            values.append((-1.0) ** (len(subset) + 1) * 2.0 ** (1 - len(group)))
    return list(index), csr_array((values, (rows, cols)), shape=(len(structure.groups), len(index)))


def _errors(
    structure: Structure,
    sets: list[tuple[int, ...]],
    coefficients: csr_array,
    columns: Bits,
    expectation: Floats,
    progress: Callable[[int, int], None] | None,
) -> Floats:
    """Standard deviation of every estimate where nothing is clipped, to first order in the shots (the delta method).

    An estimate is linear in the logarithms; a shot moves each of those by (z - E) / E / shots, z its (-1)**parity.
    """
    # What holders take away is put into the coefficients, from the largest groups down.
    rows: list[csr_array] = []
    groups = structure.groups
    start = 0
    while start < len(groups):
        stop = start
        while stop < len(groups) and len(groups[stop]) == len(groups[start]):
            stop += 1
        part = coefficients[start:stop]
        if rows:
            row = [k - start for k in range(start, stop) for _ in structure.holders[k]]
            column = [holder for k in range(start, stop) for holder in structure.holders[k]]
            held = csr_array((np.ones(len(row)), (row, column)), shape=(stop - start, start))
            part = part - held @ vstack(rows)
        rows.append(csr_array(part))
        start = stop
    linear = csr_array(vstack(rows))
    slope = (linear @ diags_array(1 / expectation)).astype(np.float32)

    shots = columns.shape[1]
    chunk = max(1, CHUNK_BYTES // (4 * max(len(sets), 1)))
    squares = np.zeros(len(groups))
    for first in range(0, shots, chunk):
        part_of = columns[:, first : first + chunk]
        moved = np.empty((len(sets), part_of.shape[1]), dtype=np.float32)
        for k, s in enumerate(sets):
            moved[k] = 1 - 2 * _parity(part_of, s).astype(np.float32) - expectation[k]
        squares += ((slope @ moved).astype(np.float64) ** 2).sum(axis=1)
        if progress is not None:
            progress(first + part_of.shape[1], shots)
    return np.asarray(np.sqrt(squares) / shots, dtype=np.float64)


def _parity(columns: Bits, detectors: tuple[int, ...]) -> Bits:
    """Parity of some detectors in every shot; `columns` is bool (detectors, shots)."""
    parity: Bits = columns[detectors[0]].copy()
    for detector in detectors[1:]:
        parity ^= columns[detector]
    return parity


def _rounded_up(number: int) -> int:
    digit = int(10 ** (len(str(number)) - 1))
    return -(-number // digit) * digit
