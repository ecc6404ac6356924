# SPDX-License-Identifier: BSD-2-Clause
"""Stabilizer simulation of code patches, and the circuit that says what its noise is.

`Translation` turns events into fragments of a Stim circuit: idle noise until the pulse, the gate, the noise of
the pulse. `Stabilizer` runs fragments in a `stim.TableauSimulator`; `noise_model` strings the same ones
together. So what Stim predicts from the model is what the back end samples, by construction.

Noise. Relaxation and dephasing over a time t are twirled (Ghosh et al., PRA 86, 062318 (2012)): X and Y each
`(1 - exp(-t / T1)) / 4`, Z `(1 - exp(-t / T2)) / 2` less that; the time of a pulse counts half before and half
after it. What a pulse's unitary misses of its gate is twirled as in `clifford`. Phases are followed without
error: each qubit has a
reference phase, a pulse is about x or y of it to the nearest quarter turn, and what is left is a slip: a twirled
rotation about Z, after which the reference is the pulse's. A qubit that was measured or reset has no phase to
slip from. A qubit that waits ten times its T1 is in 0; one that waits less comes to a mixed state, see
`docs/qpu-emulator.md`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

import numpy as np
import stim

from triplane.hal.device import Device
from triplane.sim.qpu.addressing import Action, Addressing, Key, kept
from triplane.sim.qpu.clifford import (
    TOLERANCE_RAD,
    Cross,
    Turn,
    recognise_cross,
    recognise_turn,
)
from triplane.sim.qpu.events import Event, EventError, PulseEvent
from triplane.sim.qpu.line import addressed, readout_times
from triplane.sim.qpu.resonator import Separation, readout_t1_s, separation
from triplane.sim.qpu.trajectory import Path
from triplane.sim.qpu.transmon import rotate_frame

RELAXED = 10.0
"""T1 after which a qubit that was left alone is in 0."""

NEGLIGIBLE = 1e-9
"""Probabilities that no instruction is spent on."""

STEP_RAD = 1e-4
"""Slips are told apart this finely."""

QUARTER = math.pi / 2

# By quarter turns of the phase: the axis of phase p is cos(p) X - sin(p) Y.
_TURNS = {1: ("SQRT_X", "SQRT_Y_DAG", "SQRT_X_DAG", "SQRT_Y"), 2: ("X", "Y", "X", "Y")}
_CROSS = (("H", "SQRT_ZZ"), ("H_YZ", "SQRT_ZZ_DAG"), ("H", "SQRT_ZZ_DAG"), ("H_YZ", "SQRT_ZZ"))
_SWAPPED = (0, 2, 1, 3)
"""Paulis where x and y change places."""


class Translation:
    """Events to fragments of a circuit, and the state that this needs: times and phases, nothing quantum."""

    def __init__(self, device: Device, addressing: Addressing, tolerance_rad: float = TOLERANCE_RAD) -> None:
        self.device = device
        self.addressing = addressing
        self.tolerance_rad = tolerance_rad
        self._relaxed_s = [RELAXED * qubit.t1_us * 1e-6 for qubit in device.qubits]
        self._gates: dict[Key, Turn | Cross] = {}
        self._fragments: dict[object, stim.Circuit] = {}
        self.reset()

    def reset(self) -> None:
        """All qubits in 0 at time 0."""
        self._time_s = [0.0] * len(self.device.qubits)
        self.relax()

    def relax(self) -> None:
        """All qubits in 0, now."""
        count = len(self.device.qubits)
        self._reference: list[float | None] = [None] * count
        self._ground = [True] * count

    def pulse(self, action: Action, event: PulseEvent) -> stim.Circuit:
        """Fragment of a pulse.

        Raises:
            EventError: the pulse is no Clifford gate, or its phase has slipped, beyond the tolerance.
        """
        idle = tuple([self._idle(qubit, action.middle_s) for qubit in action.qubits])
        gate = self._gates.get(action.key) or kept(
            self._gates, action.key, lambda: self._recognise(action, event)
        )
        self._ground[action.qubit] = False
        if not gate.turns:
            quarter, slip = 0, 0
        else:
            quarter, slip = self._phase(action.qubit, action.start_rad + gate.axis_rad)
        if isinstance(gate, Cross):
            reference = self._reference[action.qubits[0]]
            if reference is not None:
                self._reference[action.qubits[0]] = reference - gate.control_rad
        key = (action.key, idle, quarter, slip)
        return self._fragments.get(key) or kept(
            self._fragments, key, lambda: self._circuit(action.qubits, idle, gate, quarter, slip)
        )

    def idle(self, qubit: int, until_s: float) -> stim.Circuit:
        """Fragment of a qubit that is left alone until a time."""
        picoseconds = self._idle(qubit, until_s)
        return kept(self._fragments, (qubit, picoseconds), lambda: self._idle_circuit(qubit, picoseconds))

    def measured(self, qubit: int, end_s: float) -> None:
        """A readout is over: the qubit has no phase, and its time has come to `end_s`."""
        self._reference[qubit] = None
        self._time_s[qubit] = max(end_s, self._time_s[qubit])
        self._ground[qubit] = False

    def _recognise(self, action: Action, event: PulseEvent) -> Turn | Cross:
        whole = self.addressing.propagator(action, event)
        unitary = rotate_frame(whole, 0.0, action.turned_rad)
        name = f"pulse on channel {event.channel} at sample {event.start}"
        if action.coupling is None:
            return recognise_turn(unitary, name, self.tolerance_rad)
        return recognise_cross(unitary, name, self.tolerance_rad)

    def _idle(self, qubit: int, until_s: float) -> int:
        """Picoseconds that a qubit waits; -1 for one that comes to 0 in that time."""
        passed_s = until_s - self._time_s[qubit]
        if passed_s <= 0:
            return 0
        self._time_s[qubit] = until_s
        if self._ground[qubit]:
            return 0
        if passed_s > self._relaxed_s[qubit]:
            self._ground[qubit] = True
            self._reference[qubit] = None
            return -1
        return round(passed_s * 1e12)

    def _phase(self, qubit: int, phase_rad: float) -> tuple[int, int]:
        """Quarter turns of a phase from the qubit's reference, and what is left, in steps of `STEP_RAD`."""
        reference = self._reference[qubit]
        apart = phase_rad - (reference or 0.0)
        slip = math.remainder(apart, QUARTER)
        quarter = round((apart - slip) / QUARTER) % 4
        self._reference[qubit] = math.remainder((reference or 0.0) + slip, 2 * math.pi)
        if reference is None:
            return quarter, 0
        if abs(slip) > self.tolerance_rad:
            raise EventError(
                f"the phase of a pulse on qubit {qubit} is {math.degrees(slip):.1f} degrees from a quarter turn after "
                f"the pulse before it, and {math.degrees(self.tolerance_rad):.1f} are tolerated; correct its frequency "
                "or virtual Z, or take the trajectory back end"
            )
        return quarter, round(slip / STEP_RAD)

    def _circuit(
        self, qubits: tuple[int, ...], idle: tuple[int, ...], gate: Turn | Cross, quarter: int, slip: int
    ) -> stim.Circuit:
        circuit = stim.Circuit()
        for qubit, picoseconds in zip(qubits, idle, strict=True):
            circuit += self._idle_circuit(qubit, picoseconds)
        _append(circuit, "Z_ERROR", qubits[-1:], [math.sin(slip * STEP_RAD / 2) ** 2])
        order = _SWAPPED if quarter % 2 else (0, 1, 2, 3)
        if isinstance(gate, Cross):
            basis, name = _CROSS[quarter]
            circuit.append(basis, qubits[1:])
            circuit.append(name, qubits)
            circuit.append(basis, qubits[1:])
            errors = (0.0, *gate.errors)
            swapped = [errors[4 * control + target] for control in range(4) for target in order]
            _append(circuit, "PAULI_CHANNEL_2", qubits, swapped[1:])
        else:
            if gate.quarters:
                circuit.append(_TURNS[gate.quarters][quarter], qubits)
            errors = (0.0, *gate.errors)
            _append(circuit, "PAULI_CHANNEL_1", qubits, [errors[k] for k in order[1:]])
        return circuit

    def _idle_circuit(self, number: int, picoseconds: int) -> stim.Circuit:
        circuit = stim.Circuit()
        if picoseconds < 0:
            circuit.append("R", [number])
        else:
            qubit = self.device.qubits[number]
            flips = -math.expm1(-picoseconds * 1e-6 / qubit.t1_us) / 4
            phases = -math.expm1(-picoseconds * 1e-6 / qubit.t2_us) / 2 - flips
            _append(circuit, "PAULI_CHANNEL_1", [number], [flips, flips, max(0.0, phases)])
        return circuit


