# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench decoder`: accuracy and cycles of the decoder, beside matching on the same shots.

Rates on recorded data and all cycles come from the simulated gateware; rates of sampled noise, which need millions of
shots, from the golden model, which is held to the gateware record by record on part of the same work.
"""

from __future__ import annotations

import functools
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import stim
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.window import StreamMap, whole_window
from triplane.host.bench import BenchContext, benchmark
from triplane.host.bench.gateware import differing_windows, stream
from triplane.host.bench.lut import recorded_rows, surface_rows
from triplane.host.bench.replay import data_folder
from triplane.host.outputs import write_whole
from triplane.host.plots import draw_latency
from triplane.host.replay.datasets import Dataset, load_dataset
from triplane.host.replay.ledger import Stage
from triplane.host.replay.progress import ProgressView
from triplane.host.replay.references import Rate, decode_with_pymatching
from triplane.host.replay.sampling import memory_circuit, sample_dataset
from triplane.sim.models.decoder.window import WindowModel

SEED = 2026
BATCH_SHOTS = 200_000
COMMAND = "triplane bench decoder"
QUICK = 100
TABLE_NOISE = (0.0005, 0.001, 0.002, 0.003, 0.005)
"""Noise at which the lookup table of distance 3 is compared."""


@dataclass(frozen=True)
class Recorded:
    """Recorded shots, decoded by the gateware in two passes.

    Attributes:
        label, folder: the data set.
        goals: measure -> goal.
    """

    label: str
    folder: str
    goals: dict[str, str]


RECORDED = (
    Recorded(
        "Sycamore d=5, 5 rounds",
        "surface_code_bX_d5_r05_center_5_5",
        {"rate": "<= 0.134", "mean": "<= 150", "p999": "<= 350"},
    ),
    Recorded("Sycamore d=3, 5 rounds", "surface_code_bX_d3_r05_center_3_5", {"rate": "<= 0.151"}),
)

RECORDED_QUICK = 2_000


@dataclass(frozen=True)
class Run:
    """Sampled shots, decoded by the gateware: their cycles, and the golden model's word for word.

    Attributes:
        distance, p, shots, passes: what is run.
        goals: mean, p99, p999 -> goal of the cycles.
    """

    distance: int
    p: float
    shots: int
    passes: int
    goals: dict[str, str]


RUNS = (
    Run(5, 0.001, 100_000, 1, {"mean": "<= 11", "p99": "<= 33"}),
    Run(5, 0.001, 100_000, 2, {"mean": "<= 24", "p999": "<= 130"}),
    Run(5, 0.001, 100_000, 3, {"mean": "<= 24", "p999": "<= 130"}),
    Run(7, 0.001, 20_000, 1, {"mean": "<= 20"}),
    Run(7, 0.003, 20_000, 2, {}),
)


@dataclass(frozen=True)
class Sampled:
    """Sampled work: rotated surface code, Z memory, as many rounds as the distance.

    Attributes:
        distance, p, shots: what is sampled.
        goal: of the failures of two passes and three against PyMatching's; None: a point of the figure only.
    """

    distance: int
    p: float
    shots: int
    goal: str | None = None

    def __str__(self) -> str:
        return f"rotated code, d={self.distance}, {self.distance} rounds, p={self.p:.2%}"


GOALS = (Sampled(5, 0.001, 20_000_000, "<= 0.85"), Sampled(7, 0.003, 1_000_000, "<= 0.65"))

GRID = tuple(
    Sampled(d, p, shots)
    for d, counts in (
        (3, (2_000_000, 1_000_000, 500_000, 200_000, 100_000)),
        (5, (8_000_000, 4_000_000, 1_000_000, 400_000, 100_000)),
        (7, (2_000_000, 2_000_000, 1_000_000, 300_000, 100_000)),
    )
    for p, shots in zip((0.0005, 0.001, 0.002, 0.003, 0.005), counts, strict=True)
)
"""Points of the figure."""

MATCHING, CORRELATED, ONE, TWO, THREE = (
    "PyMatching",
    "PyMatching, correlated",
    "1 pass",
    "2 passes",
    "up to 3 passes",
)


COLOURS = ("#7a7f87", "#1f5fa8", "#d9822b", "#3a7d44")

STYLES: dict[str, dict[str, Any]] = {
    MATCHING: {"linestyle": "--", "linewidth": 1.0},
    CORRELATED: {"linestyle": ":", "linewidth": 1.0},
    TWO: {"linestyle": "-", "linewidth": 1.6, "marker": "o", "markersize": 4},
}


@dataclass
class Tally:
    """What decoders made of the same sampled shots.

    Attributes:
        shots: how many.
        failures: decoder -> wrong shots.
        cycles: passes -> cycles -> shots, of the golden model.
    """

    shots: int = 0
    failures: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cycles: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def rate(self, decoder: str) -> Rate:
        """Logical error rate of a decoder."""
        return Rate(self.failures[decoder], self.shots)

    def count(self, passes: str, cycles: npt.NDArray[np.uint16]) -> None:
        """Add a batch's cycles."""
        seen = self.cycles.setdefault(passes, np.zeros(1 << 16, dtype=np.int64))
        seen += np.bincount(cycles, minlength=len(seen))

    def mean(self, passes: str) -> float:
        """Mean cycles."""
        seen = self.cycles[passes]
        return float(np.arange(len(seen)) @ seen / seen.sum())

    def percentile(self, passes: str, share: float) -> int:
        """Cycles that a share of the shots does not exceed."""
        seen = self.cycles[passes]
        return int(np.searchsorted(np.cumsum(seen), share * seen.sum()))


