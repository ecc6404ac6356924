# SPDX-License-Identifier: BSD-2-Clause
"""Goals as text: one comparison and one number."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}


class GoalError(ValueError):
    """A goal's text is no comparison with a number."""


@dataclass(frozen=True)
class Goal:
    """A comparison that a value passes or fails."""

    comparison: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> "Goal":
        """Read "<= 0.162"; raises GoalError showing the text and what was expected."""
        match = re.fullmatch(r"\s*(<=|>=|==|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*", text)
        if match is None:
            raise GoalError(
                f'goal {text!r} is no comparison; write one of {", ".join(COMPARISONS)} and a number: "<= 80"'
            )
        return cls(match[1], float(match[2]))

    def met_by(self, value: float) -> bool:
        """Whether a value meets the goal; NaN meets none."""
        return value == value and COMPARISONS[self.comparison](value, self.limit)
