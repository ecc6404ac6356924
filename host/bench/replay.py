# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench replay`: real Sycamore shots through the gateware, against the goals, and against the
golden model.

Every shot of three experiments is replayed; on one of distance 3 and one of distance 5 every word of every
record, physical correction included, is compared with the golden model, and so are sampled shots of distance 7
where the run is not a quick one. Throughput is that of the simulation and has no goal: it depends on the machine.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np

from triplane import hal
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.decoder.window import StreamMap, whole_window
from triplane.host.bench import BenchContext, benchmark
from triplane.host.replay.datasets import Dataset, load_dataset
from triplane.host.replay.progress import ProgressView
from triplane.host.replay.sampling import memory_circuit, sample_dataset
from triplane.host.replay.session import BACK_TO_BACK, replay
from triplane.sim.models.decoder.engine import EngineModel

QUICK_SHOTS = 2_000
LARGEST_SHOTS = 20_000
LARGEST_SEED = 7

EXPERIMENTS = (
    ("Sycamore d=5, 5 rounds", "surface_code_bX_d5_r05_center_5_5", "<= 0.162", True),
    ("Sycamore d=3, 5 rounds", "surface_code_bX_d3_r05_center_3_5", "<= 0.166", True),
    ("Sycamore d=3, 1 round", "surface_code_bX_d3_r01_center_3_5", "<= 0.018", False),
)
"""Label, directory, goal of its logical error rate, whether its records are compared with the golden model."""

COMPARED = tuple(f.name for f in RESULT.fields if f.name not in ("timestamp_lo", "timestamp_hi", "waited"))
"""Fields of a record that do not depend on when its rounds arrived."""


def data_folder() -> Path:
    """Where published data sets lie: $TRIPLANE_DATA, or ../shared/data beside the repository."""
    override = os.environ.get("TRIPLANE_DATA")
    return Path(override) if override else Path(__file__).resolve().parents[2].parent / "shared" / "data"


@benchmark("replay", help="Sycamore shots through the gateware: accuracy, latency, golden model, throughput.")
def bench_replay(ctx: BenchContext) -> None:
    """Fill the rows of every experiment; one whose data are absent is reported as skipped."""
    shots = QUICK_SHOTS if ctx.quick else None
    for label, name, goal, compared in EXPERIMENTS:
        folder = data_folder() / "google_sycamore_2022" / name
        command = f"triplane replay {os.path.relpath(folder)}" + (f" --shots {shots}" if shots else "")
        if not folder.is_dir():
            ctx.skip(
                work=label,
                reason=f"{folder} is absent; set TRIPLANE_DATA to the folder of published data",
                command=command,
            )
            continue
        dataset = load_dataset([folder], shots=shots)
        for part, data, source in dataset.evidence():
            ctx.add_input(f"{name}.{part}", data, source=source)
        with ProgressView() as view:
            result = replay(dataset, view=view)
            _keep_hashes(ctx, name, result.structure_hash, result.table_hash, result.build_hash)
            mismatches = mismatching_shots(dataset, view, ctx, name) if compared else None
        work = f"{label}, {dataset.shots:,} shots"
        stage = result.ledger["decode"]
        summary = stage.summary()
        row = functools.partial(ctx.row, work=work, command=command)
        row(measure="logical error rate", value=result.rate.rate, unit="per shot", goal=goal)
        for reference in result.references:
            if reference.rate is not None:
                measure = f"logical error rate, {reference.label}"
                row(measure=measure, value=reference.rate.rate, unit="per shot", goal=None)
        row(measure="decode, mean", value=summary["mean"], unit="cycles", goal="<= 80")
        row(measure="decode, p99.9", value=summary["p999"], unit="cycles", goal="<= 250")
        # A replay that meets a record above the bound ends with an error, so this row never shows a miss.
        measure = "decode, max (a record above the bound ends the run)"
        row(measure=measure, value=summary["max"], unit="cycles", goal=f"<= {stage.bound}")
        if mismatches is not None:
            again = "triplane bench replay" + (" --quick" if ctx.quick else "")
            measure = "shots that differ from the golden model"
            row(measure=measure, value=mismatches, unit="shots", goal="<= 0", command=again)
        row(measure="simulation", value=dataset.shots / result.stream_s, unit="shots/s", goal=None)
        kilocycles = result.cycles / result.stream_s / 1e3
        row(measure="simulation", value=kilocycles, unit="kilocycles/s", goal=None)
    if not ctx.quick:
        _largest(ctx)


def _largest(ctx: BenchContext) -> None:
    """The largest graph that is promised; its build alone takes minutes."""
    circuit = memory_circuit(distance=7, rounds=7, probability=0.003)
    dataset = sample_dataset(circuit, name="largest", shots=LARGEST_SHOTS, seed=LARGEST_SEED, properties={})
    ctx.add_input("largest.circuit", str(circuit).encode(), source="stim.Circuit.generated")
    ctx.seeds["largest"] = LARGEST_SEED
    with ProgressView() as view:
        mismatches = mismatching_shots(dataset, view, ctx, "largest")
    ctx.row(
        work=f"rotated surface code, d=7, 7 rounds, p=0.3%, {dataset.shots:,} shots",
        measure="shots that differ from the golden model",
        value=mismatches,
        unit="shots",
        goal="<= 0",
        command="triplane bench replay",
    )


def _keep_hashes(ctx: BenchContext, name: str, structure_hash: str, table_hash: str, build_hash: str) -> None:
    ctx.tables[name] = {"structure_hash": structure_hash, "table_hash": table_hash}
    ctx.gateware[name] = {"build_hash": build_hash}


def mismatching_shots(
    dataset: Dataset, view: ProgressView, ctx: BenchContext, name: str, passes: int = 1
) -> int:
    """Shots of which any field of the record, or any bit of the physical correction, differs from the golden
    model. Tables and gateware are kept in the manifest, under `name` with correction.
    """
    graph = compile_graph(dataset.model)
    plan = whole_window(graph)
    program = hal.DecoderProgram.from_plan(plan, passes=passes, correction=True)
    layers = StreamMap.build(plan, graph).layers(dataset.events)
    expected, corrections = EngineModel(plan, passes, correction=True).decode(layers)
    counter = view.count("comparing with the golden model", dataset.shots)
    differing = 0
    done = 0
    with hal.connect("sim", graph=graph, correction=True, progress=view.build) as board:
        board.load(program)
        build_hash = str(board.identify().build_hash)
        _keep_hashes(ctx, f"{name} with correction", plan.structure_hash, plan.table_hash, build_hash)
        for chunk in board.run(graph.pack_events(dataset.events), round_period_cycles=BACK_TO_BACK):
            part = slice(done, done + len(chunk))
            wrong = (np.asarray(chunk.corrections) != corrections[part]).any(axis=1)
            for field in COMPARED:
                wrong |= chunk[field] != expected[part][field]
            differing += int(wrong.sum())
            done += len(chunk)
            counter.to(done)
    return differing + dataset.shots - done
