# SPDX-License-Identifier: BSD-2-Clause
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triplane.host.bench.goals import COMPARISONS, Goal, GoalError


@pytest.mark.parametrize(
    ("text", "met", "missed"),
    [
        ("<= 0.162", 0.162, 0.1621),
        (">= 3", 3, 2.999),
        ("< 1e-3", 0.0009, 0.001),
        (">-2.5", -2.4, -2.5),
        ("== 0", 0, 1),
        ("  <= .5 ", 0.5, 0.6),
        ("<= 80.", 80, 81),
    ],
)
def test_goals_are_comparisons(text, met, missed):
    goal = Goal.parse(text)
    assert goal.met_by(met)
    assert not goal.met_by(missed)


@given(st.sampled_from(sorted(COMPARISONS)), st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_is_read_exactly(comparison, limit):
    assert Goal.parse(f"{comparison} {limit!r}") == Goal(comparison, limit)


@pytest.mark.parametrize(
    "text", ["", "80", "<=", "=< 80", "<= 80 cycles", "<= nan", "<= inf", "! 3", "<= 1,000"]
)
def test_other_text_is_refused(text):
    with pytest.raises(GoalError, match='is no comparison; write one of .* "<= 80"') as refused:
        Goal.parse(text)
    assert repr(text) in str(refused.value)


def test_nan_meets_no_goal():
    assert not any(Goal(comparison, 0).met_by(float("nan")) for comparison in COMPARISONS)
