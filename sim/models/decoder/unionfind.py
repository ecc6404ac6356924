# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/decoder/unionfind`: the same decisions in the same cycles, in plain Python under Numba.

The model is not a union-find library in disguise: it walks through LOOK and the act that follows exactly as the
array does, so observables, corrections, flags, steps and cycle counts can all be compared bit for bit.

`UnionFindModel` decodes whole shots in one pass. What sequences passes and windows has `decode_array`,
`committed_by` and the kernels for one shot: `grow_shot`, `peel_shot`, `flood_shot`.
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
from triplane.gateware.decoder.unionfind.plan import ArrayPlan, plan_arrays


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
        peel_cycles: uint16 (shots,), `peel` to `peeled` of the slowest array, 0 where no correction was asked for.
    """

    observables: npt.NDArray[np.uint32]
    cycles: npt.NDArray[np.uint16]
    flags: npt.NDArray[np.uint16]
    grow_steps: npt.NDArray[np.uint16]
    merge_steps: npt.NDArray[np.uint16]
    correction: npt.NDArray[np.bool_] | None
    peel_cycles: npt.NDArray[np.uint16]


class UnionFindModel:
    """Decodes shots as the gateware built for `graph` does, with the weights that the graph carries.

    Args:
        graph: the compiled graph.
        growth_steps: the steps that growth may take; empty for those of the gateware.
    """

    def __init__(self, graph: DecodingGraph, growth_steps: tuple[int, ...] = ()) -> None:
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
        peels = np.zeros(shots, dtype=np.uint16)
        for tables in self.tables:
            found = decode_array(tables, defects[:, tables.vertices], peel=correction)
            observables ^= found.observables
            cycles = np.maximum(cycles, found.cycles)
            flags |= np.where(found.unmatched, np.uint16(UNMATCHED), np.uint16(0))
            grows += found.grow_steps
            merges += found.merge_steps
            peels = np.maximum(peels, found.peel_cycles)
            if used is not None:
                used[:, tables.edge_index] = found.correction
        return DecodeResult(observables, cycles, flags, grows, merges, used, peels)

    def grown(self, events: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Edges that clusters have grown over when decoding ends: bool (shots, edges), from bool (shots, detectors)."""
        defects = np.asarray(events, dtype=bool)
        full = np.zeros((len(defects), len(self.graph.edges)), dtype=bool)
        for tables in self.tables:
            full[:, tables.edge_index] = decode_array(tables, defects[:, tables.vertices], peel=False).grown
        return full

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


@dataclass(frozen=True)
class ArrayResult:
    """What one array says of each shot, in the array's own numbering.

    Attributes:
        observables: uint32 (shots,), predicted flips.
        cycles: uint16 (shots,), `load` to `done`.
        unmatched: bool (shots,).
        grow_steps, merge_steps: uint16 (shots,).
        peel_cycles: uint16 (shots,), `peel` to `peeled`; 0 where nothing was peeled.
        grown, forest, correction: bool (shots, edges): grown over, joined, and, after peeling, used.
        potentials: uint32 (shots, vertices), the flips that a detection event there stands for.
    """

    observables: npt.NDArray[np.uint32]
    cycles: npt.NDArray[np.uint16]
    unmatched: npt.NDArray[np.bool_]
    grow_steps: npt.NDArray[np.uint16]
    merge_steps: npt.NDArray[np.uint16]
    peel_cycles: npt.NDArray[np.uint16]
    grown: npt.NDArray[np.bool_]
    forest: npt.NDArray[np.bool_]
    correction: npt.NDArray[np.bool_]
    potentials: npt.NDArray[np.uint32]


def decode_array(
    tables: ArrayTables,
    events: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    first_growth: int | None = None,
    alive: npt.ArrayLike | None = None,
    peel: bool = True,
) -> ArrayResult:
    """One pass of one array over detection events: bool (shots, vertices).

    Args:
        tables: the array.
        events: column k = vertex k.
        weights: what the edges have loaded, (shots, edges) or (edges,); the graph's weights by default.
        first_growth: half-units that are grown before the first look; the graph's by default.
        alive: bool (edges,), all by default.
        peel: work out the correction.
    """
    defects = np.ascontiguousarray(events, dtype=np.bool_)
    shots = len(defects)
    eu, ev, eobs, length, starts, incident, steps, first = tables.arrays
    living = (
        np.ones(len(eu), dtype=np.bool_) if alive is None else np.ascontiguousarray(alive, dtype=np.bool_)
    )
    # The kernel grows in place: the slack of an edge starts as its length.
    slack = np.empty((shots, len(eu)), dtype=np.int64)
    slack[:] = length if weights is None else 2 * np.asarray(weights, dtype=np.int64)
    stats = np.zeros((shots, STATS), dtype=np.int64)
    forest = np.zeros((shots, len(eu)), dtype=np.bool_)
    correction = np.zeros_like(forest)
    potentials = np.zeros(defects.shape, dtype=np.int64)
    growth = int(first[0]) if first_growth is None else first_growth
    _decode_shots(
        eu, ev, eobs, starts, incident, steps, growth, living, defects, slack, forest, potentials, stats,
        correction, peel,
    )  # fmt: skip
    return ArrayResult(
        stats[:, 0].astype(np.uint32),
        stats[:, 1].astype(np.uint16),
        stats[:, 2].astype(np.bool_),
        stats[:, 3].astype(np.uint16),
        stats[:, 4].astype(np.uint16),
        stats[:, 5].astype(np.uint16),
        slack <= 0,
        forest,
        correction,
        potentials.astype(np.uint32),
    )


