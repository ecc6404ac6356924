# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/dsp/multiply.py`, bit-exact."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from triplane.gateware.dsp.multiply import GUARD_BITS

Integers = npt.NDArray[np.int64]


def saturate(value: Integers, bits: int) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Values limited to `bits` signed bits, and which of them did not fit."""
    limited = np.clip(value, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return limited, limited != value


def multiply(
    a: tuple[npt.ArrayLike, npt.ArrayLike],
    b: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    out_bits: int,
    shift: int,
) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:
    """Products of complex integers, as `ComplexMultiplier` rounds and saturates them.

    Args:
        a, b: (re, im) of the factors, arrays that broadcast; a factor of 27 bits and one of 18 at most.
        out_bits, shift: as for the core.

    Returns:
        re, im, and where one of them was saturated.
    """
    (a_re, a_im), (b_re, b_im) = (tuple(np.asarray(part, dtype=np.int64) for part in f) for f in (a, b))
    half, cut = 1 << (shift - 1), max(shift - GUARD_BITS, 0)
    real = (((a_re * b_re + half) >> cut) - ((a_im * b_im) >> cut)) >> (shift - cut)
    imaginary = (((a_re * b_im + half) >> cut) + ((a_im * b_re) >> cut)) >> (shift - cut)
    (re, over_re), (im, over_im) = saturate(real, out_bits), saturate(imaginary, out_bits)
    return re, im, over_re | over_im
