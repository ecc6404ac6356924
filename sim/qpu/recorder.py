# SPDX-License-Identifier: BSD-2-Clause
"""What a processor was made to do, for predictions of the noise that came with it."""

from __future__ import annotations

from collections.abc import Sequence

from triplane.sim.qpu.events import Event, PulseEvent, Readout, Tone
from triplane.sim.qpu.processor import Processor


class RecordingProcessor(Processor):
    """A processor that keeps its events since the last reset."""

    _events: list[Event]

    @property
    def schedule(self) -> list[Event]:
        """Events in the order of their start; those of one start in the order in which they came."""
        return sorted(self._events, key=lambda event: event.start)

    def play(self, event: PulseEvent) -> None:
        """Play a pulse, and keep it."""
        super().play(event)
        self._events.append(event)

    def readout(self, line: int, start: int, tones: Sequence[Tone]) -> None:
        """Play tones, and keep them."""
        super().readout(line, start, tones)
        self._events.append(Readout(line, start, tuple(tones)))

    def _clear(self, seed: int) -> None:
        super()._clear(seed)
        self._events = []
