# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench belief`: the study of belief propagation before growth, on software models.

Rules, schedules and numbers of iterations, each followed by one pass of the union-find arrays, against correlated
passes, matching and correlated matching on the same shots. No gateware takes part. Belief-matching, the same
posteriors with matching behind them, shows what an outer decoder would gain. Cycles are those of the arrays without
the iterations.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import pymatching

from triplane.gateware.decoder.graph import BOUNDARY, DecodingGraph, compile_graph
from triplane.host.bench import BenchContext, benchmark
from triplane.host.bench.replay import data_folder
from triplane.host.replay.datasets import Dataset, load_dataset
from triplane.host.replay.sampling import memory_circuit, sample_dataset
from triplane.sim.models.decoder.belief import BeliefModel, Rule
from triplane.sim.models.decoder.correlated import CorrelatedModel

SEED = 2026
PASSES = 3
QUICK = 100

SAMPLED = ((5, 0.001, 600_000), (5, 0.003, 60_000), (7, 0.003, 60_000))
"""Distance (and rounds), error probability, shots."""

RECORDED = (
    ("Sycamore d=5, 5 rounds", "surface_code_bX_d5_r05_center_5_5", 10_000),
    ("Sycamore d=5, 5 rounds", "surface_code_bX_d5_r05_center_5_5", None),
    ("Sycamore d=3, 5 rounds", "surface_code_bX_d3_r05_center_3_5", None),
)
"""Label, directory, how many of its shots."""

QUICK_SHOTS = 1_000

MESSAGE_BITS = 6

ITERATIONS = (1, 2, 3, 5, 10)
SAMPLED_ITERATIONS = (2, 5)

OUTER_ITERATIONS = 20
OUTER_SHOTS = 10_000
"""Belief-matching builds a matching graph for every shot, so that it takes the first shots only."""

COMMAND = "triplane bench belief"


def rules(graph: DecodingGraph) -> dict[str, Rule]:
    """Rules by name; the whole-number ones send messages in the units of the graph's weight registers."""
    fixed = functools.partial(
        Rule, "min-sum", message_bits=MESSAGE_BITS, units_per_nat=graph.units_per_nat, combine="min"
    )
    return {
        "product-sum, flooding": Rule("product-sum"),
        "product-sum, coloured": Rule("product-sum", schedule="colour"),
        "min-sum, flooding": Rule("min-sum"),
        "min-sum, coloured": Rule("min-sum", schedule="colour"),
        f"min-sum of {MESSAGE_BITS} bits, flooding": fixed(),
        f"min-sum of {MESSAGE_BITS} bits, by basis": fixed(schedule="basis"),
        f"min-sum of {MESSAGE_BITS} bits, coloured": fixed(schedule="colour"),
    }


SAMPLED_RULES = (
    "product-sum, coloured",
    f"min-sum of {MESSAGE_BITS} bits, flooding",
    f"min-sum of {MESSAGE_BITS} bits, coloured",
)


@benchmark("belief", help="Study of belief propagation before growth, against correlated passes (models).")
def bench_belief(ctx: BenchContext) -> None:
    """Failures by rule, schedule and iterations, beside passes and matching on the same shots."""
    ctx.seeds["sampler"] = SEED
    for label, name, shots in RECORDED:
        folder = data_folder() / "google_sycamore_2022" / name
        if not folder.is_dir():
            ctx.skip(
                work=label,
                reason=f"{folder} is absent; set TRIPLANE_DATA to the folder of published data",
                command=COMMAND,
            )
            continue
        dataset = load_dataset([folder], shots=QUICK_SHOTS if ctx.quick else shots)
        for part, data, source in dataset.evidence():
            if all(known.name != f"{name}.{part}" for known in ctx.inputs):
                ctx.add_input(f"{name}.{part}", data, source=source)
        work = f"{label}, {dataset.shots:,} shots"
        if any(row.work == work for row in ctx.rows):
            continue  # a quick run takes the same shots for both
        _rows(ctx, work, dataset, outer=dataset.shots <= OUTER_SHOTS)
    for distance, p, shots in SAMPLED:
        circuit = memory_circuit(distance=distance, rounds=distance, probability=p)
        count = shots // QUICK if ctx.quick else shots
        dataset = sample_dataset(circuit, name="belief", shots=count, seed=SEED, properties={})
        ctx.add_input(f"d{distance}_p{p}.circuit", str(circuit).encode(), source="stim.Circuit.generated")
        work = f"d={distance}, {distance} rounds, p={p:.1%}, {count:,} shots"
        _rows(ctx, work, dataset, names=SAMPLED_RULES, iterations=SAMPLED_ITERATIONS)


