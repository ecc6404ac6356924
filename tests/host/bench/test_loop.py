# SPDX-License-Identifier: BSD-2-Clause
"""`bench loop`, a small part of it: rows are there, counts are whole, and its predictions are of the right size."""

import pytest

from triplane.host.bench import BenchContext, loop


def test_rows(monkeypatch):
    monkeypatch.setattr(loop, "QUICK_MEMORIES", {3: ((9, 3),)})
    monkeypatch.setattr(loop, "PREDICTED", {9: 20_000})
    monkeypatch.setattr(loop, "QUICK_RESETS", 60)
    ctx = BenchContext(quick=True)
    loop.bench_loop(ctx)
    rows = {(row.work.split(",")[0], row.measure): row for row in ctx.rows}
    assert rows["surface17", "windows that differ from the golden model"].value == 0
    assert rows["surface17", "windows that differ from the golden model"].ok
    assert rows["surface17", "a round"].value == 447
    predicted = rows["surface17", "the same, Stim's prediction"].value
    assert 0.005 < predicted < 0.04
    # By the mean of the detectors' variances, each event taken for itself
    assert rows["surface17", "chi-square per detector"].value < 3
    assert rows["one_qubit", "apart"].value < 4
    assert set(ctx.gateware) == {"surface17", "small"}
    assert all(row.command == "triplane bench loop --quick" for row in ctx.rows)


@pytest.mark.parametrize(("share", "rounds"), [(0.0, 10), (0.1, 1), (0.3, 25)])
def test_error_of_a_round(share, rounds):
    each = loop.per_round(share, rounds)
    wrong = 0.0
    for _ in range(rounds):
        wrong = wrong * (1 - each) + (1 - wrong) * each
    assert wrong == pytest.approx(share)


def test_memories_that_are_lost_have_no_error_of_a_round():
    assert loop.per_round(0.6, 1000) == 0.5
