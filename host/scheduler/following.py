# SPDX-License-Identifier: BSD-2-Clause
"""Follows the keys of a bucket through restarts of the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import NamedTuple, TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import BadRequestError, NotFoundError
from nats.js.kv import KeyValue

logger = logging.getLogger(__name__)

RETRY_S = 0.2
HEARTBEAT_S = 1.0
TOLD = 15
"""Tries after which people hear of it: a server that is started again needs fewer."""

TRANSIENT = (NatsError, asyncio.TimeoutError, OSError)
"""What passes when the server is back; what it says while it starts is among them."""


Result = TypeVar("Result")


class Change(NamedTuple):
    """A new revision of a key; `value` is empty where the key was deleted."""

    key: str
    value: bytes
    revision: int


async def follow(
    client: Client,
    js: JetStreamContext,
    bucket: KeyValue,
    key: str = ">",
    *,
    history: bool = False,
    after: int = 0,
) -> AsyncGenerator[Change | None, None]:
    """The newest revision of all keys, or with `history` all that are kept, in order; then None; then every new one.

    With `after`, a revision, all that came after it instead of the newest.

    The consumer is made anew where it left off when its heartbeat is missing, as after a restart of the server;
    the one of nats-py gives up then.
    """
    prefix, last, told = f"$KV.{bucket._name}.", after, False
    while True:
        inbox, messages = client.new_inbox(), asyncio.Queue[Msg]()
        subscription = await client.subscribe(
            inbox, cb=messages.put, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        expected, name = 1, None
        try:
            info = await js.add_consumer(
                bucket._stream, _following(inbox, prefix + key, last, history=history)
            )
            name = info.name
            # What was sent before the server answered is on its way; the last of it says that it is.
            sent_already = info.delivered and info.delivered.consumer_seq
            if not told and not info.num_pending and not sent_already:
                told = True
                yield None
            while True:
                if messages.empty():
                    async with asyncio.timeout(3 * HEARTBEAT_S):
                        message = await messages.get()
                else:  # most of a long bucket, or of a busy one: no timer for each
                    message = messages.get_nowait()
                if not message.reply:  # a heartbeat, which names the last that was sent
                    sent = (message.headers or {}).get("Nats-Last-Consumer")
                    if sent not in (None, str(expected - 1)):
                        break
                    continue
                place = message.metadata
                if place.sequence.consumer != expected:
                    break
                expected, last = expected + 1, place.sequence.stream
                deleted = message.headers and message.headers.get("KV-Operation")
                yield Change(message.subject.removeprefix(prefix), b"" if deleted else message.data, last)
                if not told and not place.num_pending:
                    told = True
                    yield None
        except TRANSIENT as error:
            logger.debug("following %s: %s", bucket._name, error)
            await asyncio.sleep(RETRY_S)
        finally:
            with contextlib.suppress(*TRANSIENT):
                await subscription.unsubscribe()
                if name and client.is_connected:
                    await js.delete_consumer(bucket._stream, name)


def _following(inbox: str, subject: str, last: int, *, history: bool) -> ConsumerConfig:
    first = DeliverPolicy.ALL if history else DeliverPolicy.LAST_PER_SUBJECT
    return ConsumerConfig(
        deliver_subject=inbox,
        filter_subject=subject,
        ack_policy=AckPolicy.NONE,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE if last else first,
        opt_start_seq=last + 1 if last else None,
        idle_heartbeat=HEARTBEAT_S,
        inactive_threshold=30,
        mem_storage=True,
        num_replicas=1,
    )


async def retried(call: Callable[[], Awaitable[Result]]) -> Result:
    """Call until the server answers; what it says is not there is an answer."""
    tries = Tries()
    while True:
        try:
            return await call()
        except (NotFoundError, BadRequestError):
            raise
        except TRANSIENT as error:
            await tries.again(error)


class Tries:
    """Of one call: each failure waits a while, and one that does not pass is told, once."""

    _count = 0

    async def again(self, why: object) -> None:
        """Wait for the next try."""
        self._count += 1
        logger.log(
            logging.WARNING if self._count == TOLD else logging.DEBUG,
            "the service does not take it, and is asked again: %s",
            str(why) or "no answer",
        )
        await asyncio.sleep(RETRY_S)
