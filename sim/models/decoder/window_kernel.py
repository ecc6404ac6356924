# SPDX-License-Identifier: BSD-2-Clause
"""Kernel of the windowed model: every window of every shot, visiting only what clusters have reached."""

from __future__ import annotations

import numba
import numpy as np

from triplane.gateware.decoder.layouts import UNMATCHED
from triplane.sim.models.decoder.array import DEAD, NEVER, grow

OBSERVABLES, CYCLES, FLAGS, GROWS, MERGES, PASSES, PEEL, FLOOD = range(8)
"""Columns of the figures of a window."""


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
                        row[GROWS] += grown[3]
                        row[MERGES] += grown[4]
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
            row[OBSERVABLES] = flips
            row[FLAGS] = UNMATCHED if unmatched else 0
            row[CYCLES] = now if timing else 0
            row[PASSES] = done_passes
            row[PEEL] = peel_cycles
            row[FLOOD] = flood_cycles


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
