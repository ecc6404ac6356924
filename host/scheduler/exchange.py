# SPDX-License-Identifier: BSD-2-Clause
"""What goes over a bus besides records: leases as an agent sees them, and the parts of objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from triplane.host.scheduler.contracts import PART_BYTES


class Leases(Protocol):
    """Of one board."""

    async def fetch(self, batch: int = 1, timeout: float | None = 5, /) -> Sequence[Taken]:
        """Leases that have come; raises TimeoutError where none has."""


class Taken(Protocol):
    """A lease as it came; unless it is acknowledged it comes again."""

    @property
    def data(self) -> bytes:
        """The message."""

    @property
    def reply(self) -> str:
        """Receipt, by which it is acknowledged."""

    async def ack(self) -> None:
        """It is done with."""


def parts_of(size: int) -> int:
    """How many parts an object has."""
    return -(-size // PART_BYTES)
