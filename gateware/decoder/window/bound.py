# SPDX-License-Identifier: BSD-2-Clause
"""A window's components as arrays, and the worst case that follows: what no record exceeds."""

from __future__ import annotations

from triplane.gateware.decoder.graph import BOUNDARY
from triplane.gateware.decoder.unionfind.plan import ArrayEdge, ArrayPlan
from triplane.gateware.decoder.window.plan import NOWHERE, WindowPlan


def window_arrays(plan: WindowPlan) -> tuple[ArrayPlan, ...]:
    """One plan per component of the window, in their order; `weight_class` of an edge is its index in the window."""
    arrays = []
    for component in plan.components:
        local = {vertex: number for number, vertex in enumerate(component)}
        edges = tuple(
            ArrayEdge(
                index,
                local[edge.u],
                BOUNDARY if edge.v == BOUNDARY else local[edge.v],
                edge.observables,
                index,
                switchable=NOWHERE in edge.classes,
            )
            for index, edge in enumerate(plan.edges)
            if edge.u in local
        )
        arrays.append(ArrayPlan(component, edges, plan.weight_bits))
    return tuple(arrays)


def window_bound(plan: WindowPlan, passes: int) -> int:
    """Worst-case cycles from the last word of a window being taken to the frame valid.

    Every pass but the last is followed by peeling, a cycle to look at what it relieves, and one of relief per level,
    the last of which loads the next pass; a window that settles layers ends with the flood that finds them, and one
    cycle.
    """
    arrays = window_arrays(plan)
    grow = max(array.bound for array in arrays)
    between = max(array.peel_bound for array in arrays) + 1 + plan.levels
    flood = max(array.flood_bound for array in arrays) + 2 if plan.sliding else 0
    return grow + (passes - 1) * (grow + between) + flood
