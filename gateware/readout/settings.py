# SPDX-License-Identifier: BSD-2-Clause
"""Registers through which the host sets up a readout line, and those in which it sees how the line fares."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Signal, bits_for

from triplane.gateware.readout.layouts import (
    COEFFICIENT_BITS,
    DECIMATED_OFFSET,
    DELAY_BITS,
    FIRST_WEIGHT_OFFSET,
    LENGTH_BITS,
    LENGTH_OFFSET,
    OFFSET_BITS,
    SOFT_SHIFTS,
    TRACE_OFFSET,
)

COUNTER_BITS = 32
TONE_OFFSET = 16
"""Lowest bit of the tone in `weight_index`."""
LOAD_FREQUENCY, LOAD_DISCRIMINANT = 1 << 8, 1 << 9
"""Bits of `load`; the tone is in the bits below."""

COUNTERS = {
    "windows": "Windows that have ended since the last clear.",
    "collisions": "Windows refused because they overlap one accepted before, or too many wait.",
    "unknown": "Events that are no CAPTURE or name no entry of the window table.",
    "saturated_samples": "Samples within windows with a component at either end of the converter's range.",
    "saturated_windows": "Windows with such a sample.",
}
"""Counter -> meaning. A counter at its maximum stays there."""


class LineSettings(LiteXModule):
    """Registers only; what they do is in the cores that they are wired to.

    Args:
        num_tones, num_windows, window_depth: see `line.ReadoutLine`.

    Attributes:
        weight_tone, weight_sample: tone and sample that a write to `weight_data` goes to.
        count: name of `COUNTERS` -> input, 1 in a cycle that is counted.
        settled, bits, leaked, time: inputs; for the status registers.
    """

    def __init__(self, num_tones: int, num_windows: int, window_depth: int) -> None:
        tone_bits = bits_for(max(num_tones - 1, 1))
        sample_bits = bits_for(window_depth - 1)
        self.weight_tone = Signal(tone_bits)
        self.weight_sample = Signal(sample_bits)
        self.count = {name: Signal(name=f"count_{name}") for name in COUNTERS}
        self.settled = Signal(num_tones)
        self.bits = Signal(num_tones)
        self.leaked = Signal(num_tones)
        self.time = Signal(32)

        self._load = CSRStorage(
            fields=[
                CSRField("tone", size=tone_bits, description="Tone to load."),
                CSRField(
                    "frequency",
                    offset=LOAD_FREQUENCY.bit_length() - 1,
                    pulse=True,
                    description="Load `frequency`.",
                ),
                CSRField(
                    "discriminant",
                    offset=LOAD_DISCRIMINANT.bit_length() - 1,
                    pulse=True,
                    description="Load a1 to soft_shift, all at once.",
                ),
            ],
            description="Hand what was written over to a tone.",
        )
        self._frequency = CSRStorage(
            32, description="Frequency of a tone: cycles per sample * 2**32, two's complement."
        )
        self._epoch = CSRStorage(
            32,
            description="Cycle, low half, in which the phase of every tone is 0. Writing it sets the phases anew.",
        )
        for state in ("1", "2"):
            for name in ("a", "b"):
                factor = {"a": "i", "b": "q"}[name]
                register = CSRStorage(
                    COEFFICIENT_BITS,
                    name=f"{name}{state}",
                    description=f"Coefficient of {factor} in projection {state}, two's complement.",
                )
                setattr(self, f"_{name}{state}", register)
            register = CSRStorage(
                OFFSET_BITS, name=f"c{state}", description=f"Offset of projection {state}, two's complement."
            )
            setattr(self, f"_c{state}", register)
        self._soft_shift = CSRStorage(
            bits_for(len(SOFT_SHIFTS) - 1),
            description=f"Step of the soft value: 2**({SOFT_SHIFTS[0]} + {SOFT_SHIFTS[1] - SOFT_SHIFTS[0]} n) units "
            "of projection 1.",
        )
        self._weight_index = CSRStorage(
            fields=[
                CSRField("sample", size=sample_bits, description="Sample of the window."),
                CSRField("tone", size=tone_bits, offset=TONE_OFFSET, description="Tone."),
            ],
            description="Weight that the next write to weight_data goes to.",
        )
        self._weight_data = CSRStorage(
            32,
            description="Weight to store, real part in the low half; the index then moves to the next sample. "
            "Not for use while a window runs.",
        )
        self._window_index = CSRStorage(
            bits_for(num_windows - 1), description="Entry of the window table that window_timing stores."
        )
        self._window_selection = CSRStorage(
            fields=[
                CSRField("tones", size=num_tones, description="Tones that give a result."),
                CSRField("trace", offset=TRACE_OFFSET, description="The first sample triggers `trace`."),
                CSRField(
                    "decimated", offset=DECIMATED_OFFSET, description="Partial integrals go to `decimated`."
                ),
                CSRField(
                    "first_weight",
                    size=sample_bits,
                    offset=FIRST_WEIGHT_OFFSET,
                    description="Number of the first sample's weight.",
                ),
            ],
            description="First half of an entry of the window table.",
        )
        self._window_timing = CSRStorage(
            fields=[
                CSRField(
                    "delay",
                    size=DELAY_BITS,
                    description="Cycles from the earliest possible first sample to the first.",
                ),
                CSRField("length", size=LENGTH_BITS, offset=LENGTH_OFFSET, description="Samples, less one."),
            ],
            description="Second half of an entry; writing it stores the entry.",
        )
        self._partial = CSRStorage(
            fields=[
                CSRField("tone", size=tone_bits, description="Tone whose partial integrals are recorded."),
                CSRField(
                    "every_window",
                    offset=8,
                    description="1: of every window; 0: of windows whose entry says so.",
                ),
                CSRField(
                    "decimation",
                    size=LENGTH_BITS,
                    offset=16,
                    description="Samples from one value to the next, less one.",
                ),
            ],
            description="What goes to the decimated trace: the integral so far, after every so many samples and "
            "after the last.",
        )
        self._control = CSRStorage(
            fields=[CSRField("clear", pulse=True, description="Set all counters to 0.")],
            description="Counters.",
        )
        self._settled = CSRStatus(num_tones, description="Bit per tone: its phase is that of its frequency.")
        self._bits = CSRStatus(num_tones, description="Last bit of each tone.")
        self._leaked = CSRStatus(num_tones, description="Last leakage flag of each tone.")
        self._time = CSRStatus(
            32, description="Cycle, low half, of the last sample of the last window that ended."
        )
        counters = {}
        for name, meaning in COUNTERS.items():
            counters[name] = CSRStatus(COUNTER_BITS, name=name, description=meaning)
            setattr(self, f"_{name}", counters[name])

        # # #

        for name, counter in counters.items():
            self.sync += [
                If(self.count[name] & (counter.status != (1 << COUNTER_BITS) - 1),
                    counter.status.eq(counter.status + 1),
                ),
                If(self._control.fields.clear, counter.status.eq(0)),
            ]  # fmt: skip
        self.comb += [
            getattr(self, f"_{name}").status.eq(getattr(self, name))
            for name in ("settled", "bits", "leaked", "time")
        ]
        self.sync += [
            If(self._weight_data.re, self.weight_sample.eq(self.weight_sample + 1)),
            If(self._weight_index.re,
                self.weight_sample.eq(self._weight_index.fields.sample),
                self.weight_tone.eq(self._weight_index.fields.tone),
            ),
        ]  # fmt: skip
