# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench windows`: the sliding window against the whole history, by window and commit, on the golden model.

A long memory is decoded whole and in windows, by the same decoder and on the same shots, so that the ratio of the
failure counts is known far better than the rates: only shots that one gets right and the other wrong make it
uncertain. Matching decodes the first of the shots, for comparison.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pymatching
import stim

from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.gateware.decoder.window import (
    StreamMap,
    WindowPlan,
    default_window,
    sliding_window,
    whole_window,
)
from triplane.host.bench import BenchContext, benchmark
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.models.decoder.window import WindowModel

SEED = 2026
MODES = {"1 pass": 1, "2 passes": 2}
"""Name -> passes."""

CHUNK = 20_000
QUICK = 40
MATCHED = 20_000
TIMED = 2_000
"""Shots that matching decodes, and shots whose cycles are counted."""

WINDOWS = {
    3: ((4, 1), (5, 1), (5, 2), (6, 2)),
    5: ((6, 1), (6, 2), (7, 1), (7, 2), (7, 3), (8, 2), (8, 3), (9, 3)),
    7: ((8, 2), (9, 2), (10, 2), (10, 3), (11, 4)),
}
"""Distance -> window and commit, in layers."""

QUICK_WINDOWS = 1

WORK = (
    (5, 40, 0.005, 20_000),
    (5, 40, 0.003, 40_000),
    (5, 40, 0.001, 200_000),
    (7, 40, 0.005, 4_000),
    (7, 40, 0.003, 10_000),
    (7, 40, 0.001, 50_000),
    (3, 40, 0.005, 50_000),
    (3, 40, 0.003, 100_000),
    (3, 40, 0.001, 200_000),
)
"""Distance, rounds, error probability, shots."""

GOAL = "<= 1.03"
COMMAND = "triplane bench windows"


@benchmark(
    "windows", help="Sliding window against whole-history decoding, by window and commit (golden model)."
)
def bench_windows(ctx: BenchContext) -> None:
    """Logical error rates, ratios with their statistical errors, and cycles of every window."""
    ctx.seeds["sampler"] = SEED
    for distance, rounds, p, shots in WORK:
        circuit = memory_circuit(distance=distance, rounds=rounds, probability=p)
        part = f"d{distance}_p{p}"
        ctx.add_input(f"{part}.circuit", str(circuit).encode(), source="stim.Circuit.generated")
        count = max(shots // QUICK, 250) if ctx.quick else shots
        chosen = WINDOWS[distance]
        if ctx.quick:
            if p != 0.003:
                continue
            chosen = tuple({*chosen[-QUICK_WINDOWS:], default_window(distance)})
        work = f"d={distance}, {rounds} rounds, p={p:.1%}, {count:,} shots"
        _rows(ctx, work, circuit, count, chosen, default_window(distance))


@dataclass(frozen=True)
class PairedRatio:
    """Failures of one decoder as a share of those of another on the same shots.

    Attributes:
        value: the ratio; not a number where the other never failed.
        error: its standard error, from the shots on which just one of them failed.
    """

    value: float
    error: float

    @classmethod
    def of(cls, failed: npt.NDArray[np.bool_], reference: npt.NDArray[np.bool_]) -> PairedRatio:
        """From what failed, both bool (shots,)."""
        base = np.count_nonzero(reference)
        if not base:
            return cls(math.nan, math.nan)
        return cls(np.count_nonzero(failed) / base, math.sqrt(np.count_nonzero(failed != reference)) / base)


class _Decoder:
    """A plan with the failures of its shots so far, one list per number of passes."""

    def __init__(self, plan: WindowPlan, graph: DecodingGraph) -> None:
        self.stream = StreamMap.build(plan, graph)
        self.models = {name: WindowModel(plan, passes) for name, passes in MODES.items()}
        self._failed: dict[str, list[npt.NDArray[np.bool_]]] = {name: [] for name in self.models}

    def take(self, events: npt.NDArray[np.bool_], flips: npt.NDArray[np.bool_]) -> None:
        layers = self.stream.layers(events)
        for name, model in self.models.items():
            self._failed[name].append(model.decode(layers, timing=False).frame != flips)

    def failed(self, mode: str) -> npt.NDArray[np.bool_]:
        return np.concatenate(self._failed[mode])


def _sample(
    circuit: stim.Circuit, shots: int
) -> Iterator[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    sampler = circuit.compile_detector_sampler(seed=SEED)
    while shots:
        count = min(shots, CHUNK)
        events, flips = sampler.sample(count, separate_observables=True)
        yield events, flips[:, 0]
        shots -= count


def _rows(
    ctx: BenchContext,
    work: str,
    circuit: stim.Circuit,
    shots: int,
    windows: tuple[tuple[int, int], ...],
    default: tuple[int, int],
) -> None:
    row = functools.partial(ctx.row, work=work, command=COMMAND)
    dem = circuit.detector_error_model(decompose_errors=True)
    graph = compile_graph(dem)
    whole = _Decoder(whole_window(graph), graph)
    plans = {wc: sliding_window(graph, window=wc[0], commit=wc[1]) for wc in sorted(windows)}
    sliding = {wc: _Decoder(plan, graph) for wc, plan in plans.items()}
    first: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None = None
    for events, flips in _sample(circuit, shots):
        first = first or (events, flips)
        for decoder in (whole, *sliding.values()):
            decoder.take(events, flips)
    assert first is not None

    matching = pymatching.Matching.from_detector_error_model(dem, enable_correlations=True)
    matched = slice(0, MATCHED // QUICK if ctx.quick else MATCHED)
    for label, correlated in (("matching", False), ("correlated matching", True)):
        predicted = matching.decode_batch(first[0][matched], enable_correlations=correlated)[:, 0]
        rate = np.mean(predicted != first[1][matched])
        row(
            measure=f"logical error rate, {label}, {len(predicted):,} shots",
            value=rate,
            unit="per shot",
            goal=None,
        )
    for name in MODES:
        reference = whole.failed(name)
        row(
            measure=f"logical error rate, whole, {name}",
            value=reference.mean(),
            unit="per shot",
            goal=None,
        )
        for (window, commit), decoder in sliding.items():
            label = f"W={window}, C={commit}, {name}"
            ratio = PairedRatio.of(decoder.failed(name), reference)
            if math.isnan(ratio.value):
                ctx.skip(
                    work=work, reason=f"ratio to whole, {label}: no failure in these shots", command=COMMAND
                )
                continue
            goal = GOAL if (window, commit) == default else None
            row(measure=f"ratio to whole, {label}", value=ratio.value, unit="", goal=goal)
            row(measure=f"its standard error, {label}", value=ratio.error, unit="", goal=None)
            timed = decoder.models[name].decode(decoder.stream.layers(first[0][:TIMED]))
            for statistic, value in (
                ("mean", timed.cycles.mean()),
                ("p99.9", np.percentile(timed.cycles, 99.9)),
            ):
                row(measure=f"decode, {statistic}, {label}", value=value, unit="cycles", goal=None)
