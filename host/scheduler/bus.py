# SPDX-License-Identifier: BSD-2-Clause
"""NATS as the parts of the service use it: records with compare-and-set, leases, payloads, and what follows changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
from typing import Self

from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
)
from nats.js.errors import (
    APIError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NotFoundError,
    ObjectNotFoundError,
)
from nats.js.kv import KeyValue
from nats.js.object_store import ObjectStore

from triplane.host.provenance.canonical import sha256
from triplane.host.scheduler.connection import ANSWER_S, connected
from triplane.host.scheduler.contracts import (
    INLINE_BYTES,
    MAX_PAYLOAD_BYTES,
    BoardState,
    Lease,
    Payload,
    encode,
)
from triplane.host.scheduler.credentials import Credentials
from triplane.host.scheduler.errors import ContractError, FencedError, ServiceError, UnknownJobError
from triplane.host.scheduler.exchange import Leases, parts_of
from triplane.host.scheduler.following import RETRY_S, TRANSIENT, Change, follow, retried
from triplane.host.scheduler.streams import LEDGER, WORK, made_streams

logger = logging.getLogger(__name__)

DEFAULT_URL = "nats://127.0.0.1:4222"
WHY = "triplane.ask.why"
"""Subject of what a job waits for; the scheduler answers."""

LEDGER_SUBJECT = "triplane.ledger."

WRONG_LAST_SEQUENCE = 10_071
"""JetStream's code for "somebody else has written"."""

READ_AT_ONCE = 256
ACK_WAIT_S = 30.0


