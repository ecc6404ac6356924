# SPDX-License-Identifier: BSD-2-Clause
"""A board and emulated qubits in one loop: pulses of the sequencer turn them, readout finds them, results decide."""

from pathlib import Path

import numpy as np
import pytest
import stim

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.table import TableShape, observed_detectors
from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.hal.device import Device, load_device
from triplane.host.compiler import GateSet, demodulation_of, line_tones
from triplane.host.compiler.alignment import EPOCH_REGISTER
from triplane.host.compiler.device import tone_frequencies
from triplane.sim.qpu import EventError, Processor, PulseEvent, Readout, Tone, carrier_phase
from triplane.sim.qpu.filters import MatchedFilter
from triplane.sim.qpu.gates import READOUT_SAMPLES, TONE_SCALE, turn_pulse

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
def three_qubits():
    """The first three of a line of five."""
    line5 = load_device("line5")
    described = line5.model_dump()
    described["qubits"] = described["qubits"][:3]
    described["couplings"] = described["couplings"][:2]
    (line,) = described["lines"]
    line["tones"] = line["tones"][:3]
    line["crosstalk"] = [row[:3] for row in line["crosstalk"][:3]]
    return Device.model_validate(described)


@pytest.fixture(scope="module")
def connected():
    circuit = stim.Circuit.generated(
        "repetition_code:memory", distance=3, rounds=1, before_round_data_depolarization=0.1
    )
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    shape = FabricShape(
        DRIVES,
        1,
        SyndromeShape(slots=8, events=2, kept=2, history=1, known=0, observables=1, kinds=4),
        pulse_entries=16,
        envelope_clocks=256,
        window_samples=128,
        windows=4,
        trace_samples=64,
        partial_values=16,
        program_words=256,
        groups=32,
        queue_events=32,
    )
    with hal.connect(
        "sim", graph=graph, table=TableShape(observed_detectors(graph), 1), fabric=shape
    ) as board:
        yield board


def loaded(board, device, text, masks=(1,)):
    """The program with its tables on the board; tones and windows k are those of mask k."""
    gates = GateSet(device, DRIVES)
    board.load_control(
        hal.ControlProgram(
            assemble(gates.source(text)),
            drives=gates.pulses,
            tones=(line_tones(device, 0, masks),),
            demodulation=(demodulation_of(device, 0, masks),),
            epoch_register=EPOCH_REGISTER,
        )
    )


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


def emulated_reset(device, shots, seed):
    """The same without a board: what is left over, by the emulator's own readout."""
    processor, qubit = Processor(device, seed=seed), device.qubits[0]
    offset = qubit.frequency_hz - qubit.lo_hz
    (tone_hz,) = tone_frequencies(device, 0)
    envelope = np.full(READOUT_SAMPLES, TONE_SCALE, dtype=np.complex64)
    filtered, ones, time = None, 0, 1000

    def play(angle):
        nonlocal time
        processor.play(PulseEvent(0, time, turn_pulse(qubit, angle), offset, carrier_phase(offset, time)))
        time += 30

    def measure():
        nonlocal filtered, time
        readout = Readout(0, time, (Tone(tone_hz, envelope, carrier_phase(tone_hz, time)),))
        filtered = filtered or MatchedFilter(device, readout)
        processor.readout(0, time, readout.tones)
        time += 400
        return bool(filtered.bits(readout, processor.adc(0, filtered.first(time - 400), filtered.window))[0])

    for _ in range(shots):
        play(np.pi / 2)
        if measure():
            play(np.pi)
        else:
            time += 30
        ones += measure()
        time += 40
    return ones


def test_active_reset_leaves_what_readout_errors_leave(connected, one_qubit):
    """Residual excitation of a qubit that was in 1 half of the time."""
    shots, references = 400, 1000
    loaded(connected, one_qubit, (EXAMPLES / "active-reset.tasm").read_text())
    left = run(connected, one_qubit, 3, {1: shots}, limit=2_000_000)
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


def test_repeat_until_success(connected, three_qubits):
    text = (EXAMPLES / "repeat-until-success.tasm").read_text()
    loaded(connected, three_qubits, text, (0b011, 0b100, 0b001, 0b010))
    codes = [run(connected, three_qubits, seed, limit=100_000) for seed in range(16)]
    attempts = np.array([code & 0xFF for code in codes])
    assert 1.2 < attempts.mean() < 3.5  # 2, with a standard error of 0.35
    assert attempts.max() > 1
    assert sum(code >> 8 & 1 for code in codes) <= 3
