# SPDX-License-Identifier: BSD-2-Clause
"""What a sequencer's program played: as a waveform for any VCD viewer, and as a picture of channels over time.

Both are made from a run of the golden model, or from the records that the trace port of a board has kept.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from vcd import VCDWriter

from triplane.gateware.sequencer.disassembler import instruction_text
from triplane.gateware.sequencer.layouts import TAG_KIND_OFFSET, Kind, Outcome
from triplane.gateware.sequencer.program import Program
from triplane.host.outputs import write_whole

CLOCK_HZ = 245_760_000
COLOURS = {
    Kind.PLAY: "#1f5fa8", Kind.PHASE: "#d9822b", Kind.FREQ: "#8a5a9e", Kind.AMP: "#7a7f87",
    Kind.CAPTURE: "#2e7d4f", Kind.SLOT: "#a0a0a0", Kind.RESET: "#b3261e",
}  # fmt: skip
MARKS = {
    Outcome.TAKEN: ("#111111", "-"),
    Outcome.PASSED: ("#7a7f87", ":"),
    Outcome.TIMED_OUT: ("#b3261e", "--"),
}
"""Outcome of a wait -> colour and style of its line."""

Durations = Callable[[int, int], int]


@dataclass(frozen=True)
class Played:
    """An event of a channel.

    Attributes:
        cycle: at which it acts.
        channel, kind, value: what, and where.
    """

    cycle: int
    channel: int
    kind: Kind
    value: int


@dataclass(frozen=True)
class Decision:
    """The end of a wait, or of the program.

    Attributes:
        cycle: in which it ended.
        address: of the instruction.
        outcome: what it ended in.
        value: the result that was waited for, or the exit code.
    """

    cycle: int
    address: int
    outcome: Outcome
    value: int


@dataclass(frozen=True)
class Timeline:
    """What a program played and decided, in the order of cycles."""

    program: Program
    played: tuple[Played, ...]
    decisions: tuple[Decision, ...]

    @property
    def first(self) -> int:
        """Cycle of the first event or decision; 0 where there is none."""
        cycles = [event.cycle for event in self.played] + [decision.cycle for decision in self.decisions]
        return min(cycles, default=0)


def timeline(program: Program, records: npt.NDArray[np.void]) -> Timeline:
    """The timeline of trace records (`layouts.TRACE`), of the model or of a board.

    Events are put at the time that they were issued for. Those that a fault has kept from being played are not told
    apart; cut the records off at the fault's time where that matters.
    """
    played, decisions = [], []
    for record in records:
        kind, group = int(record["tag"]) >> TAG_KIND_OFFSET, int(record["tag"]) & (1 << TAG_KIND_OFFSET) - 1
        if kind in set(Outcome):
            decisions.append(
                Decision(int(record["cycle"]), int(record["address"]), Outcome(kind), int(record["value"]))
            )
        elif group < len(program.groups):
            played += [
                Played(int(record["time"]), channel, Kind(kind), int(record["value"]))
                for channel in program.groups[group].channels
            ]
    return Timeline(program, tuple(sorted(played, key=lambda e: (e.cycle, e.channel))), tuple(decisions))


def write_vcd(shown: Timeline, path: Path, *, clock_hz: int = CLOCK_HZ) -> None:
    """Writes a waveform, in picoseconds from the first event or decision on; the file appears whole or not at all.

    Every channel has a text, the event of that cycle (`play(3)`); `decision` is the wait that
    ended, with its outcome and address (`taken@12`).
    """
    period_ps = 1e12 / clock_hz
    text = io.StringIO()
    changes: list[tuple[int, str, str]] = []
    for event in shown.played:
        changes.append(
            (event.cycle, _name(shown.program, event.channel), f"{event.kind.name.lower()}({event.value})")
        )
    for decision in shown.decisions:
        changes.append((decision.cycle, "decision", f"{decision.outcome.name.lower()}@{decision.address}"))
    names = [
        *dict.fromkeys(_name(shown.program, c) for c in sorted({e.channel for e in shown.played})),
        "decision",
    ]
    with VCDWriter(text, timescale="1 ps", date="", version="Triplane") as writer:
        variables = {n: writer.register_var("sequencer", n, "string", init="") for n in names}
        times = sorted({at for cycle, *_ in changes for at in (cycle, cycle + 1)})
        for time in times:
            stamp = round((time - shown.first) * period_ps)
            for name in names:
                # Events of one time leave one a cycle; here they stand together.
                now = [what for cycle, changed, what in changes if (cycle, changed) == (time, name)]
                writer.change(variables[name], stamp, "+".join(now))
    write_whole(path, text.getvalue().encode())


def plot_timeline(
    shown: Timeline,
    path: Path,
    *,
    durations: Durations = lambda channel, entry: 8,
    clock_hz: int = CLOCK_HZ,
) -> None:
    """Draws channels over time as a PNG, with the branches that were taken; the file appears whole or not at all.

    durations: channel and entry of its pulse table -> clocks that a pulse or a window takes in the picture.
    """
    us = 1e6 / clock_hz
    channels = sorted({event.channel for event in shown.played})
    rows = {channel: len(channels) - 1 - row for row, channel in enumerate(channels)}
    figure = Figure(figsize=(12, 1.2 + 0.38 * max(len(channels), 2)), layout="constrained")
    axes = figure.subplots()
    for event in shown.played:
        start, row = (event.cycle - shown.first) * us, rows[event.channel]
        if event.kind in (Kind.PLAY, Kind.CAPTURE):
            width = durations(event.channel, event.value) * us
            high = 0.7 if event.kind == Kind.PLAY else 0.25
            axes.broken_barh([(start, width)], (row - 0.35, high), color=COLOURS[event.kind], linewidth=0)
        else:
            axes.plot([start], [row + 0.4], marker="v", markersize=5, color=COLOURS[event.kind])
    for decision in shown.decisions:
        if decision.outcome in MARKS:
            colour, style = MARKS[decision.outcome]
            at = (decision.cycle - shown.first) * us
            axes.axvline(at, color=colour, linestyle=style, linewidth=0.9)
            if decision.outcome == Outcome.PASSED:
                continue
            axes.annotate(
                _decision_text(shown.program, decision),
                (at, len(channels) - 0.4), rotation=60, fontsize=7, color=colour, annotation_clip=False,
            )  # fmt: skip
    axes.set_yticks(list(rows.values()), [_name(shown.program, channel) for channel in rows])
    axes.set_ylim(-0.6, len(channels) - 0.4)
    axes.set_xlabel("time from the first event / µs")
    for kind in sorted({event.kind for event in shown.played}):
        axes.plot([], [], marker="s", linestyle="", color=COLOURS[kind], label=kind.name.lower())
    if shown.played:
        figure.legend(loc="outside lower center", ncols=len(COLOURS), frameon=False)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150)
    write_whole(path, image.getvalue())


def _name(program: Program, channel: int) -> str:
    return program.channel_names.get(channel, f"channel {channel}").replace(" ", "_")


def _decision_text(program: Program, decision: Decision) -> str:
    if decision.address >= len(program.words):
        return f"{decision.address}: {decision.outcome.name.lower()}"
    mnemonic = instruction_text(int(program.words[decision.address]), program).split(",")[0]
    return f"{mnemonic}: {decision.outcome.name.lower().replace('_', ' ')}"
