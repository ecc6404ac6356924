# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench physics`: calibration experiments on the emulated processor, fitted, against the parameters set.

Pulses are built in Python and played through the emulator's own interface; no gateware is between. Curves are
fitted as those of a real device are (`triplane.host.calibration.experiments`), from bits that a discriminator
made of ADC samples.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from triplane.hal.device import DAC_HZ, Device, load_device
from triplane.host.bench import BenchContext, benchmark
from triplane.host.bench.physics_codes import codes
from triplane.host.calibration import experiments
from triplane.host.calibration.experiments import Fit
from triplane.sim.qpu import Processor, PulseEvent, Readout, Sequence, Tone, carrier_phase
from triplane.sim.qpu.gates import CROSS_RISE, flat_top
from triplane.sim.qpu.lab import Lab, Program
from triplane.sim.qpu.resonator import separation

SEED = 2026
COMMAND = "triplane bench physics"

GOAL = "<= 5"
"""Percent between a fitted parameter and the one set."""

POINTS, SHOTS = 50, 2_000
QUICK_POINTS, QUICK_SHOTS = 40, 1_000
BLOB_SHOTS, QUICK_BLOB_SHOTS = 10_000, 4_000

RABI_SAMPLES = 96
SPAN_HZ = 6e6
"""Of the spectroscopy, to each side."""

TONE_SAMPLES = 1_200
CROSS_SAMPLES = (64, 1_600)
"""Lengths of the cross-resonance pulses that are swept."""

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """One experiment of the figure."""

    title: str
    x: Reals
    y: Reals
    fit: Fit
    label: str


@dataclass
class Figures:
    """What `--plot` draws: panels, and the shots of the blobs, complex (2, shots)."""

    panels: list[Panel] = field(default_factory=list)
    blobs: npt.NDArray[np.complex128] = field(default_factory=lambda: np.zeros((2, 0), dtype=np.complex128))


@benchmark(
    "physics",
    help="Rabi, Ramsey, T1, echo, spectroscopy, IQ blobs and codes on the emulated processor.",
    plots=True,
)
def bench_physics(ctx: BenchContext) -> None:
    """Fitted parameters against those set, stabilizer back end against Stim, and speed."""
    ctx.seeds["emulator"] = SEED
    figures = Figures()
    device = load_device("one_qubit")
    blobs(ctx, device, figures)
    rabi(ctx, device, figures)
    delays(ctx, device, figures)
    spectroscopy(ctx, device, figures)
    cross_resonance(ctx, load_device("two_qubit"), figures)
    codes(ctx, _command(ctx))
    if ctx.plot is not None:
        from triplane.host.bench.physics_plot import plot

        plot(figures, ctx.plot)


def blobs(ctx: BenchContext, device: Device, figures: Figures) -> None:
    """Both states, projected on the difference of their measured mean traces."""
    lab = Lab(Processor(device, seed=SEED))
    shots = QUICK_BLOB_SHOTS if ctx.quick else BLOB_SHOTS
    prepared = [lab.traces(program, shots) for program in (_ground, _excited)]
    # Half of the shots give the weights, the other half is judged.
    half = shots // 2
    weight = (prepared[1][:half].mean(axis=0) - prepared[0][:half].mean(axis=0)).conj()
    sums = np.array([traces[half:] @ weight for traces in prepared]) / np.linalg.norm(weight)
    figures.blobs = sums.astype(np.complex128)
    fit = experiments.fit_blobs(sums[0].real.astype(np.float64), sums[1].real.astype(np.float64))
    line = device.lines[0]
    readout = lab.schedule(_ground)[0]
    assert isinstance(readout, Readout)
    expected = separation(line, line.tones[0], readout.tones[0])
    work = f"{device.name}, IQ blobs, 2 x {shots:,} shots"
    row = functools.partial(ctx.row, work=work, command=_command(ctx))
    _compared(ctx, work, "distance of the blobs", fit["snr"], fit.errors["snr"], expected.snr, "sigma")
    threshold = (fit["centre0"] + fit["centre1"]) / 2
    wrong = np.array([np.mean(sums[0].real > threshold), np.mean(sums[1].real < threshold)])
    row(measure="assignment error, prepared in 0", value=wrong[0], unit="", goal=None)
    row(
        measure="assignment error, prepared in 1 (T1 in pulse and window)", value=wrong[1], unit="", goal=None
    )
    row(measure="erfc(snr / 2 sqrt 2) / 2 for the parameters set", value=expected.overlap, unit="", goal=None)
    spread = math.sqrt(max(expected.overlap, 1 / half) / half)
    deviation = abs(wrong[0] - expected.overlap) / spread
    row(measure="error in 0 less that formula, standard deviations", value=deviation, unit="", goal="<= 4")


