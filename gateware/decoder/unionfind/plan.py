# SPDX-License-Identifier: BSD-2-Clause
"""What one union-find array is made of, worked out from the graph before any hardware is described.

Gateware and golden model are both built from this plan, so that they agree on numbering, on the order in which a
vertex looks at its edges and on the growth steps, and the worst case is computed in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from triplane.gateware.decoder.graph import BOUNDARY, DecodingGraph


def default_steps(weight_bits: int) -> tuple[int, ...]:
    """Half-units by which all active clusters can grow in one act: powers of two up to a quarter of the longest edge.

    A threshold at a power of two is an OR of the upper bits of the slack. Larger steps are next to never taken.
    """
    return tuple(2**k for k in range(max(weight_bits - 1, 1)))


@dataclass(frozen=True)
class ArrayEdge:
    """One edge of an array.

    Attributes:
        index: index of the edge in the decoding graph.
        u, v: vertex numbers within the array; v may be `BOUNDARY`.
        observables: bit k is set when the edge crosses observable k.
        weight_class: index of the weight register.
        switchable: the edge can be dead, see `alive` of the array; only then it costs anything.
    """

    index: int
    u: int
    v: int
    observables: int
    weight_class: int
    switchable: bool = False


@dataclass(frozen=True)
class ArrayPlan:
    """One connected component of the decoding graph, as an array.

    A vertex may have several boundary edges (the code's own boundary and the open future of a window, say), with
    different observables; two vertices have at most one edge between them.

    Attributes:
        vertices: vertex number -> detector index.
        edges: the component's edges.
        weight_bits: width of a weight register.
        growth_steps: steps in half-units that growth may take, ascending from 1; empty for `default_steps`.
    """

    vertices: tuple[int, ...]
    edges: tuple[ArrayEdge, ...]
    weight_bits: int
    growth_steps: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.growth_steps:
            object.__setattr__(self, "growth_steps", default_steps(self.weight_bits))
        if self.growth_steps[:1] != (1,) or list(self.growth_steps) != sorted(set(self.growth_steps)):
            raise ValueError(f"growth steps must ascend from 1, not {self.growth_steps}")
        inner = [frozenset((e.u, e.v)) for e in self.edges if e.v != BOUNDARY]
        if len(set(inner)) != len(inner):
            raise ValueError("two edges join the same two vertices; merge them into one")

    @cached_property
    def incident(self) -> tuple[tuple[int, ...], ...]:
        """Vertex -> positions in `edges`, in the order in which the vertex prefers them: boundary first."""
        incident: list[list[int]] = [[] for _ in self.vertices]
        for position, edge in enumerate(self.edges):
            if edge.v == BOUNDARY:
                incident[edge.u].insert(0, position)
            else:
                incident[edge.u].append(position)
                incident[edge.v].append(position)
        return tuple(tuple(i) for i in incident)

    @property
    def slack_bits(self) -> int:
        """Width of an edge's remaining length in half-units: twice the largest weight."""
        return self.weight_bits + 1

    @property
    def steps(self) -> tuple[int, ...]:
        """The growth steps that a slack of this width can use, ascending."""
        return tuple(s for s in self.growth_steps if s < 2**self.slack_bits)

    @property
    def bound(self) -> int:
        """Worst-case cycles from the last round entering to the observables valid.

        A correction is a forest on the vertices and the boundary, so it has at most as many edges as there are
        vertices. Every act that is not growth adds at least one edge to it, by itself or by the merge that it asks for,
        and takes at most five cycles. Growth to an event fills at least one edge that the next act adds; it takes at
        most `_acts_per_event` acts of two cycles. Load, filling of the edges, first growth, and the look and the act
        that find nothing to do make the rest.

            load fill first | look act look call merge | look act | ... | look act
        """
        return 4 + len(self.vertices) * (5 + 2 * self._acts_per_event)

    @property
    def peel_bound(self) -> int:
        """Worst-case cycles from `peel` to `peeled`: every cycle takes a leaf off a forest, and one sees it empty."""
        return len(self.vertices) + 1

    @property
    def flood_bound(self) -> int:
        """Worst-case cycles from `flood` to `flooded`: every cycle reaches a vertex, and one sees nothing change."""
        return len(self.vertices) + 1

    @cached_property
    def _acts_per_event(self) -> int:
        # An edge that two ends grow over lets them pass at least `distance - 1` of the way in one act (see edge.py).
        acts = [0]
        for distance in range(1, 2**self.slack_bits):
            reaches = {max(s for s in self.steps if s <= reach) for reach in (distance, max(distance - 1, 1))}
            acts.append(1 + max(acts[distance - step] for step in reaches))
        return max(acts)


def plan_arrays(graph: DecodingGraph, growth_steps: tuple[int, ...] = ()) -> tuple[ArrayPlan, ...]:
    """One plan per connected component of the graph, in the order of `graph.components`."""
    plans = []
    for component in graph.components:
        local = {detector: number for number, detector in enumerate(component)}
        edges = tuple(
            ArrayEdge(
                index, local[e.u], BOUNDARY if e.v == BOUNDARY else local[e.v], e.observables, e.weight_class
            )
            for index, e in enumerate(graph.edges)
            if e.u in local
        )
        plans.append(ArrayPlan(component, edges, graph.weight_bits, growth_steps))
    return tuple(plans)
