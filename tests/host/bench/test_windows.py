# SPDX-License-Identifier: BSD-2-Clause
import math

import numpy as np
import pytest

from triplane.gateware.decoder.window import default_window
from triplane.host.bench import BenchContext, windows


def test_the_ratio_is_of_pairs():
    reference = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)
    failed = np.array([1, 1, 1, 0, 1, 1, 0, 0], dtype=bool)
    ratio = windows.PairedRatio.of(failed, reference)
    assert ratio.value == 5 / 4
    assert ratio.error == pytest.approx(math.sqrt(3) / 4)
    assert math.isnan(windows.PairedRatio.of(failed, np.zeros(8, dtype=bool)).value)


def test_the_error_of_the_ratio_is_its_spread():
    rng = np.random.default_rng(3)
    ratios = []
    for _ in range(400):
        reference = rng.random(5000) < 0.1
        failed = reference ^ (rng.random(5000) < 0.01)
        ratios.append(windows.PairedRatio.of(failed, reference))
    spread = np.std([r.value / np.mean([q.value for q in ratios]) for r in ratios])
    # The reference fluctuates too; where nearly all failures are shared that matters little.
    assert np.mean([r.error for r in ratios]) == pytest.approx(spread, rel=0.15)


def test_every_window_is_a_row(monkeypatch):
    monkeypatch.setattr(windows, "WORK", ((3, 12, 0.01, 600),))
    monkeypatch.setattr(windows, "WINDOWS", {3: ((4, 1), default_window(3))})
    ctx = BenchContext()
    windows.bench_windows(ctx)
    rows = {row.measure: row for row in ctx.rows}
    assert {row.work for row in ctx.rows} == {"d=3, 12 rounds, p=1.0%, 600 shots"}
    for passes in ("1 pass", "2 passes"):
        assert 0.1 < rows[f"logical error rate, whole, {passes}"].value < 0.4
        for window, commit in ((4, 1), default_window(3)):
            label = f"W={window}, C={commit}, {passes}"
            assert 0.7 < rows[f"ratio to whole, {label}"].value < 1.5
            assert rows[f"decode, mean, {label}"].value < rows[f"decode, p99.9, {label}"].value
            assert (rows[f"ratio to whole, {label}"].goal is None) == ((window, commit) != default_window(3))
    assert 0 < rows["logical error rate, matching, 600 shots"].value < 0.4
    assert [i.name for i in ctx.inputs] == ["d3_p0.01.circuit"]
