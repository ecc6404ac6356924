# SPDX-License-Identifier: BSD-2-Clause
"""Pulse tables of a circuit, filled as its gates are met.

Frames that are known stand in the phases of entries, for nothing. A table has few entries: where it is full, the frame
is given to the hardware by PHASE events, and the entry without a phase is played, for which there is always room.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

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


class Tables:
    """Entries of drive channels, tones and windows of readout lines.

    Args:
        device: its parameters.
        carriers: its slots.
        entries: of a channel's pulse table.
        windows: of a line.
        read: qubits that may be read out.
    """

    def __init__(
        self, device: Device, carriers: Carriers, entries: int, windows: int, read: Collection[int]
    ) -> None:
        self.device, self.carriers, self._limit = device, carriers, entries
        self._entries: dict[int, dict[tuple[str, int, int], tuple[int, Samples, int]]] = {
            channel: {} for channel in carriers.of
        }
        self._num_windows = windows
        # Number -> tones, and how many readouts use it
        self._windows: list[dict[int, tuple[int, int]]] = [{} for _ in device.lines]
        self._read = [
            [k for k, tone in enumerate(line.tones) if tone.qubit in set(read)] for line in device.lines
        ]

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

    def window(self, line: int, tones: Collection[int], instead_of: int | None = None) -> int | None:
        """Number of tones and window of a line that read these tones of it; None where there is no room.

        There is always to be room for each tone of the circuit alone, so that more tones at once are refused before.

        Args:
            line: number.
            tones: of it.
            instead_of: a window that was asked for once and is not needed any more.
        """
        mask = sum(1 << tone for tone in tones)
        windows = self._windows[line]
        after = dict(windows)
        if instead_of is not None:
            after = _released(after, instead_of)
        alone = sum(1 << tone not in {m for m, _ in after.values()} for tone in self._read[line])
        number = next((k for k, (known, _) in after.items() if known == mask), None)
        if number is None:
            number = next(k for k in range(len(after) + 1) if k not in after)
            if len(tones) > 1 and len(after) + 1 + alone > self._num_windows:
                return None
        after[number] = mask, after.get(number, (mask, 0))[1] + 1
        self._windows[line] = after
        return number

    def slots(self, line: int, tones: Iterable[int]) -> tuple[int, ...]:
        """Measurement slots of tones."""
        return tuple(line * NUM_TONES + tone for tone in tones)

    @property
    def entries(self) -> dict[int, int]:
        """Channel -> entries in use."""
        return {channel: len(known) for channel, known in self._entries.items()}

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
        used = len(self._windows) if any(self._windows) else 0
        masks = [
            [windows.get(k, (0, 0))[0] for k in range(max(windows, default=-1) + 1)]
            for windows in self._windows
        ]
        return (
            tuple(line_tones(self.device, line, masks[line]) for line in range(used)),
            tuple(demodulation_of(self.device, line, masks[line]) for line in range(used)),
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


def _released(windows: dict[int, tuple[int, int]], number: int) -> dict[int, tuple[int, int]]:
    """The same with one use less of a window; without it, if that was the last."""
    mask, uses = windows[number]
    return {k: use for k, use in windows.items() if k != number} | (
        {number: (mask, uses - 1)} if uses > 1 else {}
    )
