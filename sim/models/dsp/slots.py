# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/dsp/slots.py`: phases of all slots at all times, from the events alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from triplane.gateware.dsp.layouts import SLOT_BITS

Integers = npt.NDArray[np.int64]

NUM_SLOTS = 2**SLOT_BITS


class SlotTimeline:
    """Phases and frequencies of the slots over a stretch of time.

    Add what happens in any order, then ask. Times are cycles from 0, at which all phases and frequencies are 0.

    Args:
        cycles: length of the stretch; what happens later is ignored.
    """

    def __init__(self, cycles: int) -> None:
        self.cycles = cycles
        self._steps = np.zeros((NUM_SLOTS, cycles), dtype=np.int64)
        self._tunings: list[list[tuple[int, int]]] = [[] for _ in range(NUM_SLOTS)]
        self._resets: list[dict[int, int]] = [{} for _ in range(NUM_SLOTS)]

    def shift(self, time: int, slot: int, value: int) -> None:
        """Add `value` to the phase of a slot from `time` on; with `align` at the same time it has no effect."""
        if time < self.cycles:
            self._steps[slot, time] += value

    def tune(self, time: int, slot: int, value: int) -> None:
        """Give a slot another frequency from `time` on; in ascending order of times."""
        self._tunings[slot].append((time, value))

    def align(self, time: int, slot: int, value: int) -> None:
        """Set the phase of a slot at `time`."""
        self._resets[slot][time] = value

    def frequencies(self, slot: int) -> Integers:
        """Frequency word of a slot at every time, int64 (cycles,)."""
        words = np.zeros(self.cycles, dtype=np.int64)
        for time, value in self._tunings[slot]:
            words[time:] = value
        return words

    def phases(self, slot: int) -> Integers:
        """Phase of a slot at the first sample of every clock, int64 (cycles,), modulo 2**32."""
        grown = np.concatenate([[0], 2 * self.frequencies(slot)[:-1]]) + self._steps[slot]
        phase = np.cumsum(grown)
        for time, value in _ascending(self._resets[slot].items(), self.cycles):
            phase[time:] += value - phase[time]
        return phase & 0xFFFFFFFF


def _ascending(items: Iterable[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    return sorted((time, value) for time, value in items if time < end)
