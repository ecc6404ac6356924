# SPDX-License-Identifier: BSD-2-Clause
"""Phases that run on whether or not somebody listens: what makes frequency hops coherent."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Cat, Constant, If, Signal

from triplane.gateware.dsp.layouts import SLOT_BITS
from triplane.gateware.dsp.nco import PHASE_BITS


def carry_save(module: LiteXModule, a, b, c) -> tuple[Signal, Signal]:
    """Two terms with the sum of three, modulo 2**32: one level of logic, no carry chain."""
    total, carries = Signal(PHASE_BITS), Signal(PHASE_BITS)
    module.comb += [total.eq(a ^ b ^ c), carries.eq((a & b) | (a & c) | (b & c))]
    return total, doubled(carries)


def doubled(word: Signal):
    """Twice a word, modulo 2**32."""
    return Cat(Constant(0, 1), word[: PHASE_BITS - 1])


class FrequencySlots(LiteXModule):
    r"""Frequency words and the phases that have grown from them, two samples a clock.

    Every slot has its own accumulator, which is the price of coherence without a multiplier: a generator that hops
    back to a slot finds the phase that it would have had. An alternative, frequency x time, needs 64-bit products and
    is not continuous when the frequency changes.

    ```
    cycle      0            1
    event      FREQ, ...
    phases                | phase of the sample that the event's time belongs to
    ```

    Attributes:
        select, shift, tune, align: inputs, high for a cycle: take `value` as the number of the slot that the others
            mean, as a phase to add, as frequency word, as phase.
        value: input, 32 bits.
        after, after_slot, after_value: inputs; a phase to add to a slot one cycle later than `shift` would. Until it
            has been added, it is in `due`.
        phases: of each slot; the first of the two samples.
        frequencies: of each slot, turns per sample.
        due, due_slot, due_value: what has still to be added to the phase of which slot.
    """

    LATENCY = 1
    """Cycles from an event to the phases that know it."""

    NUM_SLOTS = 2**SLOT_BITS

    def __init__(self) -> None:
        self.select, self.shift, self.tune, self.align = (Signal() for _ in range(4))
        self.value = Signal(PHASE_BITS)
        self.after, self.after_slot, self.after_value = Signal(), Signal(SLOT_BITS), Signal(PHASE_BITS)
        self.due, self.due_slot, self.due_value = Signal(), Signal(SLOT_BITS), Signal(PHASE_BITS)
        self.phases = [Signal(PHASE_BITS, name=f"phase{k}") for k in range(self.NUM_SLOTS)]
        self.frequencies = [Signal(PHASE_BITS, name=f"frequency{k}") for k in range(self.NUM_SLOTS)]

        # # #

        selected = Signal(self.NUM_SLOTS, reset=1)  # one bit per slot
        number = Signal(SLOT_BITS)
        adds = Signal(self.NUM_SLOTS)
        self.sync += [
            adds.eq(0),
            # A phase set at the time at which the pulse ends is set after it.
            If(self.after & ~(self.align & (number == self.after_slot)), adds.eq(1 << self.after_slot)),
            self.due_slot.eq(self.after_slot),
            self.due_value.eq(self.after_value),
            If(self.select, selected.eq(1 << self.value[:SLOT_BITS]), number.eq(self.value[:SLOT_BITS])),
        ]
        self.comb += self.due.eq(adds != 0)
        for k, (phase, frequency) in enumerate(zip(self.phases, self.frequencies, strict=True)):
            shifted, delayed = Signal(PHASE_BITS), Signal(PHASE_BITS)
            self.comb += [
                If(self.shift & selected[k], shifted.eq(self.value)),
                If(adds[k], delayed.eq(self.due_value)),
            ]
            # The event comes last into the sum: it is decoded meanwhile.
            terms = carry_save(self, phase, doubled(frequency), delayed)
            terms = carry_save(self, *terms, shifted)
            self.sync += [
                phase.eq(terms[0] + terms[1]),
                If(self.align & selected[k], phase.eq(self.value)),
                If(self.tune & selected[k], frequency.eq(self.value)),
            ]
