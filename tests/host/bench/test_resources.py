# SPDX-License-Identifier: BSD-2-Clause
"""The rows of `bench resources`, with figures that stand for a synthesis."""

import pytest

from triplane.boards.synthesis import Figures, LogicPath, Part, Routed, SynthesisError
from triplane.gateware.decoder.window import default_window
from triplane.host.bench import BenchContext, resources

PARTS = ("array0", "array1", "weights", "relief", "queue", "top")
PATHS = (
    LogicPath(9, 0, "array0.ident", "array0.blocked"),
    LogicPath(7, 1, "array1.forest", "record.state"),
    LogicPath(6, 0, "engine.kind", "array0.lengths"),
)


@pytest.fixture
def synthesized(monkeypatch):
    """Every part takes 8,000 LUTs, the whole 48,000."""

    def figures(netlist, top="top"):
        luts = 48_000 if netlist == "whole" else 8_000
        return Figures(luts, 1_000, carries=10, brams=0.5, dsps=0, path=PATHS[0], paths=PATHS)

    monkeypatch.setattr(resources, "synthesize", lambda *_, **__: figures("array"))
    monkeypatch.setattr(resources, "engine_parts", lambda plan: [Part(name, "") for name in PARTS])
    monkeypatch.setattr(resources, "mapped", lambda part, **_: part.name)
    monkeypatch.setattr(resources, "joined", lambda netlists: "whole")
    monkeypatch.setattr(resources, "figures", figures)
    monkeypatch.setattr(resources, "place_and_route", lambda *_, **__: Routed(64.5, 16_000, 2_000, 83_640))


def test_quick_is_the_smallest_code(synthesized):
    ctx = BenchContext(quick=True)
    resources.bench_resources(ctx)
    assert {row.work.split(",")[0] for row in ctx.rows} == {"sequencer: 4 channels", "d=3"}


def test_paths_inside_arrays_and_between(synthesized):
    ctx = BenchContext(quick=True)
    resources.bench_resources(ctx)
    longest = [
        (row.measure, row.value, row.ok) for row in ctx.rows if row.measure.startswith("longest path ")
    ]
    assert longest == [
        ("longest path within an array: array0.ident to array0.blocked, 9 LUTs, 0 carries", 9, False),
        ("longest path outside or between: array1.forest to record.state, 7 LUTs, 1 carries", 8, True),
    ]
    assert [row.value for row in ctx.rows if row.measure.startswith("path ")] == [6]


def test_the_sequencer_is_small_and_not_deep(synthesized):
    ctx = BenchContext(quick=True)
    resources.bench_resources(ctx)
    rows = [(r.measure, r.value, r.goal, r.ok) for r in ctx.rows if r.work.startswith("sequencer")]
    assert rows == [
        ("LUTs", 8_000, None, None),
        ("registers", 1_000, None, None),
        ("carry chains", 10, None, None),
        ("block RAM", 0.5, None, None),
        ("DSP", 0, None, None),
        ("longest path: array0.ident to array0.blocked, 9 LUTs, 0 carries", 9, "<= 8", False),
    ]


def test_the_sequencer_has_its_ports():
    text = resources.sequencer_verilog()
    events = 4 * resources.CHANNELS
    assert "module top" in text
    assert f"out{8 + events}_" in text
    assert f"out{9 + events}_" not in text


def test_a_row_for_each_part(synthesized):
    ctx = BenchContext(quick=True)
    resources.bench_resources(ctx)
    luts = [row.work.rpartition(": ")[2] for row in ctx.rows if row.measure == "LUTs" and row.value == 8_000]
    assert [*luts[-6:]] == ["array0", "array1", "weights", "relief", "queue", "rest"]


def test_shares_and_what_is_extrapolated(synthesized):
    ctx = BenchContext()
    resources.bench_resources(ctx)
    shares = {row.work: row for row in ctx.rows if row.measure == "share of the XCZU49DR"}
    (five,) = [row for work, row in shares.items() if work.startswith("d=5")]
    assert (five.value, five.goal, five.ok) == (pytest.approx(100 * 48_000 / 425_280), "<= 12", True)
    (seven,) = [row for work, row in shares.items() if work.startswith("d=7")]
    assert "extrapolated" in seven.work
    assert "not synthesised" in seven.work
    # Edges, classes and pairs of partners of the plans; the queue stays as it is.
    small, large = resources.default_plan(5), resources.default_plan(7)
    edges = len(large.edges) / len(small.edges)
    pairs = sum(map(len, large.reliefs)) / sum(map(len, small.reliefs))
    expected = 8_000 * (3 * edges + large.num_classes / small.num_classes + pairs + 1)
    assert seven.value == pytest.approx(100 * expected / 425_280)
    assert [row.value for row in ctx.rows if row.measure == "Fmax"] == [64.5]


def test_the_plan_is_the_default_window():
    plan = resources.default_plan(3)
    assert (plan.num_layers, plan.commit) == default_window(3)
    assert plan.sliding
    assert len(plan.components) == 2, "both bases"


def test_a_missing_extra_is_a_row(monkeypatch):
    def missing(*_, **__):
        raise SynthesisError("yosys is not installed; run `uv sync --extra synth`")

    monkeypatch.setattr(resources, "synthesize", missing)
    ctx = BenchContext(quick=True)
    resources.bench_resources(ctx)
    (row,) = ctx.rows
    assert row.value is None
    assert "uv sync --extra synth" in row.measure
