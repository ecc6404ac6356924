# SPDX-License-Identifier: BSD-2-Clause
"""Random programs: what the assembled words play, and when, is what the golden models of sequencer and generator do."""

import random
from fractions import Fraction

import pytest

from triplane.gateware.sequencer.layouts import START_LEAD, Kind
from triplane.hal.drivers.qick import compile_program
from triplane.sim.models.sequencer.core import SequencerModel
from triplane.sim.models.sequencer.generator import PulseGeneratorModel
from triplane.sim.models.sequencer.results import Arrival

START = 1000
RESULT_TO_CURSOR = 4
"""Cycles from a result valid to the cursor of the instruction behind its wait."""

WINDOW, DELAY = 200, 12
ONE, ZERO = (2000, 0), (500, 0)
SEEDS = range(24)


class Author:
    """Writes a program that leaves its sequencer time enough, and whose pulses do not meet."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lines = [
            "    set r1, 0", "    set r2, 5",
            "    slot l0, 0", "    freq l0, 134217728", "    slot l1, 0", "    freq l1, 134217728", "    wait 8",
            *(f"    {what} q{q}, {value}, +4" for q in range(2) for slot in range(2)
              for what, value in (("slot", slot), ("freq", self.random.randrange(2**32)),
                                  ("reset", self.random.randrange(2**32)))),
            "    wait 200",
        ]  # fmt: skip
        self.labels = 0
        self.measured = 0

    def name(self):
        self.labels += 1
        return f"at{self.labels}"

    def piece(self, depth=2):
        choices = [self.play, self.play, self.turn, self.amplitude, self.slot, self.compute, self.measure]
        if depth:
            choices += [self.loop, self.branch, self.call]
        self.random.choice(choices)(depth)

    def gap(self):
        return f"    wait {self.random.choice([24, 37, 41, 50, 83])}"

    def play(self, _):
        group = self.random.choice(["q0", "q1", "both"])
        self.lines += [f"    play {group}, {self.random.randrange(5)}", self.gap()]

    def turn(self, _):
        angle = self.random.choice([self.random.randrange(2**32), "r2"])
        self.lines += [f"    phase {self.random.choice(['q0', 'both'])}, {angle}", self.gap()]

    def amplitude(self, _):
        group = self.random.choice(["q0", "q1"])
        self.lines += [
            f"    amp {group}, {self.random.randrange(2**15 + 1)}",
            f"    play {group}, 1",
            self.gap(),
        ]

    def slot(self, _):
        self.lines += [f"    slot {self.random.choice(['q0', 'q1'])}, {self.random.randrange(2)}", self.gap()]

    def compute(self, _):
        operation = self.random.choice(["add", "sub", "xor", "and", "or", "parity"])
        right = self.random.choice(["r1", "r2", str(self.random.randrange(-(2**31), 2**32))])
        shift = self.random.choice(["shl", "shr", "sar"])
        self.lines += [
            f"    {operation} r{self.random.choice([1, 2])}, r{self.random.choice([0, 1, 2])}, {right}",
            f"    {shift} r{self.random.choice([1, 2])}, r{self.random.choice([1, 2])}, {self.random.randrange(32)}",
            self.gap(),
        ]

    def measure(self, _):
        line = self.random.randrange(2)
        self.measured += 1
        self.lines += [f"    play l{line}, 0", f"    capture l{line}, 0"]
        if self.random.random() < 0.3:
            self.lines.append("    wait 700")
        if self.random.random() < 0.3:
            self.lines += [f"    read r3, {8 * line}, 5000", "    and r3, r3, 1", "    add r1, r1, r3"]
        else:
            label = self.name()
            self.lines += [f"    on.{self.random.choice(['one', 'zero'])} {8 * line}, {label}, 5000"]
            self.lines += ["    wait 30", "    play q0, 1", f"{label}:"]
        self.lines.append("    wait 420")  # the tone is over

    def loop(self, depth):
        register, label = f"r{10 + self.labels % 4}", self.name()
        self.lines += [f"    set {register}, {self.random.randint(1, 3)}", f"{label}:"]
        self.piece(0)
        self.piece(depth - 1)
        self.lines += [self.gap(), f"    loop {register}, {label}"]

    def branch(self, depth):
        label, comparison = self.name(), self.random.choice(["beq", "bne", "blt", "bge", "bltu", "bgeu"])
        right = self.random.choice(["r2", str(self.random.randrange(-(2**31), 2**32))])
        self.lines += [self.gap(), f"    {comparison} r1, {right}, {label}"]
        self.piece(depth - 1)
        self.lines += [self.gap(), f"{label}:", self.gap()]

    def call(self, depth):
        routine, over = self.name(), self.name()
        self.lines += [self.gap(), f"    call {routine}", f"    jump {over}", f"{routine}:", self.gap()]
        self.piece(0)
        self.lines += [self.gap(), "    return", f"{over}:", self.gap()]

    def text(self, pieces=7):
        for _ in range(pieces):
            self.piece()
        return "\n".join([*self.lines, "    halt r1"])


def golden(program, bits, wiring):
    """The golden sequencer, with results that come when QICK's are assumed to."""
    answers = {line: iter(values) for line, values in bits.items()}

    def respond(release):
        line = release.channel - 2
        due = release.cycle + DELAY + WINDOW + wiring.decision_cycles - RESULT_TO_CURSOR
        return [Arrival(due, slot=8 * line, bit=next(answers[line], 0))]

    return SequencerModel(program.sequence, queue_depth=512).run(start=START, respond=respond)


