# SPDX-License-Identifier: BSD-2-Clause
"""Active reset of one qubit: on a board with the qubit behind it, and by the emulator alone."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import numpy as np

from triplane import hal
from triplane.gateware.sequencer.assembler import assemble
from triplane.hal.device import Device
from triplane.hal.drivers.sim import SimBoard
from triplane.host.compiler import GateSet, demodulation_of, line_tones
from triplane.host.compiler.alignment import EPOCH_REGISTER
from triplane.host.compiler.device import tone_frequencies
from triplane.host.small import DRIVES, SHAPE, small_target
from triplane.sim.qpu import Processor, PulseEvent, Readout, Tone, carrier_phase
from triplane.sim.qpu.filters import MatchedFilter
from triplane.sim.qpu.gates import READOUT_SAMPLES, TONE_SCALE, turn_pulse

CYCLES = 1_200
"""That a reset takes at most, with both of its measurements."""


def small_board(progress: Callable[[str], None] | None = None) -> SimBoard:
    """A board with the small fabric in this process."""
    target = small_target()
    board = hal.connect("sim", graph=target.graph, table=target.shape, fabric=SHAPE, progress=progress)
    assert isinstance(board, SimBoard)
    return board


def control_program(device: Device, text: str, masks: tuple[int, ...] = (1,)) -> hal.ControlProgram:
    """A program of the gates of a device for the small board; tones and windows k are those of mask k."""
    gates = GateSet(device, DRIVES)
    return hal.ControlProgram(
        assemble(gates.source(text)),
        drives=gates.pulses,
        tones=(line_tones(device, 0, masks),),
        demodulation=(demodulation_of(device, 0, masks),),
        epoch_register=EPOCH_REGISTER,
    )


def active_reset(board: SimBoard, device: Device, resets: int, *, seed: int) -> int:
    """How often the qubit is found in 1 after its reset, it being in 1 half of the time before."""
    text = files("triplane.host.compiler").joinpath("active-reset.tasm").read_text(encoding="utf-8")
    board.load_control(control_program(device, text))
    board.attach(Processor(device, seed=seed))
    return board.execute({1: resets}, limit_cycles=CYCLES * (resets + 10)).exit_code


def emulated_reset(device: Device, resets: int, *, seed: int) -> int:
    """The same without a board: pulses, samples and a matched filter, no gateware."""
    processor, qubit = Processor(device, seed=seed), device.qubits[0]
    offset = qubit.frequency_hz - qubit.lo_hz
    (tone_hz,) = tone_frequencies(device, 0)
    envelope = np.full(READOUT_SAMPLES, TONE_SCALE, dtype=np.complex64)
    filtered: MatchedFilter | None = None
    ones, time = 0, 1000

    def play(angle: float) -> None:
        nonlocal time
        processor.play(PulseEvent(0, time, turn_pulse(qubit, angle), offset, carrier_phase(offset, time)))
        time += 30

    def measure() -> bool:
        nonlocal filtered, time
        readout = Readout(0, time, (Tone(tone_hz, envelope, carrier_phase(tone_hz, time)),))
        filtered = filtered or MatchedFilter(device, readout)
        processor.readout(0, time, readout.tones)
        time += 400
        samples = processor.adc(0, filtered.first(time - 400), filtered.window)
        return bool(filtered.bits(readout, samples)[0])

    for _ in range(resets):
        play(np.pi / 2)
        if measure():
            play(np.pi)
        else:
            time += 30
        ones += measure()
        time += 40
    return ones
