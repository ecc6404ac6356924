# SPDX-License-Identifier: BSD-2-Clause
"""Rows of `bench circuits` on qubits with noise, against Aer with the same noise."""

from __future__ import annotations

import functools
from collections import Counter

from triplane.hal.device import Device, load_device
from triplane.host.bench.dynamic.noise import beyond_sampling, noisy_outcomes
from triplane.host.bench.dynamic.suite import SUITE, outcomes
from triplane.host.bench.registry import BenchContext
from triplane.host.compiler.circuits import compile_circuit
from triplane.host.qiskit import TriplaneBackend
from triplane.host.replay.progress import ProgressView

SEED = 2026
DEVICE = "line5"
SHOTS, QUICK_SHOTS = 4_000, 400
REFERENCE_SHOTS = 100_000
WORSE = 5
"""Of coherence times of the second device, on which the longest circuit takes half of T1."""


def noisy_suite(ctx: BenchContext, view: ProgressView, command: str) -> None:
    """Every circuit of the suite on a device as it is described; then on one with shorter coherence times."""
    device = load_device(DEVICE)
    _rows(ctx, device, f"noise of {DEVICE}", "<= 0.02", view, command)
    if not ctx.quick:
        _rows(ctx, _worse(device), f"{DEVICE}, T1 and T2 a fifth", None, view, command)


def _worse(device: Device) -> Device:
    described = device.model_dump()
    for qubit in described["qubits"]:
        qubit.update(t1_us=qubit["t1_us"] / WORSE, t2_us=qubit["t2_us"] / WORSE)
    return Device.model_validate(described)


def _rows(
    ctx: BenchContext, device: Device, noise: str, goal: str | None, view: ProgressView, command: str
) -> None:
    shots = QUICK_SHOTS if ctx.quick else SHOTS
    counter = view.count(noise, len(SUITE), unit="circuits")
    with TriplaneBackend(device, seed=SEED, record_jobs=False, progress=view.build) as backend:
        for number, (name, make) in enumerate(SUITE.items()):
            job = backend.run(make(), shots=shots, memory=True, seed_simulator=SEED + number)
            found = Counter(int(value.replace(" ", ""), 2) for value in job.result().get_memory())
            compiled = compile_circuit(make(), device, backend.shape, backend.compiler_options)
            variation, sampled = beyond_sampling(found, noisy_outcomes(compiled, REFERENCE_SHOTS))
            ideal, sampled_ideal = beyond_sampling(found, outcomes(make(), REFERENCE_SHOTS))
            row = functools.partial(ctx.row, work=f"{name}, {shots:,} shots, {noise}", command=command)
            measure = "total variation from {}, beyond sampling's"
            row(measure=measure.format("Aer with that noise"), value=variation - sampled, unit="", goal=goal)
            row(measure=measure.format("Aer without noise"), value=ideal - sampled_ideal, unit="", goal=None)
            counter.to(number + 1)
