# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of the windowed decoder: the same windows, passes, commits and cycles as the gateware.

Every array is grown by the kernel of `unionfind.py`, which visits only the vertices that clusters have reached, so that
a long memory at low noise takes time by its events and not by its size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.graph import BOUNDARY
from triplane.gateware.decoder.layouts import UNMATCHED
from triplane.gateware.decoder.unionfind.plan import default_steps
from triplane.gateware.decoder.window import NOWHERE, WindowPlan
from triplane.sim.models.decoder.array import DEAD, NEVER, grow

_OBSERVABLES, _CYCLES, _FLAGS, _GROWS, _MERGES, _PASSES, _PEEL, _FLOOD = range(8)


@dataclass(frozen=True)
class WindowResult:
    """What the decoder says of each window of each shot.

    Attributes:
        frame: uint32 (shots,), bit k = predicted flip of observable k over the whole shot.
        observables: uint32 (shots, windows), flips of what each window committed.
        cycles: uint16 (shots, windows), last round of the window entering to its flips in the frame.
        flags: uint16 (shots, windows), see `layouts.FLAGS`.
        grow_steps: uint16 (shots, windows), growth acts of all arrays and passes.
        merge_steps: uint16 (shots, windows), merges through the arbiter, of all arrays and passes.
        passes: uint16 (shots, windows), passes made.
        peel_cycles: uint16 (shots, windows), of the last peeling, longest array.
        flood_cycles: uint16 (shots, windows), of finding what is committed, longest array.
        correction: bool (shots, windows, edges), edges of the plan committed by each window, or None where not asked.
    """

    frame: npt.NDArray[np.uint32]
    observables: npt.NDArray[np.uint32]
    cycles: npt.NDArray[np.uint16]
    flags: npt.NDArray[np.uint16]
    grow_steps: npt.NDArray[np.uint16]
    merge_steps: npt.NDArray[np.uint16]
    passes: npt.NDArray[np.uint16]
    peel_cycles: npt.NDArray[np.uint16]
    flood_cycles: npt.NDArray[np.uint16]
    correction: npt.NDArray[np.bool_] | None


class WindowModel:
    """Decodes shots as the gateware built for `plan` does, with the weights that the plan carries.

    Args:
        plan: of a whole shot, or of a sliding window.
        passes: correlated passes, at least 1.
        growth_steps: the steps that growth may take; empty for those of the gateware.

    From the second pass on, edges that earlier windows of the shot have committed relieve their partners as the edges
    of the last correction do, as long as they are in the window. Where only they have partners, a further pass is made
    as well.

    Raises:
        ValueError: `passes` is below 1, or the plan has no alternative weights for further ones.
    """

    def __init__(self, plan: WindowPlan, passes: int = 1, growth_steps: tuple[int, ...] = ()) -> None:
        if passes < 1:
            raise ValueError(f"passes must be at least 1, not {passes}")
        if passes > 1 and not plan.levels:
            raise ValueError(f"{passes} passes need alternative weights; compile the plan with levels")
        self.plan = plan
        self.passes = passes
        self._tables = _tables(plan, growth_steps)

    def decode(
        self,
        layers: npt.ArrayLike,
        *,
        announced: bool = True,
        correction: bool = False,
        timing: bool = True,
    ) -> WindowResult:
        """Decodes detection events: bool (shots, layers, slots), see `StreamMap.layers`.

        Args:
            layers: detection events of any number of layers that the plan's windows fit.
            announced: whether the number of layers is known when the first window is decoded.
            correction: whether to return the edges that each window commits.
            timing: without it windows and arrays that commit nothing are not decoded; what is committed stays the
                same, and cycles, steps and passes are not given.

        Raises:
            ValueError: the events have another shape, or the plan's windows do not fit them.
        """
        given = np.asarray(layers, dtype=bool)
        if given.ndim != 3 or given.shape[2] != self.plan.width:
            raise ValueError(
                f"detection events have shape {given.shape}, the window needs (shots, layers, {self.plan.width})"
            )
        steps = self.plan.schedule(given.shape[1], announced=announced)
        shots, windows = len(given), len(steps)
        schedule = np.array([(s.base, s.kind, s.commit, s.settled) for s in steps], dtype=np.int64)
        stats = np.zeros((shots, windows, 8), dtype=np.uint32)
        picked = np.zeros((shots, windows, len(self.plan.edges)) if correction else (0, 0, 0), dtype=np.bool_)
        decode_windows(
            self._tables,
            np.ascontiguousarray(given),
            schedule,
            self.passes,
            timing,
            stats,
            picked,
        )

        def narrow(column: int) -> npt.NDArray[np.uint16]:
            return stats[:, :, column].astype(np.uint16)

        observables = np.ascontiguousarray(stats[:, :, _OBSERVABLES])
        return WindowResult(
            np.bitwise_xor.reduce(observables, axis=1),
            observables,
            narrow(_CYCLES),
            narrow(_FLAGS),
            narrow(_GROWS),
            narrow(_MERGES),
            narrow(_PASSES),
            narrow(_PEEL),
            narrow(_FLOOD),
            picked if correction else None,
        )


