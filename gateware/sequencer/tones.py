# SPDX-License-Identifier: BSD-2-Clause
"""Pulses of a readout line: up to eight tones at a time under one envelope."""

from __future__ import annotations

import functools
import operator

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from litex.soc.interconnect.csr import CSRStorage
from migen import Case, If, Signal

from triplane.gateware.dsp.envelope import SAMPLE_BITS, SAMPLES, EnvelopePlayer
from triplane.gateware.dsp.layouts import NUM_TONES, SCALE_BITS, SLOT_BITS, TONES, TONES_PLAYED
from triplane.gateware.dsp.multiply import ComplexMultiplier
from triplane.gateware.dsp.nco import Oscillator
from triplane.gateware.dsp.slots import FrequencySlots
from triplane.gateware.sequencer.generator import DUE_EVENT, connect_events, multiply_samples

TONE_FRACTION = 17
"""Fraction bits of the sum of tones, 1 being full scale."""

TONE_BITS = 2 + TONE_FRACTION
"""Of one tone, which is less than 2."""

SUM_BITS = TONE_BITS + SLOT_BITS
"""Of eight of them; the sum is never saturated."""

ENVELOPE_BITS, ENVELOPE_FRACTION = 18, 2
"""Of the scaled envelope, for the narrow port of a DSP: saturated at full scale."""


class ToneGenerator(LiteXModule):
    r"""Plays entries of its pulse table on several tones at a time, two complex samples a clock.

    Frequency slot k of the events is tone k. Every tone has an oscillator that never stops, so that its phase, like
    that of a readout line's mixer, runs on absolute time; RESET puts both where they belong. An entry says which tones
    sound, the registers `amplitude_*` how loud each is, and envelope, entry and AMP event scale their sum.

    ```
    cycle      0       1       2       3       4       5       6       7       8
    sink       PLAY
    table            | entry
    tones            | phase | table | signs |cos,sin| each  | sum
    mask                                     | gains |
    envelope                 | address       | sample| scaled| both
    products                                                         | four  |
    i, q                                                                     | first     LATENCY
    ```

    Events act as they do on a `PulseGenerator`. A scaled envelope beyond full scale is saturated before the tones are
    multiplied with it, and so is the product; the sum of the tones is not, so eight tones may have the amplitude 1
    under an envelope of 1/8.

    Args:
        entries: of the pulse table, a power of two, at most 1024; PLAY takes the low bits of its value.
        envelope_depth: clocks of the envelope memory, two samples each; a power of two.

    Attributes:
        sink, now, silence, busy, collision, i, q, saturated: as those of `PulseGenerator`.
        played: what has begun, see `layouts.TONES_PLAYED`; one cycle, `STARTED` cycles after PLAY.
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
        self.played = stream.Endpoint(TONES_PLAYED)

        self._amplitude_tone = CSRStorage(
            SLOT_BITS, description="Tone whose amplitude the next write to amplitude_data sets."
        )
        self._amplitude_data = CSRStorage(
            16,
            reset=0,
            description="Amplitude of a tone, unsigned, 2**15 = 1; amplitude_tone then moves to the next. It acts at "
            "once, also on a pulse that plays.",
        )

        # # #

        self.pulses = pulses = EnvelopePlayer(
            TONES, entries=entries, depth=envelope_depth, bits=ENVELOPE_BITS, fraction=ENVELOPE_FRACTION
        )
        self.slots = slots = FrequencySlots()
        connect_events(self, pulses, slots)
        self.comb += [self.busy.eq(pulses.busy), self.collision.eq(pulses.collision)]

        # Amplitudes
        tone = Signal(SLOT_BITS)
        amplitudes = [Signal(16) for _ in range(NUM_TONES)]
        self.sync += [
            If(self._amplitude_data.re,
                Case(tone, {k: a.eq(self._amplitude_data.storage) for k, a in enumerate(amplitudes)}),
                tone.eq(tone + 1),
            ),
            If(self._amplitude_tone.re, tone.eq(self._amplitude_tone.storage)),
        ]  # fmt: skip

        # Tones: the mask meets the oscillators' outputs in cycle 4
        masks = [Signal(NUM_TONES) for _ in range(2)]
        self.sync += [masks[0].eq(pulses.fields["mask"]), masks[1].eq(masks[0])]
        cut = 2 * SCALE_BITS - TONE_FRACTION
        terms: list[list[Signal]] = [[] for _ in range(2 * SAMPLES)]
        for k, (phase, frequency) in enumerate(zip(slots.phases, slots.frequencies, strict=True)):
            oscillator = Oscillator(SAMPLES)
            self.submodules += oscillator
            gain = Signal((17, True))
            self.sync += [gain.eq(0), If(masks[1][k], gain.eq(amplitudes[k]))]
            self.comb += [oscillator.phase[0].eq(phase), oscillator.phase[1].eq(phase + frequency)]
            parts = [part for pair in zip(oscillator.cos, oscillator.sin, strict=True) for part in pair]
            for j, value in enumerate(parts):
                product, term = Signal((17 + SAMPLE_BITS, True)), Signal((TONE_BITS, True))
                self.sync += product.eq(value * gain + (1 << (cut - 1)))
                self.comb += term.eq(product[cut:])
                terms[j].append(term)
        sums = [Signal((SUM_BITS, True)) for _ in terms]
        self.sync += [
            total.eq(functools.reduce(operator.add, p)) for total, p in zip(sums, terms, strict=True)
        ]

        multiply_samples(
            self,
            (sums[0::2], sums[1::2]),
            (pulses.re, pulses.im),
            pulses.saturated,
            TONE_FRACTION + ENVELOPE_FRACTION,
        )
        self._tell()

    def _tell(self) -> None:
        """What has begun: registers of three cycles, which are nothing where `played` is not used."""
        played, pulses, slots = self.played, self.pulses, self.slots
        held = [pulses.fields["mask"], *slots.frequencies, *slots.phases]
        for _ in range(self.STARTED - 1):
            delayed = [Signal.like(signal) for signal in held]
            self.sync += [register.eq(signal) for register, signal in zip(delayed, held, strict=True)]
            held = delayed
        names = ["mask", *(f"{what}{k}" for what in ("frequency", "phase") for k in range(NUM_TONES))]
        self.sync += played.time.eq(self.now[:32] + (self.LATENCY - self.STARTED + 1))
        self.comb += [
            played.valid.eq(pulses.started),
            played.entry.eq(pulses.entry),
            played.gain.eq(pulses.gain),
            *(getattr(played, name).eq(signal) for name, signal in zip(names, held, strict=True)),
        ]
