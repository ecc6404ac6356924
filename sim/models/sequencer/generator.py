# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/sequencer/generator.py`, bit- and cycle-exact.

Events decide when what plays and how phases run, pulse by pulse; the samples follow all at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from triplane.gateware.dsp.layouts import SCALE_BITS
from triplane.gateware.sequencer.layouts import Kind
from triplane.sim.models.dsp.envelope import STARTED, Playing, scale_envelope, schedule
from triplane.sim.models.dsp.multiply import multiply
from triplane.sim.models.dsp.nco import oscillate
from triplane.sim.models.dsp.slots import NUM_SLOTS, SlotTimeline

Integers = npt.NDArray[np.int64]
Event = tuple[int, int, int]
"""Time, kind, value."""

LATENCY = 8
BITS, FRACTION = 27, 9
"""Of the scaled envelope."""

WORD = 2**32


def quantise_envelope(samples: npt.ArrayLike) -> Integers:
    """Complex samples of magnitude up to 1 as the words of the envelope memory hold them.

    Args:
        samples: complex (count,); an odd count is filled up with a zero.

    Returns:
        int64 (clocks, 4): i, q of the first sample, i, q of the second.

    Raises:
        ValueError: a part is beyond -1 to 1.
    """
    values = np.asarray(samples, dtype=np.complex128).ravel()
    values = np.append(values, np.zeros(len(values) % 2))
    parts = np.stack([values.real, values.imag], axis=1)
    if len(parts) and not np.abs(parts).max() <= 1:
        raise ValueError(f"parts of an envelope are -1 to 1, not {parts.flat[np.abs(parts).argmax()]:g}")
    return np.rint(parts * (2**15 - 1)).astype(np.int64).reshape(-1, 4)


def envelope_words(envelope: Integers) -> list[int]:
    """32-bit words of an envelope, (clocks, 4), in the order in which the bus writes them: one per sample."""
    parts = envelope.reshape(-1, 2) & 0xFFFF
    words: list[int] = (parts[:, 0] | parts[:, 1] << 16).tolist()
    return words


@dataclass
class Channel:
    """What the generator did, cycle by cycle; element k belongs to cycle k.

    Attributes:
        samples: int64 (cycles, 4): i, q of the first sample, i, q of the second.
        saturated, busy, collision: bool (cycles,).
        played: fields of the records, with the cycle in which each is valid.
    """

    samples: Integers
    saturated: npt.NDArray[np.bool_]
    busy: npt.NDArray[np.bool_]
    collision: npt.NDArray[np.bool_]
    played: list[dict[str, int]] = field(default_factory=list)


