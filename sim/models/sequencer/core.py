# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/sequencer/core.py`: an interpreter that is exact to the cycle, faults included.

It executes instruction after instruction and computes when each is executed, instead of stepping a pipeline from cycle
to cycle; so it and the gateware have little in common that could be wrong in both. The host uses it as a dry run.

    model = SequencerModel(program)
    run = model.run(respond=lambda release: [Arrival(slot=0, cycle=release.cycle + 250, bit=1)])
    print(run.exit_code, run.fault, [r.cycle for r in run.releases])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from triplane.gateware.sequencer.program import Program
from triplane.sim.models.sequencer.execution import Execution
from triplane.sim.models.sequencer.results import Arrival
from triplane.sim.models.sequencer.run import FrameAnswer, Frames, Respond, Room, Run, Stop

__all__ = ["FrameAnswer", "Frames", "Respond", "Room", "Run", "SequencerModel", "Stop"]


class SequencerModel:
    """A sequencer of these sizes.

    Args:
        program: what it executes.
        num_channels, num_slots, num_groups, program_depth, queue_depth, stack_depth, pending_bits: as of the gateware;
            channels and slots default to those that the program names.
        durations: entry of the pulse table -> clocks that it plays; a PLAY in that time is a collision. None: no pulse
            is ever busy.
        watchdog: cycles, 0 for any number.
    """

    def __init__(
        self,
        program: Program,
        *,
        num_channels: int | None = None,
        num_slots: int | None = None,
        num_groups: int = 256,
        program_depth: int = 4096,
        queue_depth: int = 64,
        stack_depth: int = 16,
        pending_bits: int = 7,
        durations: Callable[[int], int] | None = None,
        watchdog: int = 0,
    ) -> None:
        self.program = program
        self.num_channels = program.num_channels if num_channels is None else num_channels
        self.num_slots = program.num_slots if num_slots is None else num_slots
        self.num_groups = num_groups
        self.program_depth = program_depth
        self.queue_depth = queue_depth
        self.stack_depth = stack_depth
        self.pending_bits = pending_bits
        self.durations = durations
        self.watchdog = watchdog

    def run(
        self,
        *,
        start: int = 0,
        respond: Respond = lambda _: (),
        frames: Frames = lambda *_: None,
        room: Room = lambda cycle: cycle,
        registers: Mapping[int, int] | None = None,
        arrivals: Iterable[Arrival] = (),
        limit: int = 1_000_000,
    ) -> Run:
        """Executes the program from address 0.

        Args:
            start: cycle of the start.
            respond: called for every CAPTURE with the event as it will leave its queue; gives the results that follow.
            frames: called with shot, round and the cycle of the question; gives the answer, None for none.
            room: called for every EMIT with the cycle in which it could be executed; gives that in which it is.
            registers: their contents at the start.
            arrivals: results that come besides.
            limit: instructions, after which a program is left alone.
        """
        return Execution(self, start, respond, frames, room, registers or {}, arrivals).execute(limit)
