# SPDX-License-Identifier: BSD-2-Clause
"""One program on the bench and on the golden model, with the same answers to both."""

from __future__ import annotations

import itertools
import random

from triplane.gateware.sequencer.program import Program
from triplane.sim.models.sequencer.core import SequencerModel
from triplane.sim.models.sequencer.queue import Release
from triplane.sim.models.sequencer.results import Arrival
from triplane.sim.models.sequencer.run import FrameAnswer, Run
from triplane.sim.sequencer.bench import CHANNELS, DEPTH, GROUPS, SIZES, SLOTS, duration
from triplane.sim.sequencer.driver import CLEAR, SequencerDriver

MARGIN = 12
"""Cycles that the gateware runs on after the model's end: nothing may happen in them."""


def small_model(program: Program, *, watchdog: int = 0) -> SequencerModel:
    """The golden model of that bench."""
    return SequencerModel(
        program,
        num_channels=CHANNELS,
        num_slots=SLOTS,
        num_groups=GROUPS,
        program_depth=DEPTH,
        durations=duration,
        watchdog=watchdog,
        **SIZES,
    )


class World:
    """What measurements and decoders answer, by a seed: the same for model and gateware.

    Args:
        seed: of all answers, and of the registers at the start.
        answers: whether there are any.
    """

    def __init__(self, seed: int, *, answers: bool = True) -> None:
        self.seed, self.answering = seed, answers
        self.arrivals: list[Arrival] = []
        self.answers: list[FrameAnswer] = []
        rng = random.Random(seed)
        self.registers = {k: rng.choice([0, 1, 2, rng.getrandbits(32)]) for k in range(1, 32)}

    def respond(self, release: Release) -> list[Arrival]:
        """Results of a CAPTURE: slots 0, 1 and 2 for an odd entry, 3 and 5 for an even one."""
        rng = random.Random(f"{self.seed} {release.cycle} {release.value}")
        at = release.cycle + rng.randrange(2, 60)
        taken = {(arrival.cycle, arrival.slot) for arrival in self.arrivals}
        new = []
        for slot in (0, 1, 2) if release.value & 1 else (3, 5):
            if rng.random() < 0.95 and self.answering:
                cycle = at + rng.randrange(3)
                while (cycle, slot) in taken:
                    cycle += 1
                new.append(Arrival(cycle, slot, rng.randrange(2), rng.randrange(2), rng.randrange(-128, 128)))
        self.arrivals += new
        return new

    def frames(self, shot: int, rounds: int, cycle: int) -> FrameAnswer | None:
        """The frame, now and then not."""
        rng = random.Random(f"{self.seed} {shot} {rounds} {cycle}")
        if rng.random() < 0.1 or not self.answering:
            return None
        answer = FrameAnswer(cycle + rng.randrange(40), rng.getrandbits(32))
        self.answers.append(answer)
        return answer

    def full(self, cycle: int) -> bool:
        """Whether there is no room for outcomes in a cycle: now and then, for a while."""
        return self.answering and random.Random(f"{self.seed} {cycle // 11}").random() < 0.25

    def room(self, cycle: int) -> int:
        """The first cycle from this one on in which there is."""
        return next(later for later in itertools.count(cycle) if not self.full(later))


async def compare(driver: SequencerDriver, program: Program, world: World, *, watchdog: int = 0) -> Run:
    """Runs a program on the bench and on the model, and asserts that all that can be seen of both is the same.

    Returns:
        the model's run. The bench is out of its safe state again.
    """
    what = f"seed {world.seed}"
    for number, value in world.registers.items():
        await driver.set("control_register", number)
        await driver.set("control_register_data", value)
    await driver.write("control_watchdog", watchdog)
    await driver.load(program)
    driver.room = lambda cycle: not world.full(cycle)
    start = await driver.begin()
    run = small_model(program, watchdog=watchdog).run(
        start=start,
        respond=world.respond,
        frames=world.frames,
        room=world.room,
        registers=world.registers,
        limit=4000,
    )
    assert not run.exhausted, what
    driver.expect(world.arrivals, world.answers)
    last = max([run.end, *(release.cycle for release in run.releases)])
    await driver.run(last + MARGIN - driver.now)
    got = [(r.cycle, r.channel, r.kind, r.value) for r in driver.releases]
    assert got == [(r.cycle, r.channel, r.kind, r.value) for r in run.releases], what
    assert await driver.stop() == run.stop, what
    assert (await driver.trace()).tolist() == run.trace.tolist(), what
    assert driver.asked == run.expected, what
    assert driver.outcomes == run.outcomes, what
    assert await driver.read("control_instructions") == run.instructions, what
    assert await driver.read("control_events") == run.events, what
    if run.stop is None:
        assert await driver.read("control_exit") == run.exit_code, what
        assert await driver.read("control_cursor0") == run.cursor, what
        for number, value in enumerate(run.registers):
            await driver.set("control_register", number)
            assert await driver.read("control_register_value") == value, f"{what}: r{number}"
    else:
        assert int(driver.dut.safe.value), what
        await driver.write("control_control", CLEAR)
        await driver.run(2)
    return run
