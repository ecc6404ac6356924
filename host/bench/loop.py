# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench loop`: the closed loop against what is known of the emulated processor in it.

The board knows nothing of the processor but samples, and the prediction nothing of the board: Stim samples the
emulator's own noise, circuit by circuit.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import stim

from triplane import hal
from triplane.hal.device import load_device
from triplane.hal.drivers.sim import SimBoard
from triplane.host.bench.gateware import COMPARED
from triplane.host.bench.registry import BenchContext, benchmark
from triplane.host.bench.resetting import active_reset, emulated_reset, small_board
from triplane.host.compiler.memory import MemoryExperiment
from triplane.host.replay.progress import ProgressView
from triplane.host.runtime.memory import MemoryRun, Processors, run_memory
from triplane.sim.models.decoder.window import WindowModel

SEED = 2026
COMMAND = "triplane bench loop"
PASSES = 2

MEMORIES = {3: ((1_000, 20), (25, 400)), 5: ((25, 20),)}
"""Distance -> rounds, shots."""

QUICK_MEMORIES = {3: ((25, 12),)}

PREDICTED = {1_000: 4_000, 25: 200_000}
"""Rounds -> shots of Stim."""

RESETS, QUICK_RESETS = 4_000, 400
EMULATED_RESETS = 5
"""Resets of the emulator alone for each of the board."""


@benchmark(
    "loop", help="Memory and active reset in the closed loop, against predictions for the emulated processor."
)
def bench_loop(ctx: BenchContext) -> None:
    """Surface-code memories, then active reset."""
    ctx.seeds["processor"] = SEED
    command = COMMAND + (" --quick" if ctx.quick else "")
    with ProgressView() as view:
        for distance, memories in (QUICK_MEMORIES if ctx.quick else MEMORIES).items():
            experiment = MemoryExperiment.of(distance)
            _memories(ctx, experiment, memories, view, command)
        _reset(ctx, view, command)


def _memories(
    ctx: BenchContext,
    experiment: MemoryExperiment,
    memories: Sequence[tuple[int, int]],
    view: ProgressView,
    command: str,
) -> None:
    name = experiment.device.name
    board = hal.connect("sim", plan=experiment.plan, fabric=experiment.shape, progress=view.build)
    assert isinstance(board, SimBoard)
    with board:
        program = hal.DecoderProgram.from_plan(experiment.plan, passes=PASSES)
        board.load(program)
        ctx.tables[name] = {"structure_hash": program.structure_hash, "table_hash": program.table_hash}
        ctx.gateware[name] = {"build_hash": board.identify().build_hash}
        for rounds, shots in memories:
            counter = view.count(f"{name}, memories of {rounds:,} rounds", shots)
            processors = Processors(board, experiment, SEED + rounds * 10**6)
            run = run_memory(
                board, experiment, rounds=rounds, shots=shots, prepare=processors.attach, progress=counter.to
            )
            _memory(ctx, experiment, run, experiment.circuit(rounds, processors.schedule), rounds, command)


def _memory(
    ctx: BenchContext,
    experiment: MemoryExperiment,
    run: MemoryRun,
    circuit: stim.Circuit,
    rounds: int,
    command: str,
) -> None:
    shots = len(run.logical)
    work = f"{experiment.device.name}, d={experiment.distance}, {rounds:,} rounds, {shots:,} shots, {PASSES} passes"
    row = functools.partial(ctx.row, work=work, command=command)
    model = WindowModel(experiment.plan, PASSES)
    expected = model.decode(run.events)
    differing = np.zeros(run.results.shape, dtype=bool)
    for field, name in COMPARED:
        differing |= run.results[field] != getattr(expected, name)
    differing[:, -1] |= (expected.frame & 1).astype(bool) != run.flips
    row(
        measure="windows that differ from the golden model",
        value=int(differing.sum()),
        unit="windows",
        goal="<= 0",
    )

    layout = experiment.stream_map(rounds)
    kept = f"memory_d{experiment.distance}_{rounds}.circuit"
    ctx.add_input(kept, str(circuit).encode(), source="the emulator's noise, for Stim")
    predicted_shots = PREDICTED[rounds]
    events, flips = circuit.compile_detector_sampler(seed=SEED).sample(
        predicted_shots, separate_observables=True
    )
    share = events.mean(axis=0)
    seen = run.events.reshape(shots, -1)[:, layout.positions].mean(axis=0)
    variance = np.maximum(share * (1 - share), 1 / predicted_shots) * (1 / shots + 1 / predicted_shots)
    row(measure="detection events, share of detectors", value=float(seen.mean()), unit="", goal=None)
    row(measure="the same, Stim's prediction", value=float(share.mean()), unit="", goal=None)
    chi = float(((seen - share) ** 2 / variance).mean())
    row(measure="chi-square per detector", value=chi, unit="", goal="<= 2")

    decoded = model.decode(layout.layers(events), timing=False)
    failing = float(np.mean((decoded.frame & 1).astype(bool) != flips[:, 0]))
    failures = float(run.logical.mean())
    row(measure="logical errors, share of shots", value=failures, unit="", goal=None)
    row(measure="the same, of Stim's shots", value=failing, unit="", goal=None)
    row(measure="logical error per round", value=per_round(failures, rounds), unit="", goal=None)
    row(measure="the same, of Stim's shots", value=per_round(failing, rounds), unit="", goal=None)
    deviation = math.sqrt(failing * (1 - failing) * (1 / shots + 1 / predicted_shots))
    apart = abs(failures - failing) / deviation
    row(measure="logical errors from the prediction", value=apart, unit="standard deviations", goal="<= 3")
    row(measure="logical errors without correction", value=float(run.measured.mean()), unit="", goal=None)
    cycles = run.results["decode_cycles"]
    row(measure="decode of a window, mean", value=float(cycles.mean()), unit="cycles", goal=None)
    row(measure="decode of a window, longest", value=int(cycles.max()), unit="cycles", goal=None)
    row(measure="a round", value=experiment.round_cycles, unit="cycles", goal=None)


def per_round(share: float, rounds: int) -> float:
    """Logical error of a round, of independent ones that make this share of wrong memories; 1/2 where that is above."""
    kept: float = max(0.0, 1 - 2 * share) ** (1 / rounds)
    return (1 - kept) / 2


def _reset(ctx: BenchContext, view: ProgressView, command: str) -> None:
    resets = QUICK_RESETS if ctx.quick else RESETS
    device = load_device("one_qubit")
    with small_board(view.build) as board:
        ctx.gateware["small"] = {"build_hash": board.identify().build_hash}
        left = active_reset(board, device, resets, seed=SEED)
    references = EMULATED_RESETS * resets
    view.step(f"the same by the emulator alone, {references:,} resets")
    share = emulated_reset(device, references, seed=SEED + 1) / references
    work = f"{device.name}, active reset, {resets:,} times"
    row = functools.partial(ctx.row, work=work, command=command)
    row(measure="found in 1 afterwards, share", value=left / resets, unit="", goal=None)
    row(measure="the same, by the emulator's own readout", value=share, unit="", goal=None)
    deviation = math.sqrt(share * (1 - share) * (1 / resets + 1 / references))
    row(
        measure="apart", value=abs(left / resets - share) / deviation, unit="standard deviations", goal="<= 3"
    )
