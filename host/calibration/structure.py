# SPDX-License-Identifier: BSD-2-Clause
"""What is estimated: the groups of error mechanisms that detection events can tell apart.

Mechanisms that flip the same detectors look alike, whatever observables they cross and however they are decomposed:
they are one group, and only the sum of their strengths can be seen. A strength is theta = -ln(1 - 2p); strengths of
independent mechanisms with the same detectors add.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import stim

MOST_DETECTORS = 6
"""Mechanisms that flip more detectors keep the reference's probability: 2**n moments for noise of little use."""

MOST_STRENGTH = 20.0
"""Of a reference mechanism with probability one half, whose strength is infinite."""

Detectors = tuple[int, ...]


def strength(probability: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """-ln(1 - 2p) of probabilities up to one half."""
    p = np.asarray(probability, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.minimum(-np.log1p(-2 * p), MOST_STRENGTH)


def probability(strength: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """(1 - exp(-theta)) / 2, the inverse of `strength`."""
    return -np.expm1(-np.asarray(strength, dtype=np.float64)) / 2


def flipped(instruction: stim.DemInstruction) -> Detectors:
    """Detectors that a whole mechanism flips, ascending; what its parts flip twice cancels."""
    found: set[int] = set()
    for target in instruction.targets_copy():
        if target.is_relative_detector_id():
            found ^= {target.val}
    return tuple(sorted(found))


def subsets(detectors: Detectors) -> Iterator[Detectors]:
    """All subsets but the empty one, the smallest first."""
    for size in range(1, len(detectors) + 1):
        yield from itertools.combinations(detectors, size)


@dataclass(frozen=True)
class Structure:
    """The mechanisms of a reference model by the detectors that they flip.

    Attributes:
        num_detectors: of the model.
        groups: the detectors of each group, the largest groups first: a group is estimated after those that hold it.
        reference: float64 (groups,), the reference's strength of each group.
        group_of: group of each error instruction of the flattened model; -1 where nothing can be estimated.
        share: float64, share of each error instruction in the strength of its group, as the reference has it.
    """

    num_detectors: int
    groups: tuple[Detectors, ...]
    reference: npt.NDArray[np.float64]
    group_of: npt.NDArray[np.int64]
    share: npt.NDArray[np.float64]

    @classmethod
    def of(cls, dem: stim.DetectorErrorModel) -> Structure:
        """The structure of a model; `repeat` blocks are flattened."""
        errors = [i for i in dem.flattened() if i.type == "error"]
        sets = [flipped(error) for error in errors]
        usable = sorted({s for s in sets if 0 < len(s) <= MOST_DETECTORS}, key=lambda s: (-len(s), s))
        index = {s: k for k, s in enumerate(usable)}
        group_of = np.array([index.get(s, -1) for s in sets], dtype=np.int64)
        own = strength([error.args_copy()[0] for error in errors])
        inside = group_of >= 0
        count = len(usable)
        total = np.bincount(group_of[inside], own[inside], minlength=count).astype(np.float64)
        members = np.bincount(group_of[inside], minlength=count)
        share = np.zeros(len(errors))
        group = group_of[inside]
        # Where the reference gives the whole group no probability, its members share alike.
        share[inside] = np.where(
            total[group] > 0, own[inside] / np.where(total > 0, total, 1)[group], 1 / members[group]
        )
        return cls(dem.num_detectors, tuple(usable), total, group_of, share)

    @cached_property
    def holders(self) -> tuple[tuple[int, ...], ...]:
        """Group -> groups that flip all its detectors and more."""
        index = {s: k for k, s in enumerate(self.groups)}
        found: list[list[int]] = [[] for _ in self.groups]
        for k, group in enumerate(self.groups):
            for subset in subsets(group):
                if len(subset) < len(group) and subset in index:
                    found[index[subset]].append(k)
        return tuple(map(tuple, found))

    def model(self, dem: stim.DetectorErrorModel, strengths: npt.ArrayLike) -> stim.DetectorErrorModel:
        """The reference `dem` with other strengths, (groups,): same mechanisms, decompositions and coordinates."""
        theta = np.asarray(strengths, dtype=np.float64)
        fitted = stim.DetectorErrorModel()
        number = 0
        for instruction in dem.flattened():
            if instruction.type != "error":
                fitted.append(instruction)
                continue
            group = self.group_of[number]
            if group < 0:
                fitted.append(instruction)
            else:
                p = float(probability(theta[group] * self.share[number]))
                fitted.append("error", p, instruction.targets_copy())
            number += 1
        return fitted
