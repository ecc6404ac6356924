# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/decoder/engine.py`: every field of every record, but for those that depend on arrival.

It sequences the kernels of the array window by window and pass by pass, as plainly as it can be written. Where only
the frame is wanted, `window.py` is an order of magnitude faster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.layouts import HARD, LAST, LATE, RESULT, UNMATCHED
from triplane.gateware.decoder.window.bound import window_arrays
from triplane.gateware.decoder.window.plan import NOWHERE, WindowPlan, WindowStep
from triplane.sim.models.decoder.array import NEVER, STATS, flood_shot, grow_shot, peel_shot

CHANGED = 1 << 15
"""Bit of the hardness: the last pass changed the observables."""

Bits = npt.NDArray[np.bool_]


@dataclass
class _Pass:
    """What one pass of all arrays has left behind, by edges and vertices of the plan."""

    ends: list[int]
    flips: int
    unmatched: bool
    stopped: bool
    grows: int
    merges: int
    potential: npt.NDArray[np.int64]
    forests: list[Bits]


class EngineModel:
    """Decodes shots as an engine built for `plan` does.

    Args:
        plan: the window, with the weights that are loaded.
        passes: at most so many, 1 to 3; a plan without alternatives allows 1.
        deadline: cycles from the start of a window, 0 for none.
        hard_above: hardness above which a window is flagged.
        correction: corrections are asked for; this takes nothing but the way out of a deadline.
    """

    def __init__(
        self,
        plan: WindowPlan,
        passes: int = 1,
        *,
        deadline: int = 0,
        hard_above: int = 0xFFFF,
        correction: bool = False,
    ) -> None:
        self.plan = plan
        self.passes = passes if plan.levels else 1
        self.deadline = deadline or NEVER
        self.hard_above = hard_above
        self.correction = correction
        self._arrays = []
        for array in window_arrays(plan):
            incident = [position for links in array.incident for position in links]
            self._arrays.append(
                (
                    np.array(array.vertices, dtype=np.int64),
                    np.array([e.index for e in array.edges], dtype=np.int64),
                    tuple(
                        np.array(values, dtype=np.int64)
                        for values in (
                            [e.u for e in array.edges],
                            [e.v for e in array.edges],
                            [e.observables for e in array.edges],
                            np.cumsum([0, *(len(links) for links in array.incident)]),
                            incident,
                            array.steps,
                        )
                    ),
                )
            )
        classes = np.array([e.classes for e in plan.edges], dtype=np.int64)
        self._alive = classes != NOWHERE
        self._classes = np.where(self._alive, classes, 0)
        self._layer_of = np.array(plan.layer_of)

    def decode(self, layers: npt.ArrayLike) -> tuple[npt.NDArray[np.void], Bits]:
        """Records of all windows, in order, and their corrections.

        Args:
            layers: bool (shots, layers, slots), see `StreamMap.layers`.

        Returns:
            Structured array (windows of all shots,) of `layouts.RESULT` with `timestamp_lo`, `timestamp_hi` and
            `waited` 0, and bool (windows, edges), the edges that each window has settled.
        """
        given = np.asarray(layers, dtype=bool)
        steps = self.plan.schedule(given.shape[1])
        records = np.zeros(len(given) * len(steps), dtype=RESULT.dtype)
        corrections = np.zeros((len(records), len(self.plan.edges)), dtype=bool)
        records["sequence"] = np.arange(len(records))
        records["tables"] = self.plan.table_crc
        row = 0
        for shot in given:
            pending = np.zeros((given.shape[1] + self.plan.reach, self.plan.width), dtype=bool)
            pending[: given.shape[1]] = shot
            past = np.zeros(len(self.plan.edges), dtype=bool)
            base = frame = 0
            for step in steps:
                past = self._slide(past, step.base - base)
                base = step.base
                corrections[row] = self._window(pending, past, step, step is steps[-1], records[row])
                past |= corrections[row]
                frame ^= int(records[row]["observables"])
                records[row]["frame"] = frame
                row += 1
        return records, corrections

    def _slide(self, past: Bits, layers: int) -> Bits:
        """Committed edges as they lie in the window when it has moved on by so many layers."""
        for _ in range(layers):
            moved = np.zeros_like(past)
            moved[
                [self.plan.older[edge] for edge in np.flatnonzero(past) if self.plan.older[edge] != NOWHERE]
            ] = True
            past = moved
        return past

    def _window(self, pending: Bits, past: Bits, step: WindowStep, last: bool, record: np.void) -> Bits:
        """Decodes one window, takes what it settles out of `pending`, and returns the edges that it used.

        `past` edges were committed before: they relieve their partners as those of the last correction do.
        """
        plan = self.plan
        events = np.zeros(plan.num_vertices, dtype=bool)
        for layer, slots in enumerate(plan.slots):
            for slot, vertex in enumerate(slots):
                if vertex != NOWHERE:
                    events[vertex] = pending[step.base + layer, slot]
        events[list(plan.absent[step.kind])] = False
        alive = self._alive[:, step.kind]
        weights = plan.weights[self._classes[:, step.kind]].astype(np.int64)
        length = weights[:, 0]
        grows = merges = number = now = 0
        late = changed = False
        kept: _Pass | None = None
        while True:
            found = self._grow(events, alive, length, plan.first_growth if number == 0 else 0, now)
            grows += found.grows
            merges += found.merges
            late |= found.stopped
            more = number + 1 < self.passes
            abandoned = found.stopped and number > 0 and last and not self.correction
            if not abandoned:
                changed = kept is not None and found.flips != kept.flips
            effort = found.grows
            used, peeled = self._peel(events, found)
            now = max(found.ends)
            if not more or (found.stopped and last):
                break
            done, now = now, max(end + cycles for end, cycles in zip(found.ends, peeled, strict=True)) + 1
            if number > 0 and not changed:
                now = done + 1 if last else now
                found.ends = [now + 1] * len(self._arrays)
                break
            if last and max(done + 1, self.deadline) < now:
                now = max(done + 1, self.deadline)
                late = True
                break
            known = used | past
            helped = [
                (edge, min(level for partner, level in pairs if known[partner]))
                for edge, pairs in enumerate(plan.reliefs)
                if any(known[partner] for partner, _ in pairs)
            ]
            if not helped or now >= self.deadline:
                late |= bool(helped)
                found.ends = [now + 1] * len(self._arrays)  # where a flood begins
                break
            length = weights[:, 0].copy()
            for helped_edge, level in helped:
                length[helped_edge] = weights[helped_edge, 1 + level]
            now += plan.levels
            kept = found
            number += 1
        counts = kept if abandoned and kept is not None else found
        settled = np.ones(plan.num_vertices, dtype=bool)
        flips = counts.flips
        if not last:
            settled, ends = self._flood(events & (self._layer_of < step.commit), found)
            now = max(ends) + 1
            flips = int(np.bitwise_xor.reduce(found.potential[events & settled], initial=0))
            used &= settled[[e.u for e in plan.edges]]
        for layer, slots in enumerate(plan.slots):
            for slot, vertex in enumerate(slots):
                if vertex != NOWHERE and settled[vertex]:
                    pending[step.base + layer, slot] = False
        for edge in (plan.edges[k] for k in np.flatnonzero(used)):
            if edge.outside != NOWHERE:
                beyond, slot = divmod(edge.outside - plan.num_vertices, plan.width)
                pending[step.base + plan.num_layers + beyond, slot] ^= True

        hardness = min(effort, CHANGED - 1) | CHANGED * changed
        flags = UNMATCHED * counts.unmatched | LAST * last | LATE * late
        record["flags"] = flags | HARD * (hardness > self.hard_above)
        record["decode_cycles"] = now
        record["observables"] = flips
        record["grow_steps"], record["merge_steps"] = grows, merges
        record["hardness"] = hardness
        record["rounds"] = step.base + (plan.num_layers if last else step.commit)
        return used

    def _grow(self, events: Bits, alive: Bits, length: npt.NDArray[np.int64], first: int, now: int) -> _Pass:
        """One pass of all arrays, loaded in cycle `now`."""
        result = _Pass([], 0, False, False, 0, 0, np.zeros(len(events), dtype=np.int64), [])
        for vertices, edges, (eu, ev, eobs, starts, incident, steps) in self._arrays:
            stats = np.zeros(STATS, dtype=np.int64)
            forest = np.zeros(len(edges), dtype=bool)
            potential = np.zeros(len(vertices), dtype=np.int64)
            slack = 2 * length[edges]
            stop = self.deadline - now
            grow_shot(
                eu, ev, eobs, starts, incident, steps, first, alive[edges], events[vertices], slack, forest,
                potential, stats, stop,
            )  # fmt: skip
            result.ends.append(now + int(stats[1]))
            result.flips ^= int(stats[0])
            result.unmatched |= bool(stats[2])
            result.stopped |= bool(stats[2]) and stats[1] - 1 >= stop
            result.grows += int(stats[3])
            result.merges += int(stats[4])
            result.potential[vertices] = potential
            result.forests.append(forest)
        return result

    def _peel(self, events: Bits, found: _Pass) -> tuple[Bits, list[int]]:
        """The correction, and the cycles that each array takes to find it."""
        used = np.zeros(len(self.plan.edges), dtype=bool)
        cycles = []
        for (vertices, edges, (eu, ev, _, starts, incident, _)), forest in zip(
            self._arrays, found.forests, strict=True
        ):
            mine = np.zeros(len(edges), dtype=bool)
            cycles.append(peel_shot(eu, ev, starts, incident, forest.copy(), events[vertices], mine))
            used[edges] = mine
        return used, cycles

    def _flood(self, seeds: Bits, found: _Pass) -> tuple[Bits, list[int]]:
        """Vertices of the clusters that hold a seed, and the cycle in which each array knows them."""
        settled = np.zeros(len(seeds), dtype=bool)
        ends = []
        for (vertices, _, (eu, ev, *_)), forest, end in zip(
            self._arrays, found.forests, found.ends, strict=True
        ):
            mine = seeds[vertices]
            ends.append(end + flood_shot(eu, ev, forest, mine))
            settled[vertices] = mine
        return settled, ends
