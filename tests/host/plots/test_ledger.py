# SPDX-License-Identifier: BSD-2-Clause
"""Bars of the latency ledger: lengths are cycles at the clock, and what is assumed is set apart."""

from pathlib import Path

import pytest
from matplotlib.colors import to_hex

from triplane.hal.descriptor import load_descriptor
from triplane.host.bench.latency_ledger import read
from triplane.host.plots import ledger_figure
from triplane.host.plots.style import OTHERS

ROOT = Path(__file__).resolve().parents[3]
CYCLE_NS = 1e9 / 245_760_000


@pytest.fixture(scope="module")
def timing():
    return load_descriptor(ROOT / "boards/sim/descriptor.yaml").timing


def bars(axes, row):
    """(width in ns, hatched) of the bars of a row, from the left."""
    found = [p for p in axes.patches if abs(p.get_y() + p.get_height() / 2 - row) < 0.1]
    return [
        (p.get_width(), bool(p.get_hatch()) and to_hex(p.get_edgecolor()) == OTHERS)
        for p in sorted(found, key=lambda p: p.get_x())
    ]


def test_the_committed_ledger(timing):
    axes = ledger_figure(read(ROOT / "docs/latency-ledger.json"), timing).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    row = names.index("feedback")
    stages = [(round(width / CYCLE_NS, 3), assumed) for width, assumed in bars(axes, row)[:3]]
    assert stages == [(7, False), (4, False), (8, False)]
    assert [(round(width), apart) for width, apart in bars(axes, row)[3:]] == [
        (60, True),
        (60, True),
        (20, True),
    ]
    assert bars(axes, names.index("discriminate")) == [(pytest.approx(7 * CYCLE_NS), False)]
    said = [text.get_text().strip() for text in axes.texts]
    assert "19 cycles, 77 ns + 140 ns assumed" in said
    assert "7 cycles, 28 ns" in said
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "converters and cable: assumed, in no latency of the ledger" in legend
    # A stage that takes nothing has no bar, and no name.
    assert "queue" not in legend


def test_figures_that_are_not_there(timing):
    with pytest.raises(ValueError, match="figure is one of min, median, mean, p99.9, max, not 'mode'"):
        ledger_figure({}, timing, figure="mode")
    with pytest.raises(ValueError, match="feedback has no total, max; it has total, min"):
        ledger_figure({"feedback": {"total, min": 3}}, timing, figure="max")
