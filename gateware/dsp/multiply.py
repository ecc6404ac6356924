# SPDX-License-Identifier: BSD-2-Clause
"""Complex products with rounding and saturation."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Cat, Mux, Replicate, Signal

WIDE_PORT, NARROW_PORT = 27, 18
"""Signed factors that one DSP48E2 multiplies."""

GUARD_BITS = 10
"""Bits of a product below the LSB of the result that reach the sum: the carry chain is that much longer."""


def saturate(value: Signal, bits: int):
    """A signed value in `bits` bits, the nearest where it does not fit, and whether that was so: two expressions."""
    top, sign = value[bits - 1 :], value[-1]
    beyond = (top != 0) & (top != 2 ** len(top) - 1)
    return Mux(beyond, Cat(Replicate(~sign, bits - 1), sign), value[:bits]), beyond


class ComplexMultiplier(LiteXModule):
    r"""`(a x b) >> shift`, rounded half up and saturated, a result in every cycle.

    ```
    cycle      0        1                2
    a, b       x
    products          | four, half an LSB added to two
    re, im                             | sums, saturated        LATENCY
    ```

    Four DSPs: the form with three products needs wider factors and another adder before them. Of each product
    `GUARD_BITS` below the result's LSB count, the rest is cut off: at most 2**-9 LSB.

    Args:
        a_bits, b_bits: of the signed parts of the factors; one of them at most 27, the other at most 18.
        out_bits: of the signed parts of the result.
        shift: bits of the product below the LSB of the result, at least 1.

    Attributes:
        a_re, a_im, b_re, b_im: inputs, from registers: they are the input registers of the DSPs.
        re, im: the result.
        saturated: with the result: one of its parts, or both, did not fit.

    Raises:
        ValueError: factors that are too wide, or nothing to round.
    """

    LATENCY = 2
    """Cycles from the factors to the result."""

    def __init__(self, a_bits: int, b_bits: int, out_bits: int, shift: int) -> None:
        if max(a_bits, b_bits) > WIDE_PORT or min(a_bits, b_bits) > NARROW_PORT:
            raise ValueError(
                f"a DSP multiplies {WIDE_PORT} by {NARROW_PORT} bits, not {a_bits} by {b_bits}; round a factor first"
            )
        if not 1 <= shift < a_bits + b_bits:
            raise ValueError(
                f"a product of {a_bits} and {b_bits} bits is shifted by 1 to {a_bits + b_bits - 1}, not {shift}"
            )
        self.a_re, self.a_im = Signal((a_bits, True)), Signal((a_bits, True))
        self.b_re, self.b_im = Signal((b_bits, True)), Signal((b_bits, True))
        self.re, self.im = Signal((out_bits, True)), Signal((out_bits, True))
        self.saturated = Signal()

        # # #

        half, cut = 1 << (shift - 1), max(shift - GUARD_BITS, 0)
        overflows = []
        for result, terms, sign in (
            (self.re, ((self.a_re, self.b_re), (self.a_im, self.b_im)), -1),
            (self.im, ((self.a_re, self.b_im), (self.a_im, self.b_re)), 1),
        ):
            products = [Signal((a_bits + b_bits, True)) for _ in terms]
            kept = [Signal((a_bits + b_bits - cut, True)) for _ in terms]
            total = Signal((max(a_bits + b_bits - cut + 1, out_bits + shift - cut), True))
            overflow = Signal()
            (first, second), (third, fourth) = terms
            self.sync += [products[0].eq(first * second + half), products[1].eq(third * fourth)]
            self.comb += [part.eq(product[cut:]) for part, product in zip(kept, products, strict=True)]
            self.comb += total.eq(kept[0] + kept[1] if sign > 0 else kept[0] - kept[1])
            shifted = Signal((len(total) - shift + cut, True))
            self.comb += shifted.eq(total[shift - cut :])
            value, beyond = saturate(shifted, out_bits)
            self.sync += [result.eq(value), overflow.eq(beyond)]
            overflows.append(overflow)
        self.comb += self.saturated.eq(overflows[0] | overflows[1])
