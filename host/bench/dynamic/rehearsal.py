# SPDX-License-Identifier: BSD-2-Clause
"""A control program on the golden model of the sequencer, with results as they are wished for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from triplane.gateware.sequencer.layouts import Kind
from triplane.hal import ControlProgram
from triplane.sim.models.sequencer.core import SequencerModel
from triplane.sim.models.sequencer.results import Arrival

RESULT_CYCLES = 150
"""From a CAPTURE to its results."""

EPOCH_REGISTER, EPOCH = 31, 1500
LIMIT_CYCLES = 1_000_000


@dataclass(frozen=True)
class Rehearsal:
    """What a program did.

    Attributes:
        done: of the golden model.
        arrivals: results that it was given.
    """

    done: Any
    arrivals: Sequence[Arrival]

    def latency(self, slot: int, channel: int) -> int:
        """Cycles from the first result of a slot to the first event that leaves the queue of a channel after it."""
        result = next(arrival.cycle for arrival in self.arrivals if arrival.slot == slot)
        later = (r.cycle for r in self.done.releases if r.channel == channel and r.cycle > result)
        return int(min(later)) - result


def rehearse(
    program: ControlProgram,
    bit: Callable[[int, int], int] = lambda slot, number: 0,
    *,
    queue_events: int = 64,
) -> Rehearsal:
    """Run a program; `bit` gives the results, by slot and by how often the slot was measured before."""
    numbers: Counter[int] = Counter()
    arrivals: list[Arrival] = []
    groups = program.sequence.groups

    def respond(release: Any) -> list[Arrival]:
        if release.kind != Kind.CAPTURE:
            return []
        group = groups[int(program.sequence.words[release.address]) >> 49 & 0xFF]
        if release.channel not in group.channels:
            return []
        answers = []
        for slot in group.slots:
            answers.append(Arrival(release.cycle + RESULT_CYCLES, slot, bit(slot, numbers[slot])))
            numbers[slot] += 1
        arrivals.extend(answers)
        return answers

    model = SequencerModel(program.sequence, queue_depth=queue_events)
    done = model.run(respond=respond, registers={EPOCH_REGISTER: EPOCH}, limit=LIMIT_CYCLES)
    return Rehearsal(done, arrivals)
