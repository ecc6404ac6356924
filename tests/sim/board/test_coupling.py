# SPDX-License-Identifier: BSD-2-Clause
"""A board and emulated qubits in one loop: pulses of the sequencer turn them, readout finds them, results decide."""

from pathlib import Path

import numpy as np
import pytest

from triplane.gateware.fabric import FRAME_FIRST
from triplane.gateware.frame.layouts import Operation
from triplane.hal.device import load_device
from triplane.hal.errors import SafeStateError
from triplane.host.bench.resetting import active_reset, control_program, emulated_reset, small_board
from triplane.host.small import SHAPE
from triplane.sim.qpu import EventError, Processor

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples" / "loop"
DRIVES = 3
HEAD = """
.channel line, 3
.slot qubit, 0
.group line, line arms qubit
    wait 50
"""
MEASURE = """
    play line, 0
    capture line, 0, +200
    read r1, qubit, 1000
    and r1, r1, 1
    halt r1
"""


@pytest.fixture(scope="module")
def one_qubit():
    return load_device("one_qubit")


@pytest.fixture(scope="module")
def connected():
    with small_board() as board:
        yield board


def loaded(board, device, text, masks=(1,)):
    """The program with its tables on the board; tones and windows k are those of mask k."""
    board.load_control(control_program(device, text, masks))


def run(board, device, seed, registers=None, limit=20_000):
    """Exit code with fresh qubits behind the board."""
    board.attach(Processor(device, seed=seed))
    return board.execute(registers, limit_cycles=limit).exit_code


@pytest.mark.parametrize(
    ("pulses", "found"), [("", 0), ("x_0", 1), ("x90_0\n" * 2, 1), ("h_0\nz_0\nh_0", 1), ("h_0\nh_0", 0)]
)
def test_pulses_turn_the_qubit(connected, one_qubit, pulses, found):
    loaded(connected, one_qubit, HEAD + pulses + MEASURE)
    ones = sum(run(connected, one_qubit, seed) for seed in range(4))
    assert abs(ones - 4 * found) <= 1


def test_when_it_is_started_changes_nothing(connected, three_qubits):
    """A processor's time begins with what is played, whenever that is."""
    macros = ".macro prepare qubit\nh_0\n.endmacro\n.macro undo qubit\n.endmacro\n"
    text = (EXAMPLES / "teleportation.tasm").read_text()
    loaded(connected, three_qubits, macros + text, (0b011, 0b100))
    codes = [run(connected, three_qubits, seed) for seed in range(6)]
    for seed, code in enumerate(codes):
        connected.attach(Processor(three_qubits, seed=seed))
        connected.elapse(7_777 * (seed + 1))
        assert connected.execute(limit_cycles=20_000).exit_code == code
    assert len(set(codes)) > 1


def test_what_the_processor_refuses_is_said(connected, one_qubit):
    """A pulse during readout."""
    loaded(connected, one_qubit, HEAD + "play line, 0, +20\nx_0\n" + MEASURE)
    with pytest.raises(EventError, match="while that is read out"):
        run(connected, one_qubit, 0)


def test_a_line_that_answers_at_once_is_refused(connected, one_qubit):
    loaded(connected, one_qubit, HEAD + MEASURE)
    line = one_qubit.lines[0].model_copy(update={"delay_ns": 0.0})
    with pytest.raises(ValueError, match="answers after 0 ns"):
        connected.attach(Processor(one_qubit.model_copy(update={"lines": (line,)})))


def test_active_reset_leaves_what_readout_errors_leave(connected, one_qubit):
    """Residual excitation of a qubit that was in 1 half of the time."""
    shots, references = 400, 1000
    left = active_reset(connected, one_qubit, shots, seed=3)
    expected = emulated_reset(one_qubit, references, seed=4) / references
    deviation = np.sqrt(shots * expected * (1 - expected) * (1 + shots / references))
    assert 0 < expected < 0.05
    assert abs(left - shots * expected) < 4 * deviation


@pytest.mark.parametrize(("prepare", "undo"), [("", ""), ("x", "x"), ("h", "h"), ("x h", "h x")])
def test_teleportation(connected, three_qubits, prepare, undo):
    """The state arrives, whatever is measured on the way; all four results come."""
    macros = "".join(
        f".macro {name} qubit\n" + "".join(f"{gate}_{qubit}\n" for gate in gates.split()) + ".endmacro\n"
        for name, gates, qubit in (("prepare", prepare, 0), ("undo", undo, 2))
    )
    text = (EXAMPLES / "teleportation.tasm").read_text()
    loaded(connected, three_qubits, macros + text, (0b011, 0b100))
    codes = [run(connected, three_qubits, seed) for seed in range(16)]
    assert len({code & 3 for code in codes}) == 4
    assert sum(code >> 2 for code in codes) <= 3


@pytest.mark.parametrize(("prepare", "undo"), [("", ""), ("x", "x"), ("h", "h"), ("x h", "h x")])
def test_teleportation_with_the_frame_in_place_of_pulses(connected, three_qubits, prepare, undo):
    """Nothing is played for a correction: the frame carries it through the gates, and turns the result over."""

    def operation(name, qubit):
        return f"play frame, {Operation[name].value | qubit << FRAME_FIRST}, +4\n"

    through = "".join(f"{gate}_2\n" + (operation("H", 2) if gate == "h" else "") for gate in undo.split())
    macros = ".macro prepare qubit\n" + "".join(f"{gate}_0\n" for gate in prepare.split()) + ".endmacro\n"
    macros += f".macro undo qubit\n{through}.endmacro\n"
    text = (EXAMPLES / "teleportation.tasm").read_text()
    for gate in ("X", "Z"):
        assert text.count(f"    {gate.lower()}_2\n") == 1
        text = text.replace(f"    {gate.lower()}_2\n", f"    {operation(gate, 2)}")
    channel = f".channel frame, {SHAPE.frame_channel}\n.group frame, frame\n"
    loaded(connected, three_qubits, channel + macros + text, (0b011, 0b100))
    codes, turned = [], 0
    for seed in range(16):
        code = run(connected, three_qubits, seed)
        codes.append(code)
        turned += connected.get("pauli_x_bits") >> 2 & 1
        assert connected.get("pauli_status") == 1  # settled
    assert len({code & 3 for code in codes}) == 4
    assert sum(code >> 2 for code in codes) <= 3
    assert 0 < turned < 16


@pytest.mark.parametrize("value", [3 << FRAME_FIRST, 4 << FRAME_FIRST, 10, 16])
def test_a_gate_on_no_qubit_is_refused(connected, one_qubit, value):
    """Qubits 3 and 4 of three; operations that there are not."""
    channel = f".channel frame, {SHAPE.frame_channel}\n.group frame, frame\n"
    loaded(connected, one_qubit, channel + HEAD + f"play frame, {value}\nwait 50\nsync\nhalt 0")
    with pytest.raises(SafeStateError, match="refused"):
        run(connected, one_qubit, 0)


def test_repeat_until_success(connected, three_qubits):
    text = (EXAMPLES / "repeat-until-success.tasm").read_text()
    loaded(connected, three_qubits, text, (0b011, 0b100, 0b001, 0b010))
    codes = [run(connected, three_qubits, seed, limit=100_000) for seed in range(16)]
    attempts = np.array([code & 0xFF for code in codes])
    assert 1.2 < attempts.mean() < 3.5  # 2, with a standard error of 0.35
    assert attempts.max() > 1
    assert sum(code >> 8 & 1 for code in codes) <= 3