def tally(work: Sampled, shots: int, view: ProgressView) -> Tally:
    """Decodes sampled shots with the golden model and with matching."""
    circuit = memory_circuit(distance=work.distance, rounds=work.distance, probability=work.p)
    dem = circuit.detector_error_model(decompose_errors=True)
    graph = compile_graph(dem)
    plan = whole_window(graph)
    layout = StreamMap.build(plan, graph)
    models = {ONE: WindowModel(plan, 1), TWO: WindowModel(plan, 2)}
    third = WindowModel(plan, 3)
    found = Tally()
    counter = view.count(str(work), shots)
    for events, flips in sampled(circuit, shots):
        layers = layout.layers(events)
        frames = {}
        for name, model in models.items():
            result = model.decode(layers)
            frames[name] = result.frame
            found.count(name, result.cycles[:, 0])
        # A third pass is made only where the second has changed something.
        changed = frames[ONE] != frames[TWO]
        frames[THREE] = frames[TWO].copy()
        frames[THREE][changed] = third.decode(layers[changed]).frame
        for name, frame in frames.items():
            found.failures[name] += int(((frame & 1) != flips).sum())
        for name, correlated in ((MATCHING, False), (CORRELATED, True)):
            predicted = decode_with_pymatching(dem, events, correlated=correlated)[:, 0]
            found.failures[name] += int((predicted != flips).sum())
        found.shots += len(events)
        counter.to(found.shots)
    return found


