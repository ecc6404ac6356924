# SPDX-License-Identifier: BSD-2-Clause
"""Kernels of the golden models: one array growing, peeling and flooding for one shot, cycle by cycle.

grow         from `load` to `done`, of what clusters have reached; `grow_shot` is the same on plain arrays
peel_shot    from a forest to the correction
flood_shot   from seeds to what is committed with them
"""

from __future__ import annotations

import numba
import numpy as np

NEVER = 1 << 60
"""A cycle that does not come."""

DEAD = 1 << 62
"""Length of an edge that is not there: far beyond any growth, also when halved."""

STATS = 7
"""Figures of a shot: flips, cycles, unmatched, growth acts, merges, peel cycles, growth in half-units."""


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
    cycles = 2
    if any_active:
        cycles = 4 if first else 3  # load, filling, first growth, LOOK
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
            # LOOK, CALL, MERGE: the asking cluster becomes part of the one that it has reached
            if cycles - 1 >= stop:
                unmatched = True
                break
            cycles += 3
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
