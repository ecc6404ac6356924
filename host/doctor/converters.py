# SPDX-License-Identifier: BSD-2-Clause
r"""Pulses that come back over a cable, and that the board times itself: by the sample, in the trace of each line.

    DAC  ________/‾‾‾‾\_______________________________/‾‾‾‾\____
    ADC  _______________/‾‾‾‾\_______________________________/‾‾‾‾\___   trace, from the first capture on
         |       | loop |    |<------ feedback ------>| loop |
         play            window's last sample          conditional pulse

A first program finds where the pulse comes back and how strong it is; a second one reads it as a bit, and plays the
second pulse because the bit is 1. What lies between is what the gateware takes, and what is left is the converters' and
the cable's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.dsp.layouts import SCALE_BITS, TONES
from triplane.gateware.readout.layouts import Window
from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.generator import PulseGenerator
from triplane.gateware.sequencer.layouts import EVENT_TO_RELEASE, RESULT_TO_EVENT
from triplane.gateware.shape import FabricShape
from triplane.hal.control import ControlProgram, Demodulation, Tones
from triplane.hal.device import TONE_SHARE
from triplane.host.compiler.device import CHAINED, packed, told_apart
from triplane.host.doctor.finding import Finding, failed, ok, skipped, warning
from triplane.host.doctor.patient import Patient

PULSE_SAMPLES = 64
"""At the DAC."""

PULSE_CYCLES = PULSE_SAMPLES // 2

LIMIT_CYCLES = 20_000
PATIENCE = 4_000

LEAST_LSB = 64.0
"""Of a pulse that is one: a thousandth of an ADC's range is 33."""

NOISES = 6.0
"""Standard deviations above which a sample is no noise."""

NOISE_SHARE = 1 / 8
"""Of a pulse's amplitude that its noise is taken for at the least: coefficients of no noise have no end."""

FULL_SCALE = 2**15 - 1

FEEDBACK_CYCLES = ReadoutLine.LATENCY + RESULT_TO_EVENT + EVENT_TO_RELEASE + PulseGenerator.LATENCY
"""From the last sample of a window to the first of the conditional pulse."""

DELAY_SHARE = 0.25
"""By which the measured delay of converters and cable may differ from the descriptor's, which is an assumption."""

Trace = npt.NDArray[np.complex128]

NOT_CABLED = (
    "no check of converters without cables: connect each readout line's DAC to its ADC, and say --cabled"
)


@dataclass(frozen=True)
class Echo:
    """What came back to a line.

    Attributes:
        first: sample of the trace with which the pulse begins.
        value: of its samples, in steps of the ADC.
        noise: standard deviation before it, of each part.
        clipped: samples at the ADC's limits.
    """

    first: int
    value: complex
    noise: float
    clipped: int


