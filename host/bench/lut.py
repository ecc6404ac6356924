# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench lut`: exact lookup tables for distance 3, against matching on the same shots.

Rates of tables and of matching are exact where it says so: every syndrome is decoded once and weighed with its
probability, so no row hangs on the luck of a sample. Correlated matching sees 2**24 syndromes and is sampled, and so$
are all others on the same shots beside it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import stim

from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.table import LOOKUP_CYCLES, TableShape, observed_detectors
from triplane.host.bench import BenchContext, benchmark
from triplane.host.bench.replay import data_folder
from triplane.host.replay.references import decode_with_pymatching
from triplane.host.replay.repetition import DETECTORS, estimate_model, load_counts, uniform_model
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.models.decoder.lut import Probabilities, fill_table, joint_distribution

SEED = 2026
NOISE = (0.0005, 0.001, 0.002, 0.003, 0.005)
STUDIED = 0.001
"""Noise at which detectors of the other basis are added one by one."""

SHOTS, QUICK_SHOTS = 10_000_000, 200_000
BATCH_SHOTS = 1_000_000
UNIFORM = 0.01
"""Probability of every mechanism where nothing is estimated."""

COMMAND = "triplane bench lut"


@benchmark(
    "lut",
    help="Exact lookup tables for distance 3: accuracy against matching, memory, IBM's repetition code.",
)
def bench_lut(ctx: BenchContext) -> None:
    """Surface codes by noise, the price of each detector in the address, and recorded counts."""
    command = COMMAND + (" --quick" if ctx.quick else "")
    for p in NOISE:
        exact = surface_rows(ctx, p, command)
        _sampled(ctx, p, exact, command)
    recorded_rows(ctx, COMMAND)


def surface_rows(ctx: BenchContext, p: float, command: str) -> Probabilities:
    """Table and matching on one rotated code, d=3, 3 rounds, exactly.

    Returns:
        The joint distribution, see `joint_distribution`: detectors that see the observable, then the others.
    """
    work = _Work.at(p)
    row = functools.partial(ctx.row, work=work.label, command=command)
    # In the joint distribution every syndrome has its weight.
    joint = joint_distribution(work.model, work.basis + work.others)
    one_basis = joint.reshape(2, -1, work.shape.entries).sum(axis=1)
    matched = _matching_of_all(work.model, work.basis)
    matching = float(np.where(matched, one_basis[0], one_basis[1]).sum())
    both = float(joint.min(axis=0).sum())
    rate = fill_table(work.model, work.shape).failure_rate
    small, large = len(work.basis), len(work.basis + work.others)
    exact = functools.partial(row, unit="per shot", goal=None)
    exact(measure=f"logical error rate, table of {small} detectors, exact", value=rate)
    exact(measure=f"logical error rate, table of {large} detectors, exact", value=both)
    exact(measure="logical error rate, PyMatching, exact", value=matching)
    ratio = "logical error rate against PyMatching, exact"
    row(measure=f"{ratio}, {small} detectors", value=rate / matching, unit="", goal="<= 1.00")
    row(measure=f"{ratio}, {large} detectors", value=both / matching, unit="", goal="<= 1.00")
    row(measure="decode, every shot", value=LOOKUP_CYCLES, unit="cycles", goal="<= 8")
    return joint


@dataclass(frozen=True)
class _Work:
    """A rotated code, d=3, 3 rounds, and the table that decodes it."""

    circuit: stim.Circuit
    model: stim.DetectorErrorModel
    basis: tuple[int, ...]
    others: tuple[int, ...]
    label: str

    @classmethod
    def at(cls, p: float) -> _Work:
        circuit = memory_circuit(distance=3, rounds=3, probability=p)
        model = circuit.detector_error_model(decompose_errors=True)
        graph = compile_graph(model)
        basis = observed_detectors(graph)
        others = tuple(d for d in range(graph.num_detectors) if d not in basis)
        return cls(circuit, model, basis, others, f"rotated code, d=3, 3 rounds, p={p:.2%}")

    @property
    def shape(self) -> TableShape:
        return TableShape(self.basis, 1)


def _sampled(ctx: BenchContext, p: float, joint: Probabilities, command: str) -> None:
    """The same shots for tables, matching and correlated matching."""
    work = _Work.at(p)
    row = functools.partial(ctx.row, work=work.label, command=command)
    table = fill_table(work.model, work.shape)
    shots = QUICK_SHOTS if ctx.quick else SHOTS
    whole = (joint[1] > joint[0]).astype(np.bool_)
    failures = {
        "table of 16 detectors": 0,
        "table of 24 detectors": 0,
        "PyMatching": 0,
        "PyMatching, correlated": 0,
    }
    for events, actual in _batches(work.circuit, shots):
        full = TableShape(work.basis + work.others, 1, 0).addresses(events)
        syndromes, first, inverse = np.unique(full, return_index=True, return_inverse=True)
        distinct = events[first]
        predicted = {
            "table of 16 detectors": table.decode(distinct)[0] == 1,
            "table of 24 detectors": whole[syndromes],
            "PyMatching": decode_with_pymatching(work.model, distinct, correlated=False)[:, 0],
            "PyMatching, correlated": decode_with_pymatching(work.model, distinct, correlated=True)[:, 0],
        }
        for name, flips in predicted.items():
            failures[name] += int((flips[inverse] != actual).sum())
    for name, count in failures.items():
        row(
            measure=f"logical error rate, {name}, sampled, {shots:,} shots",
            value=count / shots,
            unit="per shot",
            goal=None,
        )
    if p == STUDIED:
        _addresses(ctx, joint, len(work.basis), work.others, command)


