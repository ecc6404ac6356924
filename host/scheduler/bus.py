# SPDX-License-Identifier: BSD-2-Clause
"""NATS as the parts of the service use it: records with compare-and-set, leases, payloads, and what follows changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
from typing import Self, TypeVar

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    KeyValueConfig,
    ObjectStoreConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import (
    BadRequestError,
    BucketNotFoundError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NotFoundError,
    ObjectNotFoundError,
)
from nats.js.kv import KeyValue
from nats.js.object_store import ObjectStore

from triplane.host.provenance.canonical import sha256
from triplane.host.scheduler.contracts import (
    INLINE_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_PAYLOAD_BYTES,
    Lease,
    Payload,
    encode,
)
from triplane.host.scheduler.errors import ContractError, FencedError, ServiceError, UnknownJobError
from triplane.host.scheduler.following import RETRY_S, TRANSIENT, Change, follow

logger = logging.getLogger(__name__)

DEFAULT_URL = "nats://127.0.0.1:4222"
WORK = "triplane_work"
"""Stream of leases; subject `triplane.work.BOARD`."""

LEDGER = "triplane_ledger"
"""Stream of runs; subject `triplane.ledger.BOARD`."""

HISTORY = 64
"""Revisions of a record that are kept: its decisions. JetStream has no more for a key."""

Result = TypeVar("Result")


@dataclass
class Bus:
    """A connection with its streams and buckets; made by `connect`."""

    client: Client
    js: JetStreamContext
    jobs: KeyValue
    boards: KeyValue
    windows: KeyValue
    objects: ObjectStore

    @classmethod
    async def connect(cls, url: str = DEFAULT_URL, *, replicas: int = 1, wait_s: float = 5.0) -> Bus:
        """Connect, and make what is not there yet; it reconnects by itself for ever.

        Args:
            url: of a server, or several with commas.
            replicas: of streams that are made now.
            wait_s: for the first answer.

        Raises:
            ServiceError: nothing answers there.
        """

        async def quiet(error: Exception) -> None:
            logger.debug("connection: %s", error)

        try:
            client = await asyncio.wait_for(
                nats.connect(
                    url.split(","),
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=RETRY_S,
                    connect_timeout=2,
                    error_cb=quiet,
                ),
                wait_s,
            )
        except TRANSIENT as error:
            raise ServiceError(
                f"no service of jobs at {url}: {str(error) or 'no answer'}; start one: triplane serve"
            ) from error
        js = client.jetstream(timeout=2)
        async with asyncio.timeout(wait_s):
            return await retried(lambda: cls._made(client, js, replicas))

    @classmethod
    async def _made(cls, client: Client, js: JetStreamContext, replicas: int) -> Bus:
        buckets = [await _bucket(js, f"triplane_{name}", history, replicas) for name, history in
                   (("jobs", HISTORY), ("boards", 1), ("windows", HISTORY))]  # fmt: skip
        try:
            objects = await js.object_store("triplane_objects")
        except (BucketNotFoundError, NotFoundError):
            objects = await js.create_object_store(
                "triplane_objects", ObjectStoreConfig(storage=StorageType.FILE, replicas=replicas)
            )
        await js.add_stream(
            StreamConfig(
                name=WORK,
                subjects=["triplane.work.*"],
                retention=RetentionPolicy.WORK_QUEUE,
                storage=StorageType.FILE,
                num_replicas=replicas,
                max_msg_size=2 * MAX_MESSAGE_BYTES,
            )
        )
        await js.add_stream(
            StreamConfig(
                name=LEDGER,
                subjects=["triplane.ledger.*"],
                storage=StorageType.FILE,
                num_replicas=replicas,
                max_msg_size=MAX_MESSAGE_BYTES,
                deny_delete=True,
                deny_purge=True,
                allow_rollup_hdrs=False,
            )
        )
        jobs, boards, windows = buckets
        return cls(client, js, jobs, boards, windows, objects)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection."""
        await self.client.close()

    async def create(self, key: str, value: bytes) -> int:
        """A new record; its revision. Doing it again with the same bytes changes nothing.

        Raises:
            FencedError: there is another one of that name.
        """
        return await self.swap(key, value, 0)

    async def swap(self, key: str, value: bytes, revision: int, *, bucket: KeyValue | None = None) -> int:
        """Write a record if `revision` is still its newest; the new revision. Waits for a server that is away.

        An answer that was lost is found out: whoever sees the own bytes as the newest has written them.

        Raises:
            FencedError: it has another revision.
        """
        store = bucket or self.jobs
        while True:
            try:
                return await store.update(key, value, last=revision)
            except KeyWrongLastSequenceError:
                found = await retried(lambda: self.find(key, store))
                if found is not None and found.value == value:
                    return found.revision
                raise FencedError(f"{key} was changed by somebody else") from None
            except TRANSIENT as error:
                logger.debug("write of %s: %s", key, error)
                await asyncio.sleep(RETRY_S)

    async def find(self, key: str, bucket: KeyValue | None = None) -> Change | None:
        """The newest revision of a record; None: there is none."""
        try:
            entry = await (bucket or self.jobs).get(key)
        except KeyNotFoundError:
            return None
        return Change(key, entry.value or b"", entry.revision or 0)

    async def record(self, job: str) -> Change:
        """The newest revision of a job's record.

        Raises:
            UnknownJobError: there is none of that name.
        """
        found = await self.find(job)
        if found is None:
            raise UnknownJobError(f"there is no job {job!r}; list them: triplane jobs")
        return found

    async def lease(self, lease: Lease) -> None:
        """Hand a lease to the agent of its board; the server drops one that it has already."""
        subject, data = f"triplane.work.{lease.record.board}", encode(lease)
        header = {"Nats-Msg-Id": f"{lease.job}.{lease.revision}"}
        await retried(lambda: self.js.publish(subject, data, stream=WORK, headers=header))

    async def put(self, data: bytes) -> Payload:
        """Keep bytes under their SHA-256, where they are too many to travel in a message.

        Raises:
            ContractError: they are more than may be kept.
        """
        if len(data) > INLINE_BYTES:
            return Payload(sha256=await self.keep(data), size=len(data))
        return Payload.model_construct(sha256=sha256(data), size=len(data), inline=data)

    async def keep(self, data: bytes) -> str:
        """Keep bytes in the object store, however few; their SHA-256. Raises as `put` does."""
        if len(data) > MAX_PAYLOAD_BYTES:
            raise ContractError(f"{len(data)} bytes; {MAX_PAYLOAD_BYTES} are the most of a payload")
        name = sha256(data)
        await retried(lambda: self._put(name, data))
        return name

    async def _put(self, name: str, data: bytes) -> None:
        try:
            await self.objects.get_info(name)
        except (ObjectNotFoundError, NotFoundError):
            await self.objects.put(name, BytesIO(data))

    async def get(self, payload: Payload) -> bytes:
        """The bytes of a payload, hashed again.

        Raises:
            ContractError: they are missing, or not what they should be.
        """
        data = await self.fetch(payload.sha256) if payload.inline is None else payload.inline
        if len(data) != payload.size or sha256(data) != payload.sha256:
            raise ContractError(f"object {payload.sha256} is damaged; submit again")
        return data

    async def fetch(self, name: str) -> bytes:
        """An object of the object store, as it is there; raises ContractError where it is missing."""
        try:
            return (await retried(lambda: self.objects.get(name))).data or b""
        except (ObjectNotFoundError, NotFoundError):
            raise ContractError(f"object {name} is not in the store; submit again") from None

    def follow(
        self, bucket: KeyValue, key: str = ">", *, history: bool = False
    ) -> AsyncGenerator[Change | None, None]:
        """As `following.follow`."""
        return follow(self.client, self.js, bucket, key, history=history)


async def _bucket(js: JetStreamContext, name: str, history: int, replicas: int) -> KeyValue:
    try:
        return await js.key_value(name)
    except (BucketNotFoundError, NotFoundError):
        return await js.create_key_value(
            KeyValueConfig(
                bucket=name,
                history=history,
                max_value_size=MAX_MESSAGE_BYTES,
                storage=StorageType.FILE,
                replicas=replicas,
            )
        )


async def retried(call: Callable[[], Awaitable[Result]]) -> Result:
    """Call until the server answers; what it says is not there is an answer."""
    while True:
        try:
            return await call()
        except (NotFoundError, BadRequestError):
            raise
        except TRANSIENT as error:
            logger.debug("call: %s", error)
            await asyncio.sleep(RETRY_S)
