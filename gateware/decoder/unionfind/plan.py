# SPDX-License-Identifier: BSD-2-Clause
"""What one union-find array is made of, worked out from the graph before any hardware is described.

Gateware and golden model are both built from this plan, so that they agree on numbering, on the order in which a
vertex looks at its edges and on the growth steps, and the worst case is computed in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from triplane.gateware.decoder.graph import BOUNDARY, DecodingGraph

GROWTH_STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Half-units by which all active clusters can grow in one step. The array takes the largest step that fills no edge
past its end; a set this fine reaches the next event in little over one step, at the price of one threshold per edge
and entry."""


@dataclass(frozen=True)
class ArrayEdge:
    """One edge of an array.

    Attributes:
        index: index of the edge in the decoding graph.
        u, v: vertex numbers within the array; v may be `BOUNDARY`.
        observables: bit k is set when the edge crosses observable k.
        weight_class: index of the weight register.
    """

    index: int
    u: int
    v: int
    observables: int
    weight_class: int


@dataclass(frozen=True)
class ArrayPlan:
    """One connected component of the decoding graph, as an array.

    Attributes:
        vertices: vertex number -> detector index.
        edges: the component's edges.
        weight_bits: width of a weight register.
        growth_steps: steps in half-units that growth may take, ascending from 1.
    """

    vertices: tuple[int, ...]
    edges: tuple[ArrayEdge, ...]
    weight_bits: int
    growth_steps: tuple[int, ...] = GROWTH_STEPS

    def __post_init__(self) -> None:
        if self.growth_steps[:1] != (1,) or list(self.growth_steps) != sorted(set(self.growth_steps)):
            raise ValueError(f"growth steps must ascend from 1, not {self.growth_steps}")

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
        vertices. Every act that is not growth adds at least one edge to it, and growth to an event fills at least
        one edge that the next act adds. An event takes at most `_steps_per_event` growth acts; an act takes two
        cycles with the look that precedes it; the last look and the load take two more.

            load | look act | look act | ... | look | valid
        """
        acts = len(self.vertices) * (1 + self._steps_per_event)
        return 2 + 2 * acts

    @property
    def peel_bound(self) -> int:
        """Worst-case cycles of peeling: every cycle takes at least one leaf off a forest, and one sees it empty."""
        return len(self.vertices) + 1

    @cached_property
    def _steps_per_event(self) -> int:
        longest = 0
        for distance in range(1, 2**self.slack_bits):
            count = 0
            while distance:
                distance -= max(s for s in self.steps if s <= distance)
                count += 1
            longest = max(longest, count)
        return longest


def plan_arrays(graph: DecodingGraph, growth_steps: tuple[int, ...] = GROWTH_STEPS) -> tuple[ArrayPlan, ...]:
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