def committed_by(
    tables: ArrayTables, forest: npt.ArrayLike, seeds: npt.ArrayLike
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint16]]:
    """Commit flood of one array.

    Args:
        tables: the array.
        forest: bool (shots, edges), as in `ArrayResult`.
        seeds: bool (shots, vertices).

    Returns:
        Committed vertices, bool (shots, vertices); cycles from `flood` to `flooded`, uint16 (shots,).
    """
    joined = np.ascontiguousarray(forest, dtype=np.bool_)
    committed = np.array(seeds, dtype=np.bool_, order="C")
    cycles = np.zeros(len(committed), dtype=np.uint16)
    for shot in range(len(committed)):
        cycles[shot] = flood_shot(*tables.arrays[:2], joined[shot], committed[shot])
    return committed, cycles


STATS = 6
"""Figures of a shot: flips, cycles, unmatched, growth acts, merges, peel cycles."""


@numba.njit(cache=True)
def _decode_shots(  # type: ignore[no-untyped-def]
    eu,
    ev,
    eobs,
    starts,
    incident,
    steps,
    first,
    alive,
    events,
    slack,
    forest,
    potentials,
    stats,
    correction,
    peel,
):
    for shot in range(len(events)):
        grow_shot(
            eu, ev, eobs, starts, incident, steps, first, alive, events[shot], slack[shot], forest[shot],
            potentials[shot], stats[shot],
        )  # fmt: skip
        if peel:
            stats[shot, 5] = peel_shot(
                eu, ev, starts, incident, forest[shot].copy(), events[shot].copy(), correction[shot]
            )


@numba.njit(cache=True)
def decode_kernel(eu, ev, eobs, length, starts, incident, steps, first, events, stats, picked, peel):  # type: ignore[no-untyped-def]
    """Decodes every shot of one array whose edges are all alive; `picked` receives the corrections where `peel`."""
    alive = np.ones(len(eu), np.bool_)
    potential = np.zeros(events.shape[1], np.int64)
    forest = np.zeros(len(eu), np.bool_)
    for shot in range(len(events)):
        slack = length.copy()
        grow_shot(
            eu, ev, eobs, starts, incident, steps, first[0], alive, events[shot], slack, forest, potential,
            stats[shot],
        )  # fmt: skip
        if peel:
            stats[shot, 5] = peel_shot(eu, ev, starts, incident, forest, events[shot].copy(), picked[shot])


