# SPDX-License-Identifier: BSD-2-Clause
"""From an integral to a bit, a leakage flag and a soft value: two projections and their signs."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Array, Cat, If, Mux, Replicate, Signal

from triplane.gateware.readout.layouts import (
    COEFFICIENT_BITS,
    INTEGRAL_BITS,
    OFFSET_BITS,
    PROJECTION_BITS,
    SOFT_BITS,
    SOFT_SHIFTS,
)

PRODUCT_BITS = INTEGRAL_BITS + COEFFICIENT_BITS


class Discriminator(LiteXModule):
    r"""Three classes by a linear discriminant: bit = d1 > 0, leaked = d2 > max(0, d1).

    ```
    cycle       0        1           2           3             4
    start    __/‾\__________________________________________________
    i, q       | i, q  |
    held               | i, q (DSP input)
    products                       | a i, b q
    projection                                 | d1 - 1, d2 - 1
    valid    _________________________________________________/‾\___    bit, leaked, soft: LATENCY
    ```

    The offsets are kept less one, so that "greater than 0" is a sign bit. The soft value is floor((d1 - 1) / 2**s),
    limited to 8 bits: its step of 2**s units of d1 is `soft_unit`, a value v stands for (v + 1/2) steps, and its sign
    bit is the complement of the bit. This limit is meant and is not counted as saturation.

    One result can start in every cycle.

    Attributes:
        start: input; the integral is valid in this cycle.
        i, q: inputs, signed; the integral.
        a1, b1, c1, a2, b2, c2, soft_shift: inputs; see `layouts.Discriminant`.
        load: input; take them over at the end of this cycle. A result on its way may then mix old and new.
        valid: 1 in the cycle in which there is a result.
        bit, leaked, soft: the result; hold until the next.
    """

    LATENCY = 4

    def __init__(self) -> None:
        self.start = Signal()
        self.i = Signal((INTEGRAL_BITS, True))
        self.q = Signal((INTEGRAL_BITS, True))
        for name in ("a1", "b1", "a2", "b2"):
            setattr(self, name, Signal((COEFFICIENT_BITS, True), name=name))
        self.c1, self.c2 = Signal((OFFSET_BITS, True)), Signal((OFFSET_BITS, True))
        self.soft_shift = Signal(max=len(SOFT_SHIFTS))
        self.load = Signal()
        self.valid = Signal()
        self.bit = Signal()
        self.leaked = Signal()
        self.soft = Signal((SOFT_BITS, True))

        # # #

        stages = Signal(self.LATENCY)
        self.sync += stages.eq(Cat(self.start, stages))
        self.comb += self.valid.eq(stages[-1])

        # Input registers of the multipliers
        i, q = Signal.like(self.i), Signal.like(self.q)
        self.sync += If(self.start, i.eq(self.i), q.eq(self.q))

        # Projections
        projections = []
        for a, b, c in ((self.a1, self.b1, self.c1), (self.a2, self.b2, self.c2)):
            a_held, b_held = Signal.like(a), Signal.like(b)
            c_held = Signal((PROJECTION_BITS, True))
            product_a, product_b = Signal((PRODUCT_BITS, True)), Signal((PRODUCT_BITS, True))
            projection = Signal((PROJECTION_BITS, True))
            self.sync += [
                If(self.load, a_held.eq(a), b_held.eq(b), c_held.eq(c - 1)),
                product_a.eq(i * a_held),
                product_b.eq(q * b_held),
                projection.eq(product_a + product_b + c_held),
            ]
            projections.append(projection)
        d1, d2 = projections

        # Result
        shift = Signal.like(self.soft_shift)
        fits, windows = [], []
        for low in SOFT_SHIFTS:
            above = d1[low + SOFT_BITS - 1 :]
            fits.append((above == 0) | (above == (1 << len(above)) - 1))
            windows.append(d1[low : low + SOFT_BITS - 1])
        inside = Signal(len(SOFT_SHIFTS))
        magnitude = Signal(SOFT_BITS - 1)
        negative = d1[-1]
        self.comb += [
            inside.eq(Cat(*fits)),
            magnitude.eq(
                Mux(
                    Array(inside)[shift],
                    Array(windows)[shift],
                    Replicate(~negative, SOFT_BITS - 1),
                )
            ),
        ]
        self.sync += [
            If(self.load, shift.eq(self.soft_shift)),
            If(stages[-2],
                self.bit.eq(~negative),
                self.leaked.eq(~d2[-1] & (d2 > d1)),
                self.soft.eq(Cat(magnitude, negative)),
            ),
        ]  # fmt: skip
