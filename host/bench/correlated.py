# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench correlated`: the study of correlated passes, on software models.

Passes and alternative weights per edge against matching and correlated matching on the same shots. No gateware takes
part: this is what the gateware of the passes is to reach. The goals are those of the decode engine.
"""

from __future__ import annotations

import functools

import numpy as np
import pymatching

from triplane.gateware.decoder.graph import compile_graph
from triplane.host.bench import BenchContext, benchmark
from triplane.host.bench.replay import data_folder
from triplane.host.replay.datasets import Dataset, load_dataset
from triplane.host.replay.sampling import memory_circuit, sample_dataset
from triplane.sim.models.decoder.correlated import CorrelatedModel

SEED = 2026
PASSES = 3
LEVELS = (1, 2, 3, 4, None)
QUICK = 20

SAMPLED = ((5, 0.001, 2_000_000), (5, 0.003, 200_000), (7, 0.003, 60_000))
"""Distance (and rounds), error probability, shots."""

RECORDED = (
    ("Sycamore d=5, 5 rounds", "surface_code_bX_d5_r05_center_5_5"),
    ("Sycamore d=3, 5 rounds", "surface_code_bX_d3_r05_center_3_5"),
)

COMMAND = "triplane bench correlated"


@benchmark(
    "correlated", help="Study of correlated passes: accuracy and cycles by passes and weights (models)."
)
def bench_correlated(ctx: BenchContext) -> None:
    """Failures of every number of passes and levels, beside matching on the same shots."""
    ctx.seeds["sampler"] = SEED
    for distance, p, shots in SAMPLED:
        circuit = memory_circuit(distance=distance, rounds=distance, probability=p)
        count = shots // QUICK if ctx.quick else shots
        dataset = sample_dataset(circuit, name="correlated", shots=count, seed=SEED, properties={})
        ctx.add_input(f"d{distance}_p{p}.circuit", str(circuit).encode(), source="stim.Circuit.generated")
        _rows(ctx, f"d={distance}, {distance} rounds, p={p:.1%}, {count:,} shots", dataset)
    for label, name in RECORDED:
        folder = data_folder() / "google_sycamore_2022" / name
        if not folder.is_dir():
            ctx.skip(
                work=label,
                reason=f"{folder} is absent; set TRIPLANE_DATA to the folder of published data",
                command=COMMAND,
            )
            continue
        dataset = load_dataset([folder], shots=2_000 if ctx.quick else None)
        for part, data, source in dataset.evidence():
            ctx.add_input(f"{name}.{part}", data, source=source)
        _rows(ctx, f"{label}, {dataset.shots:,} shots", dataset)


def _rows(ctx: BenchContext, work: str, dataset: Dataset) -> None:
    row = functools.partial(ctx.row, work=work, goal=None, command=COMMAND)
    flips = dataset.observables[:, 0]
    matching = pymatching.Matching.from_detector_error_model(dataset.model, enable_correlations=True)
    for label, correlated in (("matching", False), ("correlated matching", True)):
        predicted = matching.decode_batch(dataset.events, enable_correlations=correlated)[:, 0]
        row(measure=f"logical error rate, {label}", value=np.mean(predicted != flips), unit="per shot")
    graph = compile_graph(dataset.model)
    for levels in LEVELS:
        result = CorrelatedModel(graph, PASSES, levels).decode(dataset.events)
        name = "own weight per partner" if levels is None else f"{levels} levels"
        for number in range(PASSES):
            if number == 0 and levels != LEVELS[0]:
                continue  # the first pass knows no levels
            passes = "1 pass" if number == 0 else f"{number + 1} passes, {name}"
            rate = np.mean((result.observables[number] & 1) != flips)
            row(measure=f"logical error rate, {passes}", value=rate, unit="per shot")
            cycles = result.cycles[number].mean()
            row(measure=f"arrays, mean, {passes}", value=cycles, unit="cycles")
