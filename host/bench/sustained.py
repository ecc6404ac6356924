# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench sustained`: a memory without end through the sliding window, and the reaction at its end.

One shot of a million rounds at a fixed cadence: no round may be lost, the backlog must stay bounded, and what every
window settles must be the golden model's. Then many short memories, of which the last window is what a barrier waits
for.
"""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import stim
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.window import StreamMap, WindowPlan, default_window, sliding_window
from triplane.host.bench import BenchContext, benchmark
from triplane.host.bench.gateware import GatewareRun, differing_windows, stream
from triplane.host.outputs import write_whole
from triplane.host.plots import draw_latency
from triplane.host.replay.ledger import Stage, ns_to_cycles
from triplane.host.replay.progress import ProgressView
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.models.decoder.window import WindowModel

SEED = 2026
DISTANCE = 5
P = 0.003
PASSES = 2
ROUNDS, QUICK_ROUNDS = 1_000_000, 5_000
ROUND_NS = (1_100, 400)

REACTION_ROUNDS = 25
REACTION_SHOTS, REACTION_QUICK_SHOTS = 20_000, 500

COMMAND = "triplane bench sustained"
DRAWN = 20_000
"""Points of the backlog in the figure, at most."""


@benchmark(
    "sustained",
    help="A million rounds without a pause: rounds lost, backlog, corrections; reaction at a barrier.",
    plots=True,
)
def bench_sustained(ctx: BenchContext) -> None:
    """Endless memory at two cadences, then the reaction to the barrier at the end of short ones."""
    ctx.seeds["sampler"] = SEED
    window, commit = default_window(DISTANCE)
    source = memory_circuit(distance=DISTANCE, rounds=4 * window, probability=P)
    graph = compile_graph(source.detector_error_model(decompose_errors=True))
    plan = sliding_window(graph, window=window, commit=commit)
    runs: dict[int, GatewareRun] = {}
    with ProgressView() as view:
        rounds = QUICK_ROUNDS if ctx.quick else ROUNDS
        circuit = memory_circuit(distance=DISTANCE, rounds=rounds, probability=P)
        ctx.add_input("memory.circuit", str(circuit).encode(), source="stim.Circuit.generated")
        view.step(f"sampling a memory of {rounds:,} rounds")
        layers = endless(plan, source, circuit)
        for period_ns in ROUND_NS:
            runs[period_ns] = _endless(ctx, plan, layers, period_ns, view)
        reaction = _reaction(ctx, plan, view)
    if ctx.plot is not None:
        plot_sustained(ctx.clock_hz, plan.commit, runs, reaction, ctx.plot)


def endless(plan: WindowPlan, source: stim.Circuit, circuit: stim.Circuit) -> npt.NDArray[np.bool_]:
    """One sampled shot of a long memory, bool (1, layers, slots), laid out as the short memory `source` is.

    The error model of a million rounds would be far larger than the shot; between its ends every layer is the same.
    """
    graph = compile_graph(source.detector_error_model(decompose_errors=True))
    layout = StreamMap.build(plan, graph)
    if [detector for layer in graph.layers for detector in layer] != list(range(graph.num_detectors)):
        raise ValueError("detectors of the circuit are not numbered round by round")
    events = circuit.compile_detector_sampler(seed=SEED).sample(1)[0]
    first, middle, last = (len(graph.layers[number]) for number in (0, 1, -1))
    slots = layout.positions % layout.width
    count = (len(events) - first - last) // middle
    shot = np.zeros((1, count + 2, layout.width), dtype=bool)
    shot[0, 0, slots[:first]] = events[:first]
    shot[0, 1:-1, slots[first : first + middle]] = events[first : len(events) - last].reshape(count, middle).T
    shot[0, -1, slots[-last:]] = events[-last:]
    return shot


def _endless(
    ctx: BenchContext, plan: WindowPlan, layers: npt.NDArray[np.bool_], period_ns: int, view: ProgressView
) -> GatewareRun:
    name = f"round_{period_ns}ns"
    period = ns_to_cycles(period_ns, ctx.clock_hz)
    run = stream(ctx, name, plan, layers, passes=PASSES, view=view, period=period, correction=True)
    expected = WindowModel(plan, PASSES).decode(layers, correction=True)
    assert expected.correction is not None
    assert run.corrections is not None
    work = (
        f"rotated code, d={DISTANCE}, p={P:.1%}, {layers.shape[1] - 1:,} rounds of {period_ns / 1000:g} us, "
        f"W={plan.num_layers}, C={plan.commit}, {PASSES} passes"
    )
    row = functools.partial(ctx.row, work=work, command=COMMAND + (" --quick" if ctx.quick else ""))
    row(
        measure="rounds lost",
        value=layers.shape[1] - int(run.records["rounds"][-1]),
        unit="rounds",
        goal="<= 0",
    )
    row(
        measure="rounds that had to wait for the decoder",
        value=run.pacing.stalled,
        unit="rounds",
        goal="<= 0",
    )
    row(measure="backlog, most in the queue", value=run.backlog_max, unit="rounds", goal=None)
    row(
        measure="windows that differ from the golden model",
        value=differing_windows(run.records, expected),
        unit="windows",
        goal="<= 0",
    )
    row(
        measure="windows whose correction differs",
        value=int((run.corrections != expected.correction[0]).any(axis=1).sum()),
        unit="windows",
        goal="<= 0",
    )
    stage = Stage("decode", run.records["decode_cycles"], run.bound, None, ctx.clock_hz, None)
    summary = stage.summary()
    for measure, value in (
        ("decode of a window, mean", summary["mean"]),
        ("decode of a window, p99.9", summary["p999"]),
        ("decode of a window, max", summary["max"]),
        ("a window's last round waited, mean", run.records["waited"].mean()),
        ("a window's last round waited, max", run.records["waited"].max()),
    ):
        row(measure=measure, value=value, unit="cycles", goal=None)
    return run


def _reaction(ctx: BenchContext, plan: WindowPlan, view: ProgressView) -> Stage:
    """Last round of a memory entering to its frame valid, which is what a barrier at its end waits for."""
    circuit = memory_circuit(distance=DISTANCE, rounds=REACTION_ROUNDS, probability=P)
    ctx.add_input("reaction.circuit", str(circuit).encode(), source="stim.Circuit.generated")
    shots = REACTION_QUICK_SHOTS if ctx.quick else REACTION_SHOTS
    events, flips = circuit.compile_detector_sampler(seed=SEED).sample(shots, separate_observables=True)
    graph = compile_graph(circuit.detector_error_model(decompose_errors=True))
    layers = StreamMap.build(plan, graph).layers(events)
    period = ns_to_cycles(ROUND_NS[0], ctx.clock_hz)
    run = stream(ctx, "reaction", plan, layers, passes=PASSES, view=view, period=period)
    last = run.records.reshape(shots, -1)[:, -1]
    stage = Stage(
        "reaction",
        last["decode_cycles"].astype(np.int64) + last["waited"],
        run.bound,
        None,
        ctx.clock_hz,
        None,
    )
    work = f"barrier at the end of {REACTION_ROUNDS} rounds, d={DISTANCE}, p={P:.1%}, {PASSES} passes, {shots:,} shots"
    row = functools.partial(ctx.row, work=work, command=COMMAND + (" --quick" if ctx.quick else ""))
    summary = stage.summary()
    cycles = functools.partial(row, unit="cycles")
    cycles(measure="last detection event in to frame valid, mean", value=summary["mean"], goal="<= 60")
    cycles(measure="last detection event in to frame valid, p99.9", value=summary["p999"], goal="<= 200")
    cycles(measure="last detection event in to frame valid, max", value=summary["max"], goal=None)
    row(
        measure="logical error rate",
        value=np.mean((last["frame"] & 1) != flips[:, 0]),
        unit="per shot",
        goal=None,
    )
    row(
        measure="windows that differ from the golden model",
        value=differing_windows(run.records, WindowModel(plan, PASSES).decode(layers)),
        unit="windows",
        goal="<= 0",
    )
    return stage


def plot_sustained(
    clock_hz: int, commit: int, runs: dict[int, GatewareRun], reaction: Stage, path: Path
) -> None:
    """Write the figure: backlog over time, cycles of the windows, reaction; whole or not at all.

    runs: round period in ns -> run.
    """
    figure = Figure(figsize=(13, 4.6 * (len(runs) + 1)), layout="constrained")
    panels = figure.subplots(len(runs) + 1, 2, squeeze=False)
    for axes, (period_ns, run) in zip(panels, runs.items(), strict=False):
        label = f"{period_ns / 1000:g} us a round"
        draw_backlog(axes[0], label, run, commit * ns_to_cycles(period_ns, clock_hz), clock_hz)
        stage = Stage(f"a window, {label}", run.records["decode_cycles"], run.bound, None, clock_hz, None)
        draw_latency(axes[1], stage, counted="windows")
    draw_latency(panels[-1, 0], reaction)
    panels[-1, 1].set_visible(False)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=130)
    write_whole(path, image.getvalue())


def draw_backlog(axes: Axes, label: str, run: GatewareRun, commit_cycles: int, clock_hz: int) -> None:
    """What each window took, and how long its last round had waited, over the time of the run.

    commit_cycles: time between two windows; a window that takes longer makes the next one wait.
    """
    stamps = run.records["timestamp_hi"].astype(np.int64) << 32 | run.records["timestamp_lo"]
    seconds = (stamps - stamps[0]) / clock_hz
    bins = np.array_split(np.arange(len(stamps)), min(len(stamps), DRAWN))
    for field, colour, text in (
        ("decode_cycles", "#1f5fa8", "decoding a window"),
        ("waited", "#d9822b", "its last round had waited"),
    ):
        axes.plot(
            [seconds[part[0]] for part in bins],
            [run.records[field][part].max() for part in bins],
            color=colour,
            linewidth=0.6,
            label=text,
        )
    axes.axhline(
        commit_cycles, color="#b3261e", linewidth=1.5, label=f"from window to window {commit_cycles}"
    )
    axes.set(xlabel="time, s (simulated)", ylabel="cycles, largest of the windows drawn as one point")
    axes.set_title(
        f"Backlog, {label}: at most {run.backlog_max} rounds in the queue", loc="left", fontsize=11
    )
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, frameon=False, loc="upper right")
    axes.spines[["right", "top"]].set_visible(False)
