# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/decoder/unionfind`: the same decisions in the same cycles, in plain Python under Numba.

The model is not a union-find library in disguise: it walks through LOOK and the act that follows exactly as the
array does, so observables, corrections, flags, steps and cycle counts can all be compared bit for bit.

`UnionFindModel` decodes whole shots in one pass. What sequences passes and windows has `decode_array`, `committed_by`
and the kernels of `array.py`.
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
from triplane.sim.models.decoder.array import STATS, flood_shot, grow_shot, peel_shot


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
