# SPDX-License-Identifier: BSD-2-Clause
"""`bench lut`: its goals on a part of the work, and what happens without data."""

import pytest

from triplane.host.bench import BenchContext
from triplane.host.bench import lut as bench


@pytest.fixture
def rows(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_DATA", str(tmp_path))
    monkeypatch.setattr(bench, "NOISE", (0.005,))
    monkeypatch.setattr(bench, "QUICK_SHOTS", 20_000)
    ctx = BenchContext(quick=True)
    bench.bench_lut(ctx)
    return {row.measure: row for row in ctx.rows}


def test_tables_beat_matching(rows):
    goals = [row for row in rows.values() if row.goal is not None]
    assert len(goals) == 3
    assert all(row.ok for row in goals)
    exact = rows["logical error rate, PyMatching, exact"].value
    sampled = rows["logical error rate, PyMatching, sampled, 20,000 shots"].value
    assert sampled == pytest.approx(exact, rel=0.2)
    (skipped,) = [row for row in rows.values() if row.value is None]
    assert "is absent; set TRIPLANE_DATA" in skipped.measure
