# SPDX-License-Identifier: BSD-2-Clause
"""Phases of tones that are functions of absolute time, with one adder per tone and no multiplier."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Array, If, Mux, Signal

PHASE_BITS = 32


class CoherentPhase(LiteXModule):
    r"""phase = -frequency * (now + ahead - epoch) mod 2**32, per tone, in every cycle.

    An accumulator has the right step but remembers when it was started, so the start value is computed when a
    frequency or the epoch is written: a shift-and-add multiplication by the time at which the result will be loaded,
    one tone after the other, `SETTLING` cycles each. From then on the phase does not depend on when the host wrote
    what.

    ```
    cycle     s        s+1     ...   s+32     s+33       s+34 = s + SETTLING
    pending   pick | multiply, a bit of time a cycle | load   | phase is right, settled
    ```

    The phase runs backwards because a readout mixes down: the oscillator's output is the conjugate phasor.

    Args:
        num_tones: of the line.
        ahead: cycles between the phase and the sample that it is for.

    Attributes:
        now: input; low 32 bits of the cycle counter.
        load, tone, frequency: inputs; set the frequency of a tone, cycles per sample * 2**32.
        load_epoch, epoch: inputs; set the time of phase 0 of all tones.
        phases: per tone.
        settled: bit per tone; 1 where the phase is right.
    """

    SETTLING = PHASE_BITS + 2

    def __init__(self, num_tones: int, ahead: int) -> None:
        self.now = Signal(PHASE_BITS)
        self.load = Signal()
        self.tone = Signal(max=max(num_tones, 2))
        self.frequency = Signal(PHASE_BITS)
        self.load_epoch = Signal()
        self.epoch = Signal(PHASE_BITS)
        self.phases = [Signal(PHASE_BITS, name=f"phase{k}") for k in range(num_tones)]
        self.settled = Signal(num_tones)

        # # #

        steps = [Signal(PHASE_BITS, name=f"step{k}") for k in range(num_tones)]
        epoch = Signal(PHASE_BITS)
        pending, working = Signal(num_tones), Signal(num_tones)
        self.comb += self.settled.eq(~(pending | working))
        self.sync += If(self.load_epoch, epoch.eq(self.epoch))

        # Multiplication
        chosen = Signal(max=max(num_tones, 2))
        step, time, product = Signal(PHASE_BITS), Signal(PHASE_BITS), Signal(PHASE_BITS)
        left = Signal(max=PHASE_BITS + 1)
        self.comb += [If(pending[k], chosen.eq(k)) for k in reversed(range(num_tones))]
        self.sync += [
            If(working == 0,
                If(pending != 0,
                    step.eq(Array(steps)[chosen]),
                    time.eq(self.now + (self.SETTLING + ahead) - epoch),
                    product.eq(0),
                    left.eq(PHASE_BITS),
                    [If(chosen == k, working[k].eq(1), pending[k].eq(0)) for k in range(num_tones)],
                ),
            ).Elif(left != 0,
                product.eq((product << 1) - Mux(time[-1], step, 0)),
                time.eq(time << 1),
                left.eq(left - 1),
            ).Else(
                working.eq(0),
            ),
        ]  # fmt: skip

        # Accumulators
        for k in range(num_tones):
            self.sync += [
                self.phases[k].eq(self.phases[k] - steps[k]),
                If((left == 0) & working[k], self.phases[k].eq(product)),
                If(self.load & (self.tone == k), steps[k].eq(self.frequency), pending[k].eq(1)),
                If(self.load_epoch, pending[k].eq(1)),
            ]
