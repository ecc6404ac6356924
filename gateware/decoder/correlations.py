# SPDX-License-Identifier: BSD-2-Clause
"""Which weights an edge takes when edges that are correlated with it are in the correction.

A mechanism that flips several edges at once (a Y error joins an X and a Z edge) makes each of them likelier once
another is known to be used: of conditional weight instead of its own. The partners of an edge have different
conditional weights, and one alternative for all of them loses most of what a second pass gains. A few levels lose
next to nothing: the partners of each edge are sorted into at most `levels` groups, each with one weight, so that
fabric needs an OR per level and a choice among `levels` + 1 registers, and no comparators.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.graph import DecodingGraph

DEFAULT_LEVELS = 3


@dataclass(frozen=True)
class Reliefs:
    """Conditional weights of a graph.

    Attributes:
        levels: alternatives per edge.
        weights: uint16 (edges, levels), ascending along each row; rows with fewer alternatives repeat the last, edges
            without any hold their own weight.
        partners: edge -> (partner, level) pairs: when `partner` is in the correction, the edge weighs no more than
            `weights[edge, level]`.
    """

    levels: int
    weights: npt.NDArray[np.uint16]
    partners: tuple[tuple[tuple[int, int], ...], ...]


def compile_reliefs(graph: DecodingGraph, levels: int | None = DEFAULT_LEVELS) -> Reliefs:
    """Conditional weights from the joint probabilities that the graph carries.

    Args:
        graph: the compiled graph.
        levels: alternatives per edge, at least 1; None keeps every partner's own weight.

    Raises:
        ValueError: `levels` is below 1.
    """
    if levels is not None and levels < 1:
        raise ValueError(f"levels must be at least 1, not {levels}")
    own = graph.weights[[edge.weight_class for edge in graph.edges]]
    found = conditional_weights(graph)
    rows: list[list[int]] = []
    partners: list[tuple[tuple[int, int], ...]] = []
    for edge in range(len(graph.edges)):
        groups = group_weights(sorted(found[edge].values()), levels)
        level_of = {weight: level for level, group in enumerate(groups) for weight in group}
        rows.append([round(sum(group) / len(group)) for group in groups] or [int(own[edge])])
        partners.append(tuple(sorted((known, level_of[weight]) for known, weight in found[edge].items())))
    width = levels if levels is not None else max(map(len, rows))
    weights = np.array([row + row[-1:] * (width - len(row)) for row in rows], dtype=np.uint16)
    return Reliefs(width, weights, tuple(partners))


def conditional_weights(graph: DecodingGraph) -> list[dict[int, int]]:
    """Edge -> partner -> quantised weight of the edge once the partner is used, where that is below its own."""
    own = graph.weights[[edge.weight_class for edge in graph.edges]]
    found: list[dict[int, int]] = [{} for _ in graph.edges]
    for a, b, joint in graph.correlations:
        for known, other in ((a, b), (b, a)):
            weight = _conditional_weight(graph, known, other, joint)
            if weight < own[other]:
                found[other][known] = weight
    return found


def _conditional_weight(graph: DecodingGraph, known: int, other: int, joint: float) -> int:
    """Quantised weight of edge `other` once `known` is used."""
    # The shared mechanism explains `known` with probability `shared`; the other mechanisms of `other` are unchanged.
    shared = min(joint / graph.edges[known].probability, 1.0)
    rest = max((graph.edges[other].probability - joint) / (1 - 2 * joint), 0.0) if joint < 0.5 else 0.0
    probability = min(shared * (1 - rest) + rest * (1 - shared), 0.5)
    weight = math.log1p(-probability) - math.log(probability)
    return min(max(round(weight * graph.units_per_nat), 1), 2**graph.weight_bits - 1)


def group_weights(values: list[int], levels: int | None) -> list[list[int]]:
    """Splits ascending values into at most `levels` runs with the least sum of squares about their means."""
    distinct = sorted(set(values))
    if levels is None or len(distinct) <= levels:
        return [[v] * values.count(v) for v in distinct]
    best: list[list[int]] = []
    least = math.inf
    for cuts in itertools.combinations(range(1, len(distinct)), levels - 1):
        starts = [distinct[c] for c in (0, *cuts)]
        runs: list[list[int]] = [[] for _ in starts]
        for v in values:
            runs[sum(v >= s for s in starts) - 1].append(v)
        spread = sum(float(np.var(run)) * len(run) for run in runs)
        if spread < least:
            best, least = runs, spread
    return best