class Stabilizer:
    """Back end of code patches.

    Args:
        device: any number of qubits.
        addressing: resolves pulses.
        seed: of all its random numbers.
        tolerance_rad: largest rotation from a pulse to the gate that it is taken for.
    """

    def __init__(
        self, device: Device, addressing: Addressing, seed: int, tolerance_rad: float = TOLERANCE_RAD
    ) -> None:
        self.device = device
        self.translation = Translation(device, addressing, tolerance_rad)
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """All qubits in 0 at time 0."""
        self.translation.reset()
        self.simulator = stim.TableauSimulator(seed=seed)
        self.simulator.set_num_qubits(len(self.device.qubits))
        self._random = np.random.default_rng([seed, len(self.device.qubits)])

    def relax(self) -> None:
        """All qubits in 0, now."""
        self.translation.relax()
        self.simulator.reset(*range(len(self.device.qubits)))

    def pulse(self, action: Action, event: PulseEvent) -> None:
        """Play a pulse."""
        self.simulator.do(self.translation.pulse(action, event))

    def measure(self, qubit: int, begin_s: float, end_s: float, t1_s: float) -> Path:
        """Project a qubit; relaxation while it is read out is twirled: a flip either way, at a random time."""
        self.idle(qubit, begin_s)
        level = int(self.simulator.measure(qubit))
        self.translation.measured(qubit, end_s)
        path = [(begin_s, level)]
        if self._random.random() < flip_probability(end_s - begin_s, t1_s):
            path.append((begin_s + (end_s - begin_s) * self._random.random(), 1 - level))
            self.simulator.x(qubit)
        return path

    def idle(self, qubit: int, until_s: float) -> None:
        """Noise of a qubit that is left alone until a time."""
        self.simulator.do(self.translation.idle(qubit, until_s))


