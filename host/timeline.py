# SPDX-License-Identifier: BSD-2-Clause
"""What a sequencer's program played and decided, and the same as a waveform for any VCD viewer.

It is made from a run of the golden model, or from the records that the trace port of a sequencer has kept. The picture
is `host.plots.timeline_figure`; `host.witness` has the timeline of a shot on the simulated board.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from vcd import VCDWriter

from triplane.gateware.sequencer.layouts import TAG_KIND_OFFSET, Kind, Outcome
from triplane.gateware.sequencer.program import Program
from triplane.host.outputs import write_whole
from triplane.sim.models.sequencer.results import Arrival

CLOCK_HZ = 245_760_000


@dataclass(frozen=True)
class Played:
    """An event of a channel.

    Attributes:
        cycle: at which it acts.
        channel, kind, value: what, and where.
        address: of the instruction.
    """

    cycle: int
    channel: int
    kind: Kind
    value: int
    address: int


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
    """What a program played and decided, in the order of cycles.

    Attributes:
        program: that did.
        played: events.
        decisions: ends of waits, and of the program.
        results: of measurements, as they became valid; empty where that was not kept.
    """

    program: Program
    played: tuple[Played, ...]
    decisions: tuple[Decision, ...]
    results: tuple[Arrival, ...] = ()

    @property
    def first(self) -> int:
        """Cycle of the first event or decision; 0 where there is none."""
        cycles = [event.cycle for event in self.played] + [decision.cycle for decision in self.decisions]
        return min(cycles, default=0)


def timeline(program: Program, records: npt.NDArray[np.void], results: Iterable[Arrival] = ()) -> Timeline:
    """The timeline of trace records (`layouts.TRACE`), of the model or of a board, with results where they are known.

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
                Played(int(record["time"]), channel, Kind(kind), int(record["value"]), int(record["address"]))
                for channel in program.groups[group].channels
            ]
    return Timeline(
        program,
        tuple(sorted(played, key=lambda e: (e.cycle, e.channel))),
        tuple(decisions),
        tuple(sorted(results)),
    )


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


def _name(program: Program, channel: int) -> str:
    return program.channel_names.get(channel, f"channel {channel}").replace(" ", "_")
