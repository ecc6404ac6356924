# SPDX-License-Identifier: BSD-2-Clause
"""Belief propagation before growth: messages over the whole error model set the weights of the union-find arrays.

The study of an alternative to correlated passes; no gateware follows it. The factor graph has one variable per
error mechanism and one check per detector, both bases in one. After some iterations the posterior of each mechanism
weighs the edges into which the mechanism decomposes, the weights are quantised to the arrays' weight registers, and the
arrays run on them (Criger and Ashraf, "Multi-path summation for decoding 2D topological codes", Quantum 2, 102, 2018;
Higgott et al., "Improved decoding of circuit noise and fragile boundaries of tailored surface codes", PRX 13,
031007, 2023, who name the two halves belief-find).
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
import stim

from triplane.gateware.decoder.graph import BOUNDARY, DecodingGraph
from triplane.sim.models.decoder.unionfind import DecodeResult, UnionFindModel

CHUNK_SHOTS = 256
"""Shots whose posteriors are held at a time while decoding."""


@dataclass(frozen=True)
class Rule:
    """How messages are computed and how posteriors become weights.

    Attributes:
        name: "product-sum" (exact on trees) or "min-sum".
        scale: of the messages that a min-sum check sends.
        message_bits: width of a message with its sign, at least 2; None computes in floating point. Min-sum only.
        units_per_nat: quantisation scale of messages; with `message_bits` only.
        schedule: in which layers the checks send; those of a layer see what the layers before it have sent in the same
            iteration. "flooding" is one layer, "basis" one for each component of the decoding graph, "round" one for
            each round in the order of time, "colour" a greedy colouring: no two detectors of a layer share a mechanism.
        combine: "sum", an edge is as likely as its mechanisms together; or "min", as the likeliest of them, corrected
            by what the two differ without any event: a tree of comparisons and no exponentials.

    Raises:
        ValueError: a value is out of range, or does not go with the rule.
    """

    name: str
    scale: float = 0.75
    message_bits: int | None = None
    units_per_nat: float | None = None
    schedule: str = "flooding"
    combine: str = "sum"

    def __post_init__(self) -> None:
        if self.name not in ("product-sum", "min-sum"):
            raise ValueError(f"the rule must be 'product-sum' or 'min-sum', not {self.name!r}")
        if self.schedule not in ("flooding", "basis", "round", "colour"):
            raise ValueError(
                f"schedule must be 'flooding', 'basis', 'round' or 'colour', not {self.schedule!r}"
            )
        if self.combine not in ("sum", "min"):
            raise ValueError(f"combine must be 'sum' or 'min', not {self.combine!r}")
        if not 0 < self.scale <= 1:
            raise ValueError(f"scale must be above 0 and at most 1, not {self.scale:g}")
        if self.message_bits is not None and (self.name != "min-sum" or self.message_bits < 2):
            raise ValueError(
                f"message_bits must be at least 2 and of min-sum, not {self.message_bits} of {self.name}"
            )
        if (self.units_per_nat is None) != (self.message_bits is None):
            raise ValueError("message_bits and units_per_nat go together")
        if self.units_per_nat is not None and not self.units_per_nat > 0:
            raise ValueError(f"units_per_nat must be above 0, not {self.units_per_nat:g}")


@dataclass(frozen=True)
class FactorGraph:
    """Mechanisms of an error model, the detectors that each flips and the edges into which it decomposes.

    Attributes:
        probabilities: float64 (mechanisms,), mechanisms that flip the same detectors merged as independent events.
        starts, mechanisms: int64, the mechanisms of detector d are `mechanisms[starts[d]:starts[d + 1]]`.
        edge_starts, edge_mechanisms: int64, the same for the edges of the decoding graph.
        edge_shares: float64, which share of the mechanism's probability decomposes into that edge.
    """

    probabilities: npt.NDArray[np.float64]
    starts: npt.NDArray[np.int64]
    mechanisms: npt.NDArray[np.int64]
    edge_starts: npt.NDArray[np.int64]
    edge_mechanisms: npt.NDArray[np.int64]
    edge_shares: npt.NDArray[np.float64]

    @classmethod
    def build(cls, dem: stim.DetectorErrorModel, graph: DecodingGraph) -> FactorGraph:
        """The factor graph of a model, with the edges of the graph that was compiled from it."""
        index = {(e.u, e.v): k for k, e in enumerate(graph.edges)}
        merged: dict[tuple[int, ...], float] = {}
        by_edge: dict[tuple[int, ...], dict[int, float]] = defaultdict(lambda: defaultdict(float))
        total: dict[tuple[int, ...], float] = defaultdict(float)
        for instruction in dem.flattened():
            if instruction.type != "error" or not (p := instruction.args_copy()[0]):
                continue
            flipped: set[int] = set()
            parts: set[int] = set()
            for group in instruction.target_groups():
                ends: set[int] = set()
                for target in group:
                    if target.is_relative_detector_id():
                        ends ^= {target.val}  # targets act by parity
                if ends:
                    flipped ^= ends
                    u, *rest = sorted(ends)
                    parts ^= {index[u, rest[0] if rest else BOUNDARY]}
            if not flipped:
                continue
            key = tuple(sorted(flipped))
            merged[key] = merged.get(key, 0.0) * (1 - 2 * p) + p
            total[key] += p
            for edge in parts:
                by_edge[key][edge] += p
        checks: list[list[int]] = [[] for _ in range(graph.num_detectors)]
        members: list[list[tuple[int, float]]] = [[] for _ in graph.edges]
        for mechanism, key in enumerate(merged):
            for detector in key:
                checks[detector].append(mechanism)
            for edge, p in by_edge[key].items():
                members[edge].append((mechanism, p / total[key]))
        pairs = [pair for m in members for pair in m]
        return cls(
            np.array(list(merged.values())),
            np.cumsum([0, *map(len, checks)]),
            np.array([m for c in checks for m in c], dtype=np.int64),
            np.cumsum([0, *map(len, members)]),
            np.array([m for m, _ in pairs], dtype=np.int64),
            np.array([s for _, s in pairs]),
        )


class BeliefModel:
    """Posteriors of error mechanisms, and the weights of the graph's edges that follow from them.

    Args:
        dem: the error model.
        graph: compiled from that model.
        rule: see `Rule`.
        iterations: after how many iterations the posteriors are read, ascending, each at least 1.

    Attributes:
        num_layers: layers of checks in one iteration.

    Raises:
        ValueError: the iterations are not ascending from at least 1.
    """

    def __init__(
        self,
        dem: stim.DetectorErrorModel,
        graph: DecodingGraph,
        rule: Rule,
        iterations: Sequence[int],
    ) -> None:
        self.iterations = tuple(iterations)
        if not self.iterations or any(
            b <= a for a, b in zip((0, *self.iterations), self.iterations, strict=False)
        ):
            raise ValueError(f"iterations must ascend from at least 1, not {self.iterations}")
        self.graph = graph
        self.rule = rule
        self.factors = FactorGraph.build(dem, graph)
        prior = np.log1p(-self.factors.probabilities) - np.log(self.factors.probabilities)
        own = np.array([edge.weight for edge in graph.edges])
        self._offsets = own - _least(self._edge_tables, prior[None, :])[0]
        if rule.units_per_nat is not None:
            prior = np.rint(prior * rule.units_per_nat)
        self._prior = prior
        self._arrays = UnionFindModel(graph)
        layers = _layers(graph, self.factors, rule.schedule)
        self.num_layers = len(layers)
        self._layers = np.cumsum([0, *map(len, layers)]), np.array([d for layer in layers for d in layer])

    @property
    def _edge_tables(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        f = self.factors
        return f.edge_starts, f.edge_mechanisms, f.edge_shares

    def posteriors(self, events: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Log-likelihood ratios ln((1 - p) / p) in nats: float64 (len(iterations), shots, mechanisms).

        Args:
            events: bool (shots, num_detectors), column k = detector k.

        Raises:
            ValueError: the events have another shape.
        """
        defects = np.asarray(events, dtype=bool)
        if defects.ndim != 2 or defects.shape[1] != self.graph.num_detectors:
            raise ValueError(
                f"events have shape {defects.shape}, the graph needs (shots, {self.graph.num_detectors})"
            )
        found = np.empty((len(self.iterations), len(defects), len(self._prior)))
        turns = np.array(self.iterations)
        tables = (*self._layers, self.factors.starts, self.factors.mechanisms)
        if self.rule.name == "product-sum":
            _product_sum(tables, np.exp(-self._prior), defects, turns, found)
            return found
        limit = math.inf if self.rule.message_bits is None else 2.0 ** (self.rule.message_bits - 1) - 1
        _min_sum(tables, self._prior, defects, turns, self.rule.scale, limit, found)
        return found / (self.rule.units_per_nat or 1.0)

    def likelihoods(self, posteriors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Log-likelihood ratio of each edge: float64 (shots, edges), from posteriors float64 (shots, mechanisms)."""
        if self.rule.combine == "min":
            return np.asarray(_least(self._edge_tables, posteriors) + self._offsets)
        return np.asarray(_together(self._edge_tables, posteriors))

    def weights(self, posteriors: npt.NDArray[np.float64]) -> npt.NDArray[np.uint16]:
        """Likelihoods as the arrays' registers hold them: uint16 (shots, edges), each 1 .. 2**weight_bits - 1."""
        units = np.rint(self.likelihoods(posteriors) * self.graph.units_per_nat)
        return np.clip(units, 1, 2**self.graph.weight_bits - 1).astype(np.uint16)

    def decode(self, events: npt.ArrayLike) -> tuple[DecodeResult, ...]:
        """What one pass of the arrays says on the weights after each of `iterations`, from events as in `posteriors`.

        Cycles are those of the arrays alone, without the iterations before them.
        """
        defects = np.asarray(events, dtype=bool)
        parts: list[list[DecodeResult]] = []
        for start in range(0, max(len(defects), 1), CHUNK_SHOTS):
            chunk = defects[start : start + CHUNK_SHOTS]
            parts.append(
                [self._arrays.decode(chunk, weights=self.weights(p)) for p in self.posteriors(chunk)]
            )
        return tuple(_joined(turn) for turn in zip(*parts, strict=True))


def _joined(parts: Sequence[DecodeResult]) -> DecodeResult:
    """Batches of shots in a row, without corrections."""
    together = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in dataclasses.fields(DecodeResult)
        if field.name != "correction"
    }
    return dataclasses.replace(parts[0], **together)


