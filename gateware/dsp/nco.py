# SPDX-License-Identifier: BSD-2-Clause
"""Phase word to cosine and sine: a quarter-wave table, and a straight line from its nearest point."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import READ_FIRST, Cat, Constant, Memory, Mux, Replicate, Signal

from triplane.gateware.dsp.tables import (
    AMPLITUDE,
    ENTRY_BITS,
    FINE_BITS,
    GUARD_BITS,
    PRODUCT_SHIFT,
    SLOPE_SHIFT,
    TABLE_BITS,
    TURN,
    quarter_wave,
)

PHASE_BITS = 32
"""2**32 is one turn."""


class Oscillator(LiteXModule):
    r"""`AMPLITUDE` times cosine and sine of phases, a result in every cycle.

    ```
    cycle      0        1               2                3
    phase      p
    table            | C, S at the nearest point
    operands                 | C, S with the quadrant's signs, slope
    cos                                         | C - slope x S
    sin                                         | S + slope x C         LATENCY
    ```

    An output is at most 0.63 LSB from the true value: 0.5 from its rounding (half up), 0.06 from that of the table,
    0.04 from the curve that the line leaves, 0.02 from 201/64 for pi and 0.01 from the phase bits not used. Of the
    complex output that is 0.89 LSB, and no line of a spectrum is larger than the largest error: the spurious-free
    dynamic range is 91 dB or more at *every* frequency word, and a test goes through all phases.

    Each sample takes two DSPs and half a block RAM: two samples read the two ports of one memory.

    Args:
        samples: phases at a time.

    Attributes:
        phase: input; list of `samples` words of 32 bits. Best from registers: they go to the memory's address.
        cos, sin: lists of signed 16 bits.

    Raises:
        ValueError: no sample.
    """

    LATENCY = 3
    """Cycles from `phase` to `cos` and `sin`."""

    def __init__(self, samples: int = 1) -> None:
        if samples < 1:
            raise ValueError(f"an oscillator makes at least 1 sample a clock, not {samples}")
        self.phase = [Signal(PHASE_BITS) for _ in range(samples)]
        self.cos = [Signal((AMPLITUDE.bit_length() + 1, True)) for _ in range(samples)]
        self.sin = [Signal.like(cos) for cos in self.cos]

        # # #

        words = [cos | sin << ENTRY_BITS for cos, sin in quarter_wave()]
        for first in range(0, samples, 2):  # a block RAM has two ports
            memory = Memory(2 * ENTRY_BITS, len(words), init=words)
            self.specials += memory
            for k in range(first, min(first + 2, samples)):
                port = memory.get_port(mode=READ_FIRST)
                self.specials += port
                self._interpolate(port, self.phase[k], self.cos[k], self.sin[k])

    def _interpolate(self, port, phase: Signal, cos: Signal, sin: Signal) -> None:
        """From a port of the table to one sample."""
        unused = PHASE_BITS - 2 - TABLE_BITS - FINE_BITS
        quadrant, fine = Signal(2), Signal(FINE_BITS)
        self.comb += port.adr.eq(phase[unused + FINE_BITS : PHASE_BITS - 2])
        self.sync += [quadrant.eq(phase[PHASE_BITS - 2 :]), fine.eq(phase[unused : unused + FINE_BITS])]

        # Distance from the middle of the step, in radians.
        distance = Signal((FINE_BITS, True))
        turned = Signal((FINE_BITS + TURN.bit_length(), True))
        slope = Signal((len(turned) - SLOPE_SHIFT, True))
        self.comb += [
            distance.eq(Cat(fine[:-1], ~fine[-1])),
            turned.eq((distance + (distance << 3)) + ((distance << 6) + (distance << 7))),
        ]
        self.sync += slope.eq(turned[SLOPE_SHIFT:])

        # A quarter turn swaps C and S and changes a sign. Half an LSB of the output comes with the sign's carry; as a
        # factor of the slope it is too small to matter.
        first, second = port.dat_r[:ENTRY_BITS], port.dat_r[ENTRY_BITS:]
        half = 1 << (GUARD_BITS - 1)
        operands = {}
        for name, straight, swapped, negative in (
            ("cosine", first, second, quadrant[0] ^ quadrant[1]),
            ("sine", second, first, quadrant[1]),
        ):
            operands[name] = operand = Signal((ENTRY_BITS + 2, True), name=name)
            magnitude, sign = Signal(ENTRY_BITS), Signal()
            carry = Cat(sign, Constant(half >> 1, GUARD_BITS - 1))
            self.comb += [magnitude.eq(Mux(quadrant[0], swapped, straight)), sign.eq(negative)]
            signed = Signal((ENTRY_BITS + 1, True))
            self.comb += signed.eq(Cat(magnitude ^ Replicate(sign, ENTRY_BITS), sign))
            self.sync += operand.eq(signed + carry)

        line = Signal((ENTRY_BITS + 2 + PRODUCT_SHIFT, True)), Signal((ENTRY_BITS + 2 + PRODUCT_SHIFT, True))
        cosine, sine = operands["cosine"], operands["sine"]
        self.sync += [
            line[0].eq((cosine << PRODUCT_SHIFT) - slope * sine),
            line[1].eq((sine << PRODUCT_SHIFT) + slope * cosine),
        ]
        self.comb += [
            output.eq(value[PRODUCT_SHIFT + GUARD_BITS :])
            for output, value in zip((cos, sin), line, strict=True)
        ]
