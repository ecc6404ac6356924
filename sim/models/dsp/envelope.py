# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/dsp/envelope.py`: which entry plays when, and its scaled envelope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.dsp.layouts import SCALE_BITS
from triplane.sim.models.dsp.multiply import saturate

Integers = npt.NDArray[np.int64]

LATENCY = 6
"""Cycles from `play` to the scaled envelope."""

STARTED = 3
"""Cycles from `play` to the record of it."""


@dataclass(frozen=True)
class Playing:
    """An entry that was accepted.

    Attributes:
        time: of PLAY.
        number: of the entry.
        gain: product of the amplitudes, 2**15 = 1.
        clocks: that were played; fewer than the entry has where it was silenced.
        completed: its end was reached.
        recorded: it has clocks and was not silenced at once.
    """

    time: int
    number: int
    gain: int
    clocks: int
    completed: bool
    recorded: bool


def schedule(
    plays: Iterable[tuple[int, int, int]],
    entries: Sequence[Mapping[str, int]],
    silence: Iterable[int] = (),
) -> tuple[list[Playing], list[int]]:
    """Which of the pulses that were asked for play.

    Args:
        plays: (time, entry, amplitude of the last AMP), ascending.
        entries: fields by name; start, length and amplitude are used here.
        silence: cycles in which `silence` is high.

    Returns:
        What plays, and the times of those refused because another one played.
    """
    silent = sorted(silence)
    accepted: list[Playing] = []
    refused: list[int] = []
    free = 0
    for time, number, scale in plays:
        following = np.searchsorted(silent, time)
        cut = silent[following] if following < len(silent) else None
        if cut == time:
            continue
        if time < free:
            refused.append(time)
            continue
        entry = entries[number]
        length = entry["length"]
        end = time + max(length, 1)
        gain = (entry["amplitude"] * scale + (1 << (SCALE_BITS - 1))) >> SCALE_BITS
        # A sample is silenced up to the cycle in which it is scaled.
        clocks = length if cut is None else min(length, max(cut - (LATENCY - 1) - time, 0))
        completed = cut is None or cut > end
        free = time + length if cut is None else min(time + length, cut + 1)
        recorded = length > 0 and (cut is None or cut >= time + STARTED)
        accepted.append(Playing(time, number, gain, clocks, completed, recorded))
    return accepted, refused


def scale_envelope(
    envelope: npt.NDArray[np.int64], gain: Integers, *, bits: int, fraction: int
) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Samples times gains.

    Args:
        envelope: integers, (clocks, 4): i, q of the first sample, i, q of the second.
        gain: (clocks,), 2**15 = 1.
        bits, fraction: as for the core.

    Returns:
        Scaled parts, (clocks, 4), and per clock whether one was saturated.
    """
    cut = SCALE_BITS - fraction
    scaled, beyond = saturate((envelope * gain[:, None] + (1 << (cut - 1))) >> cut, bits)
    return scaled, np.asarray(beyond.any(axis=1))