def _tables(plan: WindowPlan, growth_steps: tuple[int, ...]) -> tuple[npt.NDArray[np.int64], ...]:
    """What the kernel needs of a plan, int64 arrays in the order in which it takes them."""
    edges = plan.edges
    incident: list[list[int]] = [[] for _ in range(plan.num_vertices)]
    for number, edge in enumerate(edges):
        if edge.v == BOUNDARY:
            incident[edge.u].insert(0, number)  # a vertex prefers the boundary
        else:
            incident[edge.u].append(number)
            incident[edge.v].append(number)
    lengths = np.full((len(plan.kinds), len(edges), 1 + plan.levels), DEAD, dtype=np.int64)
    for kind in range(len(plan.kinds)):
        for number, edge in enumerate(edges):
            if edge.classes[kind] != NOWHERE:
                lengths[kind, number] = 2 * plan.weights[edge.classes[kind]].astype(np.int64)
    relieved: list[list[tuple[int, int]]] = [[] for _ in edges]
    for number, pairs in enumerate(plan.reliefs):
        for partner, level in pairs:
            relieved[partner].append((number, level))
    flat = [pair for pairs in relieved for pair in pairs]
    array_of = {v: number for number, component in enumerate(plan.components) for v in component}
    slots = np.full((plan.num_layers, plan.width), NOWHERE, dtype=np.int64)
    for layer, vertices in enumerate(plan.slots):
        slots[layer, : len(vertices)] = vertices
    absent = np.zeros((len(plan.kinds), plan.num_vertices), dtype=np.int64)
    for kind, vertices in enumerate(plan.absent):
        absent[kind, list(vertices)] = 1
    growth_steps = growth_steps or default_steps(plan.weight_bits)
    steps = [s for s in growth_steps if s < 2 ** (plan.weight_bits + 1)]
    return tuple(
        np.ascontiguousarray(a, dtype=np.int64)
        for a in (
            [e.u for e in edges],
            [e.v for e in edges],
            [e.observables for e in edges],
            [e.outside - plan.num_vertices if e.outside != NOWHERE else NOWHERE for e in edges],
            [e.layer for e in edges],
            np.cumsum([0, *map(len, incident)]),
            [e for i in incident for e in i],
            lengths.reshape(-1),
            lengths.shape,
            np.cumsum([0, *map(len, relieved)]),
            [edge for edge, _ in flat],
            [level for _, level in flat],
            [array_of[v] for v in range(plan.num_vertices)],
            [len(plan.components)],
            slots.reshape(-1),
            slots.shape,
            plan.older,
            absent.reshape(-1),
            plan.layer_of,
            steps,
            [plan.first_growth],
        )
    )