@dataclass
class Bus:
    """A connection with its streams and buckets; made by `connect`."""

    client: Client
    js: JetStreamContext
    jobs: KeyValue
    boards: KeyValue
    windows: KeyValue
    objects: ObjectStore
    parts: KeyValue | None = None
    """Of a secured service: payloads and results, by owner."""

    @classmethod
    async def connect(
        cls,
        url: str = DEFAULT_URL,
        *,
        credentials: Credentials | None = None,
        replicas: int = 1,
        wait_s: float | None = None,
    ) -> Bus:
        """Connect, and make what is not there yet; it reconnects by itself for ever.

        Args:
            url: of a server, or several with commas.
            credentials: for a secured service; those of a user or a board give a bus that asks the gate.
            replicas: of streams that are made now.
            wait_s: for the first answer, also while nothing listens there; None: 5 s, and 1 s of refusals.

        Raises:
            ServiceError: nothing answers there, or it does not take the credentials.
        """
        client, refused = await connected(url, credentials, wait_s)
        js = client.jetstream(timeout=2)
        made_s = ANSWER_S if wait_s is None else wait_s
        if credentials and credentials.role != "service":
            from triplane.host.scheduler.gated import GatedBus  # which is a bus itself

            return GatedBus.of(client, credentials, refused)
        try:
            async with asyncio.timeout(made_s):
                made = await made_streams(js, replicas, secured=credentials is not None)
        except TimeoutError:
            await client.close()
            raise ServiceError(
                f"{url} answers, but has no streams after {made_s:g} s; a cluster needs most of its nodes"
            ) from None
        return cls(client, js, *made)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def user(self) -> str | None:
        """Whom the service knows us as; None: whatever we say."""
        return None

    def key(self, job: str) -> str:
        """Name under which a job that we name so is known."""
        return job

    async def close(self) -> None:
        """End the connection; one that has broken already is no error."""
        with contextlib.suppress(OSError):
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
                if (found.revision if found else 0) <= revision:
                    # Nobody has written: the leader of a cluster refuses a second try while the first is on its way,
                    # and forgets the first where it loses its office. A replica may also be behind.
                    await asyncio.sleep(RETRY_S)
                    continue
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

    async def leases(self, board: str) -> Leases:
        """Where an agent takes the leases of its board."""
        subject, name = f"triplane.work.{board}", f"board_{board}"
        configuration = ConsumerConfig(
            durable_name=name,
            filter_subject=subject,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=1_024,
        )
        return await retried(
            lambda: self.js.pull_subscribe(subject, durable=name, stream=WORK, config=configuration)
        )

    async def beat(self, state: BoardState) -> None:
        """Say that a board's agent lives; raises what is transient."""
        await self.boards.put(state.name, encode(state))

    async def leave(self, board: str) -> None:
        """Say that a board's agent ends; raises what is transient."""
        await self.boards.delete(board)

    async def why(self, job: str) -> str | None:
        """What is between a job and its start, as the scheduler sees it now; None: no scheduler answers."""
        try:
            answer: bytes = (await self.client.request(WHY, job.encode(), timeout=2)).data
            return answer.decode()
        except (NoRespondersError, NatsTimeoutError):
            return None

    async def put(self, data: bytes, job: str = "") -> Payload:
        """Keep bytes under their SHA-256, where they are too many to travel in a message.

        Args:
            data: at most MAX_PAYLOAD_BYTES.
            job: whose result it is; a board keeps it for the job's user.

        Raises:
            ContractError: they are more than may be kept.
        """
        if len(data) > INLINE_BYTES:
            return Payload(sha256=await self.keep(data, job), size=len(data))
        return Payload.model_construct(sha256=sha256(data), size=len(data), inline=data)

    async def keep(self, data: bytes, job: str = "") -> str:
        """Keep bytes as an object, however few; their SHA-256. Arguments and errors as of `put`."""
        if len(data) > MAX_PAYLOAD_BYTES:
            raise ContractError(f"{len(data)} bytes; {MAX_PAYLOAD_BYTES} are the most of a payload")
        name = sha256(data)
        await self._keep(name, data, job)
        return name

    async def _keep(self, name: str, data: bytes, job: str) -> None:
        async def kept() -> None:
            try:
                await self.objects.get_info(name)
            except (ObjectNotFoundError, NotFoundError):
                await self.objects.put(name, BytesIO(data))

        await retried(kept)

    async def get(self, payload: Payload, job: str = "") -> bytes:
        """The bytes of a payload, hashed again.

        Args:
            payload: or a result.
            job: that it is of.

        Raises:
            ContractError: they are missing, or not what they should be.
        """
        data = payload.inline
        if data is None:
            data = await self._kept(payload, job)
        if data is None:
            raise ContractError(f"object {payload.sha256} is not in the store; submit again")
        if len(data) != payload.size or sha256(data) != payload.sha256:
            raise ContractError(f"object {payload.sha256} is damaged; submit again")
        return data

    async def fetch(self, name: str, job: str = "") -> bytes:
        """An object as it is there, of which only the name is known.

        Raises:
            ContractError: there is none.
        """
        owner, dot, _ = job.partition(".")
        if dot and self.parts is not None:
            parts: list[bytes] = []
            while (part := await self.part(owner, name, len(parts))) is not None:
                parts.append(part)
            found = b"".join(parts) if parts else None
        else:
            found = await self._kept(Payload(sha256=name, size=0), "")
        if found is None:
            raise ContractError(f"object {name} is not in the store")
        return found

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

    async def entries(self) -> list[tuple[str, bytes]]:
        """Boards and entries of the whole ledger, in their order.

        Raises:
            ServiceError: some could not be read.
        """
        configuration = ConsumerConfig(
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.ALL,
            inactive_threshold=30,
            mem_storage=True,
        )
        every = f"{LEDGER_SUBJECT}*"
        subscription = await self.js.pull_subscribe(every, stream=LEDGER, config=configuration)
        found: list[tuple[str, bytes]] = []
        left = (await subscription.consumer_info()).num_pending or 0
        while left:
            try:
                messages = await subscription.fetch(min(READ_AT_ONCE, left), timeout=5)
            except NatsTimeoutError as error:
                raise ServiceError(f"{left} entries of the ledger could not be read; try again") from error
            left -= len(messages)
            found += [(message.subject.removeprefix(LEDGER_SUBJECT), message.data) for message in messages]
        await subscription.unsubscribe()
        return found

    async def _kept(self, payload: Payload, job: str) -> bytes | None:
        owner, dot, _ = job.partition(".")
        if dot and self.parts is not None:
            parts = [await self.part(owner, payload.sha256, part) for part in range(parts_of(payload.size))]
            return None if None in parts else b"".join(each or b"" for each in parts)
        try:
            return (await retried(lambda: self.objects.get(payload.sha256))).data
        except (ObjectNotFoundError, NotFoundError):
            return None

    async def part(self, owner: str, sha256: str, part: int) -> bytes | None:
        """A part of an object of a secured service; None: there is none."""
        found = await retried(lambda: self.find(f"{owner}.{sha256}.{part}", self.parts))
        return found.value if found else None

    def follow(
        self, bucket: KeyValue, key: str = ">", *, history: bool = False, after: int = 0
    ) -> AsyncGenerator[Change | None, None]:
        """As `following.follow`."""
        return follow(self.client, self.js, bucket, key, history=history, after=after)
