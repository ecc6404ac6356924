# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench escalation`: which figure of the fabric tells the shots that an outer decoder should look at again.

Two passes decode every shot; the hardest are decoded once more by correlated matching, whose answer stands. Each
candidate for "hard" gives a curve: logical error rate against the share of shots that is escalated. The models are
those of the arrays, and all figures are such as the fabric has at hand.

Then the same live: the gateware on the simulated board flags hard shots, their frames are amended over the register bus
before the barrier at their end, and what the frame holds at its release is compared with flips that actually happened.
"""

from __future__ import annotations

import functools
import io
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pymatching
import stim
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.host.bench import BenchContext, benchmark
from triplane.host.bench.replay import data_folder
from triplane.host.outputs import write_whole
from triplane.host.replay.datasets import load_dataset
from triplane.host.replay.progress import ProgressView
from triplane.host.replay.sampling import memory_circuit
from triplane.host.runtime.escalation import EscalatedRun, Escalation, run_escalated
from triplane.host.runtime.outer import OuterDecoder
from triplane.sim.models.decoder.correlated import CorrelatedModel
from triplane.sim.models.decoder.unionfind import UnionFindModel

SEED = 2026
QUICK = 20
QUICK_RECORDED = 5_000
BATCH_SHOTS = 100_000

SAMPLED = ((5, 0.001, 2_000_000), (5, 0.003, 400_000), (7, 0.001, 1_000_000), (7, 0.003, 200_000))
"""Distance (and rounds), error probability, shots."""

RECORDED = (("Sycamore d=5, 5 rounds", "surface_code_bX_d5_r05_center_5_5"),)

LIVE_SAMPLED = (3, 0.01, 20_000)
"""Distance (and rounds), error probability, shots that go through the gateware."""

LIVE_QUICK = 2_000
LIVE_RECORDED = 10_000
LIVE_QUICK_RECORDED = 2_000

ANSWER_CYCLES = 200
AMEND_CYCLES = 1_000
"""Of an answer that comes in time, and of how long the barrier waits. Short: no accuracy depends on them, and the
simulation takes time for each."""

FIGURES = {
    "cycles": "cycles, 2 passes",
    "radius": "growth",
    "grow_steps": "growth steps",
    "merge_steps": "merges",
    "defects": "detection events",
}
"""Candidate -> its name for people. Growth, growth steps and merges are those of the first pass."""

SHARES = (0.01, 0.03, 0.1)
"""Of the shots that may be escalated, for the rows."""

LIVE_SHARES = (0.1, 0.3)
"""Of the shots that are about to be past the threshold on growth steps, in gateware."""

COMMAND = "triplane bench escalation"

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Outcomes:
    """What every decoder made of the same shots, observable 0.

    Attributes:
        flips: bool (shots,), what happened.
        passes: bool (3, shots), prediction after each pass.
        matching, correlated: bool (shots,), predictions of PyMatching.
        figures: candidate of `FIGURES` -> int64 (shots,).
        outer_s: time that correlated matching took for the shots whose first two passes disagree.
    """

    flips: npt.NDArray[np.bool_]
    passes: npt.NDArray[np.bool_]
    matching: npt.NDArray[np.bool_]
    correlated: npt.NDArray[np.bool_]
    figures: dict[str, Integers]
    outer_s: float

    @property
    def disagree(self) -> npt.NDArray[np.bool_]:
        """bool (shots,), whether the second pass predicts otherwise than the first."""
        return np.asarray(self.passes[0] != self.passes[1])

    def failures(self, predicted: npt.NDArray[np.bool_]) -> int:
        """Shots that are predicted wrongly."""
        return int((predicted != self.flips).sum())

    def escalated(self, chosen: npt.NDArray[np.bool_]) -> int:
        """Failures where two passes decode, and correlated matching the chosen shots."""
        return self.failures(np.where(chosen, self.correlated, self.passes[1]))

    def curve(self, figure: Integers) -> tuple[Floats, Floats]:
        """Share of shots that is escalated, and logical error rate, for every threshold of a figure, (points,) each.

        A shot is escalated when its figure is at or above the threshold; the first point is that of no shot.
        """
        shots = len(self.flips)
        values, inverse, counts = np.unique(figure, return_inverse=True, return_counts=True)
        change = (self.correlated != self.flips).astype(np.int64) - (self.passes[1] != self.flips)
        changes = np.bincount(inverse.ravel(), change, minlength=len(values))
        share = np.concatenate([[0], np.cumsum(counts[::-1])]) / shots
        failed = self.failures(self.passes[1]) + np.concatenate([[0], np.cumsum(changes[::-1])])
        return share, failed / shots

    def rule(self, name: str) -> Integers:
        """Figure of the rule "passes disagree, or the figure is at or above a threshold", (shots,)."""
        figure = self.figures[name]
        return np.where(self.disagree, int(figure.max(initial=0)) + 1, figure)


@benchmark(
    "escalation",
    help="Accuracy against the share of shots that an outer decoder sees again, by models and live in gateware.",
    plots=True,
)
def bench_escalation(ctx: BenchContext) -> None:
    """Logical error rates by rule and share, beside matching and correlated matching on the same shots."""
    ctx.seeds["sampler"] = SEED
    drawn: dict[str, Outcomes] = {}
    for label, name in RECORDED:
        folder = data_folder() / "google_sycamore_2022" / name
        if not folder.is_dir():
            ctx.skip(
                work=label,
                reason=f"{folder} is absent; set TRIPLANE_DATA to the folder of published data",
                command=COMMAND,
            )
            continue
        dataset = load_dataset([folder], shots=QUICK_RECORDED if ctx.quick else None)
        for part, data, source in dataset.evidence():
            ctx.add_input(f"{name}.{part}", data, source=source)
        outcomes = collect(dataset.model, [(dataset.events, dataset.observables)])
        work = f"{label}, {dataset.shots:,} shots"
        drawn[work] = outcomes
        _rows(ctx, work, outcomes)
    for distance, p, shots in SAMPLED:
        circuit = memory_circuit(distance=distance, rounds=distance, probability=p)
        count = shots // QUICK if ctx.quick else shots
        ctx.add_input(f"d{distance}_p{p}.circuit", str(circuit).encode(), source="stim.Circuit.generated")
        outcomes = collect(circuit.detector_error_model(decompose_errors=True), _sampled(circuit, count))
        work = f"d={distance}, {distance} rounds, p={p:.1%}, {count:,} shots"
        drawn[work] = outcomes
        _rows(ctx, work, outcomes)
    _live(ctx)
    if ctx.plot is not None:
        plot_escalation(drawn, ctx.plot)


def collect(dem: stim.DetectorErrorModel, batches: Iterable[tuple[Any, Any]]) -> Outcomes:
    """Decodes batches of (events, observables), bool (shots, detectors) and (shots, observables), in every way."""
    graph = compile_graph(dem)
    one, three = UnionFindModel(graph), CorrelatedModel(graph, passes=3)
    plain, outer = pymatching.Matching.from_detector_error_model(dem), OuterDecoder(dem)
    parts: dict[str, list[npt.NDArray[Any]]] = {}
    outer_s = 0.0
    for events, observables in batches:
        first, passes = one.decode(events), three.decode(events)
        predicted = (passes.observables & 1).astype(np.bool_)
        started = time.perf_counter()
        outer.amend(events, passes.observables[1], predicted[0] != predicted[1])
        outer_s += time.perf_counter() - started
        found = {
            "flips": observables[:, 0],
            "passes": predicted.T,
            "matching": plain.decode_batch(events)[:, 0].astype(np.bool_),
            "correlated": (outer.decode(events) & 1).astype(np.bool_),
            "cycles": passes.cycles[1],
            "radius": one.radii(events),
            "grow_steps": first.grow_steps,
            "merge_steps": first.merge_steps,
            "defects": events.sum(axis=1),
        }
        for name, part in found.items():
            parts.setdefault(name, []).append(part)
    whole = {name: np.concatenate(each) for name, each in parts.items()}
    return Outcomes(
        flips=whole["flips"],
        passes=whole["passes"].T,
        matching=whole["matching"],
        correlated=whole["correlated"],
        figures={name: whole[name].astype(np.int64) for name in FIGURES},
        outer_s=outer_s,
    )


def _sampled(circuit: stim.Circuit, shots: int) -> Iterator[tuple[Any, Any]]:
    sampler = circuit.compile_detector_sampler(seed=SEED)
    for start in range(0, shots, BATCH_SHOTS):
        yield sampler.sample(min(BATCH_SHOTS, shots - start), separate_observables=True)


def _rows(ctx: BenchContext, work: str, outcomes: Outcomes) -> None:
    row = functools.partial(
        ctx.row, work=work, goal=None, command=COMMAND + (" --quick" if ctx.quick else "")
    )
    shots = len(outcomes.flips)
    rate = functools.partial(row, unit="per shot")
    disagree = outcomes.disagree
    for label, predicted in (
        ("matching", outcomes.matching),
        ("correlated matching", outcomes.correlated),
        ("1 pass", outcomes.passes[0]),
        ("2 passes", outcomes.passes[1]),
        ("3 passes", outcomes.passes[2]),
        ("third pass where passes disagree", np.where(disagree, outcomes.passes[2], outcomes.passes[1])),
    ):
        rate(measure=f"logical error rate, {label}", value=outcomes.failures(predicted) / shots)
    rate(measure="shots whose passes disagree", value=disagree.mean())
    rate(
        measure="logical error rate, escalated where passes disagree",
        value=outcomes.escalated(disagree) / shots,
    )
    if disagree.any():
        each_us = outcomes.outer_s / disagree.sum() * 1e6
        row(measure="outer decoder, mean of an escalated shot on this machine", value=each_us, unit="us")
    for name, label in FIGURES.items():
        for rule, figure in (
            (label, outcomes.figures[name]),
            (f"disagree or {label}", outcomes.rule(name)),
        ):
            share, rates = outcomes.curve(figure)
            for most in SHARES:
                at = int(np.searchsorted(share, most, side="right")) - 1
                if at == 0:
                    continue  # the rule escalates more than that at its highest threshold
                rate(
                    measure=f"logical error rate, {rule}: {share[at]:.2%} escalated",
                    value=rates[at],
                )


def _live(ctx: BenchContext) -> None:
    """Accuracy against the share escalated where gateware flags the shots and its frame is amended."""
    distance, p, shots = LIVE_SAMPLED
    circuit = memory_circuit(distance=distance, rounds=distance, probability=p)
    ctx.add_input("live.circuit", str(circuit).encode(), source="stim.Circuit.generated")
    count = LIVE_QUICK if ctx.quick else shots
    events, flips = circuit.compile_detector_sampler(seed=SEED).sample(count, separate_observables=True)
    dem = circuit.detector_error_model(decompose_errors=True)
    label = f"gateware, d={distance}, {distance} rounds, p={p:.1%}"
    _live_rows(ctx, f"{label}, {count:,} shots", "live", dem, events, flips[:, 0])
    for label, name in RECORDED:
        folder = data_folder() / "google_sycamore_2022" / name
        if not folder.is_dir():
            continue  # said above
        dataset = load_dataset([folder], shots=LIVE_QUICK_RECORDED if ctx.quick else LIVE_RECORDED)
        work = f"gateware, {label}, {dataset.shots:,} shots"
        _live_rows(ctx, work, f"live.{name}", dataset.model, dataset.events, dataset.observables[:, 0])


def _live_rows(
    ctx: BenchContext,
    work: str,
    name: str,
    dem: stim.DetectorErrorModel,
    events: npt.NDArray[np.bool_],
    flips: npt.NDArray[np.bool_],
) -> None:
    graph, outer = compile_graph(dem), OuterDecoder(dem)
    program = hal.DecoderProgram.from_graph(graph, passes=2)
    matching = pymatching.Matching.from_detector_error_model(dem, enable_correlations=True)
    correlated = matching.decode_batch(events, enable_correlations=True)[:, 0].astype(np.uint32)
    rounds = graph.pack_events(events)
    row = functools.partial(
        ctx.row, work=work, goal=None, command=COMMAND + (" --quick" if ctx.quick else "")
    )
    with ProgressView() as view, hal.connect("sim", graph=graph, progress=view.build) as board:
        board.load(program)
        ctx.tables[name] = {"structure_hash": program.structure_hash, "table_hash": program.table_hash}
        ctx.gateware[name] = {"build_hash": board.identify().build_hash}

        def run(label: str, hard_above: int, answer: int = ANSWER_CYCLES) -> EscalatedRun:
            counter = view.count(f"{work}: {label}", len(rounds))
            return run_escalated(
                board,
                outer,
                events,
                rounds,
                Escalation(answer, AMEND_CYCLES, hard_above),
                check=lambda records, first: counter.to(first + len(records)),
            )

        found = run("passes disagree", hal.PASSES_DISAGREE)
        # Thresholds on the last pass's growth steps, that flag about so many shots more
        steps = np.sort(found.records["hardness"][:, 0] & hal.PASSES_DISAGREE)[::-1]
        runs = {"passes disagree": found}
        for share in LIVE_SHARES:
            above = int(steps[int(share * len(steps))])
            label = f"passes disagree or more than {above} growth steps"
            runs[label] = run(label, above)
        late = run("answers too late", hal.PASSES_DISAGREE, 2 * AMEND_CYCLES)
    row(
        measure="logical error rate, correlated matching", value=np.mean(correlated != flips), unit="per shot"
    )
    row(
        measure="logical error rate, no shot escalated", value=np.mean(found.fabric != flips), unit="per shot"
    )
    for label, each in runs.items():
        row(
            measure=f"logical error rate, {label}: {each.escalated.mean():.2%} escalated",
            value=np.mean(each.frames != flips),
            unit="per shot",
        )
    expected = [np.where(each.escalated, correlated, each.fabric) for each in runs.values()]
    wrong = sum(
        int((each.frames != right).sum()) for each, right in zip(runs.values(), expected, strict=True)
    )
    measure = "frames at the barrier other than fabric XOR correction, all thresholds"
    row(measure=measure, value=wrong, unit="shots", goal="<= 0")
    stale = int((late.frames != late.fabric).sum() + late.in_time.sum())
    measure = f"frames changed by {int(late.escalated.sum()):,} answers that are late"
    row(measure=measure, value=stale, unit="shots", goal="<= 0")
    if found.escalated.any():
        took_us = found.outer_s[found.escalated] * 1e6
        measure = "outer decoder, one shot at a time on this machine"
        row(measure=f"{measure}, mean", value=took_us.mean(), unit="us")
        row(measure=f"{measure}, longest", value=took_us.max(), unit="us")


def plot_escalation(drawn: dict[str, Outcomes], path: Path) -> None:
    """Write the figure: a panel for each work, a curve for each rule; the file appears whole or not at all."""
    columns = min(3, len(drawn)) or 1
    rows = -(-len(drawn) // columns) or 1
    figure = Figure(figsize=(6.2 * columns, 4.6 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(drawn) :]:
        axes.set_visible(False)
    for axes, (work, outcomes) in zip(panels, drawn.items(), strict=False):
        draw_escalation(axes, work, outcomes)
    if drawn:
        panels[0].legend(fontsize=8, title="full: or passes disagree; dotted: alone", title_fontsize=8)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=130)
    write_whole(path, image.getvalue())


def draw_escalation(axes: Axes, work: str, outcomes: Outcomes) -> None:
    """Logical error rate against the share escalated, matching and correlated matching as lines."""
    shots = len(outcomes.flips)
    least = 10 / shots
    for name, colour in zip(FIGURES, ("#1f5fa8", "#d9822b", "#3a7d44", "#7b4fa3", "#7a7f87"), strict=True):
        for style, figure, label in (
            (":", outcomes.figures[name], None),
            ("-", outcomes.rule(name), FIGURES[name]),
        ):
            share, rates = outcomes.curve(figure)
            shown = share >= least
            axes.plot(share[shown], rates[shown], style, color=colour, linewidth=1.4, label=label)
    disagree = outcomes.disagree
    axes.plot(
        [disagree.mean()],
        [outcomes.escalated(disagree) / shots],
        "o",
        color="#111111",
        markersize=7,
        label="passes disagree",
        zorder=5,
    )
    for label, predicted, style in (
        ("2 passes", outcomes.passes[1], "-"),
        ("matching", outcomes.matching, "--"),
        ("correlated matching", outcomes.correlated, "-."),
    ):
        axes.axhline(
            outcomes.failures(predicted) / shots, color="#111111", linestyle=style, linewidth=0.9, label=label
        )
    axes.set_xscale("log")
    axes.set_xlim(least, 1)
    axes.set_xlabel("share of shots escalated")
    axes.set_ylabel("logical error rate per shot")
    axes.set_title(work, loc="left", fontsize=10)
    axes.spines[["right", "top"]].set_visible(False)
