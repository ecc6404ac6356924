# SPDX-License-Identifier: BSD-2-Clause
"""The stream of the ledger: what `ledger` reads, and continues, of the boards' chains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

from triplane.host.scheduler.errors import FencedError, ServiceError
from triplane.host.scheduler.following import retried
from triplane.host.scheduler.streams import LEDGER

LEDGER_SUBJECT = "triplane.ledger."

WRONG_LAST_SEQUENCE = 10_071
"""JetStream's code for "somebody else has written"."""

READ_AT_ONCE = 256


class Received(NamedTuple):
    """An entry as it came.

    Attributes:
        board: whose chain it is of.
        number: in the stream of the whole ledger.
        data: the entry.
    """

    board: str
    number: int
    data: bytes


@dataclass
class LedgerStream:
    """What a bus can do with them."""

    client: Client
    js: JetStreamContext

    async def newest(self, board: str) -> tuple[bytes | None, int]:
        """The newest entry of a board's ledger with its sequence number; None and 0 where there is none."""
        try:
            found = await retried(lambda: self.js.get_last_msg(LEDGER, f"{LEDGER_SUBJECT}{board}"))
        except NotFoundError:
            return None, 0
        return found.data or b"", found.seq or 0

    async def append(self, board: str, job: str, data: bytes, sequence: int) -> int:
        """Continue a board's ledger behind its entry `sequence`; the new sequence number. Raises what is transient.

        Args:
            board: its name.
            job: that the entry is of.
            data: the entry.
            sequence: of the newest entry, as of `newest`.

        Raises:
            FencedError: another entry is the newest.
        """
        try:
            written = await self.js.publish(
                f"{LEDGER_SUBJECT}{board}",
                data,
                stream=LEDGER,
                headers={"Nats-Expected-Last-Subject-Sequence": str(sequence)},
            )
        except APIError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:
                raise
            raise FencedError(f"the ledger of {board} has another entry by now") from None
        return written.seq

    async def entries(self, after: int = 0) -> list[Received]:
        """All entries of the ledger behind a number of its stream, in their order.

        Raises:
            ServiceError: some could not be read.
        """
        configuration = ConsumerConfig(
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            inactive_threshold=30,
            mem_storage=True,
        )
        every = f"{LEDGER_SUBJECT}*"
        subscription = await self.js.pull_subscribe(every, stream=LEDGER, config=configuration)
        found: list[Received] = []
        left = (await subscription.consumer_info()).num_pending or 0
        while left:
            try:
                messages = await subscription.fetch(min(READ_AT_ONCE, left), timeout=5)
            except NatsTimeoutError as error:
                raise ServiceError(f"{left} entries of the ledger could not be read; try again") from error
            left -= len(messages)
            found += [
                Received(
                    message.subject.removeprefix(LEDGER_SUBJECT),
                    message.metadata.sequence.stream,
                    message.data,
                )
                for message in messages
            ]
        await subscription.unsubscribe()
        return found

    async def entry(self, number: int) -> Received | None:
        """The entry of a number of the stream; None: there is none."""
        try:
            found = await retried(lambda: self.js.get_msg(LEDGER, number))
        except NotFoundError:
            return None
        return Received((found.subject or "").removeprefix(LEDGER_SUBJECT), number, found.data or b"")

    async def ledger(self) -> str:
        """What tells this ledger from others: when the server made it."""
        return str((await retried(lambda: self.js.stream_info(LEDGER))).created)
