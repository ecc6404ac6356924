# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/readout/discriminator.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.readout.layouts import INTEGRAL_BITS, SOFT_BITS, SOFT_SHIFTS, Discriminant

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Results:
    """What a discriminator says, an entry per integral.

    Attributes:
        bit, leaked: bool (shots,).
        soft: int8 (shots,); a value v stands for a first projection of (v + 1/2) * 2**s.
        d1, d2: int64 (shots,); the projections.
    """

    bit: npt.NDArray[np.bool_]
    leaked: npt.NDArray[np.bool_]
    soft: npt.NDArray[np.int8]
    d1: Integers
    d2: Integers


def discriminate(i: npt.ArrayLike, q: npt.ArrayLike, registers: Discriminant) -> Results:
    """Classifies integrals, integers (shots,) each.

    Raises:
        ValueError: an integral has more than 27 bits.
    """
    i, q = np.asarray(i, dtype=np.int64), np.asarray(q, dtype=np.int64)
    limit = 1 << INTEGRAL_BITS - 1
    for values in (i, q):
        if values.size and not -limit <= values.min() <= values.max() < limit:
            raise ValueError(
                f"integrals have {INTEGRAL_BITS} bits; {values.min()} to {values.max()} do not fit"
            )
    r = registers
    d1 = r.a1 * i + r.b1 * q + r.c1
    d2 = r.a2 * i + r.b2 * q + r.c2
    top = 1 << SOFT_BITS - 1
    soft = np.clip((d1 - 1) >> SOFT_SHIFTS[r.soft_shift], -top, top - 1).astype(np.int8)
    return Results(d1 > 0, d2 > np.maximum(d1, 0), soft, d1, d2)
