# SPDX-License-Identifier: BSD-2-Clause
"""Windows of several tones back to back, through a simulated readout line and its model, and how precise they are."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from triplane.gateware.readout.layouts import INTEGRAL_SHIFT, TRACE_SHIFT, Discriminant, Window
from triplane.gateware.readout.writes import window_writes
from triplane.host.bench import BenchContext
from triplane.host.bench.resynthesis import LENGTH, NUM_TONES, SEED, Integers, Tones, rounded
from triplane.sim.models.readout.discriminator import discriminate
from triplane.sim.models.readout.integrator import integrate
from triplane.sim.readout import SimulatedLine

ALL_TONES = (1 << NUM_TONES) - 1
PRECISION_WINDOWS, CROSSTALK_WINDOWS = 2_000, 32
NOISE = (3000, 300, 30, 3)
"""Standard deviations of the noise in steps of the converter, with tones ten times as large in all."""
FULL_SCALE = 32_000


def load_tones(line: SimulatedLine, tones: Tones, registers: Discriminant) -> None:
    """Sets all tones of a line up alike; entry 0 of its table is then a window of all of them."""
    for tone, frequency in enumerate(tones.frequencies):
        line.load_tone(tone, frequency=frequency, weights=tones.weights, discriminant=registers)
    line.apply(window_writes(0, Window(ALL_TONES, LENGTH)))


def window_starts(line: SimulatedLine, windows: int) -> Integers:
    """Cycle of the first sample of windows back to back, the first by an event in the next cycle."""
    return line.now + line.build.lead + LENGTH * np.arange(windows, dtype=np.int64)


def model_integrals(tones: Tones, samples: npt.NDArray[np.int16], starts: Integers) -> Integers:
    """By the model: int64 (windows, tones, 2)."""
    found = [integrate(samples, starts, frequency, tones.weights) for frequency in tones.frequencies]
    return np.stack([np.stack(pair, axis=1) for pair in found], axis=1)


def run_windows(line: SimulatedLine, samples: npt.NDArray[np.int16]) -> npt.NDArray[np.void]:
    """Records of windows back to back, (windows, LENGTH, 2), the first by an event in the next cycle."""
    count, edge = len(samples), np.zeros((line.build.lead, 2), dtype=np.int16)
    stream = np.concatenate([edge, samples.reshape(-1, 2), edge, edge])
    events = [(LENGTH * k, 0) for k in range(count)]
    records = line.run(len(stream), stream, events)
    if len(records) != count or (records["valid"] != ALL_TONES).any():
        raise AssertionError(f"the readout line gave {len(records)} results for {count} windows")
    return records


def differing_shots(
    line: SimulatedLine, samples: npt.NDArray[np.int16], integrals: Integers, registers: Discriminant
) -> int:
    """Shots whose results in gateware are not the model's."""
    records = run_windows(line, samples)
    wrong = 0
    for tone in range(NUM_TONES):
        expected = discriminate(integrals[:, tone, 0], integrals[:, tone, 1], registers)
        differs = (records["bits"] >> tone & 1 == 1) != expected.bit
        differs |= (records["leaked"] >> tone & 1 == 1) != expected.leaked
        differs |= records["soft"][:, tone] != expected.soft
        wrong += int(differs.sum())
    return wrong


def precision_rows(ctx: BenchContext, line: SimulatedLine, command: str) -> None:
    """Fixed point against float64: noise added, crosstalk, and the phase of a tone from shot to shot."""
    tones, rng = Tones.spread(), np.random.default_rng(SEED)
    load_tones(line, tones, Discriminant(1, 0, 0))
    row = functools.partial(ctx.row, command=command)
    windows = PRECISION_WINDOWS
    for deviation in NOISE:
        starts = window_starts(line, windows)
        size = 10 * deviation / NUM_TONES * np.exp(2j * np.pi * rng.random((windows, NUM_TONES, 1)))
        noise = rng.normal(scale=deviation, size=(windows, LENGTH, 2)) @ np.array([1, 1j])
        signal = (size * tones.phasors(starts)).sum(axis=1)
        limited = min(
            1.0, FULL_SCALE / float(np.abs(np.stack([(signal + noise).real, (signal + noise).imag])).max())
        )
        exact = tones.integrals((signal + noise) * limited, starts)
        found = model_integrals(tones, rounded((signal + noise) * limited), starts)
        added = np.mean(np.abs(found[..., 0] + 1j * found[..., 1] - exact) ** 2)
        physical = np.mean(np.abs(tones.integrals(noise * limited, starts)) ** 2)
        row(
            work=f"{NUM_TONES} tones in noise of {deviation * limited:.0f} steps rms, model",
            measure="loss of signal to noise against float64, samples unrounded",
            value=10 * np.log10(1 + added / physical),
            unit="dB",
            goal="<= 0.05",
        )
    _crosstalk_rows(ctx, line, tones, command)


def _crosstalk_rows(ctx: BenchContext, line: SimulatedLine, tones: Tones, command: str) -> None:
    """One tone at full scale: what the others see, and whether it looks the same in every shot; all in gateware."""
    windows = CROSSTALK_WINDOWS
    others, turns, differing = [], [], 0
    for tone in range(NUM_TONES):
        points = []
        for watched in range(NUM_TONES):
            line.write("settings_partial", watched | 1 << 8 | 1023 << 16)
            line.write("decimated_control", 1)
            starts = window_starts(line, windows)
            samples = rounded(FULL_SCALE * tones.phasors(starts)[:, tone])
            run_windows(line, samples)
            point = line.read_decimated().astype(np.int64) >> INTEGRAL_SHIFT - TRACE_SHIFT
            differing += int((point != model_integrals(tones, samples, starts)[:, watched]).any(axis=1).sum())
            points.append(point[:, 0] + 1j * point[:, 1])
        own = points[tone].mean()
        others += [np.abs(points[k] / own).max() for k in range(NUM_TONES) if k != tone]
        turns.append(np.abs(np.angle(points[tone] / own)).max())
    work = f"one of {NUM_TONES} tones at full scale, {NUM_TONES**2 * windows:,} windows, gateware"
    row = functools.partial(ctx.row, work=work, command=command)
    row(measure="integrals that differ from the model", value=differing, unit="integrals", goal="== 0")
    loudest = 20 * np.log10(max(others))
    row(measure="largest integral of another tone", value=loudest, unit="dB", goal="<= -80")
    row(
        measure="largest turn of a tone between windows",
        value=np.degrees(max(turns)),
        unit="degrees",
        goal="<= 0.01",
    )
