# SPDX-License-Identifier: BSD-2-Clause
"""Decoding of a memory in the closed loop: defects round by round, what each window corrected, and how long it took."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from triplane.gateware.decoder.graph import BOUNDARY
from triplane.gateware.decoder.window import NOWHERE, WindowPlan, WindowStep
from triplane.host.plots.style import ACCENT, BOARD, FAINT, INK, LIMIT, OTHERS, Picture, cycles_and_ns, titled

if TYPE_CHECKING:
    from triplane.host.runtime.memory import MemoryRun

Point = tuple[float, float]
STUB = 0.55
"""Length of an edge to the boundary, in slots."""


class WindowsError(ValueError):
    """A shot of which no picture can be made."""


def windows_figure(plan: WindowPlan, run: MemoryRun, shot: int, *, passes: int, clock_hz: int) -> Picture:
    """Defects of a shot and the correction in them; below, the cycles of each window.

    The board keeps what a correction does to the logical result, not its edges: they are those of the golden model for
    the board's own detection events, whose flips and cycles are compared with the board's.

    Args:
        plan: of the decoder that is in the board.
        run: of that board.
        shot: number.
        passes: that the decoder makes.
        clock_hz: of the board.

    Raises:
        WindowsError: no such shot, or the golden model says something else than the board: another plan, or passes.
    """
    if not 0 <= shot < len(run.events):
        raise WindowsError(f"the run has shots 0 to {len(run.events) - 1}, not {shot}")
    picture = Picture(12, 5.6)
    above, below = picture.subplots(2, 1, height_ratios=(3.2, 1), sharex=True)
    draw_defects(above, plan, run, shot, passes=passes)
    draw_cycles(below, plan, run, shot, clock_hz=clock_hz)
    return picture


def draw_defects(axes: Axes, plan: WindowPlan, run: MemoryRun, shot: int, *, passes: int) -> None:
    """Detection events over rounds and places, with the edges that were committed."""
    from triplane.sim.models.decoder.window import WindowModel  # compiles its kernel

    events = run.events[shot]
    model = WindowModel(plan, passes).decode(events[np.newaxis], correction=True)
    assert model.correction is not None
    recorded = run.results[shot]
    if not np.array_equal(model.observables[0], recorded["observables"]):
        raise WindowsError(
            "the golden model corrects something else than the board; give its plan and its passes"
        )
    steps = plan.schedule(len(events))
    lines, flips = [], []
    for step, edges, record in zip(steps, model.correction[0], recorded, strict=True):
        for number in np.flatnonzero(edges):
            lines.append(_segment(plan, step, int(number)))
        if record["observables"] & 1:
            flips.append(step)
    layers, slots = np.nonzero(events)
    for layer in range(len(events) + 1):
        axes.axvline(layer - 0.5, color=FAINT, linewidth=0.5, zorder=0)
    axes.add_collection(LineCollection(lines, colors=BOARD, linewidths=3, alpha=0.75, zorder=2))
    axes.plot(layers, slots, "o", color=LIMIT, markersize=7, zorder=3)
    for step in flips:
        axes.axvspan(step.base - 0.5, step.base + step.commit - 0.5, color=ACCENT, alpha=0.16, zorder=0)
    axes.set_ylim(plan.width - 0.3, -0.9)
    axes.set_yticks(range(plan.width), [_place(plan, slot) for slot in range(plan.width)], fontsize=8)
    axes.set_ylabel("stabilizer (column, row)" if plan.places else "slot")
    known = "kept" if not run.logical[shot] else "lost"
    axes.legend(
        handles=[
            Line2D([], [], marker="o", linestyle="", color=LIMIT, label="detection event"),
            Line2D([], [], color=BOARD, linewidth=3, label="correction; a stub ends on the boundary"),
            Line2D([], [], color=ACCENT, alpha=0.3, linewidth=8, label="window flips the logical result"),
        ],
        loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8.5,
    )  # fmt: skip
    titled(
        axes, f"Shot {shot}: {len(layers)} detection events in {len(events)} layers; logical state {known}"
    )


def draw_cycles(axes: Axes, plan: WindowPlan, run: MemoryRun, shot: int, *, clock_hz: int) -> None:
    """Cycles of each window of a shot, drawn over the rounds that it settled."""
    records = run.results[shot]
    steps = plan.schedule(run.events.shape[1])
    axes.bar(
        [step.base + step.settled - 0.5 for step in steps],
        records["decode_cycles"],
        width=[step.commit - step.settled for step in steps],
        align="edge", color=OTHERS, edgecolor="white",
    )  # fmt: skip
    for step, record in zip(steps, records, strict=True):
        axes.text(
            step.base + (step.settled + step.commit) / 2 - 0.5, record["decode_cycles"], str(record["decode_cycles"]),
            ha="center", va="bottom", fontsize=8, color=INK,
        )  # fmt: skip
    axes.set_xlim(-0.6, run.events.shape[1] - 0.4)
    axes.set_ylim(0, max(int(records["decode_cycles"].max()), 1) * 1.3)
    axes.set_xlabel("layer of detection events; a bar covers the layers that its window settled")
    axes.set_ylabel("cycles")
    above = axes.secondary_yaxis("right", functions=cycles_and_ns(clock_hz))
    above.set_ylabel("ns")
    axes.spines[["top", "right"]].set_visible(False)


def _segment(plan: WindowPlan, step: WindowStep, number: int) -> list[Point]:
    """Both ends of an edge of a window as (layer, slot); the boundary is half a slot away."""
    edge = plan.edges[number]
    first = _of_vertex(plan, step, edge.u)
    if edge.outside != NOWHERE:
        beyond, slot = divmod(edge.outside - plan.num_vertices, plan.width)
        return [first, (step.base + plan.num_layers + beyond, slot)]
    if edge.v == BOUNDARY:
        return [first, (first[0], first[1] + (STUB if first[1] >= plan.width / 2 else -STUB))]
    return [first, _of_vertex(plan, step, edge.v)]


def _of_vertex(plan: WindowPlan, step: WindowStep, vertex: int) -> Point:
    layer = plan.layer_of[vertex]
    return step.base + layer, plan.slots[layer].index(vertex)


def _place(plan: WindowPlan, slot: int) -> str:
    if not plan.places:
        return str(slot)
    return f"({', '.join(f'{value:g}' for value in plan.places[slot])})"


def hardest(run: MemoryRun) -> Iterator[int]:
    """Numbers of shots, those with the most detection events first."""
    yield from np.argsort(-run.events.sum(axis=(1, 2)), kind="stable").tolist()
