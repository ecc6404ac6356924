# SPDX-License-Identifier: BSD-2-Clause
"""From a decoding graph to the plan of a window: of a whole shot, or sliding over a shot of any length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from triplane.gateware.decoder.correlations import conditional_weights, group_weights
from triplane.gateware.decoder.graph import BOUNDARY, DecodingGraph, GraphError
from triplane.gateware.decoder.window.plan import (
    FIRST,
    LAST,
    LEVELS,
    MIDDLE,
    NOWHERE,
    WHOLE,
    WindowEdge,
    WindowPlan,
)

END_LAYERS = 2
"""Layers at either end of a shot in which preparation and final measurement may change edges and weights, where edges
span one layer; for each that they span more it is one more.
"""

MAX_SPAN = 2
"""Layers that an edge spans at most. Where ancillas are not reset, a wrong bit makes events two rounds apart."""

TOLERANCE = 1
"""Units by which a weight near an end may be off the middle's. One costs nothing that 40,000 shots could tell and saves
three classes of ten; three cost two failures in a hundred (d=5, see docs/calibrate-decoder.md). A class is a register
of every one of its weights.
"""

_K = TypeVar("_K")
_Place = tuple[float, ...]
Shape = tuple[
    tuple[tuple[_Place, int], ...], int
]  # ends as (place, layer from the edge's oldest), observables


def whole_window(graph: DecodingGraph, *, levels: int | None = LEVELS) -> WindowPlan:
    """One window that holds a whole shot: vertices are the graph's detectors, edges its edges in its order.

    Args:
        graph: the compiled graph.
        levels: alternative weights per edge; 0: one pass only; None: each partner's own weight (for studies).

    Raises:
        ValueError: `levels` is negative.
    """
    if levels is not None and levels < 0:
        raise ValueError(f"levels must be 0 or more, not {levels}")
    found = conditional_weights(graph) if levels != 0 else [{} for _ in graph.edges]
    level_of = [_levels(weights, levels) for weights in found]
    count = levels if levels is not None else max((max(of.values()) + 1 for of in level_of if of), default=1)
    rows = [
        _ascending(
            class_row(
                int(graph.weights[edge.weight_class]),
                [(of[p], w) for p, w in weights.items()],
                count,
            )
        )
        for edge, weights, of in zip(graph.edges, found, level_of, strict=True)
    ]
    numbers: dict[tuple[int, tuple[int, ...]], int] = {}
    classes = [
        numbers.setdefault((edge.weight_class, row), len(numbers))
        for edge, row in zip(graph.edges, rows, strict=True)
    ]
    layer_of = _layer_of(graph)
    return WindowPlan(
        num_layers=len(graph.layers),
        commit=len(graph.layers),
        kinds=(WHOLE,),
        slots=graph.layers,
        places=(),
        edges=tuple(
            WindowEdge(e.u, e.v, e.observables, NOWHERE, (c,), min(layer_of[d] for d in _ends(e.u, e.v)))
            for e, c in zip(graph.edges, classes, strict=True)
        ),
        components=graph.components,
        weight_bits=graph.weight_bits,
        levels=count,
        weights=np.array([row for _, row in numbers], dtype=np.uint16).reshape(len(numbers), 1 + count),
        reliefs=tuple(tuple(sorted(of.items())) for of in level_of),
        num_observables=graph.num_observables,
        units_per_nat=graph.units_per_nat,
    )


def sliding_window(
    graph: DecodingGraph,
    *,
    window: int,
    commit: int,
    levels: int | None = LEVELS,
    tolerance: int = TOLERANCE,
) -> WindowPlan:
    """A window that slides over shots of any length, from the graph of a long one.

    Edges to the layers after the window become boundary edges that remember which event they toggle, edges to the
    layers before it are left out.

    Args:
        graph: of a shot of at least `window` + 4 layers, 6 where edges span two, that repeats itself between its ends.
        window: layers of the window, W.
        commit: layers that leave it at a time, C, 1 to W - 1.
        levels: alternative weights per class; 0: one pass only; None: each partner's own weight (for studies).
        tolerance: a copy of an edge near an end of the shot has a class of its own only where its base weight, or an
            alternative, is further than this from those of every other class of that edge.

    Raises:
        GraphError: the graph is too short, an edge spans more than two layers, or layers between the ends differ.
        ValueError: an argument is out of range.
    """
    if window < 2:
        raise ValueError(f"window must be at least 2 layers, not {window}")
    if not 1 <= commit < window:
        raise ValueError(f"commit must be 1 to {window - 1} layers for a window of {window}, not {commit}")
    if levels is not None and levels < 0:
        raise ValueError(f"levels must be 0 or more, not {levels}")
    if tolerance < 0:
        raise ValueError(f"tolerance must be 0 or more, not {tolerance}")
    strip = Strip.cut(graph, window, with_relief=levels != 0)
    shot_layers = len(graph.layers)
    origins = {FIRST: 0, MIDDLE: strip.middle, LAST: shot_layers - window}

    # Which copies each kind of window has, by what they are and where in the window
    present: list[dict[tuple[Shape, int], int]] = []
    for kind, origin in origins.items():
        here: dict[tuple[Shape, int], int] = {}
        for layer in range(window):
            for shape in strip.shapes:
                span = max(dt for _, dt in shape[0])
                if kind == LAST and layer + span >= window:
                    continue  # nothing comes after the last layer
                copy = strip.middle if kind == MIDDLE else origin + layer
                index = strip.copies.get((shape, copy))
                if index is not None:
                    here[shape, layer] = index
        present.append(here)

    width = len(strip.places)
    slot = {place: number for number, place in enumerate(strip.places)}
    outlines: dict[tuple[int, int, int, int], tuple[Shape, int]] = {}
    for shape, layer in {key for here in present for key in here}:
        ends = sorted((layer + dt) * width + slot[place] for place, dt in shape[0])
        inside = [v for v in ends if v < window * width]
        outside = ends[-1] if len(inside) < len(ends) else NOWHERE
        v = inside[1] if len(inside) == 2 else BOUNDARY
        outlines[inside[0], v, outside, shape[1]] = (shape, layer)
    order = sorted(outlines)
    position = {outlines[key]: number for number, key in enumerate(order)}

    level_of = {shape: _levels(strip.relief[index], levels) for shape, index in strip.reference.items()}
    count = (
        levels
        if levels is not None
        else max((max(of.values()) + 1 for of in level_of.values() if of), default=1)
    )
    book = _ClassBook(graph, strip, level_of, count, tolerance)
    classes = [
        tuple(NOWHERE if key not in here else book.number(key[0], here[key]) for here in present)
        for key in (outlines[outline] for outline in order)
    ]
    edges = tuple(
        WindowEdge(u, v, observables, outside, own, outlines[u, v, outside, observables][1])
        for (u, v, outside, observables), own in zip(order, classes, strict=True)
    )
    return WindowPlan(
        num_layers=window,
        commit=commit,
        kinds=tuple(origins),
        slots=tuple(tuple(range(layer * width, (layer + 1) * width)) for layer in range(window)),
        places=strip.places,
        edges=edges,
        components=_components(window * width, edges),
        weight_bits=graph.weight_bits,
        levels=count,
        weights=np.array(book.rows, dtype=np.uint16).reshape(len(book.rows), 1 + count),
        reliefs=tuple(book.reliefs(outlines[outline], present, position) for outline in order),
        num_observables=graph.num_observables,
        units_per_nat=graph.units_per_nat,
    )


@dataclass(frozen=True)
class Strip:
    """A long graph, sorted by what repeats along it.

    Attributes:
        places: slot -> spatial coordinates of the repeating layer.
        ends: layers at either end that need not be like those between, see `END_LAYERS`.
        copies: (shape, oldest layer) -> edge of the graph.
        shapes: every shape there is, in the order of the graph's edges.
        middle: a layer in the middle, and `reference`: shape -> its copy there.
        relief: edge -> partner -> conditional weight, partners as (shape, layers from the edge's oldest).
    """

    places: tuple[_Place, ...]
    ends: int
    copies: dict[tuple[Shape, int], int]
    shapes: tuple[Shape, ...]
    middle: int
    reference: dict[Shape, int]
    relief: list[dict[tuple[Shape, int], int]]

    @classmethod
    def cut(
        cls, graph: DecodingGraph, window: int, *, with_relief: bool = True, repeats: bool = True
    ) -> Strip:
        """Sorts a graph; without `repeats` the layers between the ends may have edges and weights of their own."""
        layers = graph.layers
        layer_of = _layer_of(graph)
        ends = END_LAYERS - 1 + _span(graph, layer_of)
        if len(layers) < window + 2 * ends:
            raise GraphError(
                f"a graph of {len(layers)} layers is too short to cut windows of {window} layers from it; "
                f"compile a shot of at least {window + 2 * ends} layers"
            )
        middle = len(layers) // 2
        places = tuple(place_of(graph.coordinates[d]) for d in layers[middle])
        for number, layer in enumerate(layers):
            strange = [d for d in layer if place_of(graph.coordinates[d]) not in places]
            if strange:
                raise GraphError(
                    f"detector {strange[0]} of layer {number} has no counterpart in layer {middle}; "
                    "a sliding window needs layers that repeat"
                )
            if len({place_of(graph.coordinates[d]) for d in layer}) < len(layer):
                raise GraphError(
                    f"two detectors of layer {number} are at the same coordinates; give each its own, since windows "
                    "tell the detectors of a layer apart by where they are"
                )
        keys: list[tuple[Shape, int]] = []
        for e in graph.edges:
            here = _ends(e.u, e.v)
            oldest = min(layer_of[d] for d in here)
            shape = tuple(sorted((place_of(graph.coordinates[d]), layer_of[d] - oldest) for d in here))
            keys.append(((shape, e.observables), oldest))
        copies = {key: index for index, key in enumerate(keys)}
        found = conditional_weights(graph) if with_relief else [{} for _ in graph.edges]
        relief = [
            {(keys[p][0], keys[p][1] - oldest): w for p, w in partners.items()}
            for (_, oldest), partners in zip(keys, found, strict=True)
        ]
        reference = {shape: index for (shape, oldest), index in copies.items() if oldest == middle}
        strip = cls(places, ends, copies, tuple(dict.fromkeys(s for s, _ in keys)), middle, reference, relief)
        if repeats:
            strip._check_repeats(graph)
        return strip

    def _check_repeats(self, graph: DecodingGraph) -> None:
        weights = graph.weights[[e.weight_class for e in graph.edges]]
        final = len(graph.layers) - self.ends
        for shape in self.shapes:
            span = max(dt for _, dt in shape[0])
            for layer in range(self.ends, final - span):
                mine, other = self.copies.get((shape, layer)), self.reference.get(shape)
                if mine is None and other is None:
                    continue
                if mine is None or other is None or weights[mine] != weights[other]:
                    e = graph.edges[other if mine is None else mine]  # type: ignore[index]
                    raise GraphError(
                        f"layer {layer} differs from layer {self.middle} in edge D{e.u} "
                        f"{'boundary' if e.v == BOUNDARY else f'D{e.v}'}; a sliding window needs layers that repeat"
                    )


class _ClassBook:
    """Hands out weight classes: one per shape, and more for copies near the ends whose weights are far from it."""

    def __init__(
        self,
        graph: DecodingGraph,
        strip: Strip,
        level_of: dict[Shape, dict[tuple[Shape, int], int]],
        levels: int,
        tolerance: int,
    ) -> None:
        self.rows: list[tuple[int, ...]] = []
        self._weights = graph.weights[[e.weight_class for e in graph.edges]]
        self._strip = strip
        self._level_of = level_of
        self._levels = levels
        self._tolerance = tolerance
        self._numbers: dict[Shape, list[int]] = {}

    def number(self, shape: Shape, index: int) -> int:
        """Class of a copy, edge `index` of the graph: of all that are close enough, the one that was there first."""
        known = self._numbers.setdefault(shape, [])
        reference = self._strip.reference.get(shape)
        if not known and reference is not None:
            self._add(known, self._row_of(shape, reference))
        row = self._row_of(shape, index)
        for number in known:
            if max(abs(a - b) for a, b in zip(row, self.rows[number], strict=True)) <= self._tolerance:
                return number
        return self._add(known, row)

    def _add(self, known: list[int], row: tuple[int, ...]) -> int:
        known.append(len(self.rows))
        self.rows.append(row)
        return known[-1]

    def reliefs(
        self,
        key: tuple[Shape, int],
        present: Sequence[dict[tuple[Shape, int], int]],
        position: dict[tuple[Shape, int], int],
    ) -> tuple[tuple[int, int], ...]:
        """(partner, level) pairs of a window edge."""
        shape, layer = key
        levels: dict[int, int] = {}
        for here in present:
            if key not in here:
                continue
            for (other, dt), weight in self._strip.relief[here[key]].items():
                partner = position.get((other, layer + dt))
                level = self._level(shape, here[key], (other, dt), weight)
                if partner is not None and level is not None:
                    levels.setdefault(partner, level)
        middle = present[1].get(key)
        if middle is not None:
            for (other, dt), level in self._level_of[shape].items():
                partner = position.get((other, layer + dt))
                if partner is not None:
                    levels[partner] = level
        return tuple(sorted(levels.items()))

    def _level(self, shape: Shape, index: int, partner: tuple[Shape, int], weight: int) -> int | None:
        """Level of a partner: that of the middle, where the middle has both."""
        of = self._level_of.get(shape)
        if of is None:  # a shape of the ends only
            return _levels(self._strip.relief[index], self._levels).get(partner)
        if partner in of:
            return of[partner]
        if partner[0] in self._strip.reference or not of:
            return None  # in the middle both are there and uncorrelated
        row = self._row_of(shape, self._strip.reference[shape])
        return min(range(self._levels), key=lambda level: (abs(row[1 + level] - weight), level))

    def _row_of(self, shape: Shape, index: int) -> tuple[int, ...]:
        found = [
            (level, weight)
            for partner, weight in self._strip.relief[index].items()
            if (level := self._level(shape, index, partner, weight)) is not None
        ]
        return _ascending(class_row(int(self._weights[index]), found, self._levels))


def class_row(base: int, found: Iterable[tuple[int, int]], levels: int) -> list[int]:
    """Base weight and alternatives of a class, from the (level, conditional weight) of its partners."""
    members: dict[int, list[int]] = defaultdict(list)
    for level, weight in found:
        members[level].append(weight)
    means = {level: round(sum(m) / len(m)) for level, m in members.items()}
    row = [base]
    for level in range(levels):
        # A level without partners takes the one below it, or else the one above.
        below = [means[k] for k in range(level, -1, -1) if k in means]
        above = [means[k] for k in range(level + 1, levels) if k in means]
        row.append(min((below or above or [base])[0], base))
    return row


def _ascending(row: list[int]) -> tuple[int, ...]:
    return (row[0], *np.maximum.accumulate(row[1:]).tolist())


def _levels(weights: dict[_K, int], levels: int | None) -> dict[_K, int]:
    """Partner -> level, from partner -> conditional weight."""
    groups = group_weights(sorted(weights.values()), levels) if weights else []
    level_of = {weight: level for level, group in enumerate(groups) for weight in group}
    return {partner: level_of[weight] for partner, weight in weights.items()}


def _components(count: int, edges: Sequence[WindowEdge]) -> tuple[tuple[int, ...], ...]:
    ends = np.array([(e.u, e.v) for e in edges if e.v != BOUNDARY], dtype=np.int64).reshape(-1, 2)
    adjacency = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    number, label = connected_components(adjacency, directed=False)
    return tuple(tuple(np.flatnonzero(label == c).tolist()) for c in range(number))


def _ends(u: int, v: int) -> tuple[int, ...]:
    return (u,) if v == BOUNDARY else (u, v)


def _span(graph: DecodingGraph, layer_of: dict[int, int]) -> int:
    """Most layers that an edge spans, at least 1; raises GraphError for more than a window can hold."""
    span = 1
    for e in graph.edges:
        layers = [layer_of[d] for d in _ends(e.u, e.v)]
        span = max(span, max(layers) - min(layers))
        if span > MAX_SPAN:
            raise GraphError(
                f"edge D{e.u} D{e.v} spans layers {min(layers)} to {max(layers)}; a sliding window needs edges within "
                f"a layer or to the next {MAX_SPAN}"
            )
    return span


def _layer_of(graph: DecodingGraph) -> dict[int, int]:
    return {d: number for number, layer in enumerate(graph.layers) for d in layer}


def place_of(coordinates: tuple[float, ...]) -> tuple[float, ...]:
    """Spatial part of a detector's coordinates, in Stim's convention: (x, y, t, ...), or (x, t) for chains."""
    return (*coordinates[:2], *coordinates[3:]) if len(coordinates) > 2 else coordinates[:-1]
