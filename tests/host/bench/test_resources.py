# SPDX-License-Identifier: BSD-2-Clause
"""The rows of `bench resources`, with figures that stand for a synthesis."""

import pytest

from triplane.boards.synthesis import Figures, LogicPath, Routed, SynthesisError
from triplane.host.bench import BenchContext, resources


@pytest.fixture
def synthesized(monkeypatch):
    paths = (LogicPath(8, 1, "ident", "blocked"), LogicPath(7, 0, "wants", "state"))
    found = Figures(luts=4_000, registers=1_000, carries=10, brams=0.0, dsps=0, path=paths[0], paths=paths)
    monkeypatch.setattr(resources, "synthesize", lambda *_, **__: found)
    monkeypatch.setattr(resources, "place_and_route", lambda *_, **__: Routed(64.5, 16_000, 2_000, 83_640))


def test_quick_is_the_smallest_code(synthesized):
    ctx = BenchContext(quick=True)
    resources.bench_resources(ctx)
    assert {row.work.split(",")[0] for row in ctx.rows} == {"d=3"}
    (longest,) = {(row.value, row.ok) for row in ctx.rows if row.measure.startswith("longest path")}
    assert longest == (9, False)


def test_shares_and_what_is_extrapolated(synthesized):
    ctx = BenchContext()
    resources.bench_resources(ctx)
    shares = {row.work: row for row in ctx.rows if row.measure == "share of the XCZU49DR"}
    assert shares["d=5, both bases, arrays alone"].value == pytest.approx(100 * 8_000 / 425_280)
    (largest,) = [row for work, row in shares.items() if work.startswith("d=7")]
    assert "extrapolated" in largest.work
    assert "not synthesised" in largest.work
    assert largest.ok is None
    assert [row.value for row in ctx.rows if row.measure == "Fmax"] == [64.5]


def test_a_missing_extra_is_a_row(monkeypatch):
    def missing(*_, **__):
        raise SynthesisError("yosys is not installed; run `uv sync --extra synth`")

    monkeypatch.setattr(resources, "synthesize", missing)
    ctx = BenchContext(quick=True)
    resources.bench_resources(ctx)
    (row,) = ctx.rows
    assert row.value is None
    assert "uv sync --extra synth" in row.measure