class Converters:
    """The checks of the converters; what one has measured the next one uses.

    Args:
        patient: with a fabric, and cables.
    """

    def __init__(self, patient: Patient) -> None:
        self._patient = patient
        self._echoes: list[Echo | None] = []

    def loopback(self) -> Finding:
        """Each line hears its own pulse, after the delay that the descriptor says."""
        shape = self._patient.fabric
        if (reason := self._not_here()) is not None or shape is None:
            return skipped(reason or "")
        traces = self._traces(shape, [Demodulation(windows=(Window(0, 1, trace=True),))] * shape.lines)
        self._echoes = [find(trace) for trace in traces]
        deaf = [line for line, echo in enumerate(self._echoes) if echo is None]
        if deaf:
            return failed(
                f"line {', '.join(map(str, deaf))}: no pulse comes back",
                "check the cable from that line's DAC to its ADC, the attenuators, and that both tiles run (`streams`)",
                **{f"line {line} largest_lsb": float(np.abs(traces[line]).max()) for line in deaf},
            )
        echoes = [echo for echo in self._echoes if echo is not None]
        clock = self._patient.get("identification_clock_hz")
        delays = [1e9 * loop_cycles(echo) / clock for echo in echoes]
        shown: dict[str, float | int | str] = {}
        for line, (echo, delay) in enumerate(zip(echoes, delays, strict=True)):
            shown |= {
                f"line {line} loop_cycles": loop_cycles(echo), f"line {line} loop_ns": delay,
                f"line {line} amplitude_lsb": abs(echo.value), f"line {line} noise_lsb": echo.noise,
            }  # fmt: skip
        clipped = [line for line, echo in enumerate(echoes) if echo.clipped]
        if clipped:
            return failed(
                f"line {', '.join(map(str, clipped))}: the pulse drives the ADC beyond its range",
                "put an attenuator into the cable, or lower the DAC's current",
                **shown,
            )
        timing = self._patient.board.descriptor.timing
        said = sum(delay.ns for delay in (timing.dac_delay, timing.adc_delay, timing.cable_delay))
        text = f"converters and cable take {', '.join(f'{delay:.1f}' for delay in delays)} ns"
        if any(abs(delay - said) > DELAY_SHARE * said for delay in delays):
            return warning(
                f"{text}; the descriptor says {said:g} ns",
                "write what was measured into the board's descriptor, as `measured`: budgets are reckoned with it",
                **shown,
            )
        return ok(f"{text}, of {said:g} ns that the descriptor says", **shown)

    def sync(self) -> Finding:
        """All lines hear their pulses in the same cycle: the tiles of the converters are aligned."""
        if (reason := self._not_here()) is not None:
            return skipped(reason)
        echoes = [echo for echo in self._echoes if echo is not None]
        if len(self._echoes) < 2:
            return skipped("tiles are compared by two lines at the least, and this board has one")
        if len(echoes) < len(self._echoes):
            return skipped("lines that hear nothing cannot be compared; see loopback")
        cycles = [loop_cycles(echo) for echo in echoes]
        shown = {f"line {line} loop_cycles": count for line, count in enumerate(cycles)}
        if max(cycles) != min(cycles):
            return failed(
                "the lines are not aligned: with cables of one length their pulses come back after "
                f"{', '.join(map(str, cycles))} cycles",
                "if the cables are equal, synchronise the tiles again (multi-tile synchronisation, docs/boards.md), "
                "and check that SYSREF reaches all of them",
                **shown,
            )
        return ok(f"all {len(cycles)} lines are aligned, to the cycle", **shown)

    def latency(self) -> Finding:
        """The board times its own feedback: from a window's last sample to the pulse that the bit conditions."""
        shape = self._patient.fabric
        if (reason := self._not_here()) is not None or shape is None:
            return skipped(reason or "")
        echo = self._echoes[0] if self._echoes else None
        if echo is None:
            return skipped("line 0 hears nothing; see loopback")
        delay = max(echo.first - 1, 0)
        length = echo.first - delay + PULSE_CYCLES
        line = demodulation(echo, delay, length)
        others = [Demodulation(windows=(Window(0, length, delay, trace=True),))] * (shape.lines - 1)
        trace = self._traces(shape, [line, *others], conditional=True)[0]
        second = find(trace[length:], echo.noise)
        if second is None:
            return failed(
                "the pulse was not read as 1, or the pulse that it conditions has not come back",
                "repeat; if it stays so, the readout of line 0 or the sequencer's branch is at fault: report this",
                length=length,
            )
        # The window's last sample is number length - 1; the second pulse left `loop` cycles before it was heard.
        cycles = length + second.first - loop_cycles(echo) - (length - 1)
        clock = self._patient.get("identification_clock_hz")
        shown = {
            "feedback_cycles": cycles,
            "expected_cycles": FEEDBACK_CYCLES,
            "feedback_ns": 1e9 * cycles / clock,
        }
        if cycles != FEEDBACK_CYCLES:
            return failed(
                f"feedback takes {cycles} cycles, and by this gateware's design {FEEDBACK_CYCLES}",
                "report this: the gateware is not what it says, or samples are lost between converters and fabric",
                **shown,
            )
        return ok(
            f"feedback takes {cycles} cycles ({shown['feedback_ns']:.1f} ns at {clock / 1e6:g} MHz) without "
            f"converters, as designed; with these converters and cables {cycles + loop_cycles(echo)}",
            **shown,
        )

    def _not_here(self) -> str | None:
        """Why these checks cannot be made."""
        if self._patient.fabric is None:
            return "this board has no converters"
        if not self._patient.cabled:
            return NOT_CABLED
        return None

    def _traces(
        self, shape: FabricShape, lines: list[Demodulation], *, conditional: bool = False
    ) -> list[Trace]:
        """What each line hears of a pulse on all of them; complex128 (samples,) from its window's first sample on."""
        patient = self._patient
        patient.board.load_control(
            ControlProgram(
                assemble(program(shape, conditional=conditional)),
                tones=(pulse(),) * shape.lines,
                demodulation=tuple(lines),
            )
        )
        for line in range(shape.lines):
            patient.put(f"line{line}_trace_length", shape.trace_samples)
            patient.pulse(f"line{line}_trace_control", "arm")
        patient.board.execute(limit_cycles=LIMIT_CYCLES)
        return [self._trace(line, shape.trace_samples) for line in range(shape.lines)]

    def _trace(self, line: int, samples: int) -> Trace:
        patient = self._patient
        patient.wait(lambda: patient.fields(f"line{line}_trace_status")["count"] == samples, 5.0)
        patient.put(f"line{line}_trace_index", 0)
        register = patient.board.registers[f"line{line}_trace_data"]
        words = patient.board.burst_read(register.address, samples, increment=False)
        parts = words.astype("<u4").view("<i2").reshape(-1, 2).astype(np.float64)
        return np.asarray(parts[:, 0] + 1j * parts[:, 1])


