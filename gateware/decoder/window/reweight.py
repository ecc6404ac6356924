# SPDX-License-Identifier: BSD-2-Clause
"""Weights of another model for a window that is built already.

Which edges share a class, and which alternative a partner calls for, is wired. A model with the same edges and other
probabilities therefore keeps both, and only the numbers in the registers change:

- The base weight of a class is that of the mean probability of all edges of the graph that it serves: the likeliest
  rate of errors that are taken to repeat. `compile_graph` shares registers by the same rule.
- An alternative is the mean of the conditional weights of the partners of its level, over those same edges, and no
  more than the base weight. It need not ascend from level to level, since levels were sorted by the old model. Pairs
  that are wired but uncorrelated in the new model are left out of the mean; a level that has no others takes its
  neighbour's, and a class without any correlation is not relieved. Pairs that are correlated in the new model alone
  have no wire.

In a sliding window the copies of an edge between the ends of the graph are averaged as well, so a graph whose layers
do not quite repeat, as one that was estimated from recorded events, is welcome here.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from triplane.gateware.decoder.correlations import conditional_weights
from triplane.gateware.decoder.graph import BOUNDARY, DecodingGraph, GraphError, quantise
from triplane.gateware.decoder.window.compile import Shape, Strip, class_row
from triplane.gateware.decoder.window.plan import FIRST, LAST, MIDDLE, NOWHERE, WindowPlan


def reweighted(plan: WindowPlan, graph: DecodingGraph) -> WindowPlan:
    """The same window with the weights of a graph of the same structure.

    Args:
        plan: of the gateware.
        graph: a whole shot where the plan is of one; for a sliding plan any shot of at least W + 4 layers with the
            same ends. How its edges share weights is of no account.

    Returns:
        A plan of the same structure hash, with its own weights, first growth and units per nat.

    Raises:
        GraphError: the graph has another structure: the first detector or edge that differs, and what to do.
    """
    if graph.weight_bits != plan.weight_bits:
        raise GraphError(
            f"the graph has weights of {graph.weight_bits} bits, the window of {plan.weight_bits}; "
            f"compile it with weight_bits={plan.weight_bits}"
        )
    if graph.num_observables != plan.num_observables:
        raise GraphError(
            f"the graph has {graph.num_observables} observables, the window {plan.num_observables}"
        )
    own = np.array([quantise(e.probability, graph.units_per_nat, plan.weight_bits) for e in graph.edges])
    relieved = conditional_weights(graph) if plan.levels else []
    correlated = {(a, b) for one, two, _ in graph.correlations for a, b in ((one, two), (two, one))}
    members: list[set[int]] = [set() for _ in range(plan.num_classes)]
    pairs: dict[tuple[int, int], dict[tuple[int, int], int]] = defaultdict(dict)
    for kind, edges in _sliding_places(plan, graph) if plan.sliding else _whole_places(plan, graph):
        for number, index in edges.items():
            own_class = plan.edges[number].classes[kind]
            members[own_class].add(index)
            for partner, level in plan.reliefs[number]:
                if partner in edges and (index, edges[partner]) in correlated:
                    weight = relieved[index].get(edges[partner], int(own[index]))
                    pairs[own_class, level][index, edges[partner]] = weight
    rows = []
    for number, indices in enumerate(members):
        mean = sum(graph.edges[index].probability for index in sorted(indices)) / len(indices)
        base = quantise(mean, graph.units_per_nat, plan.weight_bits)
        found = [(level, w) for level in range(plan.levels) for w in pairs[number, level].values()]
        rows.append(class_row(base, found, plan.levels))
    return dataclasses.replace(
        plan,
        weights=np.array(rows, dtype=np.uint16).reshape(plan.weights.shape),
        units_per_nat=graph.units_per_nat,
    )


_K = TypeVar("_K")
_Place = tuple[int, dict[int, int]]
"""A kind, and where its window may lie in the graph: edge of the plan -> edge of the graph."""


def _whole_places(plan: WindowPlan, graph: DecodingGraph) -> Iterator[_Place]:
    if graph.layers != plan.slots:
        raise GraphError(
            f"the graph's {graph.num_detectors} detectors in {len(graph.layers)} layers are not the window's "
            f"{plan.num_vertices} in {plan.num_layers}; take a model of the same experiment"
        )
    given = {(e.u, e.v): _Built(e.observables, _detectors(e.u, e.v)) for e in graph.edges}
    built = {(e.u, e.v): _Built(e.observables, _detectors(e.u, e.v)) for e in plan.edges}
    _compare(given, built)
    yield 0, {number: number for number in range(len(plan.edges))}


def _sliding_places(plan: WindowPlan, graph: DecodingGraph) -> Iterator[_Place]:
    """The first window, the last one, and the middle one at every layer between the ends."""
    strip = Strip.cut(graph, plan.num_layers, with_relief=False, repeats=False)
    if set(strip.places) != set(plan.places):
        stranger = min(set(strip.places) ^ set(plan.places))
        raise GraphError(
            f"{'the graph has no' if stranger in plan.places else 'the window has no'} detector at {stranger}; "
            "take a model of the same code"
        )
    layers = len(graph.layers)
    shapes = [_shape(plan, number) for number in range(len(plan.edges))]
    spans = [max(dt for _, dt in ends) for ends, _ in shapes]
    built: dict[tuple[object, int], _Built] = {}

    def place(kind: int, base: int) -> _Place:
        found = {}
        middle = plan.kinds[kind] == MIDDLE
        for number, (edge, shape, span) in enumerate(zip(plan.edges, shapes, spans, strict=True)):
            oldest = base + edge.layer
            if edge.classes[kind] == NOWHERE:
                continue
            if middle and not strip.ends <= oldest < layers - strip.ends - span:
                continue  # the middle of a shot is what lies between its ends
            text = " ".join(f"{spot} of layer {oldest + dt}" for spot, dt in shape[0])
            built[shape[0], oldest] = _Built(shape[1], f"from {text}")
            index = strip.copies.get((shape, oldest))
            if index is not None:
                found[number] = index
        return kind, found

    places = [
        place(plan.kinds.index(FIRST), 0),
        place(plan.kinds.index(LAST), layers - plan.num_layers),
        *(
            place(plan.kinds.index(MIDDLE), base)
            for base in range(strip.ends - plan.num_layers + 1, layers - strip.ends)
        ),
    ]
    given: dict[tuple[object, int], _Built] = {
        (ends, oldest): _Built(observables, _detectors(graph.edges[index].u, graph.edges[index].v))
        for ((ends, observables), oldest), index in strip.copies.items()
    }
    _compare(given, built)
    yield from places


def _shape(plan: WindowPlan, number: int) -> Shape:
    """What an edge of a sliding plan is, wherever the window lies."""
    edge = plan.edges[number]
    far = edge.outside if edge.outside != NOWHERE else edge.v
    ends = (edge.u,) if far == BOUNDARY else (edge.u, far)
    return tuple(
        sorted((plan.places[v % plan.width], v // plan.width - edge.layer) for v in ends)
    ), edge.observables


def _detectors(u: int, v: int) -> str:
    return f"D{u} {'boundary' if v == BOUNDARY else f'D{v}'}"


@dataclass(frozen=True)
class _Built:
    """An edge as far as gateware is concerned, and its name for people."""

    observables: int
    name: str


def _compare(given: Mapping[_K, _Built], built: Mapping[_K, _Built]) -> None:
    """Refuses a graph whose edges are not those of the window."""
    for ends, edge in built.items():
        if ends not in given:
            raise GraphError(
                f"the graph lacks edge {edge.name}, which the window has; give its error a floor, a probability "
                "such as 1e-6"
            )
        if given[ends].observables != edge.observables:
            raise GraphError(
                f"edge {given[ends].name} flips observables {given[ends].observables:#b} in the graph and "
                f"{edge.observables:#b} in the window: another of its errors is the likeliest; "
                "build gateware for this model"
            )
    for ends, edge in given.items():
        if ends not in built:
            raise GraphError(
                f"the window lacks edge {edge.name} of the graph; build gateware for this model, or leave the "
                "error out of it"
            )
