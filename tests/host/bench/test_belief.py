# SPDX-License-Identifier: BSD-2-Clause
"""`bench belief` on a part of the work, and its matching on posteriors against PyMatching."""

import numpy as np
import pymatching
import pytest

from triplane.gateware.decoder.graph import compile_graph
from triplane.host.bench import BenchContext
from triplane.host.bench import belief as bench
from triplane.host.replay.sampling import memory_circuit, sample_dataset
from triplane.sim.models.decoder.belief import BeliefModel, Rule


def test_rows_without_data(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_DATA", str(tmp_path))
    monkeypatch.setattr(bench, "SAMPLED", ((3, 0.01, 100_000),))
    ctx = BenchContext(quick=True)
    bench.bench_belief(ctx)
    skipped = [row for row in ctx.rows if row.value is None]
    assert len(skipped) == len(bench.RECORDED)
    assert all("is absent; set TRIPLANE_DATA" in row.measure for row in skipped)
    rows = {row.measure: row.value for row in ctx.rows}
    assert rows["arrays, mean, 3 passes"] > rows["arrays, mean, 2 passes"] > rows["arrays, mean, 1 pass"]
    for name in bench.SAMPLED_RULES:
        rates = [
            rows[f"logical error rate, {name}, {count} iterations"] for count in bench.SAMPLED_ITERATIONS
        ]
        assert 0 < max(rates) < 2 * rows["logical error rate, matching"]


def test_rates_are_of_the_shots_not_of_their_patterns():
    circuit = memory_circuit(distance=3, rounds=3, probability=0.003)
    dataset = sample_dataset(circuit, name="belief", shots=3_000, seed=4, properties={})
    assert len(np.unique(dataset.events, axis=0)) < 1_500
    ctx = BenchContext(quick=True)
    bench._rows(ctx, "sampled", dataset, names=(), outer=True)
    rows = {row.measure: row.value for row in ctx.rows}
    predicted = pymatching.Matching(dataset.model).decode_batch(dataset.events)
    assert rows["logical error rate, matching"] == pytest.approx(np.mean(predicted != dataset.observables))
    assert any(measure.startswith("logical error rate, belief-matching") for measure in rows)


def test_matching_on_the_priors_is_matching():
    circuit = memory_circuit(distance=3, rounds=3, probability=0.02)
    dem = circuit.detector_error_model(decompose_errors=True)
    events, _ = circuit.compile_detector_sampler(seed=9).sample(300, separate_observables=True)

    class Priors(BeliefModel):
        def posteriors(self, events):
            p = self.factors.probabilities
            return np.log((1 - p) / p)[None, None]

    graph = compile_graph(dem)
    predicted = bench.belief_matching(Priors(dem, graph, Rule("min-sum", combine="min"), (1,)), events)
    expected = pymatching.Matching(dem).decode_batch(events)[:, 0]
    # Matchings of equal weight are told apart by rounding.
    assert np.count_nonzero(predicted != expected) <= 6
