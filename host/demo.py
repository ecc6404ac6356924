# SPDX-License-Identifier: BSD-2-Clause
"""`triplane demo`: the closed loop, with an emulated processor behind the simulated board's converters."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pymatching
import stim
from rich import box
from rich.console import Console
from rich.table import Table

from triplane import hal
from triplane.hal.drivers.bus import RegisterBoard
from triplane.hal.drivers.sim import SimBoard
from triplane.host.compiler.memory import DEVICES, MemoryExperiment
from triplane.host.outputs import write_json
from triplane.host.plots import Picture, draw_latency
from triplane.host.plots.style import BOARD, OTHERS, titled
from triplane.host.provenance import RunRecorder
from triplane.host.replay.ledger import Stage
from triplane.host.replay.progress import ProgressView
from triplane.host.replay.references import CONFIDENCE, Rate
from triplane.host.replay.report import format_rate
from triplane.host.runtime.memory import MemoryRun, Processors, RemoteProcessors, run_memory

DISTANCE = 3
DEVICE = DEVICES[DISTANCE]
"""Of the memory, unless another distance is asked for."""

PREDICTED_SHOTS = 20_000
"""Of Stim, for what is expected."""


class DemoError(ValueError):
    """Arguments that the demo cannot run with."""


@dataclass(frozen=True)
class Prediction:
    """What is expected of the emulator's noise, which is known where the emulator is.

    Attributes:
        circuit: of that noise, for Stim.
        events: share of detection events by layer, Stim's: float64 (layers,).
        matching: PyMatching's logical errors on the board's own events.
        expected: PyMatching's on Stim's shots.
    """

    circuit: stim.Circuit
    events: np.ndarray[Any, np.dtype[np.float64]]
    matching: Rate
    expected: Rate


@dataclass(frozen=True)
class Demo:
    """What was seen.

    Attributes:
        distance, rounds, passes, seed: as asked for.
        device: name of the emulated one.
        run: of the board.
        uncorrected, corrected: logical errors of the board without and with its decoder.
        prediction: beside them; None where the emulator is in another process.
        clock_hz, round_cycles, build_hash, table_hash: of the board and its program.
        seconds: that the shots took.
    """

    distance: int
    rounds: int
    passes: int
    seed: int
    device: str
    run: MemoryRun
    uncorrected: Rate
    corrected: Rate
    prediction: Prediction | None
    clock_hz: int
    round_cycles: int
    build_hash: str
    table_hash: str
    seconds: float

    def as_json(self, run: str | None) -> dict[str, Any]:
        """The result as `--json` writes it."""
        rates = {"uncorrected": self.uncorrected, "corrected": self.corrected}
        if self.prediction is not None:
            rates |= {"matching": self.prediction.matching, "expected": self.prediction.expected}
        return {
            "run": run,
            "device": self.device,
            "distance": self.distance,
            "rounds": self.rounds,
            "shots": len(self.run.logical),
            "passes": self.passes,
            "seed": self.seed,
            "logical_errors": {
                name: {"failures": rate.failures, "shots": rate.shots, "rate": rate.rate}
                for name, rate in rates.items()
            },
            "detection_events": {
                "measured": float(self.run.events.mean()),
                "predicted": None if self.prediction is None else float(self.prediction.events.mean()),
            },
            "round_cycles": self.round_cycles,
            "latency": {"decode": {"cycles": self.stage.summary()}},
            "clock_hz": self.clock_hz,
        }

    @property
    def stage(self) -> Stage:
        """Decoding of a window."""
        return Stage("decode", self.run.results["decode_cycles"].ravel(), None, None, self.clock_hz, None)


def run_demo(
    command: Sequence[str],
    *,
    shots: int,
    rounds: int,
    passes: int,
    seed: int,
    distance: int = DISTANCE,
    url: str = "sim",
    json_file: Path | None,
    plot: Path | None,
) -> Demo:
    """Build or find the board, or connect to one; run the memory, compare, report, file the run.

    Raises:
        DemoError: no device has the code's shape, or a memory has fewer rounds than a window.
    """
    if distance not in DEVICES:
        known = " and ".join(map(str, DEVICES))
        raise DemoError(f"--distance is {distance}; there are devices of distance {known}")
    recorder = RunRecorder(command)
    recorder.check()
    experiment = MemoryExperiment.of(distance)
    device = experiment.device
    if rounds < experiment.plan.num_layers:
        raise DemoError(f"--rounds is {rounds}; the decoder's window needs {experiment.plan.num_layers}")
    with ProgressView() as view:
        view.step(
            f"{device.name}: {len(device.qubits)} emulated transmons, {len(device.lines)} readout "
            f"lines; decoder: windows of {experiment.plan.num_layers} rounds, {len(experiment.plan.edges)} edges"
        )
        with hal.connect(url, plan=experiment.plan, fabric=experiment.shape, progress=view.build) as board:
            assert isinstance(board, RegisterBoard)
            program = hal.DecoderProgram.from_plan(experiment.plan, passes=passes)
            board.load(program)
            identity = board.identify()
            counter = view.count("closed loop", shots)
            started = time.monotonic()
            here = Processors(board, experiment, seed) if isinstance(board, SimBoard) else None
            prepare = RemoteProcessors(board, seed).attach if here is None else here.attach
            run = run_memory(
                board,
                experiment,
                rounds=rounds,
                shots=shots,
                prepare=prepare,
                progress=counter.to,
            )
            seconds = time.monotonic() - started
        prediction = None
        if here is not None:
            view.step(f"Stim and PyMatching: the same memory, {PREDICTED_SHOTS:,} shots")
            prediction = _predict(experiment, experiment.circuit(rounds, here.schedule), run, rounds, seed)
    shots = len(run.logical)
    demo = Demo(
        distance=distance,
        rounds=rounds,
        passes=passes,
        seed=seed,
        device=device.name,
        run=run,
        uncorrected=Rate(int(run.measured.sum()), shots),
        corrected=Rate(int(run.logical.sum()), shots),
        prediction=prediction,
        clock_hz=int(identity.clock_hz),
        round_cycles=experiment.round_cycles,
        build_hash=str(identity.build_hash),
        table_hash=program.table_hash,
        seconds=seconds,
    )
    if prediction is not None:
        recorder.add_input(
            "memory.circuit", str(prediction.circuit).encode(), source="the emulator's noise, for Stim"
        )
    recorder.set(
        model=f"{device.name}, distance {distance}",
        tables={"decoder": {"structure_hash": program.structure_hash, "table_hash": program.table_hash}},
        gateware={"board": {"build_hash": str(identity.build_hash)}},
        seeds={"processor": seed, "stim": seed},
        parameters={"rounds": rounds, "shots": shots, "passes": passes},
    )
    filed: str | None = None
    try:
        filed = recorder.commit(demo.as_json(None))
    finally:  # a result that cannot be recorded is shown and written nevertheless, with run null
        print_demo(demo, filed, Console())
        if json_file is not None:
            write_json(json_file, demo.as_json(filed))
            print(f"result: {json_file}")
        if plot is not None:
            plot_demo(demo, plot)
            print(f"figure: {plot}")
    return demo


def _predict(
    experiment: MemoryExperiment, circuit: stim.Circuit, run: MemoryRun, rounds: int, seed: int
) -> Prediction:
    layers = experiment.stream_map(rounds)
    model = circuit.detector_error_model(decompose_errors=True, approximate_disjoint_errors=True)
    matching = pymatching.Matching.from_detector_error_model(model)
    sampled, flips = circuit.compile_detector_sampler(seed=seed).sample(
        PREDICTED_SHOTS, separate_observables=True
    )
    seen = run.events.reshape(len(run.logical), -1)[:, layers.positions]
    matched = matching.decode_batch(seen)[:, 0] != run.measured
    expected = matching.decode_batch(sampled)[:, 0] != flips[:, 0]
    of_matching, of_stim = (Rate(int(wrong.sum()), len(wrong)) for wrong in (matched, expected))
    return Prediction(circuit, layers.layers(sampled).mean(axis=(0, 2)), of_matching, of_stim)


def print_demo(demo: Demo, run: str | None, console: Console) -> None:
    """What was seen, for people."""
    shots, stage = len(demo.run.logical), demo.stage
    figures = stage.summary()
    table = Table(box=box.SIMPLE_HEAD, title="Logical errors", title_justify="left", title_style="bold")
    table.add_column("")
    table.add_column("errors", justify="right")
    table.add_column("per shot", justify="right")
    table.add_column(f"{CONFIDENCE:.0%} interval", justify="right")
    prediction = demo.prediction
    rates = [
        ("without correction", demo.uncorrected),
        (f"gateware, {demo.passes} pass{'es' * (demo.passes > 1)}, live", demo.corrected),
    ]
    predicted = "; what Stim predicts of them is known where the emulated processor is"
    if prediction is not None:
        rates += [
            ("PyMatching, the same events", prediction.matching),
            (f"PyMatching, Stim's {prediction.expected.shots:,} shots", prediction.expected),
        ]
        predicted = f", Stim predicts {prediction.events.mean():.2%}"
    for name, rate in rates:
        table.add_row(name, f"{rate.failures:,} of {rate.shots:,}", *format_rate(rate))
    console.print(table)
    round_us = demo.round_cycles / demo.clock_hz * 1e6
    text = (
        f"{shots:,} memories of {demo.rounds:,} rounds, {demo.round_cycles} cycles ({round_us:.2f} us) each: gates and "
        "readout played by the sequencer, bits by readout lines, syndromes, decoder, Pauli frame, all in gateware\n"
        f"detection events: {demo.run.events.mean():.2%} of all detectors{predicted}\n"
        f"decoding a window, simulated: mean {figures['mean']:.1f} cycles ({stage.ns(figures['mean']):.0f} ns), "
        f"longest {figures['max']:,} ({stage.ns(figures['max']):.0f} ns)\n"
        f"simulated board: {int(demo.run.cycles.sum()):,} cycles in {demo.seconds:.1f} s; gateware "
        f"{demo.build_hash[:12]}"
    )
    console.print(text, highlight=False)
    if run is not None:
        console.print(
            f"run {run[:12]}: see what it was made of with [bold]triplane report {run[:12]}[/bold]",
            highlight=False,
        )


def plot_demo(demo: Demo, path: Path) -> None:
    """Write the figure: detection events round by round, and cycles of the windows; whole or not at all."""
    figure = Picture(12, 4.6)
    left, right = figure.subplots(1, 2)
    events = demo.run.events
    shots, layers, width = events.shape
    share = events.mean(axis=(0, 2))
    expected = share if demo.prediction is None else demo.prediction.events
    deviation = np.sqrt(np.maximum(expected * (1 - expected), 1e-12) / (shots * width))
    numbers = np.arange(layers)
    left.errorbar(
        numbers,
        100 * share,
        100 * deviation,
        fmt="o",
        markersize=3,
        color=BOARD,
        linewidth=0.8,
        label="board",
    )
    if demo.prediction is not None:
        left.plot(numbers, 100 * expected, color=OTHERS, label="Stim, of the emulator's noise")
    left.set(xlabel="round", ylabel="detection events, % of detectors")
    titled(left, f"{shots:,} memories of {demo.rounds:,} rounds, d={demo.distance}")
    left.set_ylim(bottom=0)
    left.legend(fontsize=8, frameon=False)
    draw_latency(right, demo.stage, counted="windows")
    figure.save(path)
