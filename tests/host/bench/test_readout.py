# SPDX-License-Identifier: BSD-2-Clause
"""`bench readout`: its goals on made-up recordings, and what happens without data."""

import numpy as np
import pytest

from triplane.host.bench import BenchContext, multiplexed
from triplane.host.bench import readout as bench


@pytest.fixture
def rows(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_DATA", str(tmp_path))
    monkeypatch.setattr(bench, "QUICK_WINDOWS", 10)
    monkeypatch.setattr(multiplexed, "PRECISION_WINDOWS", 200)
    monkeypatch.setattr(multiplexed, "CROSSTALK_WINDOWS", 2)

    def run(plot=None):
        ctx = BenchContext(quick=True, plot=plot)
        bench.bench_readout(ctx)
        return ctx.rows

    return run


def record(folder):
    """Three clouds, 6 deviations apart, and a trace."""
    rng = np.random.default_rng(3)
    shots = rng.normal(size=(3, 400, 2)) + np.array([[0, 0], [6, 0], [0, 6]])[:, None]
    (folder / "delft_iq_readout").mkdir()
    np.save(folder / "delft_iq_readout" / "data_three_state_calibration.npy", shots)
    (folder / "qm_time_of_flight").mkdir()
    trace = {f"raw_data.adc_single_run{c}1": rng.integers(-2000, 2000, 500) for c in "IQ"}
    np.savez(folder / "qm_time_of_flight" / "arrays.npz", **trace)


def test_goals_are_met(rows, tmp_path):
    record(tmp_path)
    found = rows(plot=tmp_path / "clouds.png")
    assert [row.measure for row in found if row.ok is False] == []
    assert sum(row.ok is True for row in found) == 20
    latency = next(row for row in found if row.measure.startswith("discriminate"))
    assert latency.value == 7
    assert (tmp_path / "clouds.png").read_bytes().startswith(b"\x89PNG")


def test_absent_data_are_rows(rows):
    skipped = [row for row in rows() if row.value is None]
    assert len(skipped) == 2
    assert all("is absent; set TRIPLANE_DATA" in row.measure for row in skipped)
