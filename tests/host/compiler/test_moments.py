# SPDX-License-Identifier: BSD-2-Clause
"""Bodies of gates, repeated by a loop of the sequencer on emulated qubits: frames add up over the repetitions."""

import math

import pytest

from triplane import hal
from triplane.gateware.sequencer.assembler import assemble
from triplane.host.bench.resetting import small_board
from triplane.host.compiler import demodulation_of, line_tones
from triplane.host.compiler.alignment import EPOCH_REGISTER
from triplane.host.compiler.moments import Moments
from triplane.host.small import DRIVES
from triplane.sim.qpu import Processor

TEXT = """
.channel line, 3
.slot a, 0
.slot b, 1
.slot c, 2
.group line, line arms a, b, c
    wait 100
again:
    gates
    loop r1, again
    play line, 0
    capture line, 0
    read r2, a, 20000
    read r3, b, 20000
    read r4, c, 20000
    and r2, r2, 1
    and r3, r3, 1
    and r4, r4, 1
    shl r3, r3, 1
    shl r4, r4, 2
    or r2, r2, r3
    or r2, r2, r4
    halt r2
"""
SHOTS = 6
WRONG = 1
"""Shots that may be wrong: readout errors, decay and gate errors are some per cent together."""


@pytest.fixture(scope="module")
def board():
    with small_board() as board:
        yield board


def found(board, three_qubits, gates, repeats):
    """Bits of all three qubits after so many repetitions, as often as they came."""
    board.load_control(
        hal.ControlProgram(
            assemble(gates.source(TEXT)),
            drives=gates.compiled()[0],
            tones=(line_tones(three_qubits, 0, (0b111,)),),
            demodulation=(demodulation_of(three_qubits, 0, (0b111,)),),
            epoch_register=EPOCH_REGISTER,
        )
    )
    codes = []
    for seed in range(SHOTS):
        board.attach(Processor(three_qubits, seed=seed))
        codes.append(board.execute({1: repeats}, limit_cycles=50_000).exit_code)
    return {code: codes.count(code) for code in codes}


def turn_and_shift(gates):
    """Three of these are nothing at all; without the frames of those before, three would be three quarter turns."""
    gates.turn([0], math.pi / 2)
    gates.rz(0, math.pi / 2)


def entangle_and_back(gates):
    """Nothing on qubits in 0, but only with the right phases of targets, controls and cross-resonance."""
    gates.hadamard([0])
    gates.cnot([(0, 1)])
    gates.cnot([(1, 2)])
    gates.cnot([(1, 2)])
    gates.cnot([(0, 1)])
    gates.hadamard([0])


def flip_by_phase(gates):
    """H Z H is X; the target follows it."""
    gates.hadamard([0, 2])
    gates.rz(0, math.pi)
    gates.hadamard([0, 2])
    gates.cnot([(0, 1)])


@pytest.mark.parametrize(
    ("body", "repeats", "expected"),
    [
        (turn_and_shift, 3, 0b000),
        (turn_and_shift, 6, 0b000),
        (entangle_and_back, 1, 0b000),
        (entangle_and_back, 3, 0b000),
        (flip_by_phase, 1, 0b011),
        (flip_by_phase, 2, 0b010),
        (flip_by_phase, 3, 0b001),
    ],
)
def test_a_body_may_be_repeated(board, three_qubits, body, repeats, expected):
    gates = Moments(three_qubits, DRIVES)
    body(gates)
    assert found(board, three_qubits, gates, repeats).get(expected, 0) >= SHOTS - WRONG


def test_frames_of_slots_that_play_nothing(board, three_qubits):
    """Qubit 1 is turned about Z by what it controls; its slot on channel 0 plays nothing, and follows all the same."""
    gates = Moments(three_qubits, DRIVES)
    gates.rz(1, math.pi)
    tables, groups, body = gates.compiled()
    assert body.count("play") == 1  # both channels at once
    assert groups == ".group moment_0, 0, 1"
    assert [table.entries[0]["after"] for table in tables[:2]] == [1 << 31, 1 << 31]
    assert [table.entries[0]["length"] for table in tables[:2]] == [0, 0]
    assert gates.cycles > 0


def test_what_no_three_qubits_can_play_is_refused(three_qubits):
    gates = Moments(three_qubits, DRIVES)
    with pytest.raises(ValueError, match="qubit 1 is in two gates at once"):
        gates.cnot([(0, 1), (1, 2)])
    with pytest.raises(ValueError, match="no coupling from control 1 to target 0"):
        gates.cnot([(1, 0)])
