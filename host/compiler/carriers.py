# SPDX-License-Identifier: BSD-2-Clause
"""Which frequency slots of which channels turn which qubit."""

from __future__ import annotations

import math

from triplane.gateware.sequencer.expression import TURN
from triplane.hal.device import Coupling, Device
from triplane.host.compiler.alignment import NUM_SLOTS
from triplane.host.compiler.device import tone_frequencies


def phase_word(angle_rad: float) -> int:
    """Phase word of an angle, modulo a turn."""
    return round(angle_rad / (2 * math.pi) * TURN) % TURN


class Carriers:
    """Frequency slots of a device's channels.

    Drive channel Q of the board must be that of qubit Q; readout lines follow behind the drives. Slot 0 of a channel is
    its own qubit's; each further one is that of a qubit which the first controls by cross-resonance. The frame of a
    qubit is the phase of all slots that turn it.

    Args:
        device: its parameters.
        drives: channels of the board; None: as many as there are qubits.

    Attributes:
        slots: channel -> frequencies of its slots, in Hz, relative to its local oscillator; lines included.
        of: qubit -> (channel, slot) of all that turn it, its own first.
        first_line: channel of the first readout line.

    Raises:
        ValueError: qubits are not in the order of their channels, their local oscillators differ, or one controls more
            than seven others.
    """

    def __init__(self, device: Device, drives: int | None = None) -> None:
        qubits = device.qubits
        self.device = device
        self.first_line = len(qubits) if drives is None else drives
        if [qubit.channel for qubit in qubits] != list(range(len(qubits))):
            raise ValueError(f"qubits of {device.name} are not in the order of their channels")
        if len({qubit.lo_hz for qubit in qubits}) > 1:
            raise ValueError(
                f"drive channels of {device.name} have different local oscillators; frames need one"
            )
        self.slots: dict[int, tuple[float, ...]] = {}
        self.of: dict[int, list[tuple[int, int]]] = {q: [(q, 0)] for q in range(len(qubits))}
        self._couplings = {(each.control, each.target): each for each in device.couplings}
        for number, qubit in enumerate(qubits):
            targets = [coupling.target for coupling in device.couplings if coupling.control == number]
            if len(targets) >= NUM_SLOTS:
                raise ValueError(
                    f"qubit {number} controls {len(targets)} others, a channel has {NUM_SLOTS} slots"
                )
            for slot, target in enumerate(targets, 1):
                self.of[target].append((number, slot))
            self.slots[number] = tuple(qubits[k].frequency_hz - qubit.lo_hz for k in (number, *targets))
        for line in range(len(device.lines)):
            self.slots[self.first_line + line] = tone_frequencies(device, line)

    def coupling(self, control: int, target: int) -> Coupling:
        """The coupling in this direction; raises ValueError where there is none."""
        found = self._couplings.get((control, target))
        if found is None:
            raise ValueError(f"{self.device.name} has no coupling from control {control} to target {target}")
        return found

    def slot(self, channel: int, qubit: int) -> int:
        """Slot of a channel that turns a qubit."""
        return next(slot for driven, slot in self.of[qubit] if driven == channel)

    def cable_rad(self, control: int, target: int) -> float:
        """How far a cross-resonance pulse must be ahead: its phase arrives with the delay of the control's cable."""
        driven, turned = self.device.qubits[control], self.device.qubits[target]
        return 2 * math.pi * math.fmod(turned.frequency_hz * (driven.delay_ns - turned.delay_ns) * 1e-9, 1)