@numba.njit(cache=True)
def decode_windows(tables, events, schedule, passes, timing, stats, picked):  # type: ignore[no-untyped-def]
    """Decodes every window of every shot; `stats` receives the figures of each, `picked` the committed edges."""
    eu, ev, eobs, outside, elayer, starts, incident, flat_lengths, shape = tables[:9]
    rel_starts, rel_edges, rel_levels, array_of, num_arrays, flat_slots, slots_shape = tables[9:16]
    older, flat_absent, layer_of, steps, first = tables[16:]
    lengths = flat_lengths.reshape((shape[0], shape[1], shape[2]))
    slots = flat_slots.reshape((slots_shape[0], slots_shape[1]))
    absent = flat_absent.reshape((shape[0], len(layer_of)))
    graph = (eu, ev, eobs, starts, incident, steps)
    edges = len(eu)
    vertices = len(starts) - 1
    arrays = num_arrays[0]
    levels = shape[2] - 1
    depth, width = slots.shape
    keep = len(picked) == len(events)

    length = np.empty(edges, np.int64)
    slack = np.empty(edges, np.int64)
    choice = np.full(vertices, -1)
    state = (
        np.arange(vertices),  # cluster
        np.zeros(vertices, np.int64),  # potential
        choice,
        np.empty(2 * vertices, np.int64),  # vertices that are reached, or join
        np.zeros(vertices, np.bool_),  # in a cluster
        np.zeros(vertices, np.bool_),  # active
        np.ones(vertices, np.bool_),  # alone
        np.zeros(vertices, np.bool_),  # grounded
        np.zeros(vertices, np.bool_),  # listed as reached
        np.ones(edges, np.bool_),  # ends in different clusters
    )
    defect = np.zeros(vertices, np.bool_)
    chosen = np.zeros(vertices, np.bool_)
    members = np.empty((arrays, vertices), np.int64)
    forest = np.empty((arrays, vertices + 1), np.int64)
    num_members = np.zeros(arrays, np.int64)
    num_forest = np.zeros(arrays, np.int64)
    found = np.empty((arrays, vertices), np.int64)
    num_found = np.zeros(arrays, np.int64)
    ends = np.empty(arrays, np.int64)
    seeded = np.zeros(arrays, np.bool_)
    leaves = np.empty((2, edges), np.int64)
    used = np.empty(edges, np.int64)
    past = np.empty(edges, np.int64)  # edges of the window that earlier ones committed
    least = np.full(edges, levels)
    relieved = np.empty(edges, np.int64)
    pending = np.empty((events.shape[1], width), np.bool_)
    length[:] = lengths[0, :, 0]
    slack[:] = length
    prepared = (0, 0)  # kind and settled layers that `length` is for

    for shot in range(len(events)):
        pending[:] = events[shot]
        num_past = 0
        for number in range(len(schedule)):
            base, kind, commit, settled = schedule[number]
            final = number == len(schedule) - 1
            row = stats[shot, number]
            num_found[:] = 0
            seeded[:] = False
            some = False
            for layer in range(settled, depth):
                for k in range(width):
                    v = slots[layer, k]
                    if v >= 0 and pending[base + layer, k] and not absent[kind, v]:
                        a = array_of[v]
                        found[a, num_found[a]] = v
                        num_found[a] += 1
                        if layer < commit:
                            seeded[a] = True
                            some = True
            if not timing and not some:
                if not final:
                    num_past = _slide(past, num_past, older, schedule[number + 1, 0] - base)
                continue
            if prepared != (kind, settled):
                prepared = (kind, settled)
                for e in range(edges):
                    length[e] = lengths[kind, e, 0] if elayer[e] >= settled else DEAD
                    slack[e] = length[e]
            now = 0
            done_passes = 0
            kept = 0  # observables of the pass before
            num_relieved = 0
            while True:
                # One pass: all arrays grow side by side
                load = now
                unmatched = False
                for a in range(arrays):
                    num_members[a] = num_forest[a] = 0
                    ends[a] = load
                    if timing or passes > 1 or seeded[a]:
                        growth = 0 if done_passes else first[0]
                        grown = grow(
                            graph,
                            slack,
                            growth,
                            found[a, : num_found[a]],
                            members[a],
                            forest[a],
                            state,
                            NEVER,
                        )
                        num_members[a], num_forest[a] = grown[0], grown[1]
                        _rewind(starts, incident, members[a, : grown[0]], length, slack, state[9])
                        ends[a] = load + grown[2]
                        now = max(now, ends[a])
                        row[_GROWS] += grown[3]
                        row[_MERGES] += grown[4]
                        unmatched |= grown[5]
                for k in range(num_relieved):
                    e = relieved[k]
                    length[e] = slack[e] = lengths[kind, e, 0]
                num_relieved = 0
                done_passes += 1
                # The correction, where something depends on it
                more = done_passes < passes
                flips = 0
                for a in range(arrays):
                    for i in range(num_found[a]):
                        flips ^= state[1][found[a, i]]
                agreed = done_passes > 1 and flips == kept
                kept = flips
                num_used = peel_cycles = 0
                done = now
                if more or keep or not final:
                    for a in range(arrays):
                        for i in range(num_members[a]):
                            defect[members[a, i]] = False
                        for i in range(num_found[a]):
                            defect[found[a, i]] = num_members[a] > 0
                        num_used, layers_off = _peel(
                            eu, ev, forest[a, : num_forest[a]], defect, choice, leaves, used, num_used
                        )
                        peel_cycles = max(peel_cycles, layers_off)
                        if more:
                            now = max(now, ends[a] + layers_off + 1)
                if not more:
                    break
                if agreed:
                    now = done + 1 if final else now
                    ends[:] = now + 1
                    break
                helped = False
                for i in range(num_used + num_past):
                    known = used[i] if i < num_used else past[i - num_used]
                    for k in range(rel_starts[known], rel_starts[known + 1]):
                        e = rel_edges[k]
                        helped = True
                        if lengths[kind, e, 0] < DEAD and elayer[e] >= settled:
                            if least[e] == levels:
                                relieved[num_relieved] = e
                                num_relieved += 1
                            least[e] = min(least[e], rel_levels[k])
                if not helped:
                    ends[:] = now + 1
                    break
                now += levels
                for a in range(arrays):
                    _clear(members[a, : num_members[a]], state)
                for k in range(num_relieved):
                    e = relieved[k]
                    length[e] = slack[e] = lengths[kind, e, 1 + least[e]]
                    least[e] = levels

            # What is committed: clusters that hold an event in the oldest layers
            flood_cycles = 0
            flips = 0
            for a in range(arrays):
                for i in range(num_found[a] if num_members[a] else 0):
                    chosen[found[a, i]] = layer_of[found[a, i]] < commit
                if not final:
                    spread = _flood(eu, ev, forest[a, : num_forest[a]], chosen)
                    flood_cycles = max(flood_cycles, spread)
                    now = max(now, ends[a] + spread + 1)
                for i in range(num_found[a]):
                    if chosen[found[a, i]]:
                        flips ^= state[1][found[a, i]]
            # Their events are explained; edges into the future hand one on
            if not final:
                for a in range(arrays):
                    for i in range(num_found[a]):
                        v = found[a, i]
                        if chosen[v]:
                            pending[base + layer_of[v], v - layer_of[v] * width] = False
                for i in range(num_used):
                    e = used[i]
                    if chosen[eu[e]] and outside[e] >= 0:
                        # Beyond the end of the shot there is nothing to change.
                        after = base + depth + outside[e] // width
                        if after < len(pending):
                            pending[after, outside[e] % width] ^= True
                    if chosen[eu[e]]:
                        known = False
                        for k in range(num_past):
                            known |= past[k] == e
                        if not known:
                            past[num_past] = e
                            num_past += 1
                num_past = _slide(past, num_past, older, schedule[number + 1, 0] - base)
            if keep:
                for i in range(num_used):
                    picked[shot, number, used[i]] = final or chosen[eu[used[i]]]
            for a in range(arrays):
                for i in range(num_members[a]):
                    chosen[members[a, i]] = False
                _clear(members[a, : num_members[a]], state)
            row[_OBSERVABLES] = flips
            row[_FLAGS] = UNMATCHED if unmatched else 0
            row[_CYCLES] = now if timing else 0
            row[_PASSES] = done_passes
            row[_PEEL] = peel_cycles
            row[_FLOOD] = flood_cycles


