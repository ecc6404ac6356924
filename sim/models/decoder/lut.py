# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/decoder/lut.py`, and what fills its table: the exact distribution of a Stim error model.

Error mechanisms are independent, and each flips a fixed set of detectors and observables. So the joint distribution of
syndrome and observables is the XOR convolution of as many two-point distributions as there are mechanisms. It is
convolved directly, one mechanism after the other. A Walsh-Hadamard transform of the product of characteristic
functions gives the same in about the same time, but subtracts: its absolute error of about 1e-16 can be larger than the
probability of half of the syndromes, whose entries would then be noise. Here nothing is subtracted, and the relative
error of every entry is below (number of mechanisms) x 2**-52.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import numpy.typing as npt
import stim

from triplane.gateware.decoder.layouts import CONFIDENCE_OFFSET, LAST, UNMATCHED
from triplane.gateware.decoder.table import TableShape, table_crc

MAX_BITS = 26
"""Detectors and observables of a joint distribution; 2**26 probabilities are 512 MiB."""

Probabilities = npt.NDArray[np.float64]


def mechanisms(dem: stim.DetectorErrorModel, detectors: Sequence[int]) -> dict[int, float]:
    """Independent error mechanisms of a model, as they are seen through some of its detectors.

    The parts of a decomposition (the ``^`` of Stim's format) are put together again: what is convolved is the whole
    error. Detectors that are left out are marginalised exactly, by not looking at them.

    Args:
        dem: the model; `repeat` blocks are flattened.
        detectors: bit k of a mask is detector `detectors[k]`; above them follow all observables.

    Returns:
        mask -> probability that an odd number of the mechanisms with this mask happened. Mask 0 is left out.
    """
    bit = {detector: k for k, detector in enumerate(detectors)}
    merged: dict[int, float] = {}
    for instruction in dem.flattened():
        if instruction.type != "error":
            continue
        mask = 0
        for target in instruction.targets_copy():
            if target.is_relative_detector_id():
                mask ^= 1 << bit[target.val] if target.val in bit else 0
            elif target.is_logical_observable_id():
                mask ^= 1 << len(detectors) + target.val
        (p,) = instruction.args_copy()
        q = merged.get(mask, 0.0)
        merged[mask] = p * (1 - q) + q * (1 - p)
    return {mask: p for mask, p in merged.items() if mask and p > 0}


def joint_distribution(dem: stim.DetectorErrorModel, detectors: Sequence[int] | None = None) -> Probabilities:
    """Exact P(observables, syndrome): float64 (2**num_observables, 2**len(detectors)).

    Column s is the syndrome whose bit k is the detection event of `detectors[k]` (default: all of the model); row o
    has observable k in bit k.

    Raises:
        ValueError: there are more than `MAX_BITS` detectors and observables, or a detector is not in the model.
    """
    chosen = range(dem.num_detectors) if detectors is None else detectors
    absent = [d for d in chosen if not 0 <= d < dem.num_detectors]
    if absent:
        raise ValueError(f"detector {absent[0]} is not in the model, which has {dem.num_detectors}")
    bits = len(chosen) + dem.num_observables
    if bits > MAX_BITS:
        raise ValueError(
            f"{len(chosen)} detectors and {dem.num_observables} observables need 2**{bits} probabilities, the limit is "
            f"2**{MAX_BITS}; name fewer detectors, or decode with the union-find array"
        )
    joint = np.zeros(1 << bits)
    joint[0] = 1.0
    # Mechanisms with low masks first: until a higher bit comes, only the low part of the array is not zero.
    for mask, p in sorted(mechanisms(dem, chosen).items()):
        _convolve(joint[: 1 << mask.bit_length()], mask, p)
    return joint.reshape(1 << dem.num_observables, 1 << len(chosen))


@numba.njit(cache=True)
def _convolve(joint, mask, p):  # type: ignore[no-untyped-def]
    """One more mechanism, in place; the highest bit of `mask` halves `joint`."""
    half = len(joint) // 2
    for low in range(half):
        high = low ^ mask
        a, b = joint[low], joint[high]
        joint[low] = (1 - p) * a + p * b
        joint[high] = (1 - p) * b + p * a


@dataclass(frozen=True)
class LookupTable:
    """A filled table.

    Attributes:
        shape: what is built.
        observables: uint32 (entries,), the most likely observables of each syndrome, bit k = observable k. Of equally
            likely ones, the least number.
        confidence: uint8 (entries,); 0 where no error explains the syndrome, else 1 + the log-likelihood ratio of the
            entry against all others in units of `nats_per_unit`, rounded down, saturating.
        failure_rate: exact logical error rate of this table under the model that it was filled from.
        nats_per_unit: quantisation step of the confidence.
    """

    shape: TableShape
    observables: npt.NDArray[np.uint32]
    confidence: npt.NDArray[np.uint8]
    failure_rate: float
    nats_per_unit: float

    @cached_property
    def words(self) -> npt.NDArray[np.uint32]:
        """Contents of the memory: uint32 (shape.words,)."""
        return self.shape.pack(self.observables, self.confidence)

    @cached_property
    def crc(self) -> int:
        """CRC-32 that the hardware must find."""
        return table_crc(self.words)

    def decode(self, events: npt.ArrayLike) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint16]]:
        """Observables, uint32 (shots,), and flags of the record, uint16 (shots,).

        Args:
            events: bool (shots, detectors of the model), column k = detector k.
        """
        address = self.shape.addresses(events)
        confidence = self.confidence[address].astype(np.uint16)
        flags = confidence << np.uint16(CONFIDENCE_OFFSET) | np.uint16(LAST)
        if self.shape.confidence_bits:
            flags |= np.where(confidence == 0, np.uint16(UNMATCHED), np.uint16(0))
        return self.observables[address], flags


def fill_table(dem: stim.DetectorErrorModel, shape: TableShape, *, nats_per_unit: float = 2.0) -> LookupTable:
    """The maximum-likelihood table of a model, exactly.

    Raises:
        ValueError: the model has other observables than the shape, is too large (see `joint_distribution`), or
            `nats_per_unit` is not above 0.
    """
    if max(dem.num_observables, 1) != shape.num_observables:
        raise ValueError(
            f"the table predicts {shape.num_observables} observables, the model has {dem.num_observables}"
        )
    if not nats_per_unit > 0:
        raise ValueError(f"nats_per_unit must be above 0, not {nats_per_unit}")
    joint = joint_distribution(dem, shape.detectors)
    observables = joint.argmax(axis=0).astype(np.uint32)
    best = joint.max(axis=0)
    others = np.zeros_like(best)
    for number, row in enumerate(joint):
        others += np.where(observables == number, 0.0, row)
    top = (1 << shape.confidence_bits) - 1
    with np.errstate(divide="ignore", invalid="ignore"):  # one of the two, or both, may be impossible
        units = np.maximum(np.log(best) - np.log(others), 0) / nats_per_unit
    confidence = np.where(best > 0, np.minimum(1 + np.floor(units), top), 0)
    return LookupTable(shape, observables, confidence.astype(np.uint8), float(others.sum()), nats_per_unit)
