# SPDX-License-Identifier: BSD-2-Clause
"""The decoder's answer in the frame of a physical qubit, in the closed loop."""

import dataclasses
from pathlib import Path

import pytest

from triplane import hal
from triplane.gateware.fabric import ROUND_LAST
from triplane.gateware.syndrome.compile import syndrome_table
from triplane.host.bench.resetting import control_program, small_board
from triplane.host.small import SHAPE, small_circuit, small_rounds, small_target
from triplane.sim.models.decoder.lut import fill_table
from triplane.sim.qpu import Processor

PROGRAM = Path(__file__).resolve().parents[3] / "docs/examples/loop/frame-of-a-qubit.tasm"
SHOTS = 8


@pytest.fixture(scope="module")
def board():
    target = small_target()
    model = small_circuit().detector_error_model(decompose_errors=True)
    with small_board() as board:
        board.load(hal.DecoderProgram.from_table(target, fill_table(model, target.shape).words))
        yield board


@pytest.fixture(scope="module")
def syndrome():
    return syndrome_table(small_rounds(), [0, 1, 2] * 2, small_target().graph)


@pytest.mark.parametrize("qubit", [None, 0, 1, 2])
def test_what_the_decoder_finds_turns_a_later_result_over(board, syndrome, three_qubits, qubit):
    """An X that nobody undoes: the decoder finds it, and the qubit is read as if it were not there."""
    first, last = syndrome.rounds
    head = f".equ FIRST, {first}\n.equ LAST, {last | 1 << ROUND_LAST}\n"
    error = ".macro error\n" + ("" if qubit is None else f"x_{qubit}\n") + ".endmacro\n"
    program = control_program(three_qubits, head + error + PROGRAM.read_text(), (0b111, 0b100))
    board.load_control(dataclasses.replace(program, syndrome=syndrome.words(SHAPE.syndrome)))
    read, raw, framed = 0, 0, 0
    for seed in range(SHOTS):
        board.attach(Processor(three_qubits, seed=seed))
        code = board.execute(limit_cycles=40_000, live=True).exit_code
        read += code & 1
        raw += code >> 1
        framed += board.get("pauli_x_bits") >> 2 & 1
        assert board.get("pauli_status") == 1  # settled
    # Readout errors and decay are some per cent together.
    wrong = qubit == 2
    assert abs(raw - SHOTS * wrong) <= 1
    assert abs(framed - SHOTS * wrong) <= 1
    assert read <= 1
