# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/sequencer/tones.py`, bit- and cycle-exact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from triplane.gateware.dsp.layouts import NUM_TONES, SCALE_BITS
from triplane.sim.models.dsp.envelope import STARTED
from triplane.sim.models.dsp.multiply import multiply
from triplane.sim.models.dsp.nco import oscillate
from triplane.sim.models.sequencer.generator import (
    LATENCY,
    Channel,
    Event,
    PulseGeneratorModel,
    clocks_of,
    empty_channel,
    record,
    scaled_clocks,
)

Integers = npt.NDArray[np.int64]

TONE_FRACTION = 17
BITS, FRACTION = 18, 2
"""Of the scaled envelope."""


class ToneGeneratorModel(PulseGeneratorModel):
    """A pulse table, an envelope memory and eight amplitudes, and what they make of events.

    Args:
        entries: of the pulse table, fields by name (`gateware.dsp.layouts.TONES`).
        envelope: contents of the envelope memory, int64 (clocks, 4), see `quantise_envelope`.
        amplitudes: of the tones, 2**15 = 1.
    """

    def __init__(
        self, entries: Sequence[Mapping[str, int]], envelope: npt.ArrayLike, amplitudes: Sequence[int]
    ) -> None:
        super().__init__(entries, envelope)
        if len(amplitudes) != NUM_TONES:
            raise ValueError(f"there are {NUM_TONES} tones, not {len(amplitudes)}")
        self.amplitudes = list(amplitudes)

    def run(
        self, events: Iterable[Event], cycles: int, silence: Iterable[int] = (), *, counter: int = 0
    ) -> Channel:
        """From reset through `cycles` cycles, see `PulseGeneratorModel.run`."""
        timeline, accepted, refused = self.arrange(events, cycles, silence)
        channel = empty_channel(cycles, accepted, refused, self.entries, silence)
        phases = [timeline.phases(tone) for tone in range(NUM_TONES)]
        frequencies = [timeline.frequencies(tone) for tone in range(NUM_TONES)]
        for playing in accepted:
            entry = self.entries[playing.number]
            if playing.recorded and playing.time + STARTED < cycles:
                words = {f"frequency{k}": int(frequencies[k][playing.time]) for k in range(NUM_TONES)}
                words |= {f"phase{k}": int(phases[k][playing.time]) for k in range(NUM_TONES)}
                channel.played.append(record(playing, counter) | {"mask": entry["mask"]} | words)
            times = clocks_of(playing, cycles)
            scaled, over = scaled_clocks(self.envelope, entry, playing, len(times), BITS, FRACTION)
            for j in range(2):
                total = np.zeros((2, len(times)), dtype=np.int64)
                for k in range(NUM_TONES):
                    if entry["mask"] >> k & 1:
                        total += self._tone(k, phases[k][times] + j * frequencies[k][times])
                i, q, beyond = multiply(
                    (total[0], total[1]), (scaled[:, 2 * j], scaled[:, 2 * j + 1]),
                    out_bits=16, shift=TONE_FRACTION + FRACTION,
                )  # fmt: skip
                channel.samples[times + LATENCY, 2 * j] = i
                channel.samples[times + LATENCY, 2 * j + 1] = q
                over = over | beyond
            channel.saturated[times + LATENCY] = over
        return channel

    def _tone(self, number: int, phase: Integers) -> Integers:
        """Real and imaginary part of a tone at phases: (2, samples), 2**TONE_FRACTION = 1."""
        cut = 2 * SCALE_BITS - TONE_FRACTION
        return (np.stack(oscillate(phase)) * self.amplitudes[number] + (1 << (cut - 1))) >> cut
