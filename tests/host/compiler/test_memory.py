# SPDX-License-Identifier: BSD-2-Clause
"""Memories as control programs, without a board: what is assembled, what it plays, and what its tables make of bits."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from triplane.gateware.fabric import OUTCOME_OFFSET, ROUND_LAST
from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.isa import GROUP
from triplane.gateware.sequencer.layouts import Kind
from triplane.host.compiler.alignment import EPOCH_REGISTER
from triplane.host.compiler.memory import MemoryExperiment
from triplane.sim.models.decoder.window import WindowModel
from triplane.sim.models.sequencer.core import FrameAnswer, SequencerModel
from triplane.sim.models.sequencer.results import Arrival
from triplane.sim.models.syndrome.formation import form
from triplane.sim.qpu.surface import memory

EXAMPLE = Path(__file__).resolve().parents[3] / "docs/examples/loop/surface-code-memory-d5.tasm"
ROUNDS, SHOTS = 25, 400
START, EPOCH = 1_000, 20_000
RESULT_CYCLES = 150
"""From a CAPTURE to its results, about as a readout line takes."""


@pytest.fixture(scope="module")
def experiment():
    return MemoryExperiment.of(5)


@pytest.fixture(scope="module")
def played(experiment):
    """The run of the golden model with the board's depths, every bit 0, and the frame given in due time."""
    program, shape = experiment.program(ROUNDS).sequence, experiment.shape

    def respond(release):
        group = program.groups[GROUP.extract(int(program.words[release.address]))]
        first = experiment.gates.carriers.first_line
        own = range(8 * (release.channel - first), 8 * (release.channel - first + 1))
        return [
            Arrival(release.cycle + RESULT_CYCLES, slot, bit=0, leaked=0)
            for slot in group.slots
            if slot in own
        ]

    return SequencerModel(
        program,
        num_channels=shape.channels,
        num_slots=shape.slots,
        num_groups=shape.groups,
        program_depth=shape.program_words,
        queue_depth=shape.queue_events,
    ).run(
        start=START,
        respond=respond,
        frames=lambda shot, rounds, cycle: FrameAnswer(cycle + 100, 1 | 1 << OUTCOME_OFFSET),
        registers=experiment.registers(ROUNDS) | {EPOCH_REGISTER: EPOCH},
    )


def test_the_example_is_the_program(experiment):
    """Its comment apart, the committed text is what the compiler gives, and so are its words."""
    text = EXAMPLE.read_text()
    head, _, rest = text.partition("\n\n")
    assert all(line.startswith("; ") for line in head.splitlines())
    assert rest == experiment.source(ROUNDS) + "\n", (
        "the compiler gives another program than docs/examples/loop has; write it anew"
    )
    np.testing.assert_array_equal(
        assemble(text, file=EXAMPLE.name).words, experiment.program(ROUNDS).sequence.words
    )


def test_other_distances_have_no_device():
    with pytest.raises(ValueError, match="there are devices of distance 3 and 5, not 7"):
        MemoryExperiment.of(7)


def test_it_fits_its_board(experiment):
    program, shape = experiment.program(ROUNDS), experiment.shape
    program.check(shape)
    assert (shape.drives, shape.lines, shape.channels) == (49, 7, 57)
    assert (shape.syndrome.slots, shape.syndrome.events) == (56, 24)
    assert len(program.sequence.words) <= shape.program_words < 2 * len(program.sequence.words)
    assert experiment.window == (9, 3)
    # The number of rounds is in a register: all but the round that is waited for is the same.
    others = experiment.program(1_000).sequence.words
    assert (others != program.sequence.words).sum() == 1


def test_what_it_plays(experiment, played):
    """A round: 80 CNOT in four layers, three lines read; every line once more at the end or in its place."""
    assert played.stop is None
    assert played.exit_code == 1 | 1 << OUTCOME_OFFSET
    assert [question[1:] for question in played.expected] == [(0, ROUNDS + 1)]
    first = experiment.gates.carriers.first_line
    plays = [r for r in played.releases if r.kind == Kind.PLAY]
    moments = Counter(r.value for r in plays if r.channel < first)
    gates = {0: 12, 9: 12} | dict.fromkeys(range(1, 9), 20)
    assert moments == {moment: ROUNDS * count for moment, count in gates.items()}
    captures = Counter(r.channel - first for r in played.releases if r.kind == Kind.CAPTURE)
    assert captures == dict.fromkeys((0, 1, 2), ROUNDS) | dict.fromkeys((3, 4, 5, 6), 1)
    # Each layer is one instruction: its pulses start together. Rounds come in step.
    starts = sorted({r.cycle for r in plays if r.channel < first})
    assert len(starts) == 10 * ROUNDS
    assert {b - a for a, b in zip(starts[::10], starts[10::10], strict=False)} == {experiment.round_cycles}
    assert starts[0] > EPOCH
    rounds = [r.value for r in plays if r.channel == first + len(experiment.device.lines)]
    kinds = experiment.syndrome.schedule(ROUNDS + 1)
    assert rounds == [*kinds[:-1], kinds[-1] | 1 << ROUND_LAST]


def test_bits_become_events_and_are_decoded(experiment):
    """Through the syndrome table's words as Stim's converter has it; then the golden decoder, against no decoder."""
    length = len(experiment.syndrome.rounds) - 1
    circuit = experiment.circuit(length, memory(experiment.device, 5, length).schedule)
    measured = circuit.compile_sampler(seed=4).sample(SHOTS)
    shape = experiment.shape.syndrome
    bits = np.zeros((SHOTS, length + 1, shape.slots), dtype=bool)
    by_round = experiment.syndrome.by_round(measured)
    bits[:, :, : by_round.shape[2]] = by_round
    events, observables = form(
        shape, experiment.syndrome.words(shape), experiment.syndrome.schedule(length + 1), bits
    )
    expected, flips = circuit.compile_m2d_converter().convert(
        measurements=measured, separate_observables=True
    )
    np.testing.assert_array_equal(events, experiment.stream_map(length).layers(expected))
    np.testing.assert_array_equal(observables & 1, flips[:, 0])
    assert 0.01 < events.mean() < 0.04
    decoded = WindowModel(experiment.plan, 2).decode(events, timing=False)
    wrong = (decoded.frame & 1).astype(bool) != flips[:, 0]
    assert wrong.mean() < 0.02 < 0.1 < flips.mean()
