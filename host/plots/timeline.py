# SPDX-License-Identifier: BSD-2-Clause
"""Channels over time: what was played, what was measured, and which result led to which pulse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from triplane.gateware.sequencer.layouts import Kind, Outcome
from triplane.host.plots.causes import causes, results, sounding
from triplane.host.plots.names import Names
from triplane.host.plots.style import ACCENT, BOARD, FAINT, GOOD, INK, LIMIT, OTHERS, Picture, titled
from triplane.host.reasons import reasons
from triplane.host.timeline import CLOCK_HZ, Played, Timeline
from triplane.sim.models.sequencer.results import Arrival

COLOURS = {
    Kind.PLAY: BOARD, Kind.CAPTURE: GOOD, Kind.PHASE: ACCENT, Kind.AMP: OTHERS, Kind.FREQ: "#8a5a9e",
    Kind.RESET: LIMIT,
}  # fmt: skip
"""Of kinds that are shown; the others select what these mean."""

UNKNOWN_CYCLES = 12
"""Of a pulse whose length nobody has said."""

BEFORE_US = 0.1

MIDDLE, VIRTUAL, ABOVE = -0.12, -0.36, 0.27
"""Heights in a row of a channel: of its pulses' middle, of virtual Z, and from a result to the next one above it."""

WHY = 0.33
"""Height of a reason that finds no room before its pulse."""

POINTS_AN_INCH = 72
NARROWEST, LETTER = 2.4, 5.5
"""Points for each letter of its text: of a pulse that is wide enough to have one, and of a reason."""

REASON: dict[str, Any] = {
    "va": "center", "fontsize": 8, "color": LIMIT, "zorder": 4, "clip_on": True,
}  # fmt: skip
"""Of the text that says why."""


def timeline_figure(
    shown: Timeline,
    names: Names | None = None,
    *,
    title: str = "",
    span_us: tuple[float, float] | None = None,
    clock_hz: int = CLOCK_HZ,
) -> Picture:
    """A row a channel; results as circles, and an arrow from each to the pulses that depend on it.

    Args:
        shown: what was played; see `host.witness` for that of a board.
        names: of channels, slots and pulses.
        title: of the figure.
        span_us: part that is drawn, from the first pulse on; None: all.
        clock_hz: of the board.
    """
    picture = Picture(12, 1.9 + 0.68 * max(len(sounding(shown.program)), 2))
    draw_timeline(
        picture.subplots(), shown, names or Names(), title=title, span_us=span_us, clock_hz=clock_hz
    )
    return picture


def draw_timeline(
    axes: Axes,
    shown: Timeline,
    names: Names,
    *,
    title: str = "",
    span_us: tuple[float, float] | None = None,
    clock_hz: int = CLOCK_HZ,
) -> None:
    """The same on axes that are given."""
    us = 1e6 / clock_hz
    heard = [event for event in shown.played if event.kind in (Kind.PLAY, Kind.CAPTURE)]
    zero = min((event.cycle for event in heard), default=shown.first)
    channels = sounding(shown.program)
    # The first channel is at the top.
    row_of = {channel: len(channels) - 1 - k for k, channel in enumerate(channels)}
    slots = _slot_names(shown, names)
    why = reasons(shown.program, slots, names.conditions)
    last = max(
        [event.cycle + _cycles(names, event) for event in heard]
        + [result.cycle for result in shown.results]
        + [zero + 1]
    )
    low, high = span_us or (-BEFORE_US, (last - zero) * us + BEFORE_US)
    axes.set_xlim(low, high)
    kinds: set[Kind] = set()
    drawn: dict[tuple[int, Kind], list[tuple[float, float]]] = defaultdict(list)
    conditional = False
    for event in shown.played:
        start = (event.cycle - zero) * us
        width = _cycles(names, event) * us
        if event.kind not in COLOURS or event.channel not in row_of or not low - width <= start <= high:
            continue
        if event.cycle < zero:
            continue
        kinds.add(event.kind)
        drawn[event.channel, event.kind].append((start + width, start))
        conditional |= event.address in why
        _draw_event(axes, event, start, width, row_of[event.channel], names, event.address in why)
    for result, channel, number in results(shown):
        if channel in row_of and low <= (at := (result.cycle - zero) * us) <= high:
            height = row_of[channel] + MIDDLE + ABOVE * number
            _draw_result(axes, at, height, result, slots.get(result.slot, f"slot {result.slot}"))
    lowest = min(row_of.values(), default=0) + MIDDLE
    pointed: set[tuple[float, float]] = set()
    for cycle, event, text in causes(shown, why):
        at, start = (cycle - zero) * us, (event.cycle - zero) * us
        if event.channel not in row_of or not low <= at <= high:
            continue
        row = row_of[event.channel]
        height = row + (MIDDLE if event.kind == Kind.PLAY else VIRTUAL)
        if (at, height) in pointed:
            # An arrow would go through the pulse before.
            axes.text(start + _cycles(names, event) * us, height, f" {text}", **REASON)
        else:
            _draw_arrow(axes, at, start, height, lowest)
            taken = any(
                at - LETTER * len(text) / _points(axes) < end and begin < at
                for end, begin in drawn[event.channel, event.kind]
            )
            axes.text(at, row + WHY if taken else height, f"{text}  ", ha="right", **REASON)
        pointed.add((at, height))
    for decision in shown.decisions:
        if decision.outcome == Outcome.TIMED_OUT and low <= (at := (decision.cycle - zero) * us) <= high:
            axes.axvline(at, color=LIMIT, linestyle="--", linewidth=1)
            axes.text(at, len(channels) - 0.45, " timed out", color=LIMIT, fontsize=8, va="center")
    axes.set_yticks(list(row_of.values()), [_channel_name(shown, names, channel) for channel in row_of])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.65, len(channels) - 0.2)
    axes.set_xlabel("time from the first pulse / µs")
    for row in row_of.values():
        axes.axhline(row - 0.3, color=FAINT, linewidth=0.8, zorder=0)
    titled(axes, title)
    axes.spines["left"].set_visible(False)
    _legend(axes, kinds, conditional, bool(shown.results))