class PulseGeneratorModel:
    """A pulse table and an envelope memory, and what they make of events.

    Args:
        entries: of the pulse table, fields by name (`gateware.dsp.layouts.PULSE`).
        envelope: contents of the envelope memory, int64 (clocks, 4), see `quantise_envelope`.
    """

    def __init__(self, entries: Sequence[Mapping[str, int]], envelope: npt.ArrayLike) -> None:
        self.entries = list(entries)
        self.envelope = np.asarray(envelope, dtype=np.int64)

    def run(
        self, events: Iterable[Event], cycles: int, silence: Iterable[int] = (), *, counter: int = 0
    ) -> Channel:
        """From reset through `cycles` cycles.

        Args:
            events: ascending, one a cycle at most.
            cycles: how many.
            silence: cycles in which `silence` is high.
            counter: of the system in cycle 0.
        """
        timeline, accepted, refused = self.arrange(events, cycles, silence)
        for playing in accepted:
            entry = self.entries[playing.number]
            if playing.completed:
                timeline.shift(playing.time + max(entry["length"], 1), entry["slot"], entry["after"])
        channel = empty_channel(cycles, accepted, refused, self.entries, silence)
        phases = {slot: timeline.phases(slot) for slot in range(NUM_SLOTS)}
        frequencies = {slot: timeline.frequencies(slot) for slot in range(NUM_SLOTS)}
        for playing in accepted:
            entry = self.entries[playing.number]
            phase = (phases[entry["slot"]] + entry["phase"]) % WORD
            frequency = frequencies[entry["slot"]]
            if playing.recorded and playing.time + STARTED < cycles:
                channel.played.append(
                    record(playing, counter)
                    | {
                        "slot": entry["slot"],
                        "frequency": int(frequency[playing.time]),
                        "phase": int(phase[playing.time]),
                    }
                )
            times = clocks_of(playing, cycles)
            words, over = scaled_clocks(self.envelope, entry, playing, len(times), BITS, FRACTION)
            for k in range(2):
                cos, sin = oscillate(phase[times] + k * frequency[times])
                i, q, beyond = multiply(
                    (words[:, 2 * k], words[:, 2 * k + 1]),
                    (cos, sin),
                    out_bits=16,
                    shift=FRACTION + SCALE_BITS,
                )
                channel.samples[times + LATENCY, 2 * k] = i
                channel.samples[times + LATENCY, 2 * k + 1] = q
                over = over | beyond
            channel.saturated[times + LATENCY] = over
        return channel

    def arrange(
        self, events: Iterable[Event], cycles: int, silence: Iterable[int]
    ) -> tuple[SlotTimeline, list[Playing], list[int]]:
        """Phases without those that pulses leave behind, what plays, and the times of those refused."""
        timeline = SlotTimeline(cycles)
        slot, scale = 0, 1 << SCALE_BITS
        plays = []
        for time, kind, value in events:
            match kind:
                case Kind.PLAY:
                    plays.append((time, value % len(self.entries), scale))
                case Kind.AMP:
                    scale = value & 0xFFFF
                case Kind.SLOT:
                    slot = value % NUM_SLOTS
                case Kind.PHASE:
                    timeline.shift(time, slot, value)
                case Kind.FREQ:
                    timeline.tune(time, slot, value)
                case Kind.RESET:
                    timeline.align(time, slot, value)
        return timeline, *schedule(plays, self.entries, silence)


def clocks_of(playing: Playing, cycles: int) -> Integers:
    """Times of the clocks that play and leave before the end."""
    return np.arange(playing.time, min(playing.time + playing.clocks, cycles - LATENCY), dtype=np.int64)


def scaled_clocks(
    envelope: Integers, entry: Mapping[str, int], playing: Playing, clocks: int, bits: int, fraction: int
) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """The first clocks of a pulse: scaled samples (clocks, 4), and whether one was saturated."""
    address = (entry["start"] + np.arange(clocks)) % len(envelope)
    gain = np.full(clocks, playing.gain, dtype=np.int64)
    return scale_envelope(envelope[address], gain, bits=bits, fraction=fraction)


def record(playing: Playing, counter: int) -> dict[str, int]:
    """Fields that the records of all generators have, and `cycle`, in which the record is valid."""
    return {
        "cycle": playing.time + STARTED,
        "time": (counter + playing.time + LATENCY) % WORD,
        "entry": playing.number,
        "gain": playing.gain,
    }


def empty_channel(
    cycles: int,
    accepted: Sequence[Playing],
    refused: Sequence[int],
    entries: Sequence[Mapping[str, int]],
    silence: Iterable[int],
) -> Channel:
    """A channel with all but samples and records."""
    saturated, busy, collision = (np.zeros(cycles, dtype=np.bool_) for _ in range(3))
    channel = Channel(np.zeros((cycles, 4), dtype=np.int64), saturated, busy, collision)
    silent = np.zeros(cycles, dtype=np.bool_)
    silent[list(silence)] = True
    for playing in accepted:
        end = playing.time + entries[playing.number]["length"]
        cuts = np.flatnonzero(silent[playing.time + 1 : end])
        if len(cuts):
            end = playing.time + 1 + int(cuts[0]) + 1
        channel.busy[playing.time + 1 : end] = True
    for time in refused:
        channel.collision[time + 1 : time + 2] = True
    return channel
