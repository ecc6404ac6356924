# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/dsp/nco.py`, bit-exact: phases to cosine and sine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from triplane.gateware.dsp.tables import (
    FINE_BITS,
    GUARD_BITS,
    PRODUCT_SHIFT,
    SLOPE_SHIFT,
    TABLE_BITS,
    TURN,
    quarter_wave,
)

Integers = npt.NDArray[np.int64]

_TABLE = np.array(quarter_wave(), dtype=np.int64)


def oscillate(phase: npt.ArrayLike) -> tuple[Integers, Integers]:
    """Cosine and sine of phase words.

    Args:
        phase: any shape; taken modulo 2**32, which is one turn.

    Returns:
        (cos, sin), int64 of the same shape, -32767 to 32767.
    """
    word = np.asarray(phase).astype(np.int64) & 0xFFFFFFFF
    quadrant = word >> 30
    step = word >> (30 - TABLE_BITS) & (2**TABLE_BITS - 1)
    fine = word >> (30 - TABLE_BITS - FINE_BITS) & (2**FINE_BITS - 1)
    slope = (fine - 2 ** (FINE_BITS - 1)) * TURN >> SLOPE_SHIFT
    straight, swapped = _TABLE[step, quadrant & 1], _TABLE[step, 1 - (quadrant & 1)]
    half = 1 << (GUARD_BITS - 1)
    cosine = np.where((quadrant ^ quadrant >> 1) & 1, -straight, straight) + half
    sine = np.where(quadrant >> 1, -swapped, swapped) + half
    shift = PRODUCT_SHIFT + GUARD_BITS
    return ((cosine << PRODUCT_SHIFT) - slope * sine) >> shift, (
        (sine << PRODUCT_SHIFT) + slope * cosine
    ) >> shift
