# SPDX-License-Identifier: BSD-2-Clause
"""Layers of gates at once, as the body of a loop: one instruction a layer, virtual Z for nothing.

Entry k of every channel's pulse table is what it plays in moment k. All frames are known when the body is compiled, but
for how often it was repeated: within the body they are in the phases of the entries, and what the whole body adds to a
frame is the `after` of each slot's last pulse in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from triplane.hal.control import Pulses
from triplane.hal.device import Device
from triplane.host.compiler.alignment import aligned
from triplane.host.compiler.carriers import Carriers, phase_word
from triplane.host.compiler.device import drive_pulses
from triplane.host.compiler.gates import MARGIN, stark_rad
from triplane.sim.qpu.gates import cross_pulse, turn_pulse

Samples = npt.NDArray[np.complex64]

NAME = "moment"


@dataclass
class _Pulse:
    samples: Samples
    slot: int
    phase_rad: float
    after_rad: float = 0.0


@dataclass
class _Moment:
    """What is played at one time: channel -> pulse."""

    pulses: dict[int, _Pulse] = field(default_factory=dict)

    @property
    def cycles(self) -> int:
        """Until the next one."""
        return max(len(pulse.samples) // 2 for pulse in self.pulses.values()) + MARGIN


class Moments:
    """A body of gates.

    Args:
        device: its parameters.
        drives: drive channels of the board; None: as many as there are qubits.

    Attributes:
        carriers: slots of the channels.

    Raises:
        ValueError: the device has not the channels that `Carriers` asks for.
    """

    def __init__(self, device: Device, drives: int | None = None) -> None:
        self.device = device
        self.carriers = Carriers(device, drives)
        self._moments: list[_Moment] = []
        self._frames_rad = dict.fromkeys(self.carriers.of, 0.0)

    def turn(self, qubits: Iterable[int], angle_rad: float, axis_rad: float = 0.0) -> None:
        """Turn qubits about `cos(axis) X - sin(axis) Y`, all at once."""
        moment = _Moment()
        for qubit in qubits:
            samples = turn_pulse(self.device.qubits[qubit], angle_rad)
            moment.pulses[qubit] = _Pulse(samples, 0, axis_rad + self._frames_rad[qubit])
        self._moments.append(moment)

    def rz(self, qubit: int, angle_rad: float) -> None:
        """Turn a qubit about Z, in no time."""
        self._frames_rad[qubit] += angle_rad

    def hadamard(self, qubits: Sequence[int]) -> None:
        """One pulse between two virtual Z, on all of these qubits at once."""
        for qubit in qubits:
            self.rz(qubit, math.pi / 2)
        self.turn(qubits, math.pi / 2)
        for qubit in qubits:
            self.rz(qubit, math.pi / 2)

    def cnot(self, pairs: Sequence[tuple[int, int]]) -> None:
        """CNOT of (control, target) pairs at once: cross-resonance, a quarter turn of targets, virtual Z of controls.

        Raises:
            ValueError: a qubit is in two of the pairs, or a pair is not coupled.
        """
        taken = [qubit for pair in pairs for qubit in pair]
        twice = sorted({qubit for qubit in taken if taken.count(qubit) > 1})
        if twice:
            raise ValueError(f"qubit {twice[0]} is in two gates at once")
        crossing = _Moment()
        for control, target in pairs:
            coupling = self.carriers.coupling(control, target)
            samples = cross_pulse(coupling)
            phase_rad = math.pi + self.carriers.cable_rad(control, target) + self._frames_rad[target]
            crossing.pulses[control] = _Pulse(samples, self.carriers.slot(control, target), phase_rad)
            self.rz(control, math.pi / 2 + stark_rad(coupling, samples))
        self._moments.append(crossing)
        self.turn([target for _, target in pairs], math.pi / 2)

    @property
    def cycles(self) -> int:
        """From the body's beginning to its end."""
        return sum(moment.cycles for moment in self._closed())

    def compiled(self) -> tuple[tuple[Pulses, ...], str, str]:
        """Tables of the drive channels; groups, to stand before a program; and its body, a macro named `gates`."""
        moments = self._closed()
        entries: dict[int, dict[int, tuple[Samples, dict[str, int]]]] = {q: {} for q in self.carriers.of}
        groups, body = [], [".macro gates"]
        for number, moment in enumerate(moments):
            for channel, pulse in moment.pulses.items():
                fields = {"slot": pulse.slot, "phase": phase_word(pulse.phase_rad)}
                entries[channel][number] = (pulse.samples, fields | {"after": phase_word(pulse.after_rad)})
            groups.append(f".group {NAME}_{number}, " + ", ".join(map(str, sorted(moment.pulses))))
            body.append(f"    play {NAME}_{number}, {number}, +{moment.cycles}")
        tables = tuple(drive_pulses(of_channel) for of_channel in entries.values())
        return tables, "\n".join(groups), "\n".join([*body, ".endmacro"])

    def source(self, text: str) -> str:
        """A program's source with the macro and the alignment of all slots."""
        _, groups, body = self.compiled()
        return aligned("\n".join([groups, body, text]), self.carriers.slots)

    def _closed(self) -> list[_Moment]:
        """The moments, and what the body adds to the frames behind each slot's last pulse."""
        moments = [_Moment({c: _Pulse(**vars(p)) for c, p in m.pulses.items()}) for m in self._moments]
        last = {
            (channel, pulse.slot): pulse for moment in moments for channel, pulse in moment.pulses.items()
        }
        bare: dict[int, list[_Pulse]] = {}
        nothing = np.zeros(0, dtype=np.complex64)
        for qubit, angle_rad in self._frames_rad.items():
            for channel, slot in self.carriers.of[qubit]:
                if (channel, slot) in last:
                    last[channel, slot].after_rad = angle_rad
                elif phase_word(angle_rad):
                    bare.setdefault(channel, []).append(_Pulse(nothing, slot, 0.0, angle_rad))
        # Slots that play nothing in the body: entries of no length, one of a channel at a time
        for number in range(max(map(len, bare.values()), default=0)):
            moments.append(_Moment({c: pulses[number] for c, pulses in bare.items() if number < len(pulses)}))
        return moments
