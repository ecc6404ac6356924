# SPDX-License-Identifier: BSD-2-Clause
"""The programs of docs/examples on the golden model: what they decide, play and return, with results as in a script."""

from pathlib import Path

import pytest

from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.isa import GROUP
from triplane.gateware.sequencer.layouts import LEAD, RESULT_TO_EVENT, Fault, Kind
from triplane.sim.models.sequencer.core import SequencerModel
from triplane.sim.models.sequencer.results import Arrival

EXAMPLES = Path(__file__).resolve().parents[4] / "docs" / "examples"
WINDOW = 150
"""Cycles from a CAPTURE to its results."""


class Bits:
    """Answers each measurement of a slot with the next of its bits; a 2 is leaked, None does not come."""

    def __init__(self, program, bits):
        self.program, self.bits = program, {slot: iter(values) for slot, values in bits.items()}
        self.done = set()

    def __call__(self, release):
        group = self.program.groups[GROUP.extract(int(self.program.words[release.address]))]
        if (release.cycle, group) in self.done:
            return []
        self.done.add((release.cycle, group))
        values = {slot: next(self.bits.get(slot, iter(())), 0) for slot in group.slots}
        return [
            Arrival(release.cycle + WINDOW, slot, bit=int(value == 1), leaked=int(value == 2))
            for slot, value in values.items()
            if value is not None
        ]


def run(name, bits, **registers):
    program = assemble((EXAMPLES / f"{name}.tasm").read_text(), file=f"{name}.tasm")
    numbers = {int(register[1:]): value for register, value in registers.items()}
    done = SequencerModel(program).run(start=5000, respond=Bits(program, bits), registers=numbers)
    return program, done


def plays(program, done, name):
    return [r.value for r in done.releases if r.kind == Kind.PLAY and r.channel == program.channels[name]]


@pytest.mark.parametrize(
    ("bits", "flips", "code"),
    [([0], 0, 0), ([1, 0], 1, 1), ([1, 1, 1, 0], 3, 3), ([1, 1, 1, 1], 3, 2**32 - 1)],
)
def test_active_reset(bits, flips, code):
    program, done = run("active-reset", {0: bits})
    assert done.stop is None
    assert done.exit_code == code
    assert plays(program, done, "drive") == [1] * flips
    # A flip is due at once: in a fixed number of cycles after the result.
    captured = [r.cycle for r in done.releases if r.kind == Kind.CAPTURE]
    flipped = [r.cycle for r in done.releases if r.channel == program.channels["drive"]]
    assert [f - c for c, f in zip(captured, flipped, strict=False)] == [WINDOW + 1 + LEAD] * flips
    assert LEAD == RESULT_TO_EVENT


def test_a_reset_without_a_result_is_a_fault():
    program, done = run("active-reset", {0: [None]})
    assert done.stop is not None
    assert done.stop.fault == Fault.TIMEOUT
    assert program.place(done.stop.address).startswith("active-reset.tasm:")


@pytest.mark.parametrize("b", [0, 1])
@pytest.mark.parametrize("a", [0, 1])
def test_conditional_teleportation(a, b):
    program, done = run("conditional-teleportation", {0: [a], 1: [b], 2: [0]})
    assert done.stop is None
    assert done.exit_code == a | b << 1
    captured = next(r.cycle for r in done.releases if r.kind == Kind.CAPTURE)
    corrections = [r.kind for r in done.releases if r.channel == program.channels["c"] and r.cycle > captured]
    assert corrections == [Kind.PLAY] * b + [Kind.PHASE] * a


@pytest.mark.parametrize(
    ("results", "code", "corrections", "unleaks"),
    [
        ([0], 1, 0, 0),
        ([1, 1, 0], 3, 2, 0),
        ([1, 2, 0], 2, 1, 0),
        ([1] * 10, 2**32 - 1, 10, 0),
        ([None], 2**32 - 1, 0, 0),
    ],
)
def test_repeat_until_success(results, code, corrections, unleaks):
    program, done = run("repeat-until-success", {0: results})
    assert done.stop is None
    assert done.exit_code == code
    assert plays(program, done, "target") == [5] * corrections
    assert plays(program, done, "ancilla").count(6) == unleaks


@pytest.mark.parametrize("rounds", [1, 3, 50])
def test_surface_code_memory(rounds):
    _, done = run("surface-code-memory", {}, r1=rounds)
    assert done.stop is None
    assert done.exit_code == rounds
    crosses = [r for r in done.releases if r.kind == Kind.PLAY and 8 <= r.value < 12 and r.channel < 17]
    assert len(crosses) == 24 * rounds
    captures = [r for r in done.releases if r.kind == Kind.CAPTURE]
    assert len(captures) == 2 * rounds + 2
    # Each layer is one instruction: its pulses start together.
    assert len({(r.cycle, r.value) for r in crosses}) == 4 * rounds


def test_surface_code_layers_are_the_stabilizers():
    """Every ancilla meets each data qubit of its stabilizer once, and no qubit has two gates in a layer."""
    program, _ = run("surface-code-memory", {}, r1=1)
    stabilizers = {
        9: {0, 1, 3, 4}, 10: {4, 5, 7, 8}, 11: {1, 2}, 12: {6, 7},
        13: {1, 2, 4, 5}, 14: {3, 4, 6, 7}, 15: {0, 3}, 16: {5, 8},
    }  # fmt: skip
    met = {ancilla: [] for ancilla in stabilizers}
    groups = {group.name: group.channels for group in program.groups}
    for layer in range(4):
        gates = sorted([*groups[f"controls{layer}"], *groups[f"targets{layer}"]])
        assert len(set(gates)) == len(gates) == 12
        busy, free = {q for q in gates if q >= 9}, {q for q in gates if q < 9}
        # The comment of the layer names its pairs.
        text = (EXAMPLES / "surface-code-memory.tasm").read_text().split(f".group controls{layer},")[1]
        for pair in text.splitlines()[0].split(";")[1].split():
            ancilla, data = sorted(map(int, pair.split("-")), reverse=True)
            assert ancilla in busy
            assert data in free
            met[ancilla].append(data)
    assert {ancilla: set(data) for ancilla, data in met.items()} == stabilizers
    assert sum(map(len, met.values())) == 24
