# SPDX-License-Identifier: BSD-2-Clause
"""Layouts and number formats of the readout, declared once: gateware, golden model and host read them here.

```
sample            16 bits, i and q                      1 = one step of the converter
weight            16 bits, re and im                    2**15 = 1
prepared weight   22 bits, re and im                    2**20 = 1, weight times phasor, rounded half up
accumulator       48 bits, re and im                    2**20 = one sample at weight 1
integral          27 bits, i and q                      accumulator / 2**21, rounded half up
coefficient       18 bits, a and b of a projection
projection        48 bits, a * i + b * q + c
```

None of these can overflow, whatever the samples, weights and coefficients are: a prepared weight is at most
(2 * 2**15 * (2**15 - 1) + 2**9) >> 10 < 2**21, so 1,024 products of two components stay below 2**47; a projection stays
below 2 * 2**17 * 2**26 + 2**46 < 2**47.
"""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_BITS = 16
WEIGHT_BITS = 16
PREPARED_BITS = 22
PREPARED_SHIFT = 10
ACCUMULATOR_BITS = 48
INTEGRAL_SHIFT = 21
INTEGRAL_BITS = ACCUMULATOR_BITS - INTEGRAL_SHIFT
TRACE_SHIFT = 16
"""A decimated trace holds the accumulator from this bit on: 32 bits, 2**4 = one sample at weight 1."""

COEFFICIENT_BITS = 18
PROJECTION_BITS = 48
OFFSET_BITS = 47
SOFT_BITS = 8
SOFT_SHIFTS = tuple(range(8, 37, 4))
"""Bits of a projection below the least significant bit of a soft value, by the number in `soft_shift`."""

MAX_TONES = 16
MAX_WINDOW = 1024
DELAY_BITS = 16
LENGTH_BITS = 10

CAPTURE_KIND = 4
"""Kind of the event that starts a window; its value's low 10 bits are an entry of the window table."""
ENTRY_BITS = 10
CAPTURE_LAYOUT = [("kind", 3), ("value", 32)]
"""The part of a channel event that a readout line reads; it is due in the cycle in which it is valid."""

TONES_OFFSET, TRACE_OFFSET, DECIMATED_OFFSET, FIRST_WEIGHT_OFFSET = 0, 16, 17, 18
LENGTH_OFFSET = 16


@dataclass(frozen=True)
class Window:
    """An entry of the window table.

    Attributes:
        tones: bit k: tone k gives a result.
        length: samples, 1 to 1,024.
        delay: cycles from the earliest first sample that an event can have (`ReadoutLine.LEAD` cycles after it) to
            the first sample.
        first_weight: number of the weight of the first sample.
        trace: 1: the first sample triggers a raw trace that is armed.
        decimated: 1: partial integrals go to a decimated trace that is armed.

    Raises:
        ValueError: a value does not fit.
    """

    tones: int
    length: int
    delay: int = 0
    first_weight: int = 0
    trace: bool = False
    decimated: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.tones < 1 << MAX_TONES:
            raise ValueError(f"tones is a mask of {MAX_TONES} bits, not {self.tones}")
        if not 1 <= self.length <= MAX_WINDOW:
            raise ValueError(f"a window has 1 to {MAX_WINDOW} samples, not {self.length}")
        if not 0 <= self.delay < 1 << DELAY_BITS:
            raise ValueError(f"the delay is 0 to {(1 << DELAY_BITS) - 1} cycles, not {self.delay}")
        if not 0 <= self.first_weight <= MAX_WINDOW - self.length:
            raise ValueError(
                f"a window of {self.length} samples can start at weight 0 to {MAX_WINDOW - self.length}, "
                f"not {self.first_weight}"
            )

    @property
    def selection(self) -> int:
        """Word for the register `window_selection`."""
        return (
            self.tones << TONES_OFFSET
            | int(self.trace) << TRACE_OFFSET
            | int(self.decimated) << DECIMATED_OFFSET
            | self.first_weight << FIRST_WEIGHT_OFFSET
        )

    @property
    def timing(self) -> int:
        """Word for the register `window_timing`."""
        return self.delay | (self.length - 1) << LENGTH_OFFSET


@dataclass(frozen=True)
class Discriminant:
    """Registers of a tone's discriminator: d1 = a1 i + b1 q + c1, d2 = a2 i + b2 q + c2.

    The bit is d1 > 0, leaked is d2 > max(0, d1): with d1 and d2 the log-likelihood ratios of states 1 and 2 against
    state 0 this is the linear discriminant of three classes, exactly.

    Attributes:
        a1, b1, a2, b2: 18 bits, signed.
        c1, c2: 47 bits, signed.
        soft_shift: number of an entry of `SOFT_SHIFTS`.

    Raises:
        ValueError: a value does not fit.
    """

    a1: int
    b1: int
    c1: int
    a2: int = 0
    b2: int = 0
    c2: int = -1
    soft_shift: int = 0

    def __post_init__(self) -> None:
        for names, bits in ((("a1", "b1", "a2", "b2"), COEFFICIENT_BITS), (("c1", "c2"), OFFSET_BITS)):
            limit = 1 << bits - 1
            for name in names:
                if not -limit <= getattr(self, name) < limit:
                    raise ValueError(f"{name} has {bits} bits, signed; {getattr(self, name)} does not fit")
        if not 0 <= self.soft_shift < len(SOFT_SHIFTS):
            raise ValueError(f"soft_shift is 0 to {len(SOFT_SHIFTS) - 1}, not {self.soft_shift}")
