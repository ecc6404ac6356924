# SPDX-License-Identifier: BSD-2-Clause
"""Pulses of a drive channel: an envelope on the carrier of one of eight frequency slots."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Array, If, Signal

from triplane.gateware.dsp.envelope import SAMPLE_BITS, SAMPLES, EnvelopePlayer
from triplane.gateware.dsp.layouts import PLAYED, PULSE, SCALE_BITS, SLOT_BITS
from triplane.gateware.dsp.multiply import ComplexMultiplier
from triplane.gateware.dsp.nco import PHASE_BITS, Oscillator
from triplane.gateware.dsp.slots import FrequencySlots, carry_save
from triplane.gateware.dsp.tally import Tally
from triplane.gateware.sequencer.layouts import EVENT, Kind

DUE_EVENT = [(name, bits) for name, bits in EVENT if name != "time"]
"""An event in the cycle of its time, which need not be told."""

SLOT_EVENTS = {Kind.SLOT: "select", Kind.PHASE: "shift", Kind.FREQ: "tune", Kind.RESET: "align"}
"""Kind of event -> input of `FrequencySlots`."""

ENVELOPE_BITS, ENVELOPE_FRACTION = 27, 9
"""Of the scaled envelope: as exact as the wide port of a DSP allows, and never saturated."""


class PulseGenerator(LiteXModule):
    r"""Plays entries of its pulse table on the carriers of its frequency slots, two complex samples a clock.

    ```
    cycle      0       1       2       3       4       5       6       7       8
    sink       PLAY
    table            | entry
    carrier                  | phase | table | signs | line  | cos, sin
    envelope                 | address       | sample| scaled| both
    products                                                         | four  |
    i, q                                                                     | first     LATENCY
    ```

    All events act on the sample of their time. PLAY at time t plays its first sample at t + LATENCY, and FREQ, PHASE or
    RESET at time t change the carrier from the sample that leaves at t + LATENCY on, also in the middle of a pulse:
    FREQ without a step of the phase, PHASE by the value, RESET to the value. AMP acts on pulses that begin later.
    The phases of all slots run on absolute time: hopping back to a slot finds the phase it would have had.

    The carrier of a pulse is its slot's phase plus the entry's `phase`; the entry's `after` is added to the slot's
    phase when the pulse ends, in time for a pulse that follows without a gap. A RESET at that time comes after it.

    Args:
        entries: of the pulse table, a power of two, at most 1024; PLAY takes the low bits of its value.
        envelope_depth: clocks of the envelope memory, two samples each; a power of two.

    Attributes:
        sink: events due now, `DUE_EVENT`; always ready. CAPTURE is not for a generator and does nothing.
        now: input; cycle counter, for `played`.
        silence: input; the safe state: what plays is dropped, PLAY is ignored. The output is zero after
            `SILENCE_CYCLES`. Other events act.
        busy: a PLAY in this cycle would be refused.
        collision: a PLAY was refused in the cycle before.
        i, q: lists of the signed 16-bit parts of two samples, the earlier first; zero while nothing plays.
        saturated: a part of a sample that leaves in this cycle is saturated. Counted as well.
        played: what has begun, see `layouts.PLAYED`; one cycle, `STARTED` cycles after PLAY. It tells
            of the carrier at the first sample only, not of events during the pulse.
    """

    LATENCY = 8
    """Cycles from an event to the first sample that knows it."""

    STARTED = EnvelopePlayer.STARTED
    """Cycles from PLAY to `played`."""

    SILENCE_CYCLES = 1 + ComplexMultiplier.LATENCY
    """Cycles from `silence` to the output being zero."""

    def __init__(self, *, entries: int = 1024, envelope_depth: int = 4096) -> None:
        self.sink = stream.Endpoint(DUE_EVENT)
        self.now = Signal(64)
        self.silence = Signal()
        self.busy, self.collision = Signal(), Signal()
        self.i = [Signal((SAMPLE_BITS, True)) for _ in range(SAMPLES)]
        self.q = [Signal((SAMPLE_BITS, True)) for _ in range(SAMPLES)]
        self.saturated = Signal()
        self.played = played = stream.Endpoint(PLAYED)

        # # #

        self.pulses = pulses = EnvelopePlayer(
            PULSE, entries=entries, depth=envelope_depth, bits=ENVELOPE_BITS, fraction=ENVELOPE_FRACTION
        )
        self.slots = slots = FrequencySlots()
        self.oscillator = oscillator = Oscillator(SAMPLES)
        connect_events(self, pulses, slots)
        self.comb += [
            self.busy.eq(pulses.busy),
            self.collision.eq(pulses.collision),
            slots.after.eq(pulses.last & ~self.silence),
            slots.after_slot.eq(pulses.fields["slot"]),
            slots.after_value.eq(pulses.fields["after"]),
        ]

        # Carrier: what cycle 2 holds is summed on the way into the oscillator's table
        slot, phase, frequency = Signal(SLOT_BITS), Signal(PHASE_BITS), Signal(PHASE_BITS)
        offset, late = Signal(PHASE_BITS), Signal(PHASE_BITS)
        self.sync += [
            slot.eq(pulses.fields["slot"]),
            phase.eq(Array(slots.phases)[pulses.fields["slot"]]),
            frequency.eq(Array(slots.frequencies)[pulses.fields["slot"]]),
            offset.eq(pulses.fields["phase"]),
            late.eq(0),
            If(slots.due & (slots.due_slot == pulses.fields["slot"]), late.eq(slots.due_value)),
        ]
        earlier = carry_save(self, phase, offset, late)
        later = carry_save(self, *earlier, frequency)
        self.comb += [
            oscillator.phase[0].eq(earlier[0] + earlier[1]),
            oscillator.phase[1].eq(later[0] + later[1]),
        ]

        # Product
        cosines, sines = (
            [Signal.like(value) for value in values] for values in (oscillator.cos, oscillator.sin)
        )
        for register, value in zip(cosines + sines, oscillator.cos + oscillator.sin, strict=True):
            self.sync += register.eq(value)
        multiply_samples(
            self, (pulses.re, pulses.im), (cosines, sines), pulses.saturated, ENVELOPE_FRACTION + SCALE_BITS
        )

        # What has begun
        self.sync += [
            played.time.eq(self.now[:32] + (self.LATENCY - self.STARTED + 1)),
            played.slot.eq(slot),
            played.frequency.eq(frequency),
            played.phase.eq(oscillator.phase[0]),
        ]
        self.comb += [
            played.valid.eq(pulses.started),
            played.entry.eq(pulses.entry),
            played.gain.eq(pulses.gain),
        ]


def connect_events(generator: LiteXModule, pulses: EnvelopePlayer, slots: FrequencySlots) -> None:
    """From a generator's `sink` and `silence` to its parts."""
    sink = generator.sink
    generator.comb += [
        sink.ready.eq(1),
        pulses.silence.eq(generator.silence),
        pulses.play.eq(sink.valid & (sink.kind == Kind.PLAY)),
        pulses.number.eq(sink.value),
        pulses.set_amplitude.eq(sink.valid & (sink.kind == Kind.AMP)),
        pulses.amplitude.eq(sink.value),
        slots.value.eq(sink.value),
        *(getattr(slots, name).eq(sink.valid & (sink.kind == kind)) for kind, name in SLOT_EVENTS.items()),
    ]


def multiply_samples(generator: LiteXModule, a, b, saturated: Signal, shift: int) -> None:
    """Both samples of `a` times those of `b`, lists of (re, im), to a generator's `i`, `q` and `saturated`.

    saturated: comes with the factors.  shift: of the product, see `ComplexMultiplier`.
    """
    earlier = Signal(ComplexMultiplier.LATENCY)
    generator.sync += earlier.eq(earlier << 1 | saturated)
    overflows = [earlier[-1]]
    for k in range(SAMPLES):
        multiplier = ComplexMultiplier(len(a[0][k]), len(b[0][k]), SAMPLE_BITS, shift)
        generator.submodules += multiplier
        generator.comb += [
            multiplier.a_re.eq(a[0][k]),
            multiplier.a_im.eq(a[1][k]),
            multiplier.b_re.eq(b[0][k]),
            multiplier.b_im.eq(b[1][k]),
            generator.i[k].eq(multiplier.re),
            generator.q[k].eq(multiplier.im),
        ]
        overflows.append(multiplier.saturated)
    generator.saturations = Tally("Clocks with a saturated sample")
    generator.comb += [
        generator.saturated.eq(overflows[0] | overflows[1] | overflows[2]),
        generator.saturations.happens.eq(generator.saturated),
    ]