def _addresses(
    ctx: BenchContext, joint: Probabilities, kept: int, others: tuple[int, ...], command: str
) -> None:
    """Adds the detectors of the other basis to the address, each time the one that helps most."""
    # Axes: observable, others from the last to the first, syndrome of the basis that is always in the address.
    split = joint.reshape(2, *(2,) * len(others), 1 << kept)

    def rate(chosen: list[int]) -> float:
        left_out = tuple(len(others) - k for k in range(len(others)) if k not in chosen)
        return float(split.sum(axis=left_out).min(axis=0).sum())

    chosen: list[int] = []
    for _ in range(len(others) + 1):
        shape = TableShape(tuple(range(kept + len(chosen))), 1, 0)
        work = f"rotated code, d=3, 3 rounds, p={STUDIED:.2%}, {kept + len(chosen)} detectors in the address"
        row = functools.partial(ctx.row, work=work, goal=None, command=command)
        row(measure="logical error rate, exact", value=rate(chosen), unit="per shot")
        row(measure="block RAMs of 36 kbit, observables only", value=shape.block_rams, unit="")
        with_confidence = TableShape(shape.detectors, 1, 3)
        row(measure="block RAMs of 36 kbit, 3 bits of confidence", value=with_confidence.block_rams, unit="")
        left = [k for k in range(len(others)) if k not in chosen]
        if left:
            chosen.append(min(left, key=lambda k: rate([*chosen, k])))


def recorded_rows(ctx: BenchContext, command: str) -> None:
    """Counts of IBM's repetition code: half of each to estimate the model from, the other half to decode."""
    folder = data_folder() / "ibm_repetition_d3"
    files = sorted(folder.glob("*.json"))
    if not files:
        ctx.skip(
            work="IBM repetition code, d=3, 2 rounds",
            reason=f"{os.path.relpath(folder)} is absent; set TRIPLANE_DATA to the folder of published data",
            command=command,
        )
    shape = TableShape(tuple(range(DETECTORS)), 1)
    for file in files:
        failures = {"estimated": np.zeros(3, dtype=np.int64), "uniform": np.zeros(3, dtype=np.int64)}
        shots = 0
        for number, counts in enumerate(load_counts(file)):
            seen, decoded = counts.split(SEED + number)
            shots += decoded.shots
            for name, model in (("estimated", estimate_model(seen)), ("uniform", uniform_model(UNIFORM))):
                detectors = shape.detectors
                failures[name] += (
                    decoded.failures(fill_table(model, shape).observables),
                    decoded.failures(_matching_of_all(model, detectors)),
                    decoded.failures(_matching_of_all(model, detectors, correlated=True)),
                )
        for name, (table, matching, correlated) in failures.items():
            work = f"IBM repetition code, {file.stem}, {shots:,} shots, {name} model"
            row = functools.partial(ctx.row, work=work, command=command)
            rate = functools.partial(row, unit="per shot", goal=None)
            rate(measure="logical error rate, table", value=table / shots)
            rate(measure="logical error rate, PyMatching", value=matching / shots)
            rate(measure="logical error rate, PyMatching, correlated", value=correlated / shots)
            row(measure="failures against PyMatching", value=table / matching, unit="", goal="<= 1.00")


def _matching_of_all(
    model: stim.DetectorErrorModel, detectors: tuple[int, ...], *, correlated: bool = False
) -> npt.NDArray[np.bool_]:
    """Matching's prediction for every syndrome of some detectors, the others being silent: bool (2**detectors,)."""
    events = np.zeros((1 << len(detectors), model.num_detectors), dtype=np.bool_)
    for k, detector in enumerate(detectors):
        events[:, detector] = np.arange(len(events)) >> k & 1
    return decode_with_pymatching(model, events, correlated=correlated)[:, 0]


def _batches(
    circuit: stim.Circuit, shots: int
) -> Iterator[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """Events, bool (batch, detectors), and the observable, bool (batch,), of sampled shots."""
    sampler = circuit.compile_detector_sampler(seed=SEED)
    while shots:
        batch = min(shots, BATCH_SHOTS)
        events, observables = sampler.sample(batch, separate_observables=True)
        yield events.astype(np.bool_, copy=False), observables[:, 0].astype(np.bool_, copy=False)
        shots -= batch
