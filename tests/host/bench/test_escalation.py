# SPDX-License-Identifier: BSD-2-Clause
"""Escalation: curves are those that brute force gives, and the decoders' rates those of PyMatching itself."""

import numpy as np
import pymatching
import pytest

from triplane.gateware.decoder.graph import compile_graph
from triplane.host.bench import BenchContext, BenchError, run_benchmark
from triplane.host.bench import escalation as module
from triplane.host.bench.escalation import FIGURES, Outcomes, collect, plot_escalation
from triplane.host.replay.sampling import memory_circuit
from triplane.sim.models.decoder.unionfind import UnionFindModel

CIRCUIT = memory_circuit(distance=5, rounds=5, probability=0.008)


@pytest.fixture(scope="module")
def shots():
    return CIRCUIT.compile_detector_sampler(seed=3).sample(6_000, separate_observables=True)


@pytest.fixture(scope="module")
def outcomes(shots):
    events, flips = shots
    dem = CIRCUIT.detector_error_model(decompose_errors=True)
    return collect(dem, [(events[:4_000], flips[:4_000]), (events[4_000:], flips[4_000:])])


def test_references_are_pymatching(outcomes, shots):
    events, flips = shots
    matching = pymatching.Matching.from_detector_error_model(
        CIRCUIT.detector_error_model(decompose_errors=True), enable_correlations=True
    )
    for found, correlated in ((outcomes.matching, False), (outcomes.correlated, True)):
        predicted = matching.decode_batch(events, enable_correlations=correlated)
        np.testing.assert_array_equal(found, predicted[:, 0].astype(bool))
        assert outcomes.failures(found) == (predicted[:, 0] != flips[:, 0]).sum()


@pytest.mark.parametrize("name", FIGURES)
def test_curves_are_thresholds(outcomes, name):
    for figure in (outcomes.figures[name], outcomes.rule(name)):
        share, rates = outcomes.curve(figure)
        assert (share[0], share[-1]) == (0, 1)
        assert rates[0] == outcomes.failures(outcomes.passes[1]) / len(figure)
        assert rates[-1] == outcomes.failures(outcomes.correlated) / len(figure)
        for at, threshold in enumerate(np.unique(figure)[::-1], start=1):
            chosen = figure >= threshold
            assert share[at] == pytest.approx(chosen.mean())
            predicted = np.where(chosen, outcomes.correlated, outcomes.passes[1])
            assert rates[at] == pytest.approx(np.mean(predicted != outcomes.flips))


def test_a_rule_takes_disagreeing_shots_first(outcomes):
    rule = outcomes.rule("cycles")
    np.testing.assert_array_equal(rule == rule.max(), outcomes.disagree)
    assert outcomes.disagree.any()


def test_disagreement_tells_wrong_shots(outcomes):
    wrong = outcomes.passes[1] != outcomes.flips
    assert wrong[outcomes.disagree].mean() > 3 * wrong.mean()
    assert outcomes.escalated(outcomes.disagree) < outcomes.failures(outcomes.passes[1])


def test_radius_is_the_growth_of_the_last_active_cluster():
    model = UnionFindModel(compile_graph(CIRCUIT.detector_error_model(decompose_errors=True)))
    edges = model.graph.edges
    # One event alone grows until the nearest way to the boundary is full: two half-units for each unit of weight.
    for edge in [e for e in edges if e.v < 0][:5]:
        events = np.zeros((1, model.graph.num_detectors), dtype=bool)
        events[0, edge.u] = True
        weight = int(model.graph.weights[edge.weight_class])
        assert model.decode(events).merge_steps[0] == 0
        assert model.radii(events)[0] == 2 * weight
    assert model.radii(np.zeros((2, model.graph.num_detectors), dtype=bool)).tolist() == [0, 0]


def test_rows_and_figure(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "SAMPLED", ((3, 0.01, 40_000),))
    monkeypatch.setattr(module, "LIVE_SAMPLED", (3, 0.02, 300))  # as in tests/host/runtime
    monkeypatch.setattr(module, "LIVE_QUICK", 300)
    monkeypatch.setattr(module, "RECORDED", (("recorded", "absent"),))
    monkeypatch.setenv("TRIPLANE_DATA", str(tmp_path))
    ctx = BenchContext(quick=True, plot=tmp_path / "out.png")
    module.bench_escalation(ctx)
    assert "is absent; set TRIPLANE_DATA" in ctx.rows[0].measure
    live = {row.measure: row.value for row in ctx.rows if row.work.startswith("gateware, d=3")}
    rows = {row.measure: row.value for row in ctx.rows[1:] if not row.work.startswith("gateware")}
    assert live["frames at the barrier other than fabric XOR correction, all thresholds"] == 0
    assert next(value for name, value in live.items() if "answers that are late" in name) == 0
    assert sum("% escalated" in name for name in live) == 3
    assert live["outer decoder, one shot at a time on this machine, mean"] > 0
    assert list(ctx.gateware) == ["live"]
    assert rows["logical error rate, 2 passes"] > 0
    assert 0 < rows["shots whose passes disagree"] < 0.1
    assert sum("disagree or cycles" in measure for measure in rows) >= 2
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_to_draw(tmp_path):
    plot_escalation({}, tmp_path / "empty.png")
    none = np.zeros(50, dtype=bool)
    zeros = dict.fromkeys(FIGURES, np.zeros(50, dtype=np.int64))
    plot_escalation(
        {"quiet": Outcomes(none, np.zeros((3, 50), bool), none, none, zeros, 0.0)}, tmp_path / "a.png"
    )
    assert (tmp_path / "a.png").stat().st_size > 1_000


def test_a_benchmark_without_figure_refuses_a_plot(tmp_path):
    with pytest.raises(BenchError, match="benchmark 'growth' draws no figure; leave --plot out"):
        run_benchmark("growth", plot=tmp_path / "a.png")