def _layers(graph: DecodingGraph, factors: FactorGraph, schedule: str) -> Sequence[Sequence[int]]:
    """Detectors of each layer."""
    if schedule == "basis":
        return graph.components
    if schedule == "round":
        return graph.layers
    if schedule == "colour":
        return _colours(graph, factors)
    return [range(graph.num_detectors)]


def _colours(graph: DecodingGraph, factors: FactorGraph) -> list[list[int]]:
    sets = [
        set(factors.mechanisms[a:b].tolist())
        for a, b in zip(factors.starts, factors.starts[1:], strict=False)
    ]
    colours: list[list[int]] = []
    taken: list[set[int]] = []
    for detector in (d for layer in graph.layers for d in layer):
        free = next((k for k, t in enumerate(taken) if not t & sets[detector]), len(colours))
        if free == len(colours):
            colours.append([])
            taken.append(set())
        colours[free].append(detector)
        taken[free] |= sets[detector]
    return colours


_ODDS_LIMIT = 1e12
"""Messages are kept within these odds: beyond them a difference from 1 is lost in double precision."""


@numba.njit(cache=True)
def _product_sum(tables, prior, events, turns, found):  # type: ignore[no-untyped-def]
    """Product-sum with odds p / (1 - p) for messages: products and quotients, no transcendental function.

    With odds q a mechanism's mean parity is (1 - q) / (1 + q); a check's parities multiply.
    """
    layer_starts, order, starts, mechanisms = tables
    message = np.empty(len(mechanisms))
    fresh = np.empty(len(mechanisms))
    parity = np.empty(len(mechanisms))
    ahead = np.empty(len(mechanisms) + 1)
    total = np.empty(len(prior))
    for shot in range(len(events)):
        message[:] = 1.0
        total[:] = prior
        turn = 0
        for iteration in range(1, turns[-1] + 1):
            for layer in range(len(layer_starts) - 1):
                checks = order[layer_starts[layer] : layer_starts[layer + 1]]
                for c in checks:
                    start, end = starts[c], starts[c + 1]
                    ahead[start] = -1.0 if events[shot, c] else 1.0
                    for i in range(start, end):
                        odds = total[mechanisms[i]] / message[i]
                        odds = min(max(odds, 1 / _ODDS_LIMIT), _ODDS_LIMIT)
                        parity[i] = (1 - odds) / (1 + odds)
                        ahead[i + 1] = ahead[i] * parity[i]
                    behind = 1.0
                    for i in range(end - 1, start - 1, -1):
                        mean = ahead[i] * behind
                        behind *= parity[i]
                        odds = (1 - mean) / max(1 + mean, 1 / _ODDS_LIMIT)
                        fresh[i] = min(max(odds, 1 / _ODDS_LIMIT), _ODDS_LIMIT)
                for c in checks:
                    for i in range(starts[c], starts[c + 1]):
                        total[mechanisms[i]] *= fresh[i] / message[i]
                        message[i] = fresh[i]
            if iteration == turns[turn]:
                found[turn, shot] = -np.log(total)
                turn += 1


