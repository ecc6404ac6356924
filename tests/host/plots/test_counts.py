# SPDX-License-Identifier: BSD-2-Clause
"""Bars of counts: shares, intervals, and the distance to what is expected."""

import pytest
from scipy.stats import binomtest

from triplane.host.plots import counts_figure


def bars(axes):
    names = [label.get_text() for label in axes.get_xticklabels()]
    return dict(zip(names, (patch.get_height() for patch in axes.patches), strict=True))


def test_shares_with_intervals():
    axes = counts_figure({"11": 30, "00": 70}).axes[0]
    assert bars(axes) == {"00": 0.7, "11": 0.3}
    (segments,) = [c for c in axes.collections if len(c.get_segments()) == 2]
    low, high = segments.get_segments()[0][:, 1]
    expected = binomtest(70, 100).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_beside_what_is_expected():
    # Counts of a reference are scaled; what never came has a place, too.
    axes = counts_figure({"00": 60, "01": 40}, expected={"00": 500, "11": 500}, title="Bell").axes[0]
    assert bars(axes) == {"00": 0.6, "01": 0.4, "11": 0.0}
    (marks,) = [line for line in axes.lines if line.get_label() == "expected"]
    assert marks.get_ydata().tolist() == [0.5, 0.0, 0.5]
    assert axes.get_title(loc="left") == "Bell, total variation 0.500"


def test_rare_ones_share_a_bar():
    axes = counts_figure({f"{k:05b}": k + 1 for k in range(20)}, most=5).axes[0]
    found = bars(axes)
    assert list(found)[:-1] == [f"{k:05b}" for k in range(15, 20)]
    assert found["15 others"] == pytest.approx(sum(range(1, 16)) / sum(range(1, 21)))


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="there are no counts"):
        counts_figure({})


def test_numbers_are_in_their_order():
    assert list(bars(counts_figure({"10": 1, "2": 3, "1": 6}).axes[0])) == ["1", "2", "10"]
