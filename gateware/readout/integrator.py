# SPDX-License-Identifier: BSD-2-Clause
"""One tone: phasor times weight ahead of the samples, then a multiplication and an accumulation per sample."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import If, Memory, Mux, Signal, bits_for

from triplane.gateware.dsp.multiply import ComplexMultiplier
from triplane.gateware.dsp.nco import Oscillator
from triplane.gateware.readout.layouts import (
    ACCUMULATOR_BITS,
    INTEGRAL_BITS,
    INTEGRAL_SHIFT,
    PREPARED_BITS,
    PREPARED_SHIFT,
    SAMPLE_BITS,
    WEIGHT_BITS,
)


class Integrator(LiteXModule):
    r"""Sum over a window of sample * weight * exp(-2j pi frequency * time), never rounded on the way.

    The phasor and the weight are known before the sample, so their product waits for it:

    ```
    cycle         0       1       2  ...        PREPARE      PREPARE + 1    PREPARE + 2
    address     | n
    weight              | n (times phasor: ComplexMultiplier)
    prepared                                  | n
    i, q                                      | sample n
    products                                                | 4 of sample n
    accumulator                                                            | with sample n
    ```

    The first sample of a window replaces the accumulator by half of the integral's least significant bit, so that
    cutting bits off rounds half up.

    Args:
        window_depth: weights in memory.
        multiplier: makes the complex multiplier of weight (a) and phasor (b).

    Attributes:
        phase: input; of the phasor, 32 bits; for the sample that enters `ahead` cycles later.
        address: input; number of the weight.
        weight_index, weight_re, weight_im, weight_write: inputs; store a weight.
        i, q: inputs, signed; sample.
        live, first: inputs beside the sample: it counts; it begins a window.
        re, im: accumulator, signed.
        integral_i, integral_q: its upper bits, the rounded integral.
        ahead: cycles from `phase` to `i` and `q`.
    """

    LATENCY = 2
    """Cycles from `i` and `q` to the accumulator."""

    PREPARE = 1 + ComplexMultiplier.LATENCY
    """Cycles from `address` to `i` and `q`."""

    def __init__(self, window_depth: int) -> None:
        self.oscillator = oscillator = Oscillator()
        self.multiplier = multiplier = ComplexMultiplier(
            WEIGHT_BITS, SAMPLE_BITS, PREPARED_BITS, PREPARED_SHIFT
        )
        self.ahead = oscillator.LATENCY + multiplier.LATENCY
        self.phase = oscillator.phase[0]
        self.address = Signal(bits_for(window_depth - 1))
        self.weight_index = Signal.like(self.address)
        self.weight_re = Signal((WEIGHT_BITS, True))
        self.weight_im = Signal((WEIGHT_BITS, True))
        self.weight_write = Signal()
        self.i = Signal((SAMPLE_BITS, True))
        self.q = Signal((SAMPLE_BITS, True))
        self.live = Signal()
        self.first = Signal()
        self.re = Signal((ACCUMULATOR_BITS, True))
        self.im = Signal((ACCUMULATOR_BITS, True))
        self.integral_i = Signal((INTEGRAL_BITS, True))
        self.integral_q = Signal((INTEGRAL_BITS, True))

        # # #

        # Prepared weight
        memory = Memory(2 * WEIGHT_BITS, window_depth)
        writer = memory.get_port(write_capable=True)
        reader = memory.get_port()
        self.specials += memory, writer, reader
        self.comb += [
            writer.adr.eq(self.weight_index),
            writer.dat_w[:WEIGHT_BITS].eq(self.weight_re),
            writer.dat_w[WEIGHT_BITS:].eq(self.weight_im),
            writer.we.eq(self.weight_write),
            reader.adr.eq(self.address),
            multiplier.a_re.eq(reader.dat_r[:WEIGHT_BITS]),
            multiplier.a_im.eq(reader.dat_r[WEIGHT_BITS:]),
            multiplier.b_re.eq(oscillator.cos[0]),
            multiplier.b_im.eq(oscillator.sin[0]),
        ]

        # Products
        names = ("i_re", "q_im", "i_im", "q_re")
        products = [Signal((SAMPLE_BITS + PREPARED_BITS, True), name=name) for name in names]
        i_re, q_im, i_im, q_re = products
        live, first = Signal(), Signal()
        self.sync += [
            i_re.eq(self.i * multiplier.re),
            q_im.eq(self.q * multiplier.im),
            i_im.eq(self.i * multiplier.im),
            q_re.eq(self.q * multiplier.re),
            live.eq(self.live),
            first.eq(self.first),
        ]

        # Accumulator
        half = 1 << INTEGRAL_SHIFT - 1
        self.sync += If(
            live,
            self.re.eq(Mux(first, half, self.re) + i_re - q_im),
            self.im.eq(Mux(first, half, self.im) + i_im + q_re),
        )
        self.comb += [
            self.integral_i.eq(self.re[INTEGRAL_SHIFT:]),
            self.integral_q.eq(self.im[INTEGRAL_SHIFT:]),
        ]