_CERTAIN = 1e3
"""What a check with one mechanism tells it, in nats or units."""


@numba.njit(cache=True)
def _min_sum(tables, prior, events, turns, scale, limit, found):  # type: ignore[no-untyped-def]
    """Scaled min-sum. With a finite `limit` every message is a whole number up to it and scaling rounds down."""
    layer_starts, order, starts, mechanisms = tables
    message = np.empty(len(mechanisms))
    fresh = np.empty(len(mechanisms))
    arriving = np.empty(len(mechanisms))
    total = np.empty(len(prior))
    for shot in range(len(events)):
        message[:] = 0.0
        total[:] = prior
        turn = 0
        for iteration in range(1, turns[-1] + 1):
            for layer in range(len(layer_starts) - 1):
                checks = order[layer_starts[layer] : layer_starts[layer + 1]]
                for c in checks:
                    start, end = starts[c], starts[c + 1]
                    least = following = min(_CERTAIN, limit)
                    weakest = -1
                    negative = events[shot, c]
                    for i in range(start, end):
                        value = min(max(total[mechanisms[i]] - message[i], -limit), limit)
                        arriving[i] = value
                        negative ^= value < 0
                        size = abs(value)
                        if size < least:
                            least, following, weakest = size, least, i
                        elif size < following:
                            following = size
                    least, following = scale * least, scale * following
                    if limit < math.inf:
                        least, following = math.floor(least), math.floor(following)
                    for i in range(start, end):
                        size = following if i == weakest else least
                        fresh[i] = -size if negative ^ (arriving[i] < 0) else size
                for c in checks:
                    for i in range(starts[c], starts[c + 1]):
                        total[mechanisms[i]] += fresh[i] - message[i]
                        message[i] = fresh[i]
            if iteration == turns[turn]:
                found[turn, shot] = total
                turn += 1


@numba.njit(cache=True)
def _together(tables, posteriors):  # type: ignore[no-untyped-def]
    """Log-likelihood ratio of each edge from the sum of its mechanisms' probabilities, at most one half."""
    starts, mechanisms, shares = tables
    found = np.empty((len(posteriors), len(starts) - 1))
    for shot in range(len(posteriors)):
        for e in range(len(starts) - 1):
            p = 0.0
            for k in range(starts[e], starts[e + 1]):
                p += shares[k] / (1 + math.exp(min(posteriors[shot, mechanisms[k]], 700.0)))
            p = min(p, 0.5)
            found[shot, e] = math.log1p(-p) - math.log(p)
    return found


@numba.njit(cache=True)
def _least(tables, posteriors):  # type: ignore[no-untyped-def]
    """Log-likelihood ratio of the likeliest mechanism of each edge."""
    starts, mechanisms, shares = tables
    found = np.empty((len(posteriors), len(starts) - 1))
    for shot in range(len(posteriors)):
        for e in range(len(starts) - 1):
            least = math.inf
            for k in range(starts[e], starts[e + 1]):
                least = min(least, posteriors[shot, mechanisms[k]] - math.log(shares[k]))
            found[shot, e] = least
    return found
