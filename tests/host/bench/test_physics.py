# SPDX-License-Identifier: BSD-2-Clause
"""`bench physics` on a fraction of its quick run."""

import pytest

from triplane.host.bench import BenchContext, physics, physics_codes


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    # Fewer shots, not fewer points: 24 of them cannot tell a fringe of 200 kHz from one of 120.
    patch.setattr(physics, "QUICK_SHOTS", 80)
    patch.setattr(physics, "QUICK_BLOB_SHOTS", 600)
    patch.setattr(physics_codes, "CODES", ((3, 1, 60, 60),))
    patch.setattr(physics_codes, "ROUNDS_TIMED", 5)
    ctx = BenchContext(quick=True, plot=tmp_path_factory.mktemp("plot") / "physics.png")
    physics.bench_physics(ctx)
    patch.undo()
    return ctx


def test_parameters_come_out(result):
    """With so few shots within a factor; what needs few shots meets its goal."""
    fitted = [row for row in result.rows if row.goal == physics.GOAL]
    assert len(fitted) == 9
    assert all(row.value < 100 for row in fitted)
    sure = [
        row for row in fitted if "Rabi" in row.measure or "ZX" in row.measure or "detuning" in row.measure
    ]
    assert len(sure) == 3
    assert all(row.ok for row in sure)


def test_codes_agree_with_the_prediction(result):
    (chi,) = [row for row in result.rows if row.measure == "chi-square per detector"]
    assert chi.value < 3
    assert result.seeds == {"emulator": physics.SEED}


def test_the_figure_is_drawn(result):
    assert result.plot.read_bytes().startswith(b"\x89PNG")
