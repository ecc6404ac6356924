# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/decoder/unionfind`: the same decisions in the same cycles, in plain Python under Numba.

The model is not a union-find library in disguise: it walks through LOOK and the act that follows exactly as the
array does, so observables, corrections, flags, steps and cycle counts can all be compared bit for bit.

`UnionFindModel` decodes whole shots in one pass. What sequences passes and windows has `decode_array`,
`committed_by` and the kernels for one shot: `grow_shot`, `peel_shot`, `flood_shot`; `grow` is what they and the
windowed model share.
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

    def decode(
        self, events: npt.ArrayLike, *, correction: bool = False, weights: npt.ArrayLike | None = None
    ) -> DecodeResult:
        """Decodes detection events: bool (shots, num_detectors), column k = detector k.

        Args:
            events: the detection events.
            correction: work out the physical correction.
            weights: whole numbers (shots, edges), 1 or more: each shot's own in place of the graph's. Nothing is grown
                before the first look then.

        Raises:
            ValueError: the events or the weights have another shape.
        """
        defects = np.asarray(events, dtype=bool)
        if defects.ndim != 2 or defects.shape[1] != self.graph.num_detectors:
            raise ValueError(
                f"events have shape {defects.shape}, the graph needs (shots, {self.graph.num_detectors})"
            )
        shots = len(defects)
        own = None if weights is None else np.asarray(weights)
        if own is not None and own.shape != (shots, len(self.graph.edges)):
            raise ValueError(f"weights have shape {own.shape}, not {(shots, len(self.graph.edges))}")
        observables = np.zeros(shots, dtype=np.uint32)
        cycles = np.zeros(shots, dtype=np.uint16)
        flags = np.zeros(shots, dtype=np.uint16)
        grows = np.zeros(shots, dtype=np.uint16)
        merges = np.zeros(shots, dtype=np.uint16)
        used = np.zeros((shots, len(self.graph.edges)), dtype=bool) if correction else None
        peels = np.zeros(shots, dtype=np.uint16)
        for tables in self.tables:
            found = decode_array(
                tables,
                defects[:, tables.vertices],
                weights=None if own is None else own[:, tables.edge_index],
                first_growth=None if own is None else 0,
                peel=correction,
            )
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

    def radii(self, events: npt.ArrayLike) -> npt.NDArray[np.uint16]:
        """Growth until nothing was active, of the array that grew most: uint16 (shots,), half-units."""
        defects = np.asarray(events, dtype=bool)
        radius = np.zeros(len(defects), dtype=np.uint16)
        for tables in self.tables:
            found = decode_array(tables, defects[:, tables.vertices], peel=False)
            radius = np.maximum(radius, found.radius)
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


@dataclass(frozen=True)
class ArrayResult:
    """What one array says of each shot, in the array's own numbering.

    Attributes:
        observables: uint32 (shots,), predicted flips.
        cycles: uint16 (shots,), `load` to `done`.
        unmatched: bool (shots,).
        grow_steps, merge_steps: uint16 (shots,).
        peel_cycles: uint16 (shots,), `peel` to `peeled`; 0 where nothing was peeled.
        radius: uint16 (shots,), half-units that a cluster has grown on every side that was active to the end.
        grown, forest, correction: bool (shots, edges): grown over, joined, and, after peeling, used.
        potentials: uint32 (shots, vertices), the flips that a detection event there stands for.
    """

    observables: npt.NDArray[np.uint32]
    cycles: npt.NDArray[np.uint16]
    unmatched: npt.NDArray[np.bool_]
    grow_steps: npt.NDArray[np.uint16]
    merge_steps: npt.NDArray[np.uint16]
    peel_cycles: npt.NDArray[np.uint16]
    radius: npt.NDArray[np.uint16]
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
        stats[:, 6].astype(np.uint16),
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


NEVER = 1 << 60
"""A cycle that does not come."""

DEAD = 1 << 62
"""Length of an edge that is not there: far beyond any growth, also when halved."""