def flip_probability(readout_s: float, t1_s: float) -> float:
    """That relaxation, twirled, flips a qubit during its readout."""
    return -math.expm1(-readout_s / t1_s) / 2


def noise_model(
    device: Device,
    schedule: Iterable[Event],
    *,
    tolerance_rad: float = TOLERANCE_RAD,
    overlap: float | None = None,
) -> stim.Circuit:
    """The circuit with exactly the noise that the stabilizer back end samples for a schedule.

    Measurements are in the order of the readouts, within one in the order of its tones. Bits are those of samples
    weighed by the difference of the mean traces over the length of the tone; the two kinds of wrong bit (noise, and a
    flip late in the window that leaves the bit as it was) follow from `resonator.separation`.

    Args:
        device: its parameters.
        schedule: events, as they would be played.
        tolerance_rad: as of the back end.
        overlap: probability that noise makes a bit wrong, instead of the one computed; for other discriminators.
    """
    addressing = Addressing(device)
    translation = Translation(device, addressing, tolerance_rad)
    circuit = stim.Circuit()
    circuit.append("R", range(len(device.qubits)))
    known: dict[tuple[int, float, bytes], Separation] = {}
    for event in schedule:
        if isinstance(event, PulseEvent):
            circuit += translation.pulse(addressing.resolve(event), event)
            continue
        places = addressed(device, event)
        line = device.lines[event.line]
        for tone, (place, measured) in zip(event.tones, places, strict=True):
            if not measured:
                continue
            resonator = line.tones[place]
            qubit = resonator.qubit
            begin_s, end_s = readout_times(line, event, len(tone.envelope))
            circuit += translation.idle(qubit, begin_s)
            translation.measured(qubit, end_s)
            found = kept(
                known,
                (qubit, tone.frequency_hz, tone.key),
                functools.partial(separation, line, resonator, tone),
            )
            flip = flip_probability(end_s - begin_s, readout_t1_s(device, resonator))
            _append(circuit, "X_ERROR", [qubit], [flip * (1 - found.late_flip)])
            circuit.append("M", [qubit], found.overlap if overlap is None else overlap)
            _append(circuit, "X_ERROR", [qubit], [flip * found.late_flip])
    return circuit


def _append(circuit: stim.Circuit, name: str, targets: Iterable[int], probabilities: list[float]) -> None:
    if sum(probabilities) > NEGLIGIBLE:
        circuit.append(name, list(targets), probabilities)
