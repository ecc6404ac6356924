# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of the windowed decoder: the same windows, passes, commits and cycles as the gateware.

Every array is grown by the kernel of `unionfind.py`, which visits only the vertices that clusters have reached, so that
a long memory at low noise takes time by its events and not by its size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.graph import BOUNDARY
from triplane.gateware.decoder.unionfind.plan import default_steps
from triplane.gateware.decoder.window import NOWHERE, WindowPlan
from triplane.sim.models.decoder.array import DEAD
from triplane.sim.models.decoder.window_kernel import (
    CYCLES,
    FLAGS,
    FLOOD,
    GROWS,
    MERGES,
    OBSERVABLES,
    PASSES,
    PEEL,
    decode_windows,
)


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

        observables = np.ascontiguousarray(stats[:, :, OBSERVABLES])
        return WindowResult(
            np.bitwise_xor.reduce(observables, axis=1),
            observables,
            narrow(CYCLES),
            narrow(FLAGS),
            narrow(GROWS),
            narrow(MERGES),
            narrow(PASSES),
            narrow(PEEL),
            narrow(FLOOD),
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
