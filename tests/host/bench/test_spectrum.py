# SPDX-License-Identifier: BSD-2-Clause
"""`bench spectrum`: its goals on a small part of the work, its measure of a spectrum, and its figure."""

import numpy as np
import pytest

from triplane.host.bench import BenchContext
from triplane.host.bench import spectrum as bench


def test_goals(tmp_path, monkeypatch):
    for name, value in (
        ("QUICK_FREQUENCIES", 5),
        ("QUICK_PERIODS", 30),
        ("QUICK_GENERATOR_FREQUENCIES", 2),
        ("QUICK_HOPS", 40),
    ):
        monkeypatch.setattr(bench, name, value)
    ctx = BenchContext(quick=True, plot=tmp_path / "spectrum.png")
    bench.bench_spectrum(ctx)
    goals = [row for row in ctx.rows if row.goal is not None]
    assert len(goals) == 14
    assert [row for row in goals if not row.ok] == []
    assert (tmp_path / "spectrum.png").stat().st_size > 10_000


def test_range_of_known_spectra():
    time = np.arange(2**12)
    carrier = np.exp(2j * np.pi * 77 / len(time) * time)
    spur = 1e-4 * np.exp(2j * np.pi * 1234 / len(time) * time)
    assert bench.sfdr_db(carrier + spur, whole=True) == pytest.approx(80, abs=1e-6)
    assert bench.sfdr_db(carrier + spur, whole=False) == pytest.approx(80, abs=1e-3)
    between = np.exp(2j * np.pi * 77.3 / len(time) * time)
    assert min(bench.sfdr_db(carrier, whole=True), bench.sfdr_db(between, whole=False)) > 170
