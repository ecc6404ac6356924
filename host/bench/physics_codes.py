# SPDX-License-Identifier: BSD-2-Clause
"""Codes in `triplane bench physics`: the stabilizer back end against Stim's prediction of its noise, and its speed."""

from __future__ import annotations

import functools
import math
import time

import numpy as np

from triplane.hal.device import Device, load_device
from triplane.host.bench import BenchContext
from triplane.sim.qpu import Processor, Readout, noise_model
from triplane.sim.qpu.filters import MatchedFilter
from triplane.sim.qpu.lab import Lab
from triplane.sim.qpu.surface import memory

SEED = 2026

CODES = ((3, 3, 20_000, 1_000), (5, 5, 4_000, 60))
"""Distance, rounds, shots, shots of the quick run."""

PREDICTED = 50
"""Shots of Stim for each of the back end."""

ROUNDS_TIMED = 100


def codes(ctx: BenchContext, command: str) -> None:
    """All codes, and the time of a round."""
    for distance, rounds, shots, quick in CODES:
        code(ctx, distance, rounds, quick if ctx.quick else shots, command)
    device = load_device("surface17")
    ctx.row(
        work=f"{device.name}, stabilizer back end",
        measure="a round with its 8 readouts and their samples, one core",
        value=time_rounds(device),
        unit="ms",
        goal="<= 1",
        command=command,
    )


def code(ctx: BenchContext, distance: int, rounds: int, shots: int, command: str) -> None:
    """Detection events of a memory experiment by pulses, samples and a discriminator, against Stim's prediction."""
    device = load_device(f"surface{2 * distance**2 - 1}")
    experiment = memory(device, distance, rounds)
    circuit = experiment.annotate(noise_model(device, experiment.schedule))
    predicted, flips = circuit.compile_detector_sampler(seed=SEED).sample(
        PREDICTED * shots, separate_observables=True
    )
    processor = Processor(device, seed=SEED, backend="stabilizer")
    lab = Lab(processor)
    bits = lab.bits_of(experiment.schedule, shots)
    events = np.array([bits[:, list(detector)].sum(axis=1) % 2 for detector in experiment.detectors]).T
    logical = bits[:, list(experiment.observable)].sum(axis=1) % 2
    expected = predicted.mean(axis=0)
    sigma = np.sqrt(expected * (1 - expected) / shots * (1 + 1 / PREDICTED))
    work = f"{device.name}, d={distance}, {rounds} rounds, {shots:,} shots"
    row = functools.partial(ctx.row, work=work, command=command)
    chi = float((((events.mean(axis=0) - expected) / sigma) ** 2).mean())
    row(measure="mean rate of detection events", value=float(events.mean()), unit="", goal=None)
    row(measure="the same, Stim's prediction", value=float(expected.mean()), unit="", goal=None)
    row(measure="chi-square per detector", value=chi, unit="", goal="<= 2")
    apart = abs(logical.mean() - flips.mean()) / math.sqrt(flips.mean() * (1 - flips.mean()) / shots)
    row(measure="logical flips from the prediction, standard deviations", value=apart, unit="", goal="<= 4")


def time_rounds(device: Device) -> float:
    """Milliseconds of this process for a round of the d=3 code, samples included; the least of eight tries."""
    experiment = memory(device, 3, ROUNDS_TIMED)
    rounds = experiment.schedule[
        : [event.start for event in experiment.schedule].index(experiment.schedule[-1].start)
    ]
    processor = Processor(device, seed=SEED, backend="stabilizer")
    filters: dict[int, MatchedFilter] = {}
    best = math.inf
    for seed in range(8):
        processor.reset(seed)
        begun = time.process_time()
        for event in rounds:
            if isinstance(event, Readout):
                processor.readout(event.line, event.start, event.tones)
                found = filters.get(event.line) or MatchedFilter(device, event)
                filters[event.line] = found
                processor.adc(event.line, found.first(event.start), found.window)
            else:
                processor.play(event)
        best = min(best, time.process_time() - begun)
    return best / ROUNDS_TIMED * 1e3
