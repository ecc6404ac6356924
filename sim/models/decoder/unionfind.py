# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/decoder/unionfind`: the same decisions in the same cycles, in plain Python under Numba.

The model is not a union-find library in disguise: it walks through LOOK and the act that follows exactly as the
array does, so observables, corrections, flags, steps and cycle counts can all be compared bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from triplane.gateware.decoder.graph import BOUNDARY, DecodingGraph
from triplane.gateware.decoder.layouts import UNMATCHED
from triplane.gateware.decoder.unionfind.plan import GROWTH_STEPS, ArrayPlan, plan_arrays


@dataclass(frozen=True)
class DecodeResult:
    """What the decoder says of each shot.

    Attributes:
        observables: uint32 (shots,), bit k = predicted flip of observable k.
        cycles: uint16 (shots,), last round entering to observables valid.
        flags: uint16 (shots,), see `layouts.FLAGS`.
        grow_steps: uint16 (shots,), growth acts of all arrays.
        merge_steps: uint16 (shots,), merges through the arbiter, of all arrays.
        correction: bool (shots, edges), or None where none was asked for.
    """

    observables: npt.NDArray[np.uint32]
    cycles: npt.NDArray[np.uint16]
    flags: npt.NDArray[np.uint16]
    grow_steps: npt.NDArray[np.uint16]
    merge_steps: npt.NDArray[np.uint16]
    correction: npt.NDArray[np.bool_] | None