def rabi(ctx: BenchContext, device: Device, figures: Figures) -> None:
    """Population against the amplitude of a raised cosine."""
    shape = ((1 - np.cos(2 * math.pi * (np.arange(RABI_SAMPLES) + 0.5) / RABI_SAMPLES)) / 2).astype(
        np.complex64
    )
    qubit = device.qubits[0]
    offset_hz = qubit.frequency_hz - qubit.lo_hz

    def play(amplitude: float, sequence: Sequence) -> None:
        envelope = (amplitude * shape).astype(np.complex64)
        sequence.events.append(PulseEvent(qubit.channel, 0, envelope, offset_hz))
        sequence.wait(RABI_SAMPLES)
        sequence.measure([0])

    amplitudes = np.linspace(0, 1, _points(ctx))
    populations, seconds = _sweep(device, amplitudes, play, _shots(ctx) // 4)
    fit = experiments.fit_rabi(amplitudes, populations)
    area_s = float(shape.real.sum()) / DAC_HZ
    work = _work(ctx, device, "Rabi", _shots(ctx) // 4)
    fitted, spread = fit["turns"] / area_s / 1e6, fit.errors["turns"] / area_s / 1e6
    _compared(ctx, work, "Rabi frequency at full scale", fitted, spread, qubit.rabi_hz / 1e6, "MHz")
    ctx.row(
        work=work, measure="time of the processor", value=seconds, unit="s", goal=None, command=_command(ctx)
    )
    figures.panels.append(Panel("Rabi", amplitudes, populations, fit, "amplitude, full scale 1"))


def delays(ctx: BenchContext, device: Device, figures: Figures) -> None:
    """Ramsey, echo and T1: what waiting does."""
    qubit = device.qubits[0]

    def samples(delay_s: float) -> int:
        return 2 * round(delay_s * DAC_HZ / 2)

    def ramsey(delay_s: float, sequence: Sequence) -> None:
        sequence.x90(0)
        sequence.wait(samples(delay_s))
        sequence.x90(0)
        sequence.measure([0])

    def echo(delay_s: float, sequence: Sequence) -> None:
        sequence.x90(0)
        sequence.wait(samples(delay_s / 2))
        sequence.x180(0)
        sequence.wait(samples(delay_s / 2))
        sequence.x90(0)
        sequence.measure([0])

    def relaxation(delay_s: float, sequence: Sequence) -> None:
        sequence.x180(0)
        sequence.wait(samples(delay_s))
        sequence.measure([0])

    t1_s, t2_s = qubit.t1_us * 1e-6, qubit.t2_us * 1e-6
    zero, one = (_share(ctx, device, program) for program in (_ground, _excited))
    waits = np.linspace(0.1e-6, 1.5 * t2_s, _points(ctx))
    populations, _ = _sweep(device, waits, ramsey, _shots(ctx))
    fit = experiments.fit_ramsey(waits, populations)
    work = _work(ctx, device, "Ramsey", _shots(ctx))
    fitted = (fit["frequency_hz"] / 1e3, fit.errors["frequency_hz"] / 1e3)
    _compared(ctx, work, "detuning", *fitted, abs(qubit.detuning_hz) / 1e3, "kHz")
    _compared(ctx, work, "T2", fit["t2_s"] * 1e6, fit.errors["t2_s"] * 1e6, qubit.t2_us, "us")
    figures.panels.append(Panel("Ramsey", waits * 1e6, populations, _in_us(fit), "delay, us"))
    decays = (("echo", echo, t2_s, "T2", (zero + one) / 2), ("T1", relaxation, t1_s, "T1", zero))
    for title, program, time_s, name, end in decays:
        waits = np.linspace(0.1e-6, 2.5 * time_s, _points(ctx))
        populations, _ = _sweep(device, waits, program, _shots(ctx))
        fit = experiments.fit_decay(waits, populations, offset=end)
        work = _work(ctx, device, title, _shots(ctx))
        _compared(ctx, work, name, fit["time_s"] * 1e6, fit.errors["time_s"] * 1e6, time_s * 1e6, "us")
        figures.panels.append(Panel(title, waits * 1e6, populations, _in_us(fit), "delay, us"))


def spectroscopy(ctx: BenchContext, device: Device, figures: Figures) -> None:
    """Transmitted power of a long tone against its frequency, qubit in 0."""
    line = device.lines[0]
    resonator = line.tones[0]
    envelope = np.full(TONE_SAMPLES, 0.5, dtype=np.complex64)
    offsets = resonator.frequency_hz - line.lo_hz + np.linspace(-SPAN_HZ, SPAN_HZ, _points(ctx))
    lab = Lab(Processor(device, seed=SEED))
    shots = _shots(ctx) // 4
    powers = []
    for offset_hz in offsets:
        tone = Tone(float(offset_hz), envelope)
        traces = lab.traces(lambda seq, tone=tone: seq.events.append(Readout(0, 0, (tone,))), shots)  # type: ignore[misc]
        settled = traces[:, TONE_SAMPLES // 4 :]
        powers.append(float(abs(settled.mean()) ** 2))
    power = np.array(powers)
    frequencies = offsets + line.lo_hz
    fit = experiments.fit_resonance(frequencies, power)
    work = f"{device.name}, resonator spectroscopy, {len(offsets)} points x {shots:,} shots"
    widths = resonator.kappa_hz
    shift = abs(fit["frequency_hz"] - resonator.frequency_hz) / widths * 100
    row = functools.partial(ctx.row, work=work, command=_command(ctx))
    row(measure="resonance", value=fit["frequency_hz"] / 1e6, unit="MHz", goal=None)
    row(measure="resonance: from the one set, of its width", value=shift, unit="%", goal=GOAL)
    fitted = (fit["kappa_hz"] / 1e6, fit.errors["kappa_hz"] / 1e6)
    _compared(ctx, work, "width kappa", *fitted, resonator.kappa_hz / 1e6, "MHz")
    figures.panels.append(
        Panel("resonator", (frequencies - line.lo_hz) / 1e6, power, _shifted(fit, line.lo_hz), "tone, MHz")
    )


def cross_resonance(ctx: BenchContext, device: Device, figures: Figures) -> None:
    """The target turns faster or slower by the control's state: half the difference is ZX, half the sum IX."""
    coupling = device.couplings[0]
    driven, target = device.qubits[coupling.control], device.qubits[coupling.target]
    offset_hz = target.frequency_hz - driven.lo_hz
    lengths = 2 * np.round(np.linspace(CROSS_SAMPLES[0], CROSS_SAMPLES[1], _points(ctx)) / 2).astype(int)
    lengths = lengths[0] + np.arange(len(lengths)) * (lengths[1] - lengths[0])

    def play(excited: bool, length: float, sequence: Sequence) -> None:
        if excited:
            sequence.x180(coupling.control)
        start = sequence.barrier()
        envelope = flat_top(int(length), 1.0)
        phase_rad = carrier_phase(offset_hz, start)
        sequence.events.append(PulseEvent(driven.channel, start, envelope, offset_hz, phase_rad))
        sequence.wait(int(length))
        sequence.measure([coupling.target])

    rates = []
    work = _work(ctx, device, "cross-resonance", _shots(ctx) // 4)
    for excited in (False, True):
        populations, _ = _sweep(device, lengths, functools.partial(play, excited), _shots(ctx) // 4)
        seconds = (lengths - CROSS_RISE) / DAC_HZ
        fit = experiments.fit_rabi(seconds, populations)
        rates.append((fit["turns"], fit.errors["turns"]))
        title = f"cross-resonance, control {int(excited)}"
        figures.panels.append(Panel(title, seconds * 1e6, populations, _in_us(fit), "length, us"))
    mean = (rates[0][0] + rates[1][0]) / 2 / 1e6
    spread = math.hypot(rates[0][1], rates[1][1]) / 2 / 1e6
    _compared(ctx, work, "ZX rate at full scale", mean, spread, coupling.zx_hz / 1e6, "MHz")
    left = (rates[0][0] - rates[1][0]) / 2 / 1e3
    ctx.row(
        work=work,
        measure=f"IX rate at full scale ({coupling.ix_hz / 1e3:g} set)",
        value=left,
        unit="kHz",
        goal=None,
        command=_command(ctx),
    )


def _sweep(
    device: Device, points: Reals, play: Callable[[float, Sequence], None], shots: int
) -> tuple[Reals, float]:
    """Share of shots that is read as 1 at each point, and the seconds of this process that it took."""
    lab = Lab(Processor(device, seed=SEED))
    begun = time.process_time()
    shares = [lab.bits(functools.partial(play, float(point)), shots).mean() for point in points]
    return np.array(shares), time.process_time() - begun


def _share(ctx: BenchContext, device: Device, program: Program) -> float:
    """Share of shots of a program that are read as 1, from ten points' worth of them."""
    return float(Lab(Processor(device, seed=SEED + 1)).bits(program, 10 * _shots(ctx)).mean())


def _ground(sequence: Sequence) -> None:
    sequence.measure([0])


def _excited(sequence: Sequence) -> None:
    sequence.x180(0)
    sequence.measure([0])


def _compared(
    ctx: BenchContext, work: str, name: str, fitted: float, spread: float, wanted: float, unit: str
) -> None:
    row = functools.partial(ctx.row, work=work, command=_command(ctx))
    row(measure=f"{name}, fitted (+- {spread:.2g}, {wanted:.4g} set)", value=fitted, unit=unit, goal=None)
    row(measure=f"{name}: from the one set", value=abs(fitted / wanted - 1) * 100, unit="%", goal=GOAL)


def _in_us(fit: Fit) -> Fit:
    return Fit(fit.values, fit.errors, lambda x: fit.curve(x * 1e-6))


def _shifted(fit: Fit, lo_hz: float) -> Fit:
    return Fit(fit.values, fit.errors, lambda x: fit.curve(x * 1e6 + lo_hz))


def _points(ctx: BenchContext) -> int:
    return QUICK_POINTS if ctx.quick else POINTS


def _shots(ctx: BenchContext) -> int:
    return QUICK_SHOTS if ctx.quick else SHOTS


def _work(ctx: BenchContext, device: Device, name: str, shots: int) -> str:
    return f"{device.name}, {name}, {_points(ctx)} points x {shots:,} shots"


def _command(ctx: BenchContext) -> str:
    return COMMAND + (" --quick" if ctx.quick else "")
