# SPDX-License-Identifier: BSD-2-Clause
"""Correlated passes over the union-find arrays: decode, reweight what is correlated with the correction, decode again.

The study that the gateware of the passes is to follow. Each pass is the golden model of the array; reweighting
starts from the graph's own weights every time and takes the least weight that any edge of the last correction allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.correlations import DEFAULT_LEVELS, compile_reliefs
from triplane.gateware.decoder.graph import DecodingGraph
from triplane.sim.models.decoder.unionfind import STATS, UnionFindModel, decode_kernel


@dataclass(frozen=True)
class PassResult:
    """What each pass says of each shot.

    Attributes:
        observables: uint32 (passes, shots), bit k = predicted flip of observable k after that pass.
        cycles: uint32 (passes, shots), cycles of the arrays up to and with that pass; peeling and reloading between
            the passes are not counted.
    """

    observables: npt.NDArray[np.uint32]
    cycles: npt.NDArray[np.uint32]


class CorrelatedModel:
    """Decodes shots in several correlated passes.

    Args:
        graph: the compiled graph, with its correlations.
        passes: number of passes, at least 1.
        levels: alternative weights per edge, see `compile_reliefs`.

    Raises:
        ValueError: `passes` is below 1.
    """

    def __init__(self, graph: DecodingGraph, passes: int = 2, levels: int | None = DEFAULT_LEVELS) -> None:
        if passes < 1:
            raise ValueError(f"passes must be at least 1, not {passes}")
        self.graph = graph
        self.passes = passes
        self._arrays = UnionFindModel(graph).tables
        reliefs = compile_reliefs(graph, levels)
        # By the edge that is used: which edges it relieves, and to what.
        relieved: list[list[tuple[int, int]]] = [[] for _ in graph.edges]
        for edge, pairs in enumerate(reliefs.partners):
            for partner, level in pairs:
                relieved[partner].append((edge, int(reliefs.weights[edge, level])))
        self._starts = np.cumsum([0, *map(len, relieved)])
        flat = [pair for pairs in relieved for pair in pairs]
        self._edges = np.array([edge for edge, _ in flat], dtype=np.int64)
        self._lengths = np.array([2 * weight for _, weight in flat], dtype=np.int64)

    def decode(self, events: npt.ArrayLike) -> PassResult:
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
        observables = np.zeros((self.passes, shots), dtype=np.uint32)
        cycles = np.zeros((self.passes, shots), dtype=np.uint32)
        used = np.zeros((shots, len(self.graph.edges)), dtype=np.bool_)
        for number in range(self.passes):
            following = np.zeros_like(used)
            slowest = np.zeros(shots, dtype=np.uint32)
            for tables in self._arrays:
                stats = np.zeros((shots, STATS), dtype=np.int64)
                mine = np.ascontiguousarray(defects[:, tables.vertices])
                relief = (self._starts, self._edges, self._lengths, tables.edge_index)
                _pass(tables.arrays, relief, mine, used, following, stats, number > 0)
                observables[number] ^= stats[:, 0].astype(np.uint32)
                slowest = np.maximum(slowest, stats[:, 1].astype(np.uint32))
            cycles[number] = slowest + (cycles[number - 1] if number else 0)
            used = following
        return PassResult(observables, cycles)


@numba.njit(cache=True)
def _pass(arrays, relief, events, used, following, stats, reweight):  # type: ignore[no-untyped-def]
    """One pass of one array over all shots; `used` is the last correction, `following` receives this one."""
    eu, ev, eobs, own, starts, incident, steps, first = arrays
    relief_starts, relief_edges, relief_lengths, edge_index = relief
    edges = len(eu)
    none = np.zeros(1, np.int64)
    picked = np.zeros((1, edges), np.bool_)
    relieved = np.empty(used.shape[1], np.int64)
    length = own.copy()
    for shot in range(len(events)):
        if reweight:
            relieved[:] = np.int64(1) << 40
            for e in range(used.shape[1]):
                if used[shot, e]:
                    for k in range(relief_starts[e], relief_starts[e + 1]):
                        relieved[relief_edges[k]] = min(relieved[relief_edges[k]], relief_lengths[k])
            for e in range(edges):
                length[e] = min(own[e], relieved[edge_index[e]])
        picked[:] = False
        row = slice(shot, shot + 1)
        # The first growth is safe for the graph's own weights only.
        growth = none if reweight else first
        decode_kernel(
            eu, ev, eobs, length, starts, incident, steps, growth, events[row], stats[row], picked, True
        )
        for e in range(edges):
            following[shot, edge_index[e]] = picked[0, e]
