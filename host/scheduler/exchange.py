# SPDX-License-Identifier: BSD-2-Clause
"""What goes over a bus besides records: leases as an agent sees them, and the parts of objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from triplane.host.scheduler.contracts import PART_BYTES
from triplane.host.scheduler.following import TRANSIENT
from triplane.host.scheduler.streams import WORK

ACK_WAIT_S = 30.0
"""After which a lease that was taken, and not acknowledged, comes again."""


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


class BoardLeases:
    """Leases of one board, by its consumer. A server that has lost its data has lost that as well, and gets it anew.

    Args:
        js: of a connection.
        board: its name.
    """

    def __init__(self, js: JetStreamContext, board: str) -> None:
        self._js, self._board = js, board

    async def open(self) -> None:
        """Find the consumer, or make it; raises what is transient."""
        subject, name = f"triplane.work.{self._board}", f"board_{self._board}"
        configuration = ConsumerConfig(
            durable_name=name,
            filter_subject=subject,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=1_024,
        )
        self._taken = await self._js.pull_subscribe(subject, durable=name, stream=WORK, config=configuration)

    async def fetch(self, batch: int = 1, timeout: float | None = 5, /) -> Sequence[Taken]:
        """As of `Leases`; raises what is transient as well."""
        try:
            return await self._taken.fetch(batch, timeout)
        except TRANSIENT:
            # Where the consumer is gone it is silent as well.
            try:
                await self._taken.consumer_info()
            except NotFoundError:
                gone = self._taken
                await self.open()
                await gone.unsubscribe()
            raise


def parts_of(size: int) -> int:
    """How many parts an object has."""
    return -(-size // PART_BYTES)
