# SPDX-License-Identifier: BSD-2-Clause
"""Numbers of the oscillator: what is in its table, and how many bits go where. Plain Python, for gateware and model."""

from __future__ import annotations

import math

AMPLITUDE = 2**15 - 1
"""Largest output of an oscillator."""

TABLE_BITS = 9
"""Address bits of the quarter-wave table: 2048 points a turn."""

FINE_BITS = 13
"""Phase bits below the address that the interpolation uses; with the quadrant, 24 of the 32 bits count."""

GUARD_BITS = 3
"""Bits of a table entry below the LSB of the output."""

ENTRY_BITS = 15 + GUARD_BITS
"""Of each of the two entries of a word: the quarter wave is never negative."""

TURN, TURN_SHIFT = 201, 64
"""201/64 stands for pi: 0.03 % high, which is 0.016 LSB where the interpolation is longest."""

SLOPE_SHIFT = 3
"""Bits of (distance x TURN) that are dropped, so that 18 remain for the narrow port of a DSP48E2."""

PRODUCT_SHIFT = 2 + TABLE_BITS + FINE_BITS - 1 + (TURN_SHIFT.bit_length() - 1) - SLOPE_SHIFT
"""Weight of the product of entry and slope: `2**-PRODUCT_SHIFT` of an entry's LSB."""


def quarter_wave() -> list[tuple[int, int]]:
    """(cos, sin) at the middle of each of the 2**TABLE_BITS steps of the first quarter turn, in guarded LSBs."""
    scale = AMPLITUDE << GUARD_BITS
    angles = (math.pi / 2 * (k + 0.5) / 2**TABLE_BITS for k in range(2**TABLE_BITS))
    return [(math.floor(scale * math.cos(a) + 0.5), math.floor(scale * math.sin(a) + 0.5)) for a in angles]
