# SPDX-License-Identifier: BSD-2-Clause
"""A processor behind the converters of a simulated board: what generators begin to play goes in, ADC samples come out.

Generators tell of a pulse some cycles before its first sample leaves, and the first sample of a tone takes the line's
delay to come back. So the board is stopped only when tones begin, the processor is told all that was played until
then, and all samples of the tones are there before the first one is due.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from triplane.boards.sim.platform import GAIN_OFFSET, SLOT_OFFSET, WORD_BITS
from triplane.gateware.dsp.layouts import NUM_TONES, SCALE_BITS
from triplane.hal.device import ADC_HZ, DAC_HZ, TONE_SHARE
from triplane.sim.board.library import SimulatedBoard
from triplane.sim.board.tables import GeneratorTables
from triplane.sim.qpu.events import PulseEvent, Tone

FULL_SCALE = 2**15 - 1
"""A sample of this value is 1."""

TOLD_CYCLES = 8
"""Cycles in which samples must come back at the least: from the board's standing still to a tone's first sample leaving
are fewer, so that a line of this delay is never late."""


BEFORE_CYCLES = 1024
"""From the beginning of a processor's time to its first pulse."""


class Behind(Protocol):
    """What is behind converters: `sim.qpu.Processor`, or cables."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def delays_ns(self) -> Sequence[float]:
        """Of each line, from DAC to ADC."""

    def reset(self, seed: int | None = None) -> None:
        """At the beginning again; None: with the same randomness."""

    def play(self, event: PulseEvent) -> None:
        """A pulse leaves a drive channel."""

    def readout(self, line: int, start: int, tones: Sequence[Tone]) -> object:
        """Tones leave a line."""

    def adc(self, line: int, start: int, count: int) -> npt.NDArray[np.int16]:
        """Samples that come back: int16 (count, 2)."""


class Coupling:
    """Lets a board and a processor go on together.

    A processor's time begins `BEFORE_CYCLES` before the first pulse that it is told of, so that what it does depends on
    what is played, and not on when a host came to start it.

    Args:
        board: whose counter was not reset since its tables were written.
        processor: its channels are the board's drive channels, its lines the board's readout lines.
        tables: of the board's generators, as far as they were written.
        others: registers that are watched beside those of the tables, by address in bytes, and what a word written
            to them does.

    Raises:
        ValueError: a line answers before it can be told of its tones.
    """

    def __init__(
        self,
        board: SimulatedBoard,
        processor: Behind,
        tables: GeneratorTables,
        others: Mapping[int, Callable[[int], None]] = MappingProxyType({}),
    ) -> None:
        for number, delay_ns in enumerate(processor.delays_ns):
            if delay_ns * 1e-9 * ADC_HZ < TOLD_CYCLES:
                raise ValueError(
                    f"line {number} of {processor.name} answers after {delay_ns:g} ns; a simulated board "
                    f"takes {TOLD_CYCLES} cycles, {TOLD_CYCLES / ADC_HZ * 1e9:.3g} ns, to hear of it"
                )
        self.board = board
        self.processor = processor
        self._tables = tables
        self._others = others
        self._origin: int | None = None
        self._envelopes: dict[tuple[int, int, int], npt.NDArray[np.complex64]] = {}
        self._version = tables.version
        board.watch([*tables.addresses, *others])

    def renew(self, seed: int | None = None) -> None:
        """The processor is at its beginning again; its time begins with the next pulse."""
        self.processor.reset(seed)
        self._origin = None
        for line in range(len(self._tables.tones)):
            self.board.samples(line, 0, np.zeros((0, 2), np.int16))

    def run(self, cycles: int) -> None:
        """Let so many cycles pass.

        Raises:
            EventError: the processor refuses what was played.
        """
        end = self.board.now + cycles
        while (left := end - self.board.now) > 0:
            self.board.play(left)
            self.exchange()

    def play(self, max_cycles: int) -> None:
        """Let time pass, up to the next tones of a readout line, or the next word that the board sends by a cable."""
        self.board.play(max_cycles)
        self.exchange()

    def exchange(self) -> None:
        """Tell the processor what was played until now, and give the board the samples of tones that have begun.

        To be called after every access to the board's bus: an access takes two cycles a word.
        """
        written = deque(self.board.written())
        until: dict[int, int] = {}
        for record in self.board.played():
            while written and written[0]["cycle"] <= record["cycle"]:
                self._take(written.popleft())
            self._tell(record, until)
        for line, end in until.items():
            assert self._origin is not None
            now = self.board.now
            self.board.samples(line, now, self.processor.adc(line, now - self._origin, end - now))
        for word in written:
            self._take(word)

    def _take(self, written: np.void) -> None:
        address, word = int(written["address"]), int(written["word"])
        if address in self._others:
            self._others[address](word)
        else:
            self._tables.write(address, word)

    def _tell(self, record: np.void, until: dict[int, int]) -> None:
        """Tell the processor of what a generator has begun; `until` gets the end of a line's answer."""
        channel, words = int(record["channel"]), [int(word) for word in record["words"]]
        cycle = int(record["cycle"])
        begins = cycle + (words[0] - cycle) % 2**WORD_BITS
        if self._origin is None:
            self._origin = begins - BEFORE_CYCLES
        start = 2 * (begins - self._origin)
        entry, gain = (
            words[1] & (1 << GAIN_OFFSET) - 1,
            words[1] >> GAIN_OFFSET & (1 << SLOT_OFFSET - GAIN_OFFSET) - 1,
        )
        envelope = self._envelope(channel, entry, gain)
        drives = len(self._tables.drives)
        if channel < drives:
            self.processor.play(PulseEvent(channel, start, envelope, hertz(words[2]), radians(words[3])))
            return
        line = channel - drives
        amplitudes = self._tables.tones[line].amplitudes
        tones = [
            Tone(
                hertz(words[3 + k]),
                (envelope * np.float32(amplitudes[k] / 2**SCALE_BITS / TONE_SHARE)).astype(np.complex64),
                radians(words[3 + NUM_TONES + k]),
            )
            for k in range(NUM_TONES)
            if words[2] >> k & 1
        ]
        self.processor.readout(line, start, tones)
        delay = self.processor.delays_ns[line] * 1e-9 * ADC_HZ
        until[line] = math.ceil(begins + len(envelope) / 2 + delay)

    def _envelope(self, channel: int, number: int, gain: int) -> npt.NDArray[np.complex64]:
        """Envelope of an entry of a channel, as loud as it is played, full scale 1."""
        if self._version != self._tables.version:
            self._version = self._tables.version
            self._envelopes.clear()
        key = (channel, number, gain)
        if key not in self._envelopes:
            generators = [*self._tables.drives, *self._tables.tones]
            parts = generators[channel].samples(number).astype(np.float32)
            parts *= np.float32(gain / 2**SCALE_BITS / FULL_SCALE)
            self._envelopes[key] = np.ascontiguousarray(parts).view(np.complex64)[:, 0]
        return self._envelopes[key]


def hertz(word: int) -> float:
    """Frequency of a word, between half the rate of the converter's samples and minus that."""
    turns: float = (word - (word >> WORD_BITS - 1 << WORD_BITS)) / 2**WORD_BITS
    return turns * DAC_HZ


def radians(word: int) -> float:
    """Angle of a phase word."""
    turns: float = word / 2**WORD_BITS
    return 2 * math.pi * turns