def pulse() -> Tones:
    """Entry 0 of every line: its first tone, as loud as one of eight may be."""
    entries, envelope = packed({0: (np.ones(PULSE_SAMPLES, np.complex64), {"mask": 1})}, TONES)
    return Tones(entries, envelope, (round(TONE_SHARE * 2**SCALE_BITS),))


def program(shape: FabricShape, *, conditional: bool) -> str:
    """A pulse on all lines at once, and a window on each; then the second pulse, if line 0 reads the first as 1."""
    names = [f"line{line}" for line in range(shape.lines)]
    channels = [f".channel {name}, {shape.drives + line}" for line, name in enumerate(names)]
    rest = shape.trace_samples + PATIENCE
    second = f"    on.zero 0, end, {PATIENCE}\n    play lines, 0\n" if conditional else ""
    return "\n".join(
        [
            *channels,
            ".group lines, " + ", ".join(names) + (" arms 0" if conditional else ""),
            "    wait 200",
            # A tone of no frequency: what comes back is a plateau, and its edge is a sample.
            "    slot lines, 0, +4",
            "    freq lines, 0, +4",
            "    reset lines, 0, +40",
            "    play lines, 0",
            "    capture lines, 0",
            f"{second}end:",
            f"    wait {rest}",
            # Nothing to hear: so that the program lasts until the traces are full.
            "    phase lines, 0",
            "    halt 0",
        ]
    )


def find(trace: Trace, noise: float | None = None) -> Echo | None:
    """The first pulse of a trace; None where there is none.

    trace: complex128 (samples,), in steps of the ADC.
    noise: standard deviation of each part, where it is known; else that of the quietest eighth of the trace.
    """
    if noise is None:
        parts = np.abs(trace)
        quiet = np.sort(parts)[: max(len(parts) // 8, 2)]
        noise = float(np.sqrt((quiet**2).mean() / 2))
    largest = float(np.abs(trace).max(initial=0.0))
    if largest < max(LEAST_LSB, NOISES * noise):
        return None
    above = np.flatnonzero(np.abs(trace) > largest / 2)
    first = int(above[0])
    plateau = trace[first : first + PULSE_CYCLES]
    limits = np.maximum(np.abs(plateau.real), np.abs(plateau.imag)) >= FULL_SCALE
    return Echo(first, complex(plateau.mean()), noise, int(limits.sum()))


def loop_cycles(echo: Echo) -> int:
    """From a DAC's first sample to the ADC's, for a capture at the time of the play."""
    arrives = echo.first + ReadoutLine.LEAD + CHAINED
    return arrives - PulseGenerator.LATENCY


def demodulation(echo: Echo, delay: int, length: int) -> Demodulation:
    """Line 0 reads the pulse as 1 and silence as 0, in the window that begins `delay` cycles later than it can."""
    one = np.zeros(length, np.complex128)
    one[echo.first - delay :] = echo.value
    weights, discriminant = told_apart(
        np.zeros_like(one), one, max(echo.noise, NOISE_SHARE * abs(echo.value))
    )
    return Demodulation((0,), weights[None], (discriminant,), (Window(1, length, delay, trace=True),))
