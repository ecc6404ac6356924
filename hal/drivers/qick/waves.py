# SPDX-License-Identifier: BSD-2-Clause
"""Pulses as QICK's generators take them: frequency, phase, gain, length, and samples of the envelope memory.

A clock of Triplane's has two samples of an envelope; QICK's converters are faster. Each of QICK's samples takes that of
Triplane's in whose time it is (a zero-order hold), and zeros fill the last clock of the generator. An envelope that is
one real number from beginning to end, and fills the generator's clocks, needs no memory: it is played by the oscillator
alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from triplane.hal.control import ControlProgram
from triplane.hal.drivers.qick.firmware import CYCLE_HZ, megahertz
from triplane.hal.drivers.qick.machine import Wave
from triplane.hal.drivers.qick.readout import DAC_WORD_HZ, signed_word
from triplane.hal.drivers.qick.wiring import Wiring
from triplane.hal.errors import ProgramError

FULL_SCALE = 2**15 - 1
ONE = 2**30
SHORTEST_CLOCKS = 3
LONGEST_CLOCKS = 2**16 - 1


@dataclass(frozen=True)
class Tuned:
    """A wave in a generator's units.

    Attributes:
        generator: index in `gens`.
        frequency_mhz: at the converter.
        phase: 32 bits, one turn.
        gain: signed; None: from a register.
        clocks: of the generator.
        first: number of the first sample in its envelope memory; None: the oscillator alone.
    """

    generator: int
    frequency_mhz: float
    phase: int
    gain: int | None
    clocks: int
    first: int | None


class Generator:
    """One of QICK's generators, and what is in its envelope memory.

    Args:
        number: index in `gens`.
        block: its configuration.
        lo_hz: added to frequencies.
    """

    def __init__(self, number: int, block: dict[str, Any], lo_hz: float) -> None:
        self.number = number
        self.block = block
        self.lo_hz = lo_hz
        self.envelopes: dict[bytes, int] = {}
        self.samples = 0
        self.most = int(block["maxv"])

    def tuned(self, wave: Wave, envelope: npt.NDArray[np.int16], name: str) -> Tuned:
        """A wave in the generator's units; its samples go to the envelope memory.

        Raises:
            ProgramError: it is too long, too loud, beyond the converter, or the memory is full.
        """
        frequency = self.lo_hz + signed_word(wave.word) * DAC_WORD_HZ
        rate = megahertz(self.block["f_dds"])
        if not -rate < frequency < rate:
            raise ProgramError(
                f"{name} has {frequency / 1e6:g} MHz; the converter of generator {self.number} takes "
                f"{float(rate) / 1e6:g} million samples a second and plays in two Nyquist zones"
            )
        part = envelope[2 * wave.start : 2 * (wave.start + wave.length)].astype(np.int64)
        per_clock = self.block["samps_per_clk"]
        samples = rate * wave.length / CYCLE_HZ
        clocks = -int(-samples // per_clock)
        if clocks > LONGEST_CLOCKS:
            raise ProgramError(
                f"{name} takes {clocks} clocks of generator {self.number}, which plays {LONGEST_CLOCKS} at most"
            )
        constant = (
            wave.amplitude is not None
            and samples == clocks * per_clock
            and clocks >= SHORTEST_CLOCKS
            and not part[:, 1].any()
            and bool((part[:, 0] == part[0, 0]).all())
        )
        loudness = Fraction(wave.amplitude, ONE) if wave.amplitude is not None else None
        if loudness is not None and loudness > 1:
            raise ProgramError(
                f"{name} has an amplitude of {float(loudness):.6g}; a gain of QICK's is 1 at most"
            )
        first, gain = None, None
        if loudness is not None:
            level = Fraction(int(part[0, 0]), FULL_SCALE) if constant else Fraction(1)
            gain = round(loudness * level * self.most)
        if not constant:
            first = self._stored(part, max(clocks, SHORTEST_CLOCKS) * per_clock, rate, name)
        return Tuned(self.number, frequency / 1e6, wave.phase, gain, max(clocks, SHORTEST_CLOCKS), first)

    def _stored(self, part: npt.NDArray[np.int64], count: int, rate: Fraction, name: str) -> int:
        """Number of the first sample of an envelope in the memory, put there if it is not."""
        # Sample n of QICK's lies in sample n * 2 * cycle rate / rate of Triplane's.
        step = Fraction(2 * CYCLE_HZ) / rate
        lies = np.arange(count) * step.numerator // step.denominator
        held = np.zeros((count, 2), dtype=np.int64)
        inside = lies < len(part)
        held[inside] = part[lies[inside]]
        scaled = np.rint(held * (self.most / FULL_SCALE)).clip(-self.most, self.most).astype(np.int16)
        key = scaled.tobytes()
        if key not in self.envelopes:
            if self.samples + count > self.block["maxlen"]:
                raise ProgramError(
                    f"{name} needs {self.samples + count} samples of envelope memory of generator {self.number} with "
                    f"those before it, there are {self.block['maxlen']}"
                )
            if not self.block["complex_env"] and scaled[:, 1].any():
                raise ProgramError(f"{name} has a complex envelope, generator {self.number} takes real ones")
            self.envelopes[key] = self.samples
            self.samples += count
        return self.envelopes[key]

    def contents(self) -> list[npt.NDArray[np.int16]]:
        """Envelopes in the order in which they lie in the memory."""
        return [np.frombuffer(key, dtype=np.int16).reshape(-1, 2) for key in self.envelopes]


class Generators:
    """The generators of all channels.

    Args:
        program: whose envelopes they play.
        wiring: which generators.
        blocks: the configuration's `gens`.
    """

    def __init__(self, program: ControlProgram, wiring: Wiring, blocks: list[dict[str, Any]]) -> None:
        self.program = program
        self.wiring = wiring
        self.of = {
            channel: Generator(
                wiring.generator(channel), blocks[wiring.generator(channel)], wiring.lo_hz(channel)
            )
            for channel in range(wiring.channels)
        }

    def tuned(self, wave: Wave) -> Tuned:
        """A wave in its generator's units; raises ProgramError as of `Generator.tuned`."""
        line = self.wiring.line(wave.channel)
        if line is None:
            envelope, name = self.program.drives[wave.channel].envelope, f"a pulse of drive {wave.channel}"
        else:
            envelope, name = self.program.tones[line].envelope, f"a tone of line {line}"
        return self.of[wave.channel].tuned(wave, envelope, name)
