# SPDX-License-Identifier: BSD-2-Clause
"""Pulse tables of a circuit, filled as its gates are met.

Frames that are known stand in the phases of entries, for nothing. A table has few entries: where it is full, the frame
is given to the hardware by PHASE events, and the entry without a phase is played, for which there is always room.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from triplane.gateware.dsp.layouts import NUM_TONES
from triplane.hal.control import Demodulation, Pulses, Tones
from triplane.hal.device import Device
from triplane.host.compiler.carriers import Carriers, phase_word
from triplane.host.compiler.circuits.errors import CircuitError
from triplane.host.compiler.device import demodulation_of, drive_pulses, line_tones
from triplane.sim.qpu.gates import cross_pulse, turn_pulse

Samples = npt.NDArray[np.complex64]

TURNS_RAD = {"sx": math.pi / 2, "x": math.pi}
MAX_WINDOWS = 1024


class Tables:
    """Entries of drive channels, tones and windows of readout lines.

    Args:
        device: its parameters.
        carriers: its slots.
        entries: of a channel's pulse table.
    """

    def __init__(self, device: Device, carriers: Carriers, entries: int) -> None:
        self.device, self.carriers, self._limit = device, carriers, entries
        self._entries: dict[int, dict[tuple[str, int, int], tuple[int, Samples, int]]] = {
            channel: {} for channel in carriers.of
        }
        self._masks: list[list[int]] = [[] for _ in device.lines]

    def reserve(self, gates: Iterable[tuple[str, int, int]]) -> None:
        """Make the entries without a phase of (gate, channel, turned qubit).

        Raises:
            CircuitError: not even these fit.
        """
        for gate, channel, target in gates:
            if self.entry(gate, channel, target, 0.0) is None:
                raise CircuitError(
                    f"the gates of channel {channel} alone need more than the {self._limit} entries of its pulse table"
                )

    def entry(self, gate: str, channel: int, target: int, frame_rad: float) -> tuple[int, int] | None:
        """Number and cycles of the entry of a gate at a frame of the qubit that it turns; None where there is no room.

        Args:
            gate: "sx", "x", or "cross".
            channel: that plays it.
            target: qubit that it turns.
            frame_rad: known part of that qubit's frame.
        """
        known = self._entries[channel]
        key = gate, target, phase_word(frame_rad)
        if key not in known:
            if gate == "cross":
                self._coupled(channel, target)
            if len(known) == self._limit:
                return None
            known[key] = len(known), self._samples(gate, channel, target), self._slot(channel, target)
        number, samples, _ = known[key]
        return number, len(samples) // 2

    def window(self, line: int, tones: Iterable[int]) -> int:
        """Number of tones and window of a line that read these tones of it."""
        mask = sum(1 << tone for tone in tones)
        masks = self._masks[line]
        if mask not in masks:
            masks.append(mask)
        return masks.index(mask)

    def slots(self, line: int, tones: Iterable[int]) -> tuple[int, ...]:
        """Measurement slots of tones."""
        return tuple(line * NUM_TONES + tone for tone in tones)

    @property
    def entries(self) -> dict[int, int]:
        """Channel -> entries in use."""
        return {channel: len(known) for channel, known in self._entries.items()}

    @property
    def windows(self) -> tuple[int, ...]:
        """Windows in use, of each line."""
        return tuple(map(len, self._masks))

    def drives(self) -> tuple[Pulses, ...]:
        """Of the drive channels."""
        return tuple(
            drive_pulses(
                {
                    number: (samples, {"slot": slot, "phase": self._phase(key, channel)})
                    for key, (number, samples, slot) in known.items()
                }
            )
            for channel, known in self._entries.items()
        )

    def lines(self) -> tuple[tuple[Tones, ...], tuple[Demodulation, ...]]:
        """Tones and windows of the readout lines that are used."""
        used = len(self._masks) if any(self._masks) else 0
        return (
            tuple(line_tones(self.device, line, self._masks[line]) for line in range(used)),
            tuple(demodulation_of(self.device, line, self._masks[line]) for line in range(used)),
        )

    def _coupled(self, control: int, target: int) -> None:
        try:
            self.carriers.coupling(control, target)
        except ValueError as error:
            raise CircuitError(
                f"cx of qubits {control} and {target}: {error}; transpile for the device"
            ) from error

    def _slot(self, channel: int, target: int) -> int:
        return self.carriers.slot(channel, target)

    def _samples(self, gate: str, channel: int, target: int) -> Samples:
        if gate == "cross":
            return cross_pulse(self.carriers.coupling(channel, target))
        return turn_pulse(self.device.qubits[target], TURNS_RAD[gate])

    def _phase(self, key: tuple[str, int, int], channel: int) -> int:
        """Cross-resonance turns by minus a quarter, and is ahead by the difference of cables."""
        gate, target, word = key
        more = math.pi + self.carriers.cable_rad(channel, target) if gate == "cross" else 0.0
        return (word + phase_word(more)) % 2**32
