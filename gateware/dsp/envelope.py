# SPDX-License-Identifier: BSD-2-Clause
"""The front of a generator: an entry of the pulse table becomes a scaled envelope, two complex samples a clock."""

from __future__ import annotations

from collections.abc import Sequence

from litex.gen import LiteXModule
from migen import READ_FIRST, Cat, If, Memory, Mux, Signal, bits_for

from triplane.gateware.dsp.layouts import SCALE_BITS, EntryField, entry_words
from triplane.gateware.dsp.loader import EntryLoader
from triplane.gateware.dsp.multiply import saturate

SAMPLES = 2
"""Complex samples per clock."""

SAMPLE_BITS = 16
"""Of the real and of the imaginary part of a sample."""

GAIN_BITS = 2 + SCALE_BITS
"""Of the product of two amplitudes, each below 2; unsigned."""


class EnvelopePlayer(LiteXModule):
    r"""Plays entries of a table, one after another and without a gap where they are given so.

    ```
    cycle        0      1        2        3        4        5        6
    play        _/‾\____________________________________________________
    fields              | entry, held to the next
    gain                         | factors| product|
    address                      | first  | second ...
    operands                                       | samples, gain
    re, im                                                           | scaled        LATENCY
    ```

    A pulse of N clocks lets the next one begin N cycles later; until then `busy` is high, and a `play` is refused. An
    entry of no clocks is never busy. The amplitude is that of the last `set_amplitude` before `play`.

    Args:
        fields: of an entry, see `layouts`; start, length and amplitude are used here.
        entries: of the table.
        depth: clocks of the envelope memory, two samples each.
        bits, fraction: of the scaled parts; what is beyond is saturated, what is below rounded half up.

    Attributes:
        play, number: inputs; play this entry.
        set_amplitude, amplitude: inputs; factor of all following pulses, 2**15 = 1, which it is after a reset.
        silence: input; the pulse is dropped and `play` ignored. `re` and `im` are 0 from the next cycle on.
        busy: a `play` in this cycle would be refused.
        collision: a `play` was refused in the cycle before.
        fields: of the entry, by name, one cycle after `play`.
        first, active, last: the same cycle is the first of an entry; one that plays; the last. An entry of no clocks
            has one that is first and last.
        started: `STARTED` cycles after `play`: it has clocks. With it come `entry`, its number, and
        gain: the product of the amplitudes, 2**15 = 1.
        re, im: lists of the parts of both samples, 0 while nothing plays.
        saturated: with them: one of them was.

    Raises:
        ValueError: a table or memory of a size that an entry cannot name.
    """

    LATENCY = 6
    """Cycles from `play` to the first samples."""

    STARTED = 3
    """Cycles from `play` to `started`."""

    def __init__(
        self, fields: Sequence[EntryField], *, entries: int, depth: int, bits: int, fraction: int
    ) -> None:
        if entries not in (2**k for k in range(1, 11)):
            raise ValueError(f"a pulse table has a power of two of entries, 2 to 1024, not {entries}")
        if depth not in (2**k for k in range(1, 16)):
            raise ValueError(f"an envelope memory has a power of two of clocks, 2 to {2**15}, not {depth}")
        self.play, self.number = Signal(), Signal(bits_for(entries - 1))
        self.set_amplitude, self.amplitude = Signal(), Signal(16)
        self.silence = Signal()
        self.busy, self.collision = Signal(), Signal()
        widths = {f.name: f.bits for f in fields} | {"start": bits_for(depth - 1), "length": bits_for(depth)}
        self.fields = {f.name: Signal(widths[f.name], name=f.name) for f in fields}
        self.first, self.active, self.last = Signal(), Signal(), Signal()
        self.started, self.entry, self.gain = Signal(), Signal.like(self.number), Signal(GAIN_BITS)
        self.re = [Signal((bits, True)) for _ in range(SAMPLES)]
        self.im = [Signal((bits, True)) for _ in range(SAMPLES)]
        self.saturated = Signal()

        # # #

        # Table
        self.table = table = EntryLoader(entry_words(fields), entries, "the pulse table")
        memory = Memory(sum(widths.values()), entries)
        writer = memory.get_port(write_capable=True)
        reader = memory.get_port(has_re=True, mode=READ_FIRST)
        self.specials += memory, writer, reader
        accepted = Signal()
        offsets = {f.name: 32 * f.word + f.offset for f in fields}
        self.comb += [
            accepted.eq(self.play & ~self.busy & ~self.silence),
            writer.adr.eq(table.number),
            writer.we.eq(table.write),
            writer.dat_w.eq(Cat(*(table.entry[at : at + widths[name]] for name, at in offsets.items()))),
            reader.adr.eq(self.number),
            reader.re.eq(accepted),
            Cat(*self.fields.values()).eq(reader.dat_r),
        ]

        # Clocks
        count, left = Signal(widths["length"]), Signal(widths["length"])
        self.comb += [
            count.eq(Mux(self.first, self.fields["length"], left)),
            self.active.eq(count != 0),
            self.busy.eq(count[1:] != 0),
            self.last.eq((count == 1) | (self.first & ~self.active)),
        ]
        playing = Signal(self.LATENCY - 2)  # cycles 2 to 5
        begins = Signal(self.STARTED - 1)
        numbers = [Signal.like(self.number) for _ in range(self.STARTED - 1)]
        self.sync += [
            self.first.eq(accepted),
            self.collision.eq(self.play & self.busy & ~self.silence),
            left.eq(Mux(self.active, count - 1, 0)),
            playing.eq(Cat(self.active, playing)),
            begins.eq(Cat(self.first & self.active, begins)),
            If(self.silence, left.eq(0), playing.eq(0), begins.eq(0)),
            *(
                number.eq(before)
                for number, before in zip([*numbers, self.entry], [self.number, *numbers], strict=True)
            ),
        ]
        self.comb += self.started.eq(begins[-1])

        # Amplitude
        scale, factors, product = Signal(16, reset=1 << SCALE_BITS), (Signal(16), Signal(16)), Signal(32)
        self.sync += [
            If(self.set_amplitude, scale.eq(self.amplitude)),
            If(self.first, factors[0].eq(self.fields["amplitude"]), factors[1].eq(scale)),
            product.eq(factors[0] * factors[1] + (1 << (SCALE_BITS - 1))),
        ]
        self.comb += self.gain.eq(product[SCALE_BITS:])

        # Envelope
        self.envelope = envelope = EntryLoader(SAMPLES, depth, "the envelope memory")
        samples = Memory(32 * SAMPLES, depth)
        filler = samples.get_port(write_capable=True)
        source = samples.get_port(mode=READ_FIRST)
        self.specials += samples, filler, source
        address = Signal(widths["start"])
        self.comb += [
            filler.adr.eq(envelope.number),
            filler.we.eq(envelope.write),
            filler.dat_w.eq(envelope.entry),
            source.adr.eq(address),
        ]
        gain = Signal((GAIN_BITS + 1, True))
        self.sync += [address.eq(Mux(self.first, self.fields["start"], address + 1)), gain.eq(self.gain)]

        cut = SCALE_BITS - fraction
        overflows = []
        for k, result in enumerate([self.re[0], self.im[0], self.re[1], self.im[1]]):
            part, scaled = Signal((SAMPLE_BITS, True)), Signal((SAMPLE_BITS + GAIN_BITS, True))
            rounded, overflow = Signal((SAMPLE_BITS + GAIN_BITS - cut, True)), Signal()
            self.comb += rounded.eq(scaled[cut:])
            value, beyond = saturate(rounded, bits)
            self.sync += [
                part.eq(source.dat_r[SAMPLE_BITS * k : SAMPLE_BITS * (k + 1)]),
                scaled.eq(part * gain + (1 << (cut - 1))),
                If(playing[-1] & ~self.silence,
                    result.eq(value),
                    overflow.eq(beyond),
                ).Else(
                    result.eq(0),
                    overflow.eq(0),
                ),
            ]  # fmt: skip
            overflows.append(overflow)
        self.comb += self.saturated.eq(Cat(*overflows) != 0)
