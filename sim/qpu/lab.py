# SPDX-License-Identifier: BSD-2-Clause
"""Shot after shot on an emulated processor: what a control program's loop would play, played from Python."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Many

import numpy as np
import numpy.typing as npt

from triplane.hal.device import ADC_HZ, DAC_HZ
from triplane.sim.qpu.events import Event, Readout, later
from triplane.sim.qpu.filters import MatchedFilter
from triplane.sim.qpu.gates import Sequence
from triplane.sim.qpu.processor import Processor

RELAXATION = 12
"""T1 of the slowest qubit from one shot to the next: all are in 0 again."""

Program = Callable[[Sequence], None]


class Lab:
    """Runs programs, a shot after the other, each from qubits in 0.

    Args:
        processor: fresh, or one whose time has come to `time`.

    Attributes:
        time: DAC sample at which the next shot starts.
    """

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        self.time = 0
        slowest_us = max(qubit.t1_us for qubit in processor.device.qubits)
        self._rest = 2 * round(RELAXATION * slowest_us * 1e-6 * DAC_HZ / 2)
        self._filters: dict[tuple[int, tuple[tuple[float, bytes], ...]], MatchedFilter] = {}

    def traces(self, program: Program, shots: int) -> npt.NDArray[np.complex64]:
        """Samples of the last readout while its longest tone lasts, at baseband of the first: (shots, window)."""
        events = self.schedule(program)
        last = [event for event in events if isinstance(event, Readout)][-1]
        filtered = self._filter(last)
        tone = last.tones[0]
        rows = np.empty((shots, filtered.window), dtype=np.complex64)
        clocks = np.arange(filtered.window)
        for shot in range(shots):
            moved = self._play(events)[-1]
            first = filtered.first(moved.start)
            samples = self.processor.adc(moved.line, first, filtered.window).astype(np.float32)
            # The oscillator of the tone has run since sample 0.
            phase = (tone.frequency_hz * (first / ADC_HZ)) % 1.0
            carrier = np.exp(-2j * np.pi * (phase + tone.frequency_hz / ADC_HZ * clocks))
            rows[shot] = samples.view(np.complex64)[:, 0] * carrier
        return rows

    def bits(self, program: Program, shots: int) -> npt.NDArray[np.bool_]:
        """Bits of all readouts of a program, in the order of `Sequence.read`: (shots, bits)."""
        return self.bits_of(self.schedule(program), shots)

    def bits_of(self, events: Many[Event], shots: int) -> npt.NDArray[np.bool_]:
        """Bits of all readouts of events that start at 0: (shots, bits)."""
        rows = []
        for _ in range(shots):
            row = []
            for moved in self._play(events):
                filtered = self._filter(moved)
                samples = self.processor.adc(moved.line, filtered.first(moved.start), filtered.window)
                row.append(filtered.bits(moved, samples))
            rows.append(np.concatenate(row))
        return np.array(rows)

    def schedule(self, program: Program) -> list[Event]:
        """Events of a program that starts at 0."""
        sequence = Sequence(self.processor.device)
        program(sequence)
        return sequence.schedule

    def _play(self, events: Many[Event]) -> list[Readout]:
        moved = [later(event, self.time) for event in events]
        self.processor.run(moved)
        self.time = max(event.stop for event in moved) + self._rest
        self.time += self.time % 2
        return [event for event in moved if isinstance(event, Readout)]

    def _filter(self, readout: Readout) -> MatchedFilter:
        key = (readout.line, tuple((tone.frequency_hz, tone.key) for tone in readout.tones))
        if key not in self._filters:
            self._filters[key] = MatchedFilter(self.processor.device, readout)
        return self._filters[key]