def sampled(
    circuit: stim.Circuit, shots: int
) -> Iterator[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """Batches of events, bool (batch, detectors), and observable 0, bool (batch,)."""
    sampler = circuit.compile_detector_sampler(seed=SEED)
    while shots:
        batch = min(shots, BATCH_SHOTS)
        events, observables = sampler.sample(batch, separate_observables=True)
        yield events.astype(np.bool_, copy=False), observables[:, 0].astype(np.bool_, copy=False)
        shots -= batch


@benchmark(
    "decoder",
    help="The decoder against its goals: accuracy beside matching, cycles, golden model.",
    plots=True,
)
def bench_decoder(ctx: BenchContext) -> None:
    """Recorded data, cycles, sampled noise, lookup tables; the figure is over distance and noise."""
    ctx.seeds["sampler"] = SEED
    stages: list[Stage] = []
    grid: dict[Sampled, Tally] = {}
    with ProgressView() as view:
        for recorded in RECORDED:
            _recorded(ctx, recorded, view)
        for run in RUNS:
            if not ctx.quick or run.distance < 7:
                stages.append(_run(ctx, run, view))
        for work in GOALS:
            _goal(ctx, work, view)
        if ctx.plot is not None:
            grid = {w: tally(w, max(w.shots // QUICK, 1_000) if ctx.quick else w.shots, view) for w in GRID}
    for p in TABLE_NOISE:
        surface_rows(ctx, p, _command(ctx))
    recorded_rows(ctx, _command(ctx))
    if ctx.plot is not None:
        plot_decoder(grid, stages, ctx.plot)


def _recorded(ctx: BenchContext, recorded: Recorded, view: ProgressView) -> None:
    """Recorded shots through the gateware, beside matching."""
    folder = data_folder() / "google_sycamore_2022" / recorded.folder
    if not folder.is_dir():
        ctx.skip(
            work=recorded.label,
            reason=f"{folder} is absent; set TRIPLANE_DATA to the folder of published data",
            command=COMMAND,
        )
        return
    dataset = load_dataset([folder], shots=RECORDED_QUICK if ctx.quick else None)
    for part, data, source in dataset.evidence():
        ctx.add_input(f"{recorded.folder}.{part}", data, source=source)
    row = functools.partial(
        ctx.row, work=f"{recorded.label}, {dataset.shots:,} shots", command=_command(ctx), unit="per shot"
    )
    records, _ = _on_board(ctx, recorded.folder, dataset, 2, view, row, recorded.goals)
    flips = dataset.observables[:, 0]
    rate = np.mean((records["observables"] & 1) != flips)
    row(measure="logical error rate, 2 passes", value=rate, goal=recorded.goals["rate"])
    for name, correlated in ((MATCHING, False), (CORRELATED, True)):
        predicted = decode_with_pymatching(dataset.model, dataset.events, correlated=correlated)[:, 0]
        row(measure=f"logical error rate, {name}", value=np.mean(predicted != flips), goal=None)


def _run(ctx: BenchContext, run: Run, view: ProgressView) -> Stage:
    """Sampled shots through the gateware."""
    circuit = memory_circuit(distance=run.distance, rounds=run.distance, probability=run.p)
    shots = run.shots // QUICK if ctx.quick else run.shots
    name = f"d{run.distance}_p{run.p}_passes{run.passes}"
    dataset = sample_dataset(circuit, name=name, shots=shots, seed=SEED, properties={})
    ctx.add_input(f"{name}.circuit", str(circuit).encode(), source="stim.Circuit.generated")
    work = f"rotated code, d={run.distance}, {run.distance} rounds, p={run.p:.2%}, {shots:,} shots on the gateware"
    row = functools.partial(ctx.row, work=work, command=_command(ctx))
    _, stage = _on_board(ctx, name, dataset, run.passes, view, row, run.goals)
    return stage


def _on_board(
    ctx: BenchContext,
    name: str,
    dataset: Dataset,
    passes: int,
    view: ProgressView,
    row: functools.partial[Any],
    goals: dict[str, str],
) -> tuple[npt.NDArray[np.void], Stage]:
    """Streams whole shots, adds rows of their cycles and of what differs from the golden model."""
    plan = whole_window(compile_graph(dataset.model))
    layers = StreamMap.build(plan, compile_graph(dataset.model)).layers(dataset.events)
    run = stream(ctx, name, plan, layers, passes=passes, view=view)
    label = "1 pass" if passes == 1 else f"{passes} passes"
    stage = Stage(
        f"decode, {label}, {name}", run.records["decode_cycles"], run.bound, None, ctx.clock_hz, None
    )
    summary = stage.summary()
    cycles = functools.partial(row, unit="cycles")
    cycles(measure=f"decode, mean, {label}", value=summary["mean"], goal=goals.get("mean"))
    p99 = int(np.percentile(stage.cycles, 99, method="higher"))
    cycles(measure=f"decode, p99, {label}", value=p99, goal=goals.get("p99"))
    cycles(measure=f"decode, p99.9, {label}", value=summary["p999"], goal=goals.get("p999"))
    cycles(measure=f"decode, max, {label}", value=summary["max"], goal=f"<= {run.bound}")
    differing = differing_windows(run.records, WindowModel(plan, passes).decode(layers))
    row(
        measure=f"shots that differ from the golden model, {label}",
        value=differing,
        unit="shots",
        goal="<= 0",
    )
    return run.records, stage


def _goal(ctx: BenchContext, work: Sampled, view: ProgressView) -> None:
    shots = work.shots // QUICK if ctx.quick else work.shots
    found = tally(work, shots, view)
    row = functools.partial(ctx.row, work=f"{work}, {shots:,} shots, golden model", command=_command(ctx))
    for name in (MATCHING, CORRELATED, ONE, TWO, THREE):
        row(
            measure=f"logical error rate, {name}",
            value=found.rate(name).rate,
            unit="per shot",
            goal=None,
        )
    for name in (TWO, THREE):
        if found.failures[MATCHING]:
            row(
                measure=f"failures against PyMatching, {name}",
                value=found.failures[name] / found.failures[MATCHING],
                unit="",
                goal=work.goal,
            )


def _command(ctx: BenchContext) -> str:
    return COMMAND + (" --quick" if ctx.quick else "")


def plot_decoder(grid: dict[Sampled, Tally], stages: list[Stage], path: Path) -> None:
    """Write the figure: rates and cycles against noise, and histograms of cycles; whole or not at all."""
    figure = Figure(figsize=(13, 5.2 * (1 + -(-len(stages) // 2))), layout="constrained")
    panels = figure.subplots(1 + -(-len(stages) // 2), 2, squeeze=False)
    draw_rates_by_noise(panels[0, 0], grid)
    draw_cycles_by_noise(panels[0, 1], grid)
    for axes in panels[1:].ravel()[len(stages) :]:
        axes.set_visible(False)
    for axes, stage in zip(panels[1:].ravel(), stages, strict=False):
        draw_latency(axes, stage)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=140)
    write_whole(path, image.getvalue())


def _by_distance(grid: dict[Sampled, Tally]) -> Iterator[tuple[int, str, list[tuple[float, Tally]]]]:
    for distance, colour in zip(sorted({work.distance for work in grid}), COLOURS, strict=False):
        points = sorted(
            ((w.p, t) for w, t in grid.items() if w.distance == distance), key=lambda point: point[0]
        )
        yield distance, colour, points


def draw_rates_by_noise(axes: Axes, grid: dict[Sampled, Tally]) -> None:
    """Logical error rate against the probability of errors; points without a failure are left out."""
    for distance, colour, points in _by_distance(grid):
        for name, style in STYLES.items():
            shown = [(p, found.rate(name)) for p, found in points if found.failures[name]]
            if not shown:
                continue
            bars = [(r.rate - r.interval[0], r.interval[1] - r.rate) for _, r in shown]
            axes.errorbar(
                [p for p, _ in shown],
                [r.rate for _, r in shown],
                yerr=np.array(bars).T,
                color=colour,
                label=f"d={distance}" if name == TWO else None,
                **style,
            )
    for name, style in STYLES.items():
        axes.plot([], [], color="#111111", label=name, **style)
    axes.set(
        xscale="log", yscale="log", xlabel="probability of an error", ylabel="logical error rate per shot"
    )
    axes.set_title("Logical error rate, as many rounds as the distance", loc="left", fontsize=11)
    axes.legend(fontsize=8, frameon=False)
    axes.grid(alpha=0.25, which="both")
    axes.spines[["right", "top"]].set_visible(False)


def draw_cycles_by_noise(axes: Axes, grid: dict[Sampled, Tally]) -> None:
    """Mean and 99.9th percentile of the cycles against the probability of errors."""
    for _, colour, points in _by_distance(grid):
        for name, marker in ((ONE, "o"), (TWO, "s")):
            noise = [p for p, _ in points]
            axes.plot(noise, [t.mean(name) for _, t in points], marker + "-", color=colour, markersize=4)
            tail = [t.percentile(name, 0.999) for _, t in points]
            axes.plot(noise, tail, marker + ":", color=colour, markersize=4, alpha=0.6)
    for label, style in (
        (f"{ONE}, mean", "o-"),
        (f"{TWO}, mean", "s-"),
        (f"{ONE}, p99.9", "o:"),
        (f"{TWO}, p99.9", "s:"),
    ):
        axes.plot([], [], style, color="#111111", markersize=4, label=label)
    axes.set(
        xscale="log", yscale="log", xlabel="probability of an error", ylabel="cycles at 245.76 MHz, simulated"
    )
    axes.set_title("Last round in to frame valid", loc="left", fontsize=11)
    axes.legend(fontsize=8, frameon=False)
    axes.grid(alpha=0.25, which="both")
    axes.spines[["right", "top"]].set_visible(False)