STATS = 7
"""Figures of a shot: flips, cycles, unmatched, growth acts, merges, peel cycles, growth in half-units."""


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
def grow_shot(  # type: ignore[no-untyped-def]
    eu, ev, eobs, starts, incident, steps, first, alive, events, slack, forest, potential, stats, stop=NEVER
):
    """One pass from `load` to `done`: grows `slack` in place, overwrites `forest`, `potential` and `stats`.

    From cycle `stop` on no look is followed by an act: the pass ends, unmatched if a cluster is still active.
    An edge that is filled past its end by a half-unit has a slack of -1, as in the gateware.
    """
    vertices = len(events)
    edges = len(eu)
    forest[:] = False
    potential[:] = 0
    state = (
        np.arange(vertices),
        potential,
        np.full(vertices, -1),
        np.empty(2 * vertices, np.int64),
        np.zeros(vertices, np.bool_),
        np.zeros(vertices, np.bool_),
        np.ones(vertices, np.bool_),
        np.zeros(vertices, np.bool_),
        np.zeros(vertices, np.bool_),
        np.ones(edges, np.bool_),
    )
    joined = np.empty(vertices + 1, np.int64)
    length = np.where(alive, slack, DEAD)
    grown = grow(
        (eu, ev, eobs, starts, incident, steps), length, first, np.flatnonzero(events),
        np.empty(vertices, np.int64), joined, state, stop,
    )  # fmt: skip
    _, trees, cycles, grows, merges, unmatched, radius = grown
    for e in range(edges):
        if alive[e]:
            slack[e] = length[e]
    for i in range(trees):
        forest[joined[i]] = True
    flips = np.int64(0)
    for v in range(vertices):
        if events[v]:
            flips ^= potential[v]
    stats[0] = flips
    stats[1] = cycles
    stats[2] = unmatched
    stats[3] = grows
    stats[4] = merges
    stats[6] = radius