@numba.njit(cache=True)
def _rewind(starts, incident, members, length, slack, apart):  # type: ignore[no-untyped-def]
    """Edges around the members of clusters are as if nothing had grown."""
    for v in members:
        for k in range(starts[v], starts[v + 1]):
            slack[incident[k]] = length[incident[k]]
            apart[incident[k]] = True


@numba.njit(cache=True)
def _slide(edges, count, older, layers):  # type: ignore[no-untyped-def]
    """Moves the first `count` edges on by so many layers; returns how many are still in the window."""
    stay = 0
    for i in range(count):
        e = edges[i]
        for _ in range(layers):
            if e >= 0:
                e = older[e]
        if e >= 0:
            edges[stay] = e
            stay += 1
    return stay


@numba.njit(cache=True)
def _clear(members, state):  # type: ignore[no-untyped-def]
    """Forgets the clusters of one array."""
    ident, potential, _, _, member, active, single, grounded, _, _ = state
    for v in members:
        ident[v] = v
        potential[v] = 0
        member[v] = active[v] = grounded[v] = False
        single[v] = True


@numba.njit(cache=True)
def _flood(eu, ev, forest, chosen):  # type: ignore[no-untyped-def]
    """Spreads `chosen` over the forest, one edge a cycle; returns the cycles until nothing changes."""
    cycles = 0
    fresh = np.empty(len(forest), np.int64)
    while True:
        count = 0
        for e in forest:
            if ev[e] >= 0 and chosen[eu[e]] != chosen[ev[e]]:
                fresh[count] = ev[e] if chosen[eu[e]] else eu[e]
                count += 1
        for i in range(count):
            chosen[fresh[i]] = True
        cycles += 1
        if count == 0:
            return cycles