def _draw_event(
    axes: Axes, event: Played, start: float, width: float, row: int, names: Names, conditional: bool
) -> None:
    colour = COLOURS[event.kind]
    if event.kind == Kind.PLAY:
        axes.broken_barh(
            [(start, width)], (row - 0.3, 0.36), facecolor=colour, zorder=2,
            edgecolor=LIMIT if conditional else colour, linewidth=1.6 if conditional else 0.4,
        )  # fmt: skip
        text = names.pulses.get((event.channel, event.value), "")
        if text and width * _points(axes) > NARROWEST * len(text):
            axes.text(
                start + width / 2, row + 0.09, text, ha="center", va="bottom", fontsize=7.5, color=INK, clip_on=True
            )  # fmt: skip
    elif event.kind == Kind.CAPTURE:
        axes.broken_barh([(start, width)], (row - 0.42, 0.1), facecolor=colour, zorder=2)
    else:
        axes.plot(
            [start], [row + VIRTUAL], marker="^", markersize=5, color=colour, zorder=3, clip_on=True,
            markeredgecolor=LIMIT if conditional else colour, markeredgewidth=1.2,
        )  # fmt: skip


def _points(axes: Axes) -> float:
    """Points of the paper that a microsecond takes, or a little more."""
    low, high = axes.get_xlim()
    figure = axes.get_figure(root=True)
    assert figure is not None
    return float(figure.get_figwidth() * POINTS_AN_INCH / (high - low))


def _draw_result(axes: Axes, at: float, row: float, result: Arrival, name: str) -> None:
    one = result.bit and not result.leaked
    axes.text(
        at, row, "x" if result.leaked else str(result.bit), ha="center", va="center", fontsize=8, zorder=5,
        color="white" if one else INK, clip_on=True,
        bbox={"boxstyle": "circle,pad=0.18", "facecolor": INK if one else "white", "edgecolor": INK},
    )  # fmt: skip
    axes.annotate(
        name, (at, row), xytext=(7, 0), textcoords="offset points", va="center", fontsize=7.5, color=INK,
        annotation_clip=True,
    )  # fmt: skip


def _draw_arrow(axes: Axes, at: float, start: float, height: float, result_height: float) -> None:
    """From a result to an event that is there because of it."""
    axes.plot([at, at], [result_height, height], color=LIMIT, linestyle=":", linewidth=1, zorder=1)
    axes.annotate(
        "", xy=(start, height), xytext=(at, height), zorder=6, annotation_clip=True,
        arrowprops={"arrowstyle": "->", "color": LIMIT, "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip


def _cycles(names: Names, event: Played) -> int:
    return names.cycles.get((event.channel, event.value, event.kind), UNKNOWN_CYCLES)


def _slot_names(shown: Timeline, names: Names) -> dict[int, str]:
    return {number: name for name, number in shown.program.slots.items()} | dict(names.slots)


def _channel_name(shown: Timeline, names: Names, channel: int) -> str:
    return names.channels.get(channel) or shown.program.channel_names.get(channel) or f"channel {channel}"


def _legend(axes: Axes, kinds: Iterable[Kind], conditional: bool, results: bool) -> None:
    said = {Kind.PLAY: "pulse or tone", Kind.CAPTURE: "window", Kind.PHASE: "virtual Z"}
    shown: list[Line2D | Patch] = [
        Patch(facecolor=COLOURS[kind], label=said.get(kind, kind.name.lower()))
        if kind in (Kind.PLAY, Kind.CAPTURE)
        else Line2D(
            [], [], marker="^", linestyle="", color=COLOURS[kind], label=said.get(kind, kind.name.lower())
        )
        for kind in sorted(kinds)
    ]
    if conditional:
        shown.append(Patch(facecolor="white", edgecolor=LIMIT, label="conditional"))
    if results:
        shown.append(
            Line2D([], [], marker="o", linestyle="", color=INK, markerfacecolor="white", label="result valid")
        )
    if shown:
        axes.legend(
            handles=shown, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=len(shown), frameon=False,
            fontsize=8.5,
        )  # fmt: skip
