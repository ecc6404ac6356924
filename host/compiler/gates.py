# SPDX-License-Identifier: BSD-2-Clause
"""Gates of a device as macros of the sequencer, with the pulse tables that they play.

A virtual Z must turn every slot that turns the qubit (see `carriers`). On the channel whose pulse it follows it
is the entry's `after`; on the others it is an entry of no length, which takes no time but may not meet a pulse there.
So gates come one after the other: each macro leaves the cursor where the next gate may begin.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from triplane.hal.control import Pulses
from triplane.hal.device import DAC_HZ, Coupling, Device
from triplane.host.compiler.alignment import aligned
from triplane.host.compiler.carriers import Carriers, phase_word
from triplane.host.compiler.device import drive_pulses
from triplane.sim.qpu.gates import cross_pulse, turn_pulse

MARGIN = 3
"""Cycles between gates: cables differ, and what follows on another channel may arrive earlier."""

Samples = npt.NDArray[np.complex64]

FIRST_ENTRY = 1


def stark_rad(coupling: Coupling, samples: Samples) -> float:
    """By how much a cross-resonance pulse turns its control."""
    return 2 * math.pi * coupling.stark_hz * float((np.abs(samples) ** 2).sum()) / DAC_HZ


class GateSet:
    """Macros `x_Q`, `x90_Q`, `h_Q`, `z_Q` of every qubit Q, and `cnot_C_T` of every coupling.

    Args:
        device: its parameters.
        drives: channels of the board; None: as many as there are qubits.

    Raises:
        ValueError: the device has not the channels that `Carriers` asks for.
    """

    def __init__(self, device: Device, drives: int | None = None) -> None:
        self.device = device
        self.carriers = Carriers(device, drives)
        self._entries: dict[int, dict[int, tuple[Samples, dict[str, int]]]] = {
            q: {} for q in self.carriers.of
        }
        self._macros = [text for q in self.carriers.of for text in self._turns(q)]
        self._macros += [self._cnot(c.control, c.target) for c in device.couplings]

    @property
    def pulses(self) -> tuple[Pulses, ...]:
        """Tables of the drive channels."""
        return tuple(drive_pulses(entries) for entries in self._entries.values())

    def source(self, text: str) -> str:
        """A program's source with these macros and the alignment of all slots."""
        groups = [f".group drive_{q}, {q}" for q in self.carriers.of]
        return aligned("\n".join([*groups, *self._macros, text]), self.carriers.slots)

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
            for channel, slot in self.carriers.of[qubit]
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
        coupling = self.carriers.coupling(control, target)
        samples = cross_pulse(coupling)
        phase_rad = math.pi + self.carriers.cable_rad(control, target)
        slot = self.carriers.slot(control, target)
        crossing = self._entry(control, samples, slot=slot, phase=phase_word(phase_rad))
        turn = turn_pulse(self.device.qubits[target], math.pi / 2)
        lines = [
            f".macro cnot_{control}_{target}",
            f"    play drive_{control}, {crossing}, +{len(samples) // 2 + MARGIN}",
            f"    play drive_{target}, {self._entry(target, turn, phase=0, after=0)}, +{len(turn) // 2 + MARGIN}",
            *self._frame(control, math.pi / 2 + stark_rad(coupling, samples)),
            f"    wait {MARGIN}",
            ".endmacro",
        ]
        return "\n".join(lines)
