# SPDX-License-Identifier: BSD-2-Clause
"""`bench replay` on the stand-in board: rows, goals, and what happens without data."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from triplane import hal
from triplane.gateware.decoder.layouts import RESULT
from triplane.gateware.decoder.window import StreamMap, whole_window
from triplane.host.bench import BenchContext
from triplane.host.bench import replay as bench
from triplane.sim.models.decoder.engine import EngineModel


def test_absent_data_are_said_to_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPLANE_DATA", str(tmp_path))
    ctx = BenchContext(quick=True)
    bench.bench_replay(ctx)
    assert [row.value for row in ctx.rows] == [None] * 3
    assert "is absent; set TRIPLANE_DATA" in ctx.rows[0].measure
    assert ctx.rows[0].command.endswith("surface_code_bX_d5_r05_center_5_5 --shots 2000")


class ModelBoard:
    """Streams the golden model's own answers, with one bit of one correction changed where asked for."""

    def __init__(self, sampled: Any, graph: Any, spoil: int | None) -> None:
        self.sampled, self.graph, self.spoil = sampled, graph, spoil

    def __enter__(self) -> "ModelBoard":
        return self

    def __exit__(self, *_: object) -> None: ...

    def load(self, program: Any) -> None:
        assert program.correction

    def identify(self) -> Any:
        return SimpleNamespace(build_hash="ab" * 32)

    def run(self, rounds: Any, *, round_period_cycles: int) -> Any:
        plan = whole_window(self.graph)
        layers = StreamMap.build(plan, self.graph).layers(self.sampled.events)
        expected, corrections = EngineModel(plan, correction=True).decode(layers)
        assert set(bench.COMPARED) | {"timestamp_lo", "timestamp_hi", "waited"} == set(RESULT.dtype.names)
        if self.spoil is not None:
            corrections[self.spoil, 0] ^= True
        for start in range(0, len(rounds), 128):
            part = slice(start, start + 128)
            records = expected[part].view(hal.Records)
            records.corrections = corrections[part]
            yield records


@pytest.mark.parametrize(("spoil", "differing"), [(None, 0), (300, 1)])
def test_one_wrong_bit_is_counted(
    sampled: Any, monkeypatch: pytest.MonkeyPatch, spoil: int | None, differing: int
) -> None:
    monkeypatch.setattr(hal, "connect", lambda url, *, graph, **_: ModelBoard(sampled, graph, spoil))
    ctx = BenchContext()
    assert bench.mismatching_shots(sampled, bench.ProgressView(quiet=True), ctx, "d3") == differing
    assert ctx.gateware == {"d3 with correction": {"build_hash": "ab" * 32}}
    assert len(ctx.tables["d3 with correction"]["table_hash"]) == 64


def test_missing_shots_count_as_differing(sampled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Short(ModelBoard):
        def run(self, rounds: Any, *, round_period_cycles: int) -> Any:
            return iter(())

    monkeypatch.setattr(hal, "connect", lambda url, *, graph, **_: Short(sampled, graph, None))
    view = bench.ProgressView(quiet=True)
    assert bench.mismatching_shots(sampled, view, BenchContext(), "d3") == sampled.shots


def test_data_and_hashes_are_evidence(
    written: Path, fake_board: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPLANE_DATA", str(tmp_path))
    (tmp_path / "google_sycamore_2022").mkdir()
    written.rename(tmp_path / "google_sycamore_2022" / "d3")
    monkeypatch.setattr(bench, "EXPERIMENTS", (("d=3", "d3", "<= 1", False),))
    monkeypatch.setattr(bench, "QUICK_SHOTS", 100)
    monkeypatch.setattr(hal, "connect", fake_board.connect)
    ctx = BenchContext(quick=True)
    bench.bench_replay(ctx)
    names = {"model", "events", "observables", "properties", "published_zeros"}
    assert {item.name for item in ctx.inputs} == {f"d3.{name}" for name in names}
    assert ctx.gateware == {"d3": {"build_hash": "ab" * 32}}
    assert set(ctx.tables["d3"]) == {"structure_hash", "table_hash"}
