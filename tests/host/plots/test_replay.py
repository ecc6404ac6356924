# SPDX-License-Identifier: BSD-2-Clause
"""Figures: what is drawn is what was measured, and the file is a PNG of the announced size."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from matplotlib.figure import Figure

from triplane.host.plots import draw_latency, draw_rates, plot_replay
from triplane.host.replay.ledger import LatencyLedger, Stage
from triplane.host.replay.references import Rate


def stage(bound: int | None, deadline: int | None = None) -> Stage:
    cycles = np.concatenate([np.full(990, 10), np.full(10, 40)]).astype(np.uint16)
    return Stage("decode", cycles, bound, deadline)


def legend(axes: Any) -> str:
    return "\n".join(text.get_text() for text in axes.get_legend().get_texts())


def test_histogram_counts_every_shot() -> None:
    axes = Figure().subplots()
    draw_latency(axes, stage(bound=60))
    heights = [patch.get_height() for patch in axes.patches]
    assert sum(heights) == 1000
    assert axes.get_yscale() == "log"
    assert axes.get_xlim()[1] > 60
    assert "p99.9 40 cycles (163 ns)" in legend(axes)
    assert "bound 60 cycles (244 ns)" in legend(axes)


def test_far_bound_does_not_squeeze_the_histogram() -> None:
    axes = Figure().subplots()
    draw_latency(axes, stage(bound=5000, deadline=50))
    assert axes.get_xlim()[1] < 100
    assert "bound 5,000 cycles" in legend(axes)
    assert "deadline 50 cycles" in legend(axes)


def test_one_latency_only() -> None:
    axes = Figure().subplots()
    draw_latency(axes, Stage("decode", np.array([3], dtype=np.uint16), None))
    assert sum(patch.get_height() for patch in axes.patches) == 1


@pytest.mark.parametrize("failures", [0, 3, 100])
def test_rates_show_their_intervals(failures: int) -> None:
    axes = Figure().subplots()
    draw_rates(axes, [("board", Rate(failures, 100)), ("other", Rate(5, 100))])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["board", "other"]
    assert len(axes.containers) == 2


def test_file(tmp_path: Path) -> None:
    result = SimpleNamespace(
        dataset=SimpleNamespace(name="sampled", shots=1000),
        decoder="union-find, 5-bit weights, 2 passes",
        simulated=True,
        ledger=LatencyLedger((stage(60),)),
        rate=Rate(1, 1000),
        references=(),
    )
    path = tmp_path / "figure.png"
    plot_replay(cast(Any, result), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [path]
