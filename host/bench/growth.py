# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench growth`: what the set of growth steps costs in cycles, and how the array scales with distance, noise.

The golden model stands for the gateware: it is cycle-exact (`triplane bench replay` compares the two). Shots are
sampled with a fixed seed, and every set of steps decodes the same ones.
"""

from __future__ import annotations

import functools

import numpy as np

from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.unionfind.plan import default_steps
from triplane.host.bench import BenchContext, benchmark
from triplane.host.replay.sampling import memory_circuit, sample_dataset
from triplane.sim.models.decoder.unionfind import UnionFindModel

SEED = 2026

STEP_SETS = {
    "one unit": (1,),
    "as built": default_steps(5),
    "finer": (1, 2, 3, 4, 6, 8, 12, 16, 24, 32),
    "any": tuple(range(1, 64)),
}

WORK = ((5, 0.001, 200_000), (5, 0.003, 100_000), (7, 0.001, 50_000), (7, 0.003, 20_000))
"""Distance (and rounds), error probability, shots."""


@benchmark(
    "growth", help="Cycles of the union-find array by growth steps, distance and noise (golden model)."
)
def bench_growth(ctx: BenchContext) -> None:
    """Mean, p99 and p99.9 of the decode cycles for each set of steps, with the logical error rate."""
    ctx.seeds["sampler"] = SEED
    for distance, p, shots in WORK:
        count = shots // 20 if ctx.quick else shots
        circuit = memory_circuit(distance=distance, rounds=distance, probability=p)
        dataset = sample_dataset(circuit, name="growth", shots=count, seed=SEED, properties={})
        graph = compile_graph(dataset.model)
        part = f"d{distance}_p{p}"
        ctx.add_input(f"{part}.circuit", str(circuit).encode(), source="stim.Circuit.generated")
        ctx.tables[part] = {"structure_hash": graph.structure_hash, "table_hash": graph.table_hash}
        work = f"d={distance}, {distance} rounds, p={p:.1%}, {count:,} shots"
        row = functools.partial(ctx.row, work=work, goal=None, command="triplane bench growth")
        for name, steps in STEP_SETS.items():
            result = UnionFindModel(graph, steps).decode(dataset.events)
            figures = {
                "mean": float(result.cycles.mean()),
                "p99": float(np.percentile(result.cycles, 99)),
                "p99.9": float(np.percentile(result.cycles, 99.9)),
            }
            for statistic, value in figures.items():
                row(measure=f"decode, {name}, {statistic}", value=value, unit="cycles")
            rate = float(np.mean((result.observables & 1) != dataset.observables[:, 0]))
            row(measure=f"logical error rate, {name}", value=rate, unit="per shot")