class UnionFindModel:
    """Decodes shots as the gateware built for `graph` does, with the weights that the graph carries.

    Args:
        graph: the compiled graph.
        growth_steps: the steps that growth may take; the gateware has the default.
    """

    def __init__(self, graph: DecodingGraph, growth_steps: tuple[int, ...] = GROWTH_STEPS) -> None:
        self.graph = graph
        self.tables = [ArrayTables.build(plan, graph) for plan in plan_arrays(graph, growth_steps)]

    def decode(self, events: npt.ArrayLike, *, correction: bool = False) -> DecodeResult:
        """Decodes detection events: bool (shots, num_detectors), column k = detector k.

        Raises:
            ValueError: the events have another shape.
        """
        defects = np.asarray(events, dtype=bool)
        if defects.ndim != 2 or defects.shape[1] != self.graph.num_detectors:
            raise ValueError(
                f"events have shape {defects.shape}, the graph needs (shots, {self.graph.num_detectors})"
            )
        shots = len(defects)
        observables = np.zeros(shots, dtype=np.uint32)
        cycles = np.zeros(shots, dtype=np.uint16)
        flags = np.zeros(shots, dtype=np.uint16)
        grows = np.zeros(shots, dtype=np.uint16)
        merges = np.zeros(shots, dtype=np.uint16)
        used = np.zeros((shots, len(self.graph.edges)), dtype=bool) if correction else None
        for tables in self.tables:
            mine = np.ascontiguousarray(defects[:, tables.vertices])
            stats = np.zeros((shots, 5), dtype=np.int64)
            picked = np.zeros((shots if correction else 1, len(tables.edge_index)), dtype=np.bool_)
            decode_kernel(*tables.arrays, mine, stats, picked, correction)
            observables ^= stats[:, 0].astype(np.uint32)
            cycles = np.maximum(cycles, stats[:, 1].astype(np.uint16))
            flags |= np.where(stats[:, 2], np.uint16(UNMATCHED), np.uint16(0))
            grows += stats[:, 3].astype(np.uint16)
            merges += stats[:, 4].astype(np.uint16)
            if used is not None:
                used[:, tables.edge_index] = picked
        return DecodeResult(observables, cycles, flags, grows, merges, used)

    def grown(self, events: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Edges that clusters have grown over when decoding ends: bool (shots, edges), from bool (shots, detectors)."""
        defects = np.asarray(events, dtype=bool)
        full = np.zeros((len(defects), len(self.graph.edges)), dtype=bool)
        for tables in self.tables:
            mine = np.ascontiguousarray(defects[:, tables.vertices])
            stats = np.zeros((len(defects), 5), dtype=np.int64)
            picked = np.zeros((len(defects), len(tables.edge_index)), dtype=np.bool_)
            decode_kernel(*tables.arrays, mine, stats, picked, False)
            full[:, tables.edge_index] = picked
        return full

    def radii(self, events: npt.ArrayLike) -> npt.NDArray[np.uint16]:
        """Growth until nothing was active, of the array that grew most: uint16 (shots,), half-units.

        What a cluster that was active to the end has grown on every side, from bool (shots, detectors).
        """
        defects = np.asarray(events, dtype=bool)
        radius = np.zeros(len(defects), dtype=np.uint16)
        for tables in self.tables:
            mine = np.ascontiguousarray(defects[:, tables.vertices])
            stats = np.zeros((len(defects), 6), dtype=np.int64)
            decode_kernel(*tables.arrays, mine, stats, np.zeros((1, len(tables.edge_index)), np.bool_), False)
            radius = np.maximum(radius, stats[:, 5].astype(np.uint16))
        return radius

    def clusters(self, events: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Cluster of each detector when decoding ends: int64 (shots, num_detectors).

        Detectors joined by edges that are grown over share a number, the least detector index among them. Two
        clusters on the boundary are not joined by it, and an untouched detector is a cluster of its own.
        """
        full = self.grown(events)
        inner = [k for k, e in enumerate(self.graph.edges) if e.v != BOUNDARY]
        ends = np.array(
            [(self.graph.edges[k].u, self.graph.edges[k].v) for k in inner], dtype=np.int64
        ).reshape(-1, 2)
        count = self.graph.num_detectors
        labels = np.empty((len(full), count), dtype=np.int64)
        for shot, grown in enumerate(full[:, inner]):
            u, v = ends[grown].T
            _, label = connected_components(
                coo_array((np.ones(len(u)), (u, v)), shape=(count, count)), directed=False
            )
            least = np.full(count, count)
            np.minimum.at(least, label, np.arange(count))
            labels[shot] = least[label]
        return labels


@dataclass(frozen=True)
class ArrayTables:
    """One array as the kernel takes it.

    Attributes:
        vertices, edge_index: int64, detector of each vertex and graph edge of each edge.
        arrays: the kernel's first arguments, int64 each.
    """

    vertices: npt.NDArray[np.int64]
    edge_index: npt.NDArray[np.int64]
    arrays: tuple[npt.NDArray[np.int64], ...]

    @classmethod
    def build(cls, plan: ArrayPlan, graph: DecodingGraph) -> ArrayTables:
        """Tables of one array, with the weights that the graph carries."""
        starts = np.cumsum([0, *(len(i) for i in plan.incident)])
        arrays = (
            np.array([e.u for e in plan.edges]),
            np.array([e.v for e in plan.edges]),
            np.array([e.observables for e in plan.edges]),
            np.array([2 * int(graph.weights[e.weight_class]) for e in plan.edges]),
            starts,
            np.array([e for i in plan.incident for e in i]),
            np.array(plan.steps),
            np.array([graph.first_growth]),
        )
        return cls(
            np.array(plan.vertices, dtype=np.int64),
            np.array([e.index for e in plan.edges], dtype=np.int64),
            tuple(a.astype(np.int64) for a in arrays),
        )


_GROUNDED = -1  # cluster id of everything that hangs on the boundary


@numba.njit(cache=True)
def decode_kernel(eu, ev, eobs, length, starts, incident, steps, first, events, stats, picked, peel):  # type: ignore[no-untyped-def]
    """Decodes every shot of one array; `picked` receives the correction where `peel` is set, else the grown edges.

    Columns of `stats`: observables, cycles, unmatched, growth acts, merges and, where there is a sixth, total growth.
    """
    vertices = events.shape[1]
    edges = len(eu)
    keep = len(picked) == len(events)
    slack = np.empty(edges, np.int64)
    tree = np.empty(edges, np.bool_)
    defect = np.empty(vertices, np.bool_)
    taken = np.empty(vertices, np.bool_)
    active = np.empty(vertices, np.bool_)
    single = np.empty(vertices, np.bool_)
    ident = np.empty(vertices, np.int64)
    potential = np.empty(vertices, np.int64)
    choice = np.empty(vertices, np.int64)
    for shot in range(len(events)):
        # LOAD, with the growth that is safe for every edge
        any_active = False
        for v in range(vertices):
            d = events[shot, v]
            defect[v] = taken[v] = active[v] = single[v] = d
            ident[v] = v
            potential[v] = 0
            any_active |= d
        for e in range(edges):
            rate = int(defect[eu[e]])
            if ev[e] >= 0:
                rate += int(defect[ev[e]])
            slack[e] = max(length[e] - rate * first[0], 0)
            tree[e] = False
        cycles = 2
        radius = first[0] if any_active else 0
        grows = 0
        merges = 0
        unmatched = False
        while any_active:
            # LOOK: each vertex picks the first of its full edges that leads somewhere
            request = -1
            any_adopt = False
            any_pair = False
            for v in range(vertices):
                choice[v] = -1
                for k in range(starts[v], starts[v + 1]):
                    e = incident[k]
                    if slack[e] != 0:
                        continue
                    if ev[e] < 0:
                        if active[v]:
                            choice[v] = e
                            break
                        continue
                    n = eu[e] if ev[e] == v else ev[e]
                    if taken[v]:
                        if active[v] and taken[n] and ident[n] != ident[v]:
                            choice[v] = e
                            break
                    elif active[n]:
                        choice[v] = e
                        break
                if choice[v] >= 0:
                    if not taken[v]:
                        any_adopt = True
                    elif request < 0:
                        request = v
            for v in range(vertices):
                e = choice[v]
                if (
                    e >= 0
                    and single[v]
                    and (ev[e] < 0 or (single[eu[e]] and single[ev[e]] and choice[eu[e]] == choice[ev[e]]))
                ):
                    any_pair = True
            cycles += 2
            # ACT: the most local thing that can be done
            if any_pair:
                for v in range(vertices):
                    e = choice[v]
                    if e < 0 or not single[v]:
                        continue
                    if ev[e] < 0:
                        ident[v] = _GROUNDED
                        potential[v] ^= eobs[e]
                    elif v == eu[e] and single[ev[e]] and choice[ev[e]] == e:
                        n = ev[e]
                        ident[n] = v
                        potential[n] ^= eobs[e]
                        active[n] = single[n] = False
                    else:
                        continue
                    active[v] = single[v] = False
                    tree[e] = True
            elif any_adopt:
                for v in range(vertices):
                    # a vertex that is about to be adopted from is a cluster of one no longer
                    if single[v]:
                        for k in range(starts[v], starts[v + 1]):
                            e = incident[k]
                            if slack[e] == 0 and ev[e] >= 0:
                                n = eu[e] if ev[e] == v else ev[e]
                                if not taken[n]:
                                    single[v] = False
                                    break
                for v in range(vertices):
                    e = choice[v]
                    if e >= 0 and not taken[v]:
                        n = eu[e] if ev[e] == v else ev[e]
                        ident[v] = ident[n]
                        potential[v] = potential[n] ^ eobs[e]
                        tree[e] = True
                for v in range(vertices):
                    if choice[v] >= 0 and not taken[v]:
                        taken[v] = active[v] = True
            elif request >= 0:
                merges += 1
                e = choice[request]
                loser = ident[request]
                if ev[e] < 0:
                    winner = _GROUNDED
                    offset = potential[request] ^ eobs[e]
                    still = False
                else:
                    n = eu[e] if ev[e] == request else ev[e]
                    winner = ident[n]
                    offset = potential[request] ^ potential[n] ^ eobs[e]
                    still = winner != _GROUNDED and not active[n]
                for v in range(vertices):
                    if taken[v] and (ident[v] == loser or ident[v] == winner):
                        if ident[v] == loser:
                            ident[v] = winner
                            potential[v] ^= offset
                        active[v] = still
                        single[v] = False
                tree[e] = True
            else:
                limit = np.int64(1) << 60
                for e in range(edges):
                    rate = int(active[eu[e]])
                    if ev[e] >= 0:
                        rate = 0 if ident[eu[e]] == ident[ev[e]] else rate + int(active[ev[e]])
                    if rate:
                        limit = min(limit, slack[e] if rate == 1 else (slack[e] + 1) // 2)
                if limit == np.int64(1) << 60:
                    unmatched = True
                    cycles -= 2
                    break
                delta = 0
                for s in steps:
                    if s <= limit:
                        delta = s
                grows += 1
                radius += delta
                for e in range(edges):
                    rate = int(active[eu[e]])
                    if ev[e] >= 0:
                        rate = 0 if ident[eu[e]] == ident[ev[e]] else rate + int(active[ev[e]])
                    slack[e] = max(slack[e] - rate * delta, 0)
            any_active = False
            for v in range(vertices):
                any_active |= active[v]
        flips = 0
        for v in range(vertices):
            if defect[v]:
                flips ^= potential[v]
        stats[shot, 0] = flips
        stats[shot, 1] = cycles
        stats[shot, 2] = unmatched
        stats[shot, 3] = grows
        stats[shot, 4] = merges
        if stats.shape[1] > 5:
            stats[shot, 5] = radius
        if keep and not peel:
            picked[shot] = slack == 0
        if peel:
            _peel(eu, ev, starts, incident, tree, defect, picked[shot])


@numba.njit(cache=True)
def _peel(eu, ev, starts, incident, tree, defect, picked):  # type: ignore[no-untyped-def]
    """Takes all leaves off the forest at once, again and again, until nothing is left of it."""
    vertices = len(defect)
    leaf_edge = np.empty(vertices, np.int64)
    while True:
        leaves = False
        for v in range(vertices):
            leaf_edge[v] = -1
            for k in range(starts[v], starts[v + 1]):
                if tree[incident[k]]:
                    if leaf_edge[v] >= 0:
                        leaf_edge[v] = -2
                        break
                    leaf_edge[v] = incident[k]
            leaves |= leaf_edge[v] >= 0
        if not leaves:
            return
        for v in range(vertices):
            e = leaf_edge[v]
            if e < 0 or not tree[e]:
                continue
            # Where both ends are leaves the edge is taken off once, by its first end.
            tree[e] = False
            if defect[v]:
                picked[e] = True
                defect[v] = False
                if ev[e] >= 0:
                    n = eu[e] if ev[e] == v else ev[e]
                    defect[n] = not defect[n]