@numba.njit(cache=True)
def _peel(eu, ev, forest, defect, degree, leaves, used, count):  # type: ignore[no-untyped-def]
    """Takes all leaves off the forest at once, again and again, until nothing is left of it.

    The correction is appended to `used`, of `count` entries so far. Returns their number and the cycles taken.
    """
    left = len(forest)
    remaining = forest.copy()
    cycles = 1
    while left:
        for i in range(left):
            degree[eu[remaining[i]]] = 0
            if ev[remaining[i]] >= 0:
                degree[ev[remaining[i]]] = 0
        for i in range(left):
            degree[eu[remaining[i]]] += 1
            if ev[remaining[i]] >= 0:
                degree[ev[remaining[i]]] += 1
        stay = 0
        off = 0
        for i in range(left):
            e = remaining[i]
            leaf = eu[e] if degree[eu[e]] == 1 else ev[e] if ev[e] >= 0 and degree[ev[e]] == 1 else -1
            if leaf < 0:
                remaining[stay] = e
                stay += 1
            else:
                leaves[0, off] = e
                leaves[1, off] = leaf
                off += 1
        # Where both ends are leaves the edge is taken off once, by its first end.
        for i in range(off):
            e, v = leaves[0, i], leaves[1, i]
            if defect[v]:
                used[count] = e
                count += 1
                defect[v] = False
                if ev[e] >= 0:
                    n = eu[e] + ev[e] - v
                    defect[n] = not defect[n]
        left = stay
        cycles += 1
    return count, cycles