@numba.njit(cache=True)
def grow_shot(  # type: ignore[no-untyped-def]
    eu, ev, eobs, starts, incident, steps, first, alive, events, slack, forest, potential, stats
):
    """One pass from `load` to `done`: grows `slack` in place, overwrites `forest`, `potential` and `stats[:5]`.

    An edge that is filled past its end by a half-unit has a slack of -1, as in the gateware.
    """
    vertices = len(events)
    edges = len(eu)
    active = events.copy()
    single = np.ones(vertices, np.bool_)
    grounded = np.zeros(vertices, np.bool_)
    ident = np.arange(vertices)
    apart = np.ones(edges, np.bool_)
    rate = np.empty(edges, np.int64)
    choice = np.empty(vertices, np.int64)
    in_pair = np.empty(vertices, np.bool_)
    forest[:] = False
    potential[:] = 0
    cycles = 2
    grows = 0
    merges = 0
    unmatched = False
    # FIRST, the growth that is safe for every edge
    any_active = False
    for v in range(vertices):
        any_active |= active[v]
    for e in range(edges):
        if alive[e]:
            slack[e] -= first * (int(active[eu[e]]) + (int(active[ev[e]]) if ev[e] >= 0 else 0))
    if any_active:
        cycles = 3
    while any_active:
        # LOOK: each vertex chooses the first of its links at which clusters can join
        for e in range(edges):
            rate[e] = 0
            if alive[e] and apart[e]:
                rate[e] = int(active[eu[e]]) + (int(active[ev[e]]) if ev[e] >= 0 else 0)
        wishes = False
        for v in range(vertices):
            choice[v] = -1
            in_pair[v] = False
            for k in range(starts[v], starts[v + 1]):
                e = incident[k]
                if slack[e] <= 0 and rate[e] > 0:
                    choice[v] = e
                    wishes = True
                    break
        cycles += 2
        if not wishes:
            # ACT, growth
            delta = np.int64(0)
            limit = np.int64(1) << 60
            for e in range(edges):
                if rate[e] == 1:
                    limit = min(limit, slack[e])
                elif rate[e] == 2:
                    limit = min(limit, max(slack[e] // 2, np.int64(1)))
            if limit == np.int64(1) << 60:
                unmatched = True
                cycles -= 2
                break
            for s in steps:
                if s <= limit:
                    delta = s
            grows += 1
            for e in range(edges):
                slack[e] -= rate[e] * delta
            continue
        # ACT: clusters of one that have chosen each other, or the boundary, join; the first other one asks
        for v in range(vertices):
            e = choice[v]
            if (
                e >= 0
                and single[v]
                and (ev[e] < 0 or (choice[eu[e]] == choice[ev[e]] and single[eu[e]] and single[ev[e]]))
            ):
                in_pair[v] = True
        asks = -1
        for v in range(vertices - 1, -1, -1):
            if active[v] and choice[v] >= 0 and not in_pair[v]:
                asks = v
        for v in range(vertices):
            e = choice[v]
            if not in_pair[v] or forest[e]:
                continue
            forest[e] = True
            apart[e] = ev[e] < 0
            single[v] = False
            if ev[e] < 0:
                active[v] = False
                grounded[v] = True
                potential[v] = eobs[e]
                continue
            n = ev[e] if eu[e] == v else eu[e]  # above v, which came first
            single[n] = False
            root, other = (v, n) if active[v] else (n, v)
            active[root] = active[other] = not active[other]
            ident[other] = root
            potential[other] = eobs[e]
        if asks >= 0:
            # MERGE: the asking cluster becomes part of the one that it has reached
            cycles += 1
            merges += 1
            e = choice[asks]
            loser = ident[asks]
            offset = potential[asks] ^ eobs[e]
            winner = np.int64(-1)
            still = False
            grounds = True
            if ev[e] >= 0:
                n = eu[e] if ev[e] == asks else ev[e]
                winner = ident[n]
                offset ^= potential[n]
                grounds = grounded[n]
                still = not active[n] and not grounded[n]
            forest[e] = True
            single[asks] = False
            if ev[e] >= 0:
                single[n] = False
            for k in range(edges):
                u, v = eu[k], ev[k]
                if (
                    v >= 0
                    and (ident[u] == loser or ident[u] == winner)
                    and (ident[v] == loser or ident[v] == winner)
                ):
                    apart[k] = False
            for v in range(vertices):
                if ident[v] == loser:
                    potential[v] ^= offset
                    grounded[v] |= grounds
                    active[v] = still
                    if winner >= 0:
                        ident[v] = winner
                elif ident[v] == winner:
                    active[v] = still
        any_active = False
        for v in range(vertices):
            any_active |= active[v]
    flips = np.int64(0)
    for v in range(vertices):
        if events[v]:
            flips ^= potential[v]
    stats[0] = flips
    stats[1] = cycles
    stats[2] = unmatched
    stats[3] = grows
    stats[4] = merges


@numba.njit(cache=True)
def peel_shot(eu, ev, starts, incident, forest, defect, correction):  # type: ignore[no-untyped-def]
    """Takes all leaves off `forest` at once, again and again; `correction` (all 0 before) receives the edges used.

    `forest` and `defect` are consumed. Returns the cycles from `peel` to `peeled`.
    """
    vertices = len(defect)
    leaf_edge = np.empty(vertices, np.int64)
    cycles = 1
    while True:
        leaves = False
        for v in range(vertices):
            leaf_edge[v] = -1
            for k in range(starts[v], starts[v + 1]):
                if forest[incident[k]]:
                    if leaf_edge[v] >= 0:
                        leaf_edge[v] = -2
                        break
                    leaf_edge[v] = incident[k]
            leaves |= leaf_edge[v] >= 0
        if not leaves:
            return cycles
        cycles += 1
        for v in range(vertices):
            e = leaf_edge[v]
            if e < 0 or not forest[e]:
                continue
            # Where both ends are leaves the edge is taken off once, by its first end.
            forest[e] = False
            if defect[v]:
                correction[e] = True
                defect[v] = False
                if ev[e] >= 0:
                    n = eu[e] if ev[e] == v else ev[e]
                    defect[n] = not defect[n]


@numba.njit(cache=True)
def flood_shot(eu, ev, forest, committed):  # type: ignore[no-untyped-def]
    """Spreads `committed`, which holds the seeds, through the forest in place; returns cycles, `flood` to `flooded`."""
    cycles = 1
    reached = np.empty_like(committed)
    while True:
        reached[:] = committed
        for e in range(len(eu)):
            if forest[e] and ev[e] >= 0 and committed[eu[e]] != committed[ev[e]]:
                reached[eu[e]] = reached[ev[e]] = True
        if (reached == committed).all():
            return cycles
        committed[:] = reached
        cycles += 1
