# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench spectrum`: how pure what the pulse generators play is, and how coherent their hops are.

The golden models stand for the gateware: they are bit-exact, which the last rows show on one stretch of events that is
also simulated. Spectra are those of numpy.fft, and the largest line beside the carrier counts, wherever it is. Random
frequency words have no period that fits: their spectra are taken through a Kaiser window, whose own side lobes are
180 dB down. What has a period is taken whole and without a window; all frequencies with the same period go through the
same phases, and have the same lines in another order.
"""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from triplane.gateware.dsp.layouts import NUM_TONES, PULSE, pack_entry
from triplane.gateware.sequencer.generator import PulseGenerator
from triplane.gateware.sequencer.layouts import Kind
from triplane.host.bench import BenchContext, benchmark
from triplane.host.outputs import write_whole
from triplane.sim.models.dsp.nco import oscillate
from triplane.sim.models.sequencer.generator import LATENCY, PulseGeneratorModel, envelope_words
from triplane.sim.models.sequencer.tones import ToneGeneratorModel
from triplane.sim.pulses import PARTS, loading, random_events, run_generator

SEED = 2026
COMMAND = "triplane bench spectrum"

SAMPLE_RATE_HZ = 491_520_000
"""Two samples a clock of 245.76 MHz."""

SFDR_GOAL = ">= 80"

LINES_BITS = 16
"""Spectra have 2**LINES_BITS lines."""

KAISER_BETA, MAIN_LOBE = 24.0, 16
"""Of the window: its shape, and lines on either side of the carrier that belong to it."""

FREQUENCIES, QUICK_FREQUENCIES = 2_000, 100
PERIODS, QUICK_PERIODS = 2_000, 200
AMPLITUDES = (2**15, 2**14, 2**12, 2**10)
"""Of the pulse; 2**15 is full scale."""

GENERATOR_FREQUENCIES, QUICK_GENERATOR_FREQUENCIES = 100, 10
HOPS, QUICK_HOPS = 4_000, 400
HOP_CLOCKS = 32

Samples = npt.NDArray[np.complex128]


@benchmark(
    "spectrum", help="Spectral purity of oscillator and generators, coherence of frequency hops.", plots=True
)
def bench_spectrum(ctx: BenchContext) -> None:
    """Oscillator, generator by amplitude, tones, hops; then the gateware beside its model."""
    ctx.seeds["frequencies"] = SEED
    command = COMMAND + (" --quick" if ctx.quick else "")
    worst = _oscillator(ctx, command)
    _generator(ctx, command)
    _tones(ctx, command)
    _hops(ctx, command)
    _gateware(ctx, command)
    if ctx.plot is not None:
        plot_spectrum(worst, ctx.plot)


def sfdr_db(samples: Samples, *, whole: bool) -> float:
    """Carrier over the largest other line, dB.

    Args:
        samples: at one frequency.
        whole: they hold whole periods, and no window is used.
    """
    window = 1.0 if whole else np.kaiser(len(samples), KAISER_BETA)
    power = np.abs(np.fft.fft(samples * window)) ** 2
    carrier = int(power.argmax())
    largest = power[carrier]
    width = 0 if whole else MAIN_LOBE
    power[np.arange(carrier - width, carrier + width + 1) % len(power)] = 0
    return float(10 * np.log10(largest / max(power.max(), 1e-12)))


def _oscillator(ctx: BenchContext, command: str) -> int:
    """Rows of the oscillator alone; returns the frequency word with the largest spur."""
    rng = np.random.default_rng(SEED)
    count = QUICK_FREQUENCIES if ctx.quick else FREQUENCIES
    words = rng.integers(0, 2**32, count)
    ranges = np.array([sfdr_db(_carrier(int(word), 2**LINES_BITS), whole=False) for word in words])
    work = f"oscillator, {count:,} random frequency words"
    row = functools.partial(ctx.row, work=work, unit="dB", command=command)
    row(measure="SFDR, least", value=ranges.min(), goal=SFDR_GOAL)
    row(measure="SFDR, median", value=float(np.median(ranges)), goal=None)
    # Few samples a period: errors repeat at once, and add up in few lines.
    periods = range(3, QUICK_PERIODS if ctx.quick else PERIODS)
    short = []
    for period in periods:
        cos, sin = oscillate(np.rint(np.arange(period) * 2**32 / period).astype(np.int64))
        short.append(sfdr_db(cos + 1j * sin, whole=True))
    work = f"oscillator, periods of 3 to {periods[-1]:,} samples"
    ctx.row(work=work, measure="SFDR, least", value=min(short), unit="dB", goal=SFDR_GOAL, command=command)
    cos, sin = oscillate(np.arange(0, 2**32, 2**12 if ctx.quick else 2**8))
    exact = (2**15 - 1) * np.exp(2j * np.pi * np.arange(len(cos)) / len(cos))
    work = f"oscillator, {len(cos):,} phases"
    error = np.abs(cos + 1j * sin - exact)
    ctx.row(
        work=work, measure="error, largest", value=error.max(), unit="LSB", goal="<= 0.90", command=command
    )
    return int(words[ranges.argmin()])


def _carrier(word: int, count: int) -> Samples:
    cos, sin = oscillate(word * np.arange(count, dtype=np.int64))
    return cos + 1j * sin


def _entry(**fields: int) -> dict[str, int]:
    return {"start": 0, "length": 1, "amplitude": 2**15, "slot": 0, "phase": 0, "after": 0} | fields


def _flat(clocks: int, value: int = 2**15 - 1) -> npt.NDArray[np.int64]:
    """A real envelope of this many clocks."""
    return np.tile(np.array([value, 0, value, 0], dtype=np.int64), (clocks, 1))


def _played(model: PulseGeneratorModel, events: list[tuple[int, int, int]], cycles: int) -> Samples:
    """Complex samples, the first of time 0 first."""
    found = model.run(events, cycles + LATENCY).samples[LATENCY:]
    return (found[:, 0::2] + 1j * found[:, 1::2]).ravel()


def _generator(ctx: BenchContext, command: str) -> None:
    """A flat pulse on a carrier: everything between event and output, by amplitude."""
    rng = np.random.default_rng(SEED + 1)
    clocks = 2 ** (LINES_BITS - 1)
    count = QUICK_GENERATOR_FREQUENCIES if ctx.quick else GENERATOR_FREQUENCIES
    words = rng.integers(0, 2**32, count)
    for amplitude in AMPLITUDES:
        model = PulseGeneratorModel([_entry(length=clocks, amplitude=amplitude)], _flat(clocks))
        ranges = [
            sfdr_db(
                _played(model, [(0, Kind.FREQ, int(word)), (1, Kind.PLAY, 0)], clocks + 1)[2:], whole=False
            )
            for word in words
        ]
        level = 20 * np.log10(amplitude / 2**15)
        work = f"generator, flat pulse at {level:.0f} dB of full scale, {count} random frequencies"
        row = functools.partial(ctx.row, work=work, unit="dB", command=command)
        # The floor of 16 bits stays where it is while the carrier goes down.
        row(measure="SFDR, least", value=min(ranges), goal=SFDR_GOAL if amplitude == AMPLITUDES[0] else None)
        row(measure="largest spur below full scale, least", value=min(ranges) - level, goal=SFDR_GOAL)


def _tones(ctx: BenchContext, command: str) -> None:
    """Eight tones at once, each an eighth of full scale."""
    rng = np.random.default_rng(SEED + 2)
    clocks = 2 ** (LINES_BITS - 1)
    lines = np.sort(rng.choice(np.arange(1, 2**LINES_BITS, 2), NUM_TONES, replace=False))
    entry = {"start": 0, "length": clocks, "amplitude": 2**15, "mask": 2**NUM_TONES - 1}
    model = ToneGeneratorModel([entry], _flat(clocks), [2**12 - 2**5] * NUM_TONES)
    events: list[tuple[int, int, int]] = []
    for tone, line in enumerate(lines):
        events += [(2 * tone, Kind.SLOT, tone), (2 * tone + 1, Kind.FREQ, int(line) << (32 - LINES_BITS))]
    events.append((2 * NUM_TONES, Kind.PLAY, 0))
    samples = _played(model, events, 2 * NUM_TONES + clocks)[4 * NUM_TONES :]
    power = np.abs(np.fft.fft(samples)) ** 2
    tones = power[lines]
    power[lines] = 0
    work = f"tone generator, {NUM_TONES} tones of 1/{NUM_TONES} of full scale each"
    row = functools.partial(ctx.row, work=work, unit="dB", command=command)
    row(measure="weakest tone over largest spur", value=10 * np.log10(tones.min() / power.max()), goal=None)
    full = (len(samples) * 2**15) ** 2
    row(measure="largest spur below full scale", value=10 * np.log10(full / power.max()), goal=SFDR_GOAL)
    row(measure="tones differ by at most", value=10 * np.log10(tones.max() / tones.min()), goal="<= 0.01")


def _hops(ctx: BenchContext, command: str) -> None:
    """Pulses on random slots: the phase of each, by projection on exp(2 pi i f t) of absolute time, in float64."""
    rng = np.random.default_rng(SEED + 3)
    count = QUICK_HOPS if ctx.quick else HOPS
    words = rng.integers(0, 2**32, 8)
    model = PulseGeneratorModel([_entry(slot=s, length=HOP_CLOCKS) for s in range(8)], _flat(HOP_CLOCKS))
    events: list[tuple[int, int, int]] = []
    for slot, word in enumerate(words):
        events += [(3 * slot, Kind.SLOT, slot), (3 * slot + 1, Kind.FREQ, int(word))]
    slots = rng.integers(0, 8, count)
    first = 24
    events += [(first + HOP_CLOCKS * k, int(Kind.PLAY), int(slot)) for k, slot in enumerate(slots)]
    samples = _played(model, events, first + HOP_CLOCKS * count)[2 * first :].reshape(count, 2 * HOP_CLOCKS)
    times = (
        2 * first + np.arange(2 * HOP_CLOCKS * count).reshape(samples.shape) - 2 * (3 * slots[:, None] + 1)
    )
    # Whole turns are taken off as integers: a float64 would lose the phase after some milliseconds.
    turns = (words[slots][:, None] * times & 0xFFFFFFFF) / 2**32
    errors = np.angle((samples * np.exp(-2j * np.pi * turns)).sum(axis=1))
    work = f"generator, {count:,} hops between 8 random frequencies, {HOP_CLOCKS} clocks each"
    row = functools.partial(ctx.row, work=work, command=command, unit="urad")
    row(measure="phase error of a pulse, largest", value=1e6 * np.abs(errors).max(), goal="<= 100")
    row(measure="phase error of a pulse, rms", value=1e6 * float(np.sqrt((errors**2).mean())), goal=None)
    early, late = errors[: count // 10], errors[-count // 10 :]
    row(
        measure="drift from the first tenth to the last",
        value=1e6 * abs(late.mean() - early.mean()),
        goal="<= 10",
    )


def _gateware(ctx: BenchContext, command: str) -> None:
    """Random events through the simulated gateware and through the model."""
    rng = np.random.default_rng(SEED + 4)
    cycles = 2_000 if ctx.quick else 20_000
    entries = [
        _entry(
            start=int(rng.integers(64)),
            length=int(rng.integers(0, 12)),
            amplitude=int(rng.integers(2**16)),
            slot=int(rng.integers(8)),
            phase=int(rng.integers(2**32)),
            after=int(rng.integers(2**32)),
        )
        for _ in range(16)
    ]
    model = PulseGeneratorModel(entries, rng.integers(-(2**15), 2**15, (64, 4)))
    events = random_events(rng, cycles)
    written = loading([pack_entry(PULSE, e) for e in entries], envelope_words(model.envelope))
    found = run_generator(PulseGenerator(entries=16, envelope_depth=64), written, events, cycles)
    expected = model.run(events, cycles)
    work = f"generator, {cycles:,} cycles of random events, Verilated gateware"
    row = functools.partial(ctx.row, work=work, command=command)
    differing = int((found["samples"] != expected.samples).any(axis=1).sum())
    row(
        measure=f"cycles that differ from the model in {', '.join(PARTS)}",
        value=differing,
        unit="",
        goal="<= 0",
    )
    row(measure="event to first sample", value=PulseGenerator.LATENCY, unit="cycles", goal="<= 8")


def plot_spectrum(word: int, path: Path) -> None:
    """Write the figure: the oscillator's spectrum at a frequency word; whole or not at all."""
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    samples = _carrier(word, 2**LINES_BITS)
    power = np.abs(np.fft.fft(samples * np.kaiser(len(samples), KAISER_BETA))) ** 2
    level = 10 * np.log10(np.fft.fftshift(power) / power.max() + 1e-16)
    frequency = np.fft.fftshift(np.fft.fftfreq(len(samples), 1 / SAMPLE_RATE_HZ)) / 1e6
    axes.plot(frequency, level, linewidth=0.5)
    axes.axhline(
        -80, linestyle="--", color="tab:red", linewidth=1, label="goal: no line above, but the carrier"
    )
    axes.set(xlabel="frequency (MHz)", ylabel="level (dBc)", ylim=(-160, 5))
    axes.set_title(f"Oscillator at the worst of the frequencies tried, {_megahertz(word):.3f} MHz")
    axes.legend(loc="upper right")
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=130)
    write_whole(path, image.getvalue())


def _megahertz(word: int) -> float:
    """Frequency of a word, -245.76 to 245.76 MHz."""
    return ((word + 2**31) % 2**32 - 2**31) / 2**32 * SAMPLE_RATE_HZ / 1e6
