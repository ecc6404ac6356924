# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/readout/line.py`: what a line says about samples and events, to the cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.readout.layouts import CAPTURE_KIND, SAMPLE_BITS, Discriminant, Window
from triplane.sim.models.readout.discriminator import Results, discriminate
from triplane.sim.models.readout.integrator import Samples, decimate, integrate
from triplane.sim.models.readout.windows import CHECK_CYCLES, Scheduled, schedule

_ENDS = (-(1 << SAMPLE_BITS - 1), (1 << SAMPLE_BITS - 1) - 1)


@dataclass(frozen=True)
class Tone:
    """Set-up of a tone.

    Attributes:
        frequency: word, cycles per sample * 2**32.
        weights: integers (samples, 2), real and imaginary part.
        discriminant: its registers.
    """

    frequency: int
    weights: npt.NDArray[np.int64]
    discriminant: Discriminant


@dataclass(frozen=True)
class Said:
    """The result of a window.

    Attributes:
        window: which.
        cycle: of `valid`.
        results: tone -> its result, one entry each.
        saturated: samples with a component at an end of its range.
    """

    window: Scheduled
    cycle: int
    results: dict[int, Results]
    saturated: int


class LineModel:
    """A line with its tones and its window table.

    Args:
        tones: set-up of each.
        table: entry -> window.
        lead, latency: of the gateware.
        epoch: cycle of phase 0.
    """

    def __init__(
        self, tones: Sequence[Tone], table: Mapping[int, Window], *, lead: int, latency: int, epoch: int = 0
    ) -> None:
        self.tones = tuple(tones)
        self.table = dict(table)
        self.lead, self.latency, self.epoch = lead, latency, epoch

    def run(
        self, samples: Samples, events: Sequence[tuple[int, int]], *, now: int = 0
    ) -> tuple[list[Said], tuple[int, ...]]:
        """Results, and cycles of collisions.

        Args:
            samples: int16 (cycles, 2); the first one enters in cycle `now`.
            events: (cycle from `now` on, value) of CAPTURE events, ascending.
        """
        found = schedule(
            [(now + cycle, CAPTURE_KIND, value) for cycle, value in events], self.table, self.lead
        )
        said = []
        for window in found.accepted:
            if window.stop - 1 + self.latency >= now + len(samples):
                break
            part = samples[window.start - now : window.stop - now]
            at_end = ((part == _ENDS[0]) | (part == _ENDS[1])).any(axis=1)
            results = {
                k: discriminate(*self.integrals(k, window, part), self.tones[k].discriminant)
                for k in range(len(self.tones))
                if window.window.tones >> k & 1
            }
            said.append(Said(window, window.stop - 1 + self.latency, results, int(at_end.sum())))
        return said, tuple(cycle for cycle in found.collisions if cycle < now + len(samples))

    def busy_cycles(self, cycles: int, events: Sequence[tuple[int, int]], *, now: int = 0) -> int:
        """Cycles, of so many from `now` on, in which results may still come, or an event has not been judged yet.

        Args:
            cycles: from `now` on.
            events: as of `run`.
        """
        found = schedule(
            [(now + cycle, CAPTURE_KIND, value) for cycle, value in events], self.table, self.lead
        )
        busy = np.zeros(cycles, dtype=bool)
        for event, _ in events:
            busy[event + 1 : event + 1 + CHECK_CYCLES] = True
        for window in found.accepted:
            asked = window.start - self.lead - window.window.delay - now
            busy[asked + 1 : window.stop + self.latency - now] = True
        return int(busy.sum())

    def integrals(
        self, tone: int, window: Scheduled, samples: Samples
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Integral of one tone over a window with these samples."""
        setup = self.tones[tone]
        weights = setup.weights[window.window.first_weight :]
        return integrate(samples[None], [window.start], setup.frequency, weights, self.epoch)

    def decimated(
        self, tone: int, window: Scheduled, samples: Samples, decimation: int
    ) -> npt.NDArray[np.int32]:
        """Decimated trace of one tone over a window with these samples."""
        setup = self.tones[tone]
        weights = setup.weights[window.window.first_weight :]
        return decimate(samples, window.start, setup.frequency, weights, decimation, self.epoch)