def _rows(
    ctx: BenchContext,
    work: str,
    dataset: Dataset,
    *,
    names: tuple[str, ...] | None = None,
    iterations: tuple[int, ...] = ITERATIONS,
    outer: bool = False,
) -> None:
    row = functools.partial(ctx.row, work=work, goal=None, command=COMMAND)
    flips = dataset.observables[:, 0]
    # A decoder says the same of the same events: each pattern is decoded once.
    events, pattern = np.unique(dataset.events, axis=0, return_inverse=True)
    pattern = pattern.reshape(-1)  # NumPy 2.0 gave it another shape

    def figures(label: str, observables: npt.NDArray[np.uint32], cycles: npt.NDArray[Any]) -> None:
        rate = np.mean((observables[pattern] & 1) != flips)
        row(measure=f"logical error rate, {label}", value=rate, unit="per shot")
        row(measure=f"arrays, mean, {label}", value=cycles[pattern].mean(), unit="cycles")

    matching = pymatching.Matching.from_detector_error_model(dataset.model, enable_correlations=True)
    for label, correlated in (("matching", False), ("correlated matching", True)):
        predicted = matching.decode_batch(events, enable_correlations=correlated)[:, 0]
        row(
            measure=f"logical error rate, {label}",
            value=np.mean(predicted[pattern] != flips),
            unit="per shot",
        )
    graph = compile_graph(dataset.model)
    passes = CorrelatedModel(graph, PASSES).decode(events)
    for number in range(PASSES):
        label = f"{number + 1} pass{'es' if number else ''}"
        figures(label, passes.observables[number], passes.cycles[number])
    for name, rule in rules(graph).items():
        if names is not None and name not in names:
            continue
        model = BeliefModel(dataset.model, graph, rule, iterations)
        if rule.schedule == "colour":
            row(measure=f"layers, {name}", value=model.num_layers, unit="layers")
        for count, result in zip(iterations, model.decode(events), strict=True):
            label = f"{name}, {count} iteration{'s' if count > 1 else ''}"
            figures(label, result.observables, result.cycles)
            grows = result.grow_steps[pattern].mean()
            row(measure=f"growth acts, mean, {label}", value=grows, unit="acts")
    if outer:
        for name in ("product-sum, flooding", "product-sum, coloured"):
            model = BeliefModel(dataset.model, graph, rules(graph)[name], (OUTER_ITERATIONS,))
            predicted = belief_matching(model, events)
            rate = np.mean(predicted[pattern] != flips)
            measure = f"logical error rate, belief-matching, {name}, {OUTER_ITERATIONS} iterations"
            row(measure=measure, value=rate, unit="per shot")


def belief_matching(model: BeliefModel, events: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Flips of observable 0 by minimum-weight matching on the likelihoods after the last iteration: bool (shots,)."""
    flips = np.zeros(len(events), dtype=bool)
    for shot, defects in enumerate(events):
        (likelihoods,) = model.likelihoods(model.posteriors(defects[None])[-1])
        matching = pymatching.Matching()
        for edge, weight in zip(model.graph.edges, likelihoods, strict=True):
            crossed = {k for k in range(model.graph.num_observables) if edge.observables >> k & 1}
            if edge.v == BOUNDARY:
                matching.add_boundary_edge(edge.u, weight=weight, fault_ids=crossed)
            else:
                matching.add_edge(edge.u, edge.v, weight=weight, fault_ids=crossed)
        matching.ensure_num_fault_ids(max(model.graph.num_observables, 1))
        flips[shot] = matching.decode(defects)[0]
    return flips