@numba.njit(cache=True)
def grow(graph, slack, first, found, members, forest, state, stop):  # type: ignore[no-untyped-def]
    """Grows one array from `load` to `done`, visiting only the vertices that clusters have reached.

    Args:
        graph: ends and observables of the edges, their lists per vertex, growth steps.
        slack: of each edge, grown over in place; `DEAD` where the edge is not there.
        first: half-units that are grown before the first look.
        found: vertices with a detection event.
        members, forest: receive the vertices in clusters, and the edges of their trees.
        state: of each vertex cluster, potential, choice, scratch of twice the size, in a cluster, active, alone,
            grounded, listed; of each edge whether its ends are in different clusters. As at rest, and left as found.
        stop: from this cycle on no look is followed by an act.

    Returns:
        Numbers of members and of forest edges, cycles, growth acts, merges, whether events are left unmatched, and
        the growth in half-units of what was active to the end.
    """
    eu, ev, eobs, starts, incident, steps = graph
    ident, potential, choice, reached, member, active, single, grounded, listed, apart = state
    count = len(found)
    trees = 0
    for i in range(count):
        v = found[i]
        members[i] = v
        member[v] = active[v] = True
        for k in range(starts[v], starts[v + 1]):
            slack[incident[k]] -= first
    any_active = count > 0
    current = np.int64(-1)
    cycles = 3 if any_active else 2
    grows = 0
    merges = 0
    radius = np.int64(first) if any_active else np.int64(0)
    unmatched = False
    while any_active:
        if cycles - 1 >= stop:
            unmatched = True
            break
        # LOOK: each vertex chooses the first of its links at which clusters can join
        free = 0
        wishes = False
        for i in range(count):
            v = members[i]
            choice[v] = -1
            if active[v]:
                for k in range(starts[v], starts[v + 1]):
                    e = incident[k]
                    if slack[e] <= 0 and apart[e]:
                        if choice[v] < 0:
                            choice[v] = e
                            wishes = True
                        if ev[e] >= 0:
                            n = eu[e] + ev[e] - v
                            if not member[n] and not listed[n]:
                                listed[n] = True
                                reached[free] = n
                                free += 1
        cycles += 2
        if not wishes:
            # ACT: all active clusters grow
            limit = np.int64(1) << 60
            for i in range(count):
                v = members[i]
                if active[v]:
                    for k in range(starts[v], starts[v + 1]):
                        e = incident[k]
                        if apart[e]:
                            if ev[e] < 0 or not active[eu[e] + ev[e] - v]:
                                limit = min(limit, slack[e])
                            else:
                                limit = min(limit, slack[e] // 2 if slack[e] > 1 else slack[e])
            if limit == np.int64(1) << 60:
                unmatched = True
                cycles -= 2
                break
            delta = np.int64(0)
            for s in steps:
                if s <= limit:
                    delta = s
            grows += 1
            radius += delta
            for i in range(count):
                v = members[i]
                if active[v]:
                    for k in range(starts[v], starts[v + 1]):
                        if apart[incident[k]]:
                            slack[incident[k]] -= delta
            continue
        adopted = 0
        for i in range(free):
            v = reached[i]
            listed[v] = False
            choice[v] = -1
            for k in range(starts[v], starts[v + 1]):
                e = incident[k]
                if slack[e] <= 0 and apart[e] and ev[e] >= 0 and active[eu[e] + ev[e] - v]:
                    choice[v] = e
                    if ident[eu[e] + ev[e] - v] == current:
                        adopted += 1
                    break
        # ACT: clusters of one that have chosen each other, or the boundary, join; the first other one asks
        asks = -1
        joined = count
        for i in range(count):
            v = members[i]
            e = choice[v]
            if e < 0:
                continue
            if single[v]:
                if ev[e] < 0:
                    reached[joined - count + free] = v
                    joined += 1
                    continue
                n = eu[e] + ev[e] - v
                # The choices of members that rest are old, but those are single no longer.
                if single[n] and choice[n] == e:
                    if v == eu[e] or not member[n]:
                        reached[joined - count + free] = v
                        joined += 1
                    continue
            if asks < 0 or v < asks:
                asks = v
        for i in range(free, joined - count + free):
            v = reached[i]
            e = choice[v]
            forest[trees] = e
            trees += 1
            single[v] = False
            if ev[e] < 0:
                active[v] = False
                grounded[v] = True
                potential[v] = eobs[e]
                continue
            apart[e] = False
            n = eu[e] + ev[e] - v
            single[n] = False
            if not member[n]:
                # a free vertex grows on with the cluster that has reached it
                member[n] = active[n] = True
                members[count] = n
                count += 1
                ident[n] = v
                potential[n] = eobs[e]
            else:
                active[v] = active[n] = False
                ident[n] = v
                potential[n] = eobs[e]
        if adopted > 0:
            # The cluster that merged last takes in what is free around it; whoever asks will ask again
            for i in range(free):
                v = reached[i]
                e = choice[v]
                n = eu[e] + ev[e] - v
                if ident[n] == current and not member[v]:
                    member[v] = active[v] = True
                    members[count] = v
                    count += 1
                    single[v] = False
                    potential[v] = potential[n] ^ eobs[e]
                    forest[trees] = e
                    trees += 1
            for i in range(count - adopted, count):
                ident[members[i]] = current
            for i in range(count - adopted, count):
                _close(graph, members[i], ident, apart)
        elif asks >= 0:
            # CALL, MERGE: the asking cluster becomes part of the one that it has reached
            cycles += 2
            merges += 1
            e = choice[asks]
            loser = ident[asks]
            offset = potential[asks] ^ eobs[e]
            current = loser
            still = False
            grounds = True
            single[asks] = False
            if ev[e] >= 0:
                n = eu[e] + ev[e] - asks
                if not member[n]:
                    member[n] = True
                    members[count] = n
                    count += 1
                current = ident[n]
                offset ^= potential[n]
                grounds = grounded[n]
                still = not active[n] and not grounded[n]
                single[n] = False
            forest[trees] = e
            trees += 1
            moved = 0
            for i in range(count):
                v = members[i]
                if ident[v] == loser:
                    potential[v] ^= offset
                    grounded[v] |= grounds
                    active[v] = still
                    ident[v] = current
                    reached[moved] = v
                    moved += 1
                elif ident[v] == current:
                    active[v] = still
            for i in range(moved):
                _close(graph, reached[i], ident, apart)
        any_active = False
        for i in range(count):
            any_active |= active[members[i]]
    return count, trees, cycles, grows, merges, unmatched, radius


@numba.njit(cache=True)
def _close(graph, v, ident, apart):  # type: ignore[no-untyped-def]
    """The edges between `v` and its own cluster are no place to join any more."""
    eu, ev, _, starts, incident, _ = graph
    for k in range(starts[v], starts[v + 1]):
        e = incident[k]
        if ev[e] >= 0 and ident[eu[e] + ev[e] - v] == ident[v]:
            apart[e] = False


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