def carriers(program, channel, releases, end):
    """What the golden generator plays: (time, frequency word, phase as of time 0, amplitude)."""
    pulses = program.drives[channel]
    events = [(r.cycle, r.kind, r.value) for r in releases if r.channel == channel]
    model = PulseGeneratorModel(pulses.entries, pulses.envelope.reshape(-1, 4).astype("int64"))
    found = []
    for record in model.run(events, end).played:
        time = record["time"] - 8
        origin = record["phase"] - 2 * record["frequency"] * (time - START - START_LEAD)
        found.append((time - START - START_LEAD, record["frequency"], origin % 2**32, record["gain"]))
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_random_programs_play_what_the_golden_models_play(seed, config, wiring, make, interpret, cycles_of):
    author = Author(seed)
    text = author.text()
    program = make(text)
    dice = random.Random(seed + 1)
    bits = {line: [dice.randrange(2) for _ in range(200)] for line in range(2)}
    done = golden(program, bits, wiring)
    assert (done.stop, done.exhausted) == (None, False), text
    compiled = compile_program(program, config, wiring)
    answers = {line: [ONE if bit else ZERO for bit in values] for line, values in bits.items()}
    outcome = interpret(compiled, answers)
    assert outcome.ended
    assert outcome.memory[0] == done.exit_code, text
    assert outcome.slack > 0, "an event was given when its time was past"
    half = Fraction(1, 2) / compiled.limits.ticks_per_cycle
    end = done.releases[-1].cycle + 1000
    for channel in range(2):
        generator = config["gens"][wiring.generator(channel)]
        ours = [p for p in outcome.plays if p.port == generator["tproc_ch"]]
        theirs = carriers(program, channel, done.releases, end)
        assert len(ours) == len(theirs), text
        for played, (time, word, phase, gain) in zip(ours, theirs, strict=True):
            assert abs(cycles_of(compiled, played.tick) - time) <= half
            frequency = 4.5e9 + ((word + 2**31) % 2**32 - 2**31) * 491.52e6 / 2**32
            assert abs(played.frequency * 6881.28e6 / 2**32 - frequency) <= 6881.28e6 / 2**33 + 1e-3
            assert played.phase == phase
            assert abs(played.gain - gain * 32766 / 2**15) <= 0.5
    starts = [
        (r.cycle - START - START_LEAD + DELAY, r.channel - 2) for r in done.releases if r.kind == Kind.CAPTURE
    ]
    assert [line for _, line in outcome.triggers] == [line for _, line in starts]
    for (tick, _), (time, _) in zip(outcome.triggers, starts, strict=True):
        assert abs(cycles_of(compiled, tick) - time) <= half


def test_the_random_programs_do_all_that_can_be_done(make):
    """So that the comparison above is of something."""
    used = " ".join(Author(seed).text() for seed in SEEDS)
    words = "play phase amp slot freq reset capture on.one on.zero read loop call return parity shl shr sar"
    for word in (*words.split(), "beq", "bne", "blt", "bge", "bltu", "bgeu"):
        assert f" {word} " in used or f" {word}\n" in used, word
