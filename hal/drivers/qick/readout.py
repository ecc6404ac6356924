# SPDX-License-Identifier: BSD-2-Clause
"""What a readout line's tables ask for, as far as one of QICK's readouts can give it.

QICK's readout mixes with one frequency, adds up the samples of a window without weights, and gives the sums i and q to
the tProcessor, which compares one of them with a threshold. So a window has one tone, weights that are all alike (their
angle is the readout's phase, their size means nothing), and a discriminant that looks at i or at q alone. The i and q
of a discriminant are QICK's sums: whoever calibrates this board makes it so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from triplane.gateware.readout.layouts import Discriminant, Window
from triplane.hal.control import ControlProgram, Demodulation
from triplane.hal.errors import ProgramError

ADC_WORD_HZ = 245.76e6 / 2**32
"""Of a step of a line's frequency word."""

DAC_WORD_HZ = 491.52e6 / 2**32
"""Of a step of a generator's frequency word."""

SUM_RANGE = 2**31


@dataclass(frozen=True)
class Threshold:
    """When a bit is 1.

    Attributes:
        component: "i" or "q".
        least: if `above`, the least sum for a 1, else the least for a 0.
        above: 1 is where the sums are large.
    """

    component: str
    least: int
    above: bool


def signed_word(word: int) -> int:
    """A frequency word as the signed number that it is."""
    return (word + 2**31) % 2**32 - 2**31


def window_of(program: ControlProgram, line: int, number: int) -> tuple[Window, int]:
    """A window of a line, and the tone that it measures.

    Raises:
        ProgramError: there is no such window, or it needs more than QICK has.
    """
    demodulation = program.demodulation[line] if line < len(program.demodulation) else Demodulation()
    if number >= len(demodulation.windows):
        raise ProgramError(f"line {line} has no window {number}")
    window = demodulation.windows[number]
    if window.tones.bit_count() != 1:
        raise ProgramError(
            f"window {number} of line {line} measures {window.tones.bit_count()} tones (mask {window.tones:#04x}), "
            "a readout of QICK's has one"
        )
    if window.trace or window.decimated:
        raise ProgramError(f"window {number} of line {line} asks for a trace, which is not taken")
    tone = window.tones.bit_length() - 1
    have = min(len(demodulation.frequencies), len(demodulation.weights), len(demodulation.discriminants))
    if tone >= have:
        raise ProgramError(f"tone {tone} of line {line} has no frequency, no weights or no discriminant")
    return window, tone


def phase_turns(demodulation: Demodulation, window: Window, tone: int, name: str) -> float:
    """Angle of a window's weights, in turns.

    Raises:
        ProgramError: they are not all alike, or zero.
    """
    used = demodulation.weights[tone, window.first_weight : window.first_weight + window.length]
    if len(used) < window.length:
        raise ProgramError(f"{name} has {window.length} samples, its weights have {len(used)}")
    if (used != used[0]).any():
        raise ProgramError(f"{name} has weights that differ; QICK's buffer adds samples up without weights")
    real, imaginary = (int(part) for part in used[0])
    if not real and not imaginary:
        raise ProgramError(f"{name} has weights of zero; QICK's buffer adds samples up without weights")
    return math.atan2(imaginary, real) / (2 * math.pi) % 1


def threshold_of(discriminant: Discriminant, name: str) -> Threshold:
    """The comparison that a discriminant's bit is.

    Raises:
        ProgramError: it needs both sums, or has a third state.
    """
    if (discriminant.a2, discriminant.b2) != (0, 0) or discriminant.c2 > 0:
        raise ProgramError(
            f"{name} tells leakage; QICK's tProcessor compares with one threshold, for two states"
        )
    a, b, c = discriminant.a1, discriminant.b1, discriminant.c1
    if (a == 0) == (b == 0):
        raise ProgramError(
            f"{name} looks at i and q (a1 {a}, b1 {b}), QICK's tProcessor compares one of them; turn the weights "
            "until the states differ in i alone, and let b1 be 0"
        )
    factor = a or b
    # factor * x + c > 0, in whole numbers.
    least = -c // factor + 1 if factor > 0 else -(-c // -factor)
    if not -SUM_RANGE < least < SUM_RANGE:
        raise ProgramError(f"{name} has its threshold at {least}, sums have 32 bits")
    return Threshold("i" if a else "q", least, factor > 0)
