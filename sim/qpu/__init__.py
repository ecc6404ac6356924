# SPDX-License-Identifier: BSD-2-Clause
"""The quantum processor behind the converters: pulses in, ADC samples out.

What it is for. The loop of sequencer, generators, readout, decoder and frame can be closed without a cryostat only if
something answers pulses as qubits do: with the wrong phase they turn the wrong way, with the wrong frequency they slip,
left alone they decay, and what comes back is a sum of tones with noise in it, from which bits must be made. So nothing
here knows of gates: a `PulseEvent` is what a generator played (envelope, frequency, phase at its first sample), and a
virtual Z is nothing but a phase that later pulses have.

Why two back ends. Calibration needs everything that a pulse does: angle, axis, leakage, detuning, decay. Up to
ten qubits are therefore a state vector of three levels each, one trajectory for one shot (`trajectory`). A code
patch of 17 or 49 qubits is beyond that, and needs Clifford gates and Pauli noise only: there each pulse is
recognised by its unitary as the nearest Clifford gate (`clifford`), what it misses is twirled, and Stim does
the rest (`stabilizer`). A pulse that is none within a stated tolerance is refused with its angle, never
rounded. Gates, idling and readout become fragments of a Stim circuit, and `noise_model` strings the same
fragments together, so that Stim's prediction is of this very noise.

Why readout is not simulated sample by sample. A resonator is linear once its qubit's levels are known. When a
tone starts, its qubit is projected, jumps in the window are drawn, and the field for all samples follows from
kept responses (`resonator`, `line`). Asking for samples then draws nothing but noise, and that from a generator
which counts by sample, so that blocks of any size give the same samples.

What can go wrong, and what happens then. An event before the end of the one before it on its channel, a pulse
on a qubit that is being read out, a readout whose samples were delivered already, a channel without a qubit, a
tone outside of the ADC's band, an envelope beyond full scale: each raises `EventError` with what, when and what
to do. A sum of tones beyond 16 bits saturates, as a converter does.

`gates` and `surface` are for those who need calibrated pulses of a device whose parameters are known: tests,
predictions, and pulse tables of a simulated board. What is not modelled is listed in `docs/qpu-emulator.md`.
"""

from triplane.sim.qpu.events import (
    Event,
    EventError,
    PulseEvent,
    Readout,
    Tone,
    carrier_phase,
    frequency_of_word,
    phase_of_word,
    word_of_frequency,
    word_of_phase,
)
from triplane.sim.qpu.gates import Sequence
from triplane.sim.qpu.processor import Processor
from triplane.sim.qpu.stabilizer import noise_model

__all__ = [
    "Event",
    "EventError",
    "Processor",
    "PulseEvent",
    "Readout",
    "Sequence",
    "Tone",
    "carrier_phase",
    "frequency_of_word",
    "noise_model",
    "phase_of_word",
    "word_of_frequency",
    "word_of_phase",
]
