# SPDX-License-Identifier: BSD-2-Clause
"""Graph compiler: a Stim detector error model in, the decoding graph that shapes the gateware out.

The decoding graph has one vertex per detector and one edge per distinct pair of detectors (or detector and
boundary) that some error mechanism flips. What is fixed when the gateware is built (who is joined to whom, which
observables an edge crosses, which weight register it reads) is covered by `DecodingGraph.structure_hash`; what the
bus may rewrite between shots (the weights) is covered by `DecodingGraph.table_hash`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import stim

BOUNDARY = -1
"""Second endpoint of an edge that leads to the boundary."""

MAX_OBSERVABLES = 32
"""Width of the observables word of a result record."""

MAX_WEIGHT_BITS = 12


class GraphError(ValueError):
    """A detector error model that no matching graph can represent."""


@dataclass(frozen=True)
class Edge:
    """One edge of the decoding graph.

    Attributes:
        u: detector index.
        v: detector index above `u`, or `BOUNDARY`.
        probability: that an odd number of the merged error mechanisms happened, 0 < p <= 0.5.
        weight: log-likelihood ratio ln((1 - p) / p).
        observables: bit k is set when the edge crosses logical observable k.
        weight_class: index of the weight register that the edge reads.
    """

    u: int
    v: int
    probability: float
    weight: float
    observables: int
    weight_class: int


@dataclass(frozen=True)
class DecodingGraph:
    """A matching graph, ready to be built into gateware.

    Attributes:
        num_detectors: number of vertices.
        num_observables: number of logical observables, at most 32.
        edges: sorted by (u, v), the boundary edge of a detector before its other edges.
        coordinates: detector -> its coordinates as the model gives them, or an empty tuple.
        layers: detectors of each round in the order in which their events travel: bit k of a round's word is
            `layers[r][k]`.
        components: detectors of each connected component, ascending; the gateware has one array for each.
        correlations: (edge, edge, probability) for each pair of edges that one error mechanism flips together.
        ambiguous: (u, v, observables, probability) of parallel error mechanisms whose observables lost against
            the more probable ones on the same edge.
        weight_bits: width B of a weight register.
        sharing: "round" (one register for an edge of the repeating round, used by all its copies) or "edge".
        weights: uint16 (num_classes,), each 1 .. 2**B - 1: the table that the bus loads.
        units_per_nat: quantisation scale, register units per nat of log-likelihood.
    """

    num_detectors: int
    num_observables: int
    edges: tuple[Edge, ...]
    coordinates: tuple[tuple[float, ...], ...]
    layers: tuple[tuple[int, ...], ...]
    components: tuple[tuple[int, ...], ...]
    correlations: tuple[tuple[int, int, float], ...]
    ambiguous: tuple[tuple[int, int, int, float], ...]
    weight_bits: int
    sharing: str
    weights: npt.NDArray[np.uint16] = field(repr=False)
    units_per_nat: float

    @property
    def num_classes(self) -> int:
        """Number of weight registers."""
        return len(self.weights)

    @property
    def max_layer_width(self) -> int:
        """Detectors in the widest round."""
        return max(len(layer) for layer in self.layers)

    @property
    def words_per_round(self) -> int:
        """32-bit words that carry one round's detection events."""
        return -(-self.max_layer_width // 32)

    @property
    def first_growth(self) -> int:
        """Half-units of growth that are safe before anything is looked at: no edge is filled past its end.

        An edge of weight w is full after 2w half-units and grows by at most two of them at a time, so the
        smallest weight can be grown at once, while the array loads.
        """
        return int(self.weights.min()) if self.num_classes else 1

    @cached_property
    def structure_hash(self) -> str:
        """SHA-256 (hex) of everything that shapes the gateware."""
        return _digest(
            {
                "detectors": self.num_detectors,
                "observables": self.num_observables,
                "edges": [(e.u, e.v, e.observables, e.weight_class) for e in self.edges],
                "layers": self.layers,
                "components": self.components,
                "weight_bits": self.weight_bits,
            }
        )

    @cached_property
    def table_hash(self) -> str:
        """SHA-256 (hex) of the tables that are loaded into that gateware."""
        return table_hash(self.structure_hash, self.weights, self.first_growth)

    @cached_property
    def class_members(self) -> tuple[tuple[int, ...], ...]:
        """Weight register -> indices of the edges that read it: the copies of one edge of the repeating round."""
        members: list[list[int]] = [[] for _ in range(self.num_classes)]
        for index, edge in enumerate(self.edges):
            members[edge.weight_class].append(index)
        return tuple(tuple(m) for m in members)

    def pack_events(self, events: npt.ArrayLike) -> npt.NDArray[np.uint32]:
        """Packs detection events into the words that the decoder takes.

        Args:
            events: bool (shots, num_detectors), column k = detector k.

        Returns:
            uint32 (shots, rounds, words_per_round); bit k % 32 of word k // 32 of round r is detector
            `layers[r][k]`, missing detectors are 0.

        Raises:
            ValueError: the array has another number of columns.
        """
        events = np.asarray(events, dtype=bool)
        if events.ndim != 2 or events.shape[1] != self.num_detectors:
            raise ValueError(
                f"detection events have shape {events.shape}, the graph needs (shots, {self.num_detectors}); "
                "use the model that belongs to this data"
            )
        bits = np.zeros((len(events), len(self.layers), self.words_per_round * 32), dtype=bool)
        for r, layer in enumerate(self.layers):
            bits[:, r, : len(layer)] = events[:, list(layer)]
        packed = np.packbits(bits, axis=-1, bitorder="little")
        return packed.view("<u4").astype(np.uint32, copy=False)

    def syndrome_of(self, correction: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Detection events that a correction explains.

        Args:
            correction: bool (shots, edges).

        Returns:
            bool (shots, num_detectors).
        """
        used = np.asarray(correction, dtype=bool)
        syndrome = np.zeros((len(used), self.num_detectors), dtype=bool)
        for index, edge in enumerate(self.edges):
            syndrome[:, edge.u] ^= used[:, index]
            if edge.v != BOUNDARY:
                syndrome[:, edge.v] ^= used[:, index]
        return syndrome

    def observables_of(self, correction: npt.ArrayLike) -> npt.NDArray[np.uint32]:
        """Observables that a correction flips: uint32 (shots,), bit k = observable k, from bool (shots, edges)."""
        used = np.asarray(correction, dtype=bool)
        masks = np.array([e.observables for e in self.edges], dtype=np.uint32)
        return np.bitwise_xor.reduce(np.where(used, masks, np.uint32(0)), axis=1, initial=np.uint32(0))


def table_hash(structure_hash: str, weights: npt.NDArray[np.integer], first_growth: int) -> str:
    """SHA-256 (hex) of tables for the gateware of that structure: weights (num_classes,) and the first growth."""
    return _digest({"structure": structure_hash, "weights": weights.tolist(), "first_growth": first_growth})


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def _either(p: float, q: float) -> float:
    """Probability that exactly one of two independent events happens."""
    return p * (1 - q) + q * (1 - p)


_Key = tuple[int, int]


class _Mechanisms:
    """Collects the error mechanisms of a model, merged by edge."""

    def __init__(self) -> None:
        self.by_edge: dict[_Key, dict[int, float]] = {}
        self.joint: dict[tuple[_Key, _Key], float] = {}

    def add(self, instruction: stim.DemInstruction) -> None:
        (p,) = instruction.args_copy()
        if not 0 <= p <= 0.5:
            raise GraphError(
                f"probability {p:g} of '{instruction}' is outside 0 to 0.5; an error more likely than not must be "
                "folded into the reference frame before decoding"
            )
        parts = [self._part(group, instruction) for group in instruction.target_groups()]
        if p == 0:
            return
        keys = []
        for key, observables in parts:
            if key is None:
                continue
            flavours = self.by_edge.setdefault(key, {})
            flavours[observables] = _either(flavours.get(observables, 0.0), p)
            keys.append(key)
        for i, a in enumerate(keys):
            for b in keys[i + 1 :]:
                pair = (min(a, b), max(a, b))
                if a != b:
                    self.joint[pair] = _either(self.joint.get(pair, 0.0), p)

    @staticmethod
    def _part(group: Sequence[stim.DemTarget], instruction: stim.DemInstruction) -> tuple[_Key | None, int]:
        # Stim's targets act by parity: one that is named twice cancels.
        detectors: set[int] = set()
        observables = 0
        for target in group:
            if target.is_relative_detector_id():
                detectors ^= {target.val}
            elif target.val >= MAX_OBSERVABLES:
                raise GraphError(
                    f"'{instruction}' flips L{target.val}; "
                    f"a result record holds observables L0 to L{MAX_OBSERVABLES - 1}"
                )
            else:
                observables ^= 1 << target.val
        if len(detectors) > 2:
            raise GraphError(
                f"'{instruction}' flips {len(detectors)} detectors at once and has no decomposition into edges; "
                "produce the model with circuit.detector_error_model(decompose_errors=True)"
            )
        if not detectors:
            return None, observables  # flips an observable unseen: no decoder can do anything about it
        u, *rest = sorted(detectors)
        return (u, rest[0] if rest else BOUNDARY), observables


def compile_graph(
    dem: stim.DetectorErrorModel,
    *,
    weight_bits: int = 5,
    sharing: str = "auto",
) -> DecodingGraph:
    """Compiles a detector error model into a decoding graph.

    Error mechanisms that flip more than two detectors follow the model's own decomposition (the ``^`` of Stim's
    format); the joint probabilities are kept in `correlations`. Mechanisms on the same edge are merged as
    independent events. Where they cross different observables, the more probable observables stand and the others
    are listed in `ambiguous`: no decoder that works on this graph could tell them apart.

    Args:
        dem: the model; `repeat` blocks are flattened.
        weight_bits: width B of a weight register, 2 to 12; weights become 1 .. 2**B - 1.
        sharing: "round" gives each edge of the repeating round one weight register, with the mean probability of
            its copies; "edge" gives each edge its own; "auto" takes "round" where the copies' quantised weights
            are equal anyway, so that nothing is lost.

    Raises:
        GraphError: the model has no detectors or no errors, an error cannot be decomposed (with its text), a
            probability is above one half, or there are too many observables.
        ValueError: `weight_bits` or `sharing` is out of range.
    """
    if not 2 <= weight_bits <= MAX_WEIGHT_BITS:
        raise ValueError(f"weight_bits must be 2 to {MAX_WEIGHT_BITS}, not {weight_bits}")
    if sharing not in ("auto", "round", "edge"):
        raise ValueError(f"sharing must be 'auto', 'round' or 'edge', not {sharing!r}")
    if dem.num_detectors == 0:
        raise GraphError("the model has no detectors; there is nothing to decode")
    if dem.num_observables > MAX_OBSERVABLES:
        raise GraphError(
            f"the model has {dem.num_observables} observables; a result record holds {MAX_OBSERVABLES}"
        )

    mechanisms = _Mechanisms()
    for instruction in dem.flattened():
        if instruction.type == "error":
            mechanisms.add(instruction)
    if not mechanisms.by_edge:
        raise GraphError("the model has no error that any detector sees; there is nothing to decode")

    keys = sorted(mechanisms.by_edge)
    ambiguous: list[tuple[int, int, int, float]] = []
    probabilities: list[float] = []
    observables: list[int] = []
    for key in keys:
        flavours = mechanisms.by_edge[key]
        winner = max(flavours, key=lambda o: (flavours[o], -o))
        ambiguous += [(*key, o, p) for o, p in sorted(flavours.items()) if o != winner]
        total = 0.0
        for p in flavours.values():
            total = _either(total, p)
        probabilities.append(total)
        observables.append(winner)

    by_index = dem.get_detector_coordinates()
    coordinates = tuple(tuple(by_index.get(d, [])) for d in range(dem.num_detectors))
    layers = _layers(coordinates)
    scale = _scale(probabilities, weight_bits)
    signatures = _round_signatures(keys, observables, coordinates, layers)
    classes, weights, chosen = _share(signatures, probabilities, scale, weight_bits, sharing)

    position = {key: index for index, key in enumerate(keys)}
    return DecodingGraph(
        num_detectors=dem.num_detectors,
        num_observables=dem.num_observables,
        edges=tuple(
            Edge(u, v, p, _llr(p), o, c)
            for (u, v), p, o, c in zip(keys, probabilities, observables, classes, strict=True)
        ),
        coordinates=coordinates,
        layers=layers,
        components=_components(dem.num_detectors, keys),
        correlations=tuple(sorted((position[a], position[b], p) for (a, b), p in mechanisms.joint.items())),
        ambiguous=tuple(ambiguous),
        weight_bits=weight_bits,
        sharing=chosen,
        weights=weights,
        units_per_nat=scale,
    )


def _llr(probability: float) -> float:
    return math.log1p(-probability) - math.log(probability)  # the quotient overflows for the smallest numbers


def _scale(probabilities: Sequence[float], weight_bits: int) -> float:
    """Register units per nat. The heaviest edge takes the top code, unless it is an outlier: weights beyond twice
    the median saturate instead of squeezing all others into a few codes.
    """
    weights = np.array([_llr(p) for p in probabilities])
    top = min(float(weights.max()), 2 * float(np.median(weights)))
    return (2**weight_bits - 1) / top if top > 0 else 1.0


def quantise(probability: float, scale: float, weight_bits: int) -> int:
    """Weight of a probability in register units, 1 .. 2**weight_bits - 1, at `scale` units per nat."""
    # A weight of 0 would join detectors that saw nothing; 1 is the least that still costs something.
    return min(max(round(_llr(probability) * scale), 1), 2**weight_bits - 1)


def _time(coordinates: tuple[float, ...]) -> float:
    """Stim's convention is (x, y, t, ...) for planar codes and (x, t) for chains."""
    return coordinates[2] if len(coordinates) > 2 else coordinates[-1]


def _layers(coordinates: Sequence[tuple[float, ...]]) -> tuple[tuple[int, ...], ...]:
    if not all(coordinates):
        return (tuple(range(len(coordinates))),)  # no time axis is known: everything arrives at once
    by_time: dict[float, list[int]] = {}
    for detector, c in enumerate(coordinates):
        by_time.setdefault(_time(c), []).append(detector)
    return tuple(tuple(by_time[t]) for t in sorted(by_time))


def _round_signatures(
    keys: Sequence[_Key],
    observables: Sequence[int],
    coordinates: Sequence[tuple[float, ...]],
    layers: Sequence[Sequence[int]],
) -> list[tuple[object, ...]]:
    """What an edge is, apart from when it is: equal signatures are copies in the repeating round.

    The first and the last two layers are told apart from the bulk, since preparation and final measurement change
    the noise there.
    """
    layer_of = {d: r for r, layer in enumerate(layers) for d in layer}
    last = len(layers) - 1

    def place(d: int) -> tuple[float, ...]:
        c = coordinates[d]
        return (*c[:2], *c[3:]) if len(c) > 2 else c[:-1]

    signatures: list[tuple[object, ...]] = []
    for (u, v), o in zip(keys, observables, strict=True):
        ends = (u,) if v == BOUNDARY else (u, v)
        if last == 0:
            signatures.append((u, v))
            continue
        first_layer = min(layer_of[d] for d in ends)
        final_layer = max(layer_of[d] for d in ends)
        shape = tuple(sorted((place(d), layer_of[d] - first_layer) for d in ends))
        signatures.append((shape, o, min(first_layer, 2), min(last - final_layer, 2)))
    return signatures


def _share(
    signatures: Sequence[tuple[object, ...]],
    probabilities: Sequence[float],
    scale: float,
    weight_bits: int,
    sharing: str,
) -> tuple[list[int], npt.NDArray[np.uint16], str]:
    index: dict[tuple[object, ...], int] = {}
    classes = [index.setdefault(s, len(index)) for s in signatures]
    members: list[list[float]] = [[] for _ in index]
    for c, p in zip(classes, probabilities, strict=True):
        members[c].append(p)
    codes = [{quantise(p, scale, weight_bits) for p in m} for m in members]
    if sharing == "edge" or (sharing == "auto" and any(len(c) > 1 for c in codes)):
        classes = list(range(len(probabilities)))
        members = [[p] for p in probabilities]
        sharing = "edge"
    else:
        sharing = "round"
    weights = np.array([quantise(sum(m) / len(m), scale, weight_bits) for m in members], dtype=np.uint16)
    return classes, weights, sharing


def _components(num_detectors: int, keys: Iterable[_Key]) -> tuple[tuple[int, ...], ...]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    inner = np.array([k for k in keys if k[1] != BOUNDARY], dtype=np.int64).reshape(-1, 2)
    adjacency = coo_array(
        (np.ones(len(inner)), (inner[:, 0], inner[:, 1])), shape=(num_detectors, num_detectors)
    )
    count, label = connected_components(adjacency, directed=False)
    return tuple(tuple(np.flatnonzero(label == c).tolist()) for c in range(count))
