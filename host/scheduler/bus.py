# SPDX-License-Identifier: BSD-2-Clause
"""NATS as the parts of the service use it: records with compare-and-set, leases, payloads, and what follows changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from nats.js.object_store import ObjectStore

from triplane.host.scheduler.connection import ANSWER_S, connected
from triplane.host.scheduler.contracts import BoardState, Lease, encode
from triplane.host.scheduler.credentials import Credentials
from triplane.host.scheduler.errors import FencedError, ServiceError, UnknownJobError
from triplane.host.scheduler.exchange import BoardLeases, Leases
from triplane.host.scheduler.following import RETRY_S, TRANSIENT, Change, Tries, follow, retried
from triplane.host.scheduler.ledgerstream import LedgerStream
from triplane.host.scheduler.payloads import Payloads
from triplane.host.scheduler.streams import WORK, made_streams

DEFAULT_URL = "nats://127.0.0.1:4222"
WHY = "triplane.ask.why"
"""Subject of what a job waits for; the scheduler answers."""


@dataclass
class Bus(LedgerStream, Payloads):
    """A connection with its streams and buckets; made by `connect`."""

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
        store, tries = bucket or self.jobs, Tries()
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
                await tries.again(error)

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
        leases = BoardLeases(self.js, board)
        await retried(leases.open)
        return leases

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

    def follow(
        self, bucket: KeyValue, key: str = ">", *, history: bool = False, after: int = 0
    ) -> AsyncGenerator[Change | None, None]:
        """As `following.follow`."""
        return follow(self.client, self.js, bucket, key, history=history, after=after)
