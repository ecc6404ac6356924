# SPDX-License-Identifier: BSD-2-Clause
"""A processor behind the converters of a simulated board: what generators begin to play goes in, ADC samples come out.

Generators tell of a pulse some cycles before its first sample leaves, and the first sample of a tone takes the line's
delay to come back. So the board is stopped only when tones begin, the processor is told all that was played until
then, and all samples of the tones are there before the first one is due.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from triplane.boards.sim.platform import GAIN_OFFSET, SLOT_OFFSET, WORD_BITS
from triplane.gateware.dsp.layouts import NUM_TONES, SCALE_BITS
from triplane.hal.control import ControlProgram, Samples
from triplane.hal.device import ADC_HZ, DAC_HZ, TONE_SHARE
from triplane.sim.board.library import SimulatedBoard
from triplane.sim.qpu.events import PulseEvent, Tone
from triplane.sim.qpu.processor import Processor

FULL_SCALE = 2**15 - 1
"""A sample of this value is 1."""

TOLD_CYCLES = 8
"""Cycles in which samples must come back at the least: from the board's standing still to a tone's first sample leaving
are fewer, so that a line of this delay is never late."""


class Coupling:
    """Lets a board and a processor go on together.

    Args:
        board: its counter and the processor's time are the same: neither may have been reset without the other.
        processor: its channels are the board's drive channels, its lines the board's readout lines.
        program: whose tables the board holds.
        drives: channels of the board.

    Raises:
        ValueError: a line answers before it can be told of its tones.
    """

    def __init__(
        self, board: SimulatedBoard, processor: Processor, program: ControlProgram, drives: int
    ) -> None:
        for number, line in enumerate(processor.device.lines):
            if line.delay_ns * 1e-9 * ADC_HZ < TOLD_CYCLES:
                raise ValueError(
                    f"line {number} of {processor.device.name} answers after {line.delay_ns:g} ns; a simulated board "
                    f"takes {TOLD_CYCLES} cycles, {TOLD_CYCLES / ADC_HZ * 1e9:.3g} ns, to hear of it"
                )
        self.board = board
        self.processor = processor
        self.program = program
        self._drives = drives
        self._envelopes: dict[tuple[int, int, int], npt.NDArray[np.complex64]] = {}

    def run(self, cycles: int) -> None:
        """Let so many cycles pass.

        Raises:
            EventError: the processor refuses what was played.
        """
        end = self.board.now + cycles
        while (left := end - self.board.now) > 0:
            self.board.play(left)
            self.exchange()

    def exchange(self) -> None:
        """Tell the processor what was played until now, and give the board the samples of tones that have begun.

        To be called after every access to the board's bus: an access takes two cycles a word.
        """
        until: dict[int, int] = {}
        for record in self.board.played():
            channel, words = int(record["channel"]), [int(word) for word in record["words"]]
            cycle = int(record["cycle"])
            start = 2 * (cycle + (words[0] - cycle) % 2**WORD_BITS)
            entry, gain = (
                words[1] & (1 << GAIN_OFFSET) - 1,
                words[1] >> GAIN_OFFSET & (1 << SLOT_OFFSET - GAIN_OFFSET) - 1,
            )
            envelope = self._envelope(channel, entry, gain)
            if channel < self._drives:
                self.processor.play(PulseEvent(channel, start, envelope, hertz(words[2]), radians(words[3])))
                continue
            line = channel - self._drives
            amplitudes = self.program.tones[line].amplitudes
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
            delay = self.processor.device.lines[line].delay_ns * 1e-9 * ADC_HZ
            until[line] = math.ceil((start + len(envelope)) / 2 + delay)
        for line, end in until.items():
            now = self.board.now
            self.board.samples(line, now, self.processor.adc(line, now, end - now))

    def _envelope(self, channel: int, number: int, gain: int) -> npt.NDArray[np.complex64]:
        """Envelope of an entry of a channel, as loud as it is played, full scale 1."""
        key = (channel, number, gain)
        if key not in self._envelopes:
            player = (
                self.program.drives[channel]
                if channel < self._drives
                else self.program.tones[channel - self._drives]
            )
            entry = player.entries[number]
            samples: Samples = player.envelope[2 * entry["start"] :][: 2 * entry["length"]]
            parts = samples.astype(np.float32) * np.float32(gain / 2**SCALE_BITS / FULL_SCALE)
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
