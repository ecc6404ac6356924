# SPDX-License-Identifier: BSD-2-Clause
"""A readout line: the samples of one converter in, bits of all its tones out."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Array, Cat, If, Signal

from triplane.gateware.readout.discriminator import Discriminator
from triplane.gateware.readout.integrator import Integrator
from triplane.gateware.readout.layouts import (
    ENTRY_BITS,
    MAX_TONES,
    MAX_WINDOW,
    SAMPLE_BITS,
    SOFT_BITS,
    TRACE_SHIFT,
    WEIGHT_BITS,
)
from triplane.gateware.readout.phase import CoherentPhase
from triplane.gateware.readout.recorder import Recorder
from triplane.gateware.readout.settings import LineSettings
from triplane.gateware.readout.windows import WindowScheduler


class ReadoutLine(LiteXModule):
    r"""Mixes, integrates and discriminates `num_tones` tones of one converter, a complex sample a cycle.

    ```
    cycle          0        1         2          3             4        5          6            7
    i, q        | last |
    sample             | last |
    products                  | last |
    accumulator                      | integral |
    held                                        | integral |
    products                                               | a i, ... |
    projection                                                        | d1, d2 |
    valid       ______________________________________________________________/‾‾‾‾‾\__    LATENCY = 7
    ```

    All tones share a window. Windows may follow each other without a gap; what overlaps is refused.

    Args:
        num_tones: multiplexed on the line, at most 16.
        window_depth: weights per tone, a power of two, at most 1,024.
        num_windows: entries of the window table.
        trace_depth: samples that the raw trace holds.
        decimated_depth: values that the decimated trace holds.

    Attributes:
        i, q: inputs, signed; the sample of this cycle.
        now: input; cycle counter.
        capture: sink of events that are due now (`layouts.CAPTURE_LAYOUT`); always ready.
        valid: bit per tone; 1 in the cycle in which it has a result.
        bits, leaked: bit per tone; hold until the next result.
        soft: per tone, signed; holds until the next result.
        time: cycle, low 32 bits, of the last sample of the window; changes with the result.
        saturated: 1 in the cycle of a result whose window has a sample at an end of the converter's range.
        busy: from the cycle after an event until the results of its window are valid, or it is refused: results may
            still come.
        collision, unknown: 1 in the cycle in which an event is refused; see `windows.WindowScheduler`.

    Raises:
        ValueError: a parameter is out of range.
    """

    LATENCY = 1 + Integrator.LATENCY + Discriminator.LATENCY
    """Cycles from the last sample of a window to `valid`."""

    LEAD = WindowScheduler.EARLIEST + Integrator.PREPARE - 1
    """Cycles from an event with delay 0 to the first sample of its window."""

    def __init__(
        self,
        num_tones: int = 8,
        window_depth: int = MAX_WINDOW,
        *,
        num_windows: int = 64,
        trace_depth: int = 8192,
        decimated_depth: int = 1024,
    ) -> None:
        if not 1 <= num_tones <= MAX_TONES:
            raise ValueError(f"a line has 1 to {MAX_TONES} tones, not {num_tones}")
        if not 2 <= window_depth <= MAX_WINDOW or window_depth & (window_depth - 1):
            raise ValueError(f"window_depth is a power of two from 2 to {MAX_WINDOW}, not {window_depth}")
        if not 2 <= num_windows <= 1 << ENTRY_BITS:
            raise ValueError(f"a line has 2 to {1 << ENTRY_BITS} windows, not {num_windows}")
        self.num_tones = num_tones
        self.i = Signal((SAMPLE_BITS, True))
        self.q = Signal((SAMPLE_BITS, True))
        self.now = Signal(64)
        self.valid = Signal(num_tones)
        self.bits = Signal(num_tones)
        self.leaked = Signal(num_tones)
        self.soft = [Signal((SOFT_BITS, True), name=f"soft{k}") for k in range(num_tones)]
        self.time = Signal(32)
        self.saturated = Signal()
        self.busy = Signal()

        self.settings = settings = LineSettings(num_tones, num_windows, window_depth)
        self.trace = trace = Recorder(trace_depth, words=1)
        self.decimated = decimated = Recorder(decimated_depth, words=2)
        self.windows = windows = WindowScheduler(num_tones, num_windows, window_depth)
        self.capture = windows.capture
        self.collision = windows.collision
        self.unknown = windows.unknown

        # # #

        tones = [Integrator(window_depth) for _ in range(num_tones)]
        ahead, prepare = tones[0].ahead, Integrator.PREPARE
        self.phase = phase = CoherentPhase(num_tones, ahead - 1)
        self.submodules += tones

        # Settings
        load, selection, timing = settings._load, settings._window_selection, settings._window_timing
        self.comb += [
            windows.now.eq(self.now),
            windows.index.eq(settings._window_index.storage),
            windows.write.eq(timing.re),
            [
                getattr(windows.entry, name).eq(getattr(selection.fields, name))
                for name in ("tones", "trace", "decimated", "first_weight")
            ],
            [getattr(windows.entry, name).eq(getattr(timing.fields, name)) for name in ("delay", "length")],
            phase.now.eq(self.now),
            phase.load.eq(load.fields.frequency),
            phase.tone.eq(load.fields.tone),
            phase.frequency.eq(settings._frequency.storage),
            phase.load_epoch.eq(settings._epoch.re),
            phase.epoch.eq(settings._epoch.storage),
        ]

        # Sample
        i, q = Signal.like(self.i), Signal.like(self.q)
        self.sync += [i.eq(self.i), q.eq(self.q)]

        # What the scheduler says, beside the sample (1), its products (2), the accumulator (3), the result (7)
        said = Cat(windows.live, windows.first, windows.last, windows.trace, windows.decimated, windows.tones)
        stages = [said]
        for _ in range(prepare + self.LATENCY - 1):
            stage = Signal(len(said))
            self.sync += stage.eq(stages[-1])
            stages.append(stage)
        live, first, last, traced, partial, chosen = (
            {n: stages[prepare + n - 1][bits] for n in range(1, self.LATENCY + 1)}
            for bits in (0, 1, 2, 3, 4, slice(5, None))
        )

        self.comb += self.busy.eq(windows.busy | (Cat(*(stage[0] for stage in stages[1:])) != 0))

        # Tones
        discriminators = []
        for k, tone in enumerate(tones):
            discriminator = Discriminator()
            self.submodules += discriminator
            discriminators.append(discriminator)
            self.comb += [
                tone.phase.eq(phase.phases[k]),
                tone.address.eq(windows.address),
                tone.weight_index.eq(settings.weight_sample),
                tone.weight_re.eq(settings._weight_data.storage[:WEIGHT_BITS]),
                tone.weight_im.eq(settings._weight_data.storage[WEIGHT_BITS:]),
                tone.weight_write.eq(settings._weight_data.re & (settings.weight_tone == k)),
                tone.i.eq(i),
                tone.q.eq(q),
                tone.live.eq(live[1]),
                tone.first.eq(first[1]),
                discriminator.i.eq(tone.integral_i),
                discriminator.q.eq(tone.integral_q),
                discriminator.start.eq(live[3] & last[3] & chosen[3][k]),
                discriminator.load.eq(load.fields.discriminant & (load.fields.tone == k)),
                [
                    getattr(discriminator, name).eq(getattr(settings, f"_{name}").storage)
                    for name in ("a1", "b1", "c1", "a2", "b2", "c2", "soft_shift")
                ],
                self.valid[k].eq(discriminator.valid),
                self.bits[k].eq(discriminator.bit),
                self.leaked[k].eq(discriminator.leaked),
                self.soft[k].eq(discriminator.soft),
            ]

        # Saturation: a component at an end of its range. The converter may have meant more.
        ends = (-(1 << SAMPLE_BITS - 1), (1 << SAMPLE_BITS - 1) - 1)
        at_end, in_window, counted = Signal(), Signal(), Signal()
        saturated = Signal(self.LATENCY - 3)
        self.comb += [
            at_end.eq(live[1] & ((i == ends[0]) | (i == ends[1]) | (q == ends[0]) | (q == ends[1]))),
            self.saturated.eq(saturated[-1]),
        ]
        self.sync += [
            counted.eq(at_end),
            If(live[2], in_window.eq((in_window & ~first[2]) | counted)),
            saturated.eq(Cat(live[3] & last[3] & in_window, saturated)),
            # Valid in the cycle after this one, LATENCY after the sample.
            If(live[6] & last[6], self.time.eq(self.now[:32] - (self.LATENCY - 1))),
        ]

        # Traces
        position = Signal(len(settings._partial.fields.decimation))
        at_value, wanted = Signal(), Signal()
        selected = Array(tones)[settings._partial.fields.tone]
        self.comb += [
            trace.values[0].eq(Cat(i, q)),
            trace.strobe.eq(1),
            trace.trigger.eq(live[1] & first[1] & traced[1]),
            at_value.eq((position == settings._partial.fields.decimation) | last[3]),
            wanted.eq(live[3] & (partial[3] | settings._partial.fields.every_window)),
        ]
        self.sync += [
            If(live[2],
                If(first[2] | (position == settings._partial.fields.decimation),
                    position.eq(0),
                ).Else(
                    position.eq(position + 1),
                ),
            ),
            decimated.values[0].eq(selected.re[TRACE_SHIFT:]),
            decimated.values[1].eq(selected.im[TRACE_SHIFT:]),
            decimated.strobe.eq(wanted & at_value),
            decimated.trigger.eq(wanted & first[3]),
        ]  # fmt: skip

        # Status
        self.comb += [
            settings.settled.eq(phase.settled),
            settings.bits.eq(self.bits),
            settings.leaked.eq(self.leaked),
            settings.time.eq(self.time),
            settings.count["windows"].eq(live[7] & last[7]),
            settings.count["collisions"].eq(self.collision),
            settings.count["unknown"].eq(self.unknown),
            settings.count["saturated_samples"].eq(counted),
            settings.count["saturated_windows"].eq(self.saturated),
        ]
