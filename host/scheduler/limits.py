# SPDX-License-Identifier: BSD-2-Clause
"""How much each may ask: token buckets, by a clock that is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Rate(NamedTuple):
    """Tokens a second, and how many can be saved up."""

    per_s: float
    burst: float


class Limit(NamedTuple):
    """Of one role: questions, bytes of their bodies, and how many are open at a time."""

    asks: Rate
    data: Rate
    open: int


MIB = 1024.0 * 1024.0
LIMITS = {
    "user": Limit(Rate(200, 1_000), Rate(8 * MIB, 128 * MIB), 64),
    "board": Limit(Rate(2_000, 4_000), Rate(64 * MIB, 256 * MIB), 64),
}
"""A person's scripts stay below these; two boards that answer at once do as well."""

AUDITED = Rate(10, 100)
"""Entries of one in the audit log; what is beyond is counted."""


@dataclass
class Tokens:
    """A bucket, full at first.

    Args:
        rate: of refilling.
        clock: s, monotonic.
    """

    rate: Rate
    clock: Callable[[], float]
    _left: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._left, self._at = self.rate.burst, self.clock()

    def take(self, count: float = 1) -> bool:
        """Take so many if there are; a bucket that is full gives any number once."""
        now = self.clock()
        self._left = min(self._left + (now - self._at) * self.rate.per_s, self.rate.burst)
        self._at = now
        if self._left < min(count, self.rate.burst):
            return False
        self._left -= count
        return True
