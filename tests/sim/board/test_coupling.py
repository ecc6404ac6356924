# SPDX-License-Identifier: BSD-2-Clause
"""A board and an emulated qubit in one loop: pulses of the sequencer turn it, readout finds it, results decide."""

import numpy as np
import pytest
import stim

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.table import TableShape, observed_detectors
from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.hal.device import DEVICES, load_device
from triplane.host.compiler import aligned, demodulation_of, drive_pulses, line_tones
from triplane.host.compiler.alignment import EPOCH_REGISTER
from triplane.host.compiler.device import tone_frequencies
from triplane.sim.qpu import Processor, PulseEvent, Readout, Tone, carrier_phase
from triplane.sim.qpu.filters import MatchedFilter
from triplane.sim.qpu.gates import READOUT_SAMPLES, TONE_SCALE, turn_pulse

LEAD = 6
HEAD = """
.channel drive, 0
.channel line, 1
.slot qubit, 0
.group drive, drive
.group line, line arms qubit
.equ X180, 1
.equ X90, 2
    wait 50
"""
MEASURE = """
    play line, 0
    capture line, 0, +200
"""


@pytest.fixture(scope="module")
def device():
    return load_device(DEVICES / "one_qubit.yaml")


@pytest.fixture(scope="module")
def connected():
    circuit = stim.Circuit.generated(
        "repetition_code:memory", distance=3, rounds=1, before_round_data_depolarization=0.1
    )
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    shape = FabricShape(
        1,
        1,
        SyndromeShape(slots=8, events=2, kept=2, history=1, known=0, observables=1, kinds=4),
        pulse_entries=16,
        envelope_clocks=256,
        window_samples=128,
        windows=4,
        trace_samples=64,
        partial_values=16,
        program_words=128,
        groups=8,
        queue_events=16,
    )
    with hal.connect(
        "sim", graph=graph, table=TableShape(observed_detectors(graph), 1), fabric=shape
    ) as board:
        yield board


def loaded(board, device, text, seed=0):
    """The program with its tables on the board, and a fresh qubit behind it."""
    qubit = device.qubits[0]
    pulses = {1: (turn_pulse(qubit, np.pi), {}), 2: (turn_pulse(qubit, np.pi / 2), {})}
    slots = {0: (qubit.frequency_hz - qubit.lo_hz,), 1: tone_frequencies(device, 0)}
    board.load_control(
        hal.ControlProgram(
            assemble(aligned(HEAD + text, slots)),
            drives=(drive_pulses(pulses),),
            tones=(line_tones(device, 0, (1,)),),
            demodulation=(demodulation_of(device, 0, (1,), lead_cycles=LEAD),),
            epoch_register=EPOCH_REGISTER,
        )
    )
    processor = Processor(device, seed=seed)
    board.attach(processor)
    return processor


@pytest.mark.parametrize(
    ("pulses", "found"),
    [
        ("", 0),
        ("play drive, X180, +20", 1),
        ("play drive, X90, +12\n" * 2, 1),
        ("play drive, X90, +12\n" * 4, 0),
    ],
)
def test_pulses_turn_the_qubit(connected, device, pulses, found):
    ones = 0
    for seed in range(10):
        loaded(
            connected,
            device,
            pulses + "\nwait 10\n" + MEASURE + "read r1, qubit, 1000\nand r1, r1, 1\nhalt r1",
            seed,
        )
        ones += connected.execute(limit_cycles=20_000).exit_code
    assert abs(ones - 10 * found) <= 2


SHOTS = 400
RESET = f"""
    set r1, {SHOTS}
    set r2, 0
again:
    play drive, X90, +15
    play line, 0
    capture line, 0, +200
    on.zero qubit, idle, 1000
    play drive, X180, +15
    jump look
idle:
    wait 15
look:
    play line, 0
    capture line, 0, +200
    read r3, qubit, 1000
    and r3, r3, 1
    add r2, r2, r3
    wait 20
    loop r1, again
    halt r2
"""


def emulated_reset(device, shots, seed):
    """The same without a board: what is left over, by the emulator's own readout."""
    processor, qubit = Processor(device, seed=seed), device.qubits[0]
    offset = qubit.frequency_hz - qubit.lo_hz
    (tone_hz,) = tone_frequencies(device, 0)
    filtered, ones, time = None, 0, 1000

    def play(angle):
        nonlocal time
        processor.play(PulseEvent(0, time, turn_pulse(qubit, angle), offset, carrier_phase(offset, time)))
        time += 30

    def measure():
        nonlocal filtered, time
        envelope = np.full(READOUT_SAMPLES, TONE_SCALE, dtype=np.complex64)
        readout = Readout(0, time, (Tone(tone_hz, envelope, carrier_phase(tone_hz, time)),))
        filtered = filtered or MatchedFilter(device, readout)
        processor.readout(0, time, readout.tones)
        time += 400
        return bool(
            filtered.bits(readout, processor.adc(0, filtered.first(readout.start), filtered.window))[0]
        )

    for _ in range(shots):
        play(np.pi / 2)
        if measure():
            play(np.pi)
        else:
            time += 30
        ones += measure()
        time += 40
    return ones


def test_active_reset_leaves_what_readout_errors_leave(connected, device):
    """Residual excitation of a qubit that was in 1 half of the time."""
    loaded(connected, device, RESET, seed=3)
    left = connected.execute(limit_cycles=1_000_000).exit_code
    expected = emulated_reset(device, 4000, seed=4) / 4000
    deviation = np.sqrt(SHOTS * expected * (1 - expected) * (1 + SHOTS / 4000))
    assert 0 < expected < 0.2
    assert abs(left - SHOTS * expected) < 4 * deviation
