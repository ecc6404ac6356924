# SPDX-License-Identifier: BSD-2-Clause
"""Gates of a device as macros of the sequencer, with the pulse tables that they play.

The frame of a qubit is the phase of every frequency slot that turns it: slot 0 of its own channel, and one slot of each
channel that controls it by cross-resonance. A virtual Z must turn all of them. On the channel whose pulse it follows it
is the entry's `after`; on the others it is an entry of no length, which takes no time but may not meet a pulse there.
So gates come one after the other: each macro leaves the cursor where the next gate may begin.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from triplane.gateware.sequencer.expression import TURN
from triplane.hal.control import Pulses
from triplane.hal.device import DAC_HZ, Device
from triplane.host.compiler.alignment import NUM_SLOTS, aligned
from triplane.host.compiler.device import drive_pulses, tone_frequencies
from triplane.sim.qpu.gates import cross_pulse, turn_pulse

MARGIN = 3
"""Cycles between gates: cables differ, and what follows on another channel may arrive earlier."""

Samples = npt.NDArray[np.complex64]

FIRST_ENTRY = 1


def phase_word(angle_rad: float) -> int:
    """Phase word of an angle, modulo a turn."""
    return round(angle_rad / (2 * math.pi) * TURN) % TURN


class GateSet:
    """Macros `x_Q`, `x90_Q`, `h_Q`, `z_Q` of every qubit Q, and `cnot_C_T` of every coupling.

    Drive channel Q of the board must be that of qubit Q; readout lines follow behind the drives.

    Args:
        device: its parameters.
        drives: channels of the board; None: as many as there are qubits.

    Attributes:
        slots: channel -> frequencies of its slots, in Hz; lines included.

    Raises:
        ValueError: qubits are not in the order of their channels, their local oscillators differ, or one controls more
            than seven others.
    """

    def __init__(self, device: Device, drives: int | None = None) -> None:
        self.device = device
        first_line = len(device.qubits) if drives is None else drives
        if [qubit.channel for qubit in device.qubits] != list(range(len(device.qubits))):
            raise ValueError(f"qubits of {device.name} are not in the order of their channels")
        if len({qubit.lo_hz for qubit in device.qubits}) > 1:
            raise ValueError(
                f"drive channels of {device.name} have different local oscillators; frames need one"
            )
        self.slots: dict[int, tuple[float, ...]] = {}
        self._carriers: dict[int, list[tuple[int, int]]] = {q: [(q, 0)] for q in range(len(device.qubits))}
        for number, qubit in enumerate(device.qubits):
            targets = [coupling.target for coupling in device.couplings if coupling.control == number]
            if len(targets) >= NUM_SLOTS:
                raise ValueError(
                    f"qubit {number} controls {len(targets)} others, a channel has {NUM_SLOTS} slots"
                )
            for slot, target in enumerate(targets, 1):
                self._carriers[target].append((number, slot))
            self.slots[number] = tuple(
                device.qubits[k].frequency_hz - qubit.lo_hz for k in (number, *targets)
            )
        for line in range(len(device.lines)):
            self.slots[first_line + line] = tone_frequencies(device, line)
        self._entries: dict[int, dict[int, tuple[Samples, dict[str, int]]]] = {q: {} for q in self._carriers}
        self._macros = [text for q in self._carriers for text in self._turns(q)]
        self._macros += [self._cnot(c.control, c.target) for c in device.couplings]

    @property
    def pulses(self) -> tuple[Pulses, ...]:
        """Tables of the drive channels."""
        return tuple(drive_pulses(entries) for entries in self._entries.values())

    def source(self, text: str) -> str:
        """A program's source with these macros and the alignment of all slots."""
        groups = [f".group drive_{q}, {q}" for q in self._carriers]
        return aligned("\n".join([*groups, *self._macros, text]), self.slots)

    def _entry(self, channel: int, samples: Samples, **fields: int) -> int:
        """Number of an entry, a new one unless there is such an entry."""
        entries = self._entries[channel]
        for number, (known, others) in entries.items():
            if others == fields and np.array_equal(known, samples):
                return number
        number = FIRST_ENTRY + len(entries)
        entries[number] = (samples, fields)
        return number

    def _frame(self, qubit: int, angle_rad: float, but: tuple[int, int] | None = None) -> list[str]:
        """Turns the frame of a qubit on all channels but one slot's, where the pulse does."""
        nothing = np.zeros(0, dtype=np.complex64)
        return [
            f"    play drive_{channel}, {self._entry(channel, nothing, slot=slot, after=phase_word(angle_rad))}"
            for channel, slot in self._carriers[qubit]
            if (channel, slot) != but
        ]

    def _turns(self, qubit: int) -> list[str]:
        described = self.device.qubits[qubit]
        macros = []
        for name, angle_rad, phase_rad, after_rad in (
            ("x", math.pi, 0.0, 0.0),
            ("x90", math.pi / 2, 0.0, 0.0),
            ("h", math.pi / 2, math.pi / 2, math.pi),
        ):
            samples = turn_pulse(described, angle_rad)
            entry = self._entry(qubit, samples, phase=phase_word(phase_rad), after=phase_word(after_rad))
            body = [f"    play drive_{qubit}, {entry}, +{len(samples) // 2 + MARGIN}"]
            if after_rad:
                body += [*self._frame(qubit, after_rad, but=(qubit, 0)), f"    wait {MARGIN}"]
            macros.append("\n".join([f".macro {name}_{qubit}", *body, ".endmacro"]))
        turn = [*self._frame(qubit, math.pi), f"    wait {MARGIN}"]
        macros.append("\n".join([f".macro z_{qubit}", *turn, ".endmacro"]))
        return macros

    def _cnot(self, control: int, target: int) -> str:
        """Cross-resonance by minus a quarter turn, a quarter turn of the target, a virtual one of the control."""
        (coupling,) = (c for c in self.device.couplings if (c.control, c.target) == (control, target))
        samples = cross_pulse(coupling)
        driven, turned = self.device.qubits[control], self.device.qubits[target]
        # The pulse takes the control's cable, and its phase arrives with that delay.
        cable = math.fmod(turned.frequency_hz * (driven.delay_ns - turned.delay_ns) * 1e-9, 1)
        (slot,) = (slot for channel, slot in self._carriers[target] if channel == control)
        crossing = self._entry(control, samples, slot=slot, phase=phase_word(math.pi + 2 * math.pi * cable))
        stark_rad = 2 * math.pi * coupling.stark_hz * float((np.abs(samples) ** 2).sum()) / DAC_HZ
        turn = turn_pulse(turned, math.pi / 2)
        lines = [
            f".macro cnot_{control}_{target}",
            f"    play drive_{control}, {crossing}, +{len(samples) // 2 + MARGIN}",
            f"    play drive_{target}, {self._entry(target, turn, phase=0, after=0)}, +{len(turn) // 2 + MARGIN}",
            *self._frame(control, math.pi / 2 + stark_rad),
            f"    wait {MARGIN}",
            ".endmacro",
        ]
        return "\n".join(lines)
