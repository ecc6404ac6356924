# SPDX-License-Identifier: BSD-2-Clause
"""The bus of a user or a board of a secured service: the same calls, each a question to the gate."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Self

from nats.aio.client import Client
from nats.js.kv import KeyValue
from nats.js.object_store import ObjectStore
from pydantic import TypeAdapter

from triplane.host.scheduler.asks import WAIT_S, Answer, Ask, Told, answered, header
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.contracts import (
    MAX_PAYLOAD_BYTES,
    PART_BYTES,
    BoardState,
    Lease,
    Payload,
    encode,
)
from triplane.host.scheduler.credentials import Credentials
from triplane.host.scheduler.errors import ContractError, FencedError, JobsError, ServiceError
from triplane.host.scheduler.exchange import parts_of
from triplane.host.scheduler.following import TRANSIENT, Change, Tries
from triplane.host.scheduler.ledgerstream import Received

logger = logging.getLogger(__name__)

ANSWER_S = 3.0
"""After which a question is asked again: the gate may have died."""

_told = TypeAdapter(list[Told])


class GatedBus(Bus):
    """Made by `Bus.connect`, with the credentials of a user or a board. Buckets are only names here."""

    credentials: Credentials
    refused: Callable[[], bool]
    """Whether the server has turned the credentials away since."""

    @classmethod
    def of(cls, client: Client, credentials: Credentials, refused: Callable[[], bool]) -> Self:
        """For a connection."""
        js = client.jetstream()
        jobs, boards, windows = (
            KeyValue(name, f"KV_{name}", f"$KV.{name}.", js, direct=False)
            for name in ("triplane_jobs", "triplane_boards", "triplane_windows")
        )
        objects = ObjectStore("triplane_objects", "OBJ_triplane_objects", js)
        bus = cls(client, js, jobs, boards, windows, objects)
        bus.credentials, bus.refused = credentials, refused
        return bus

    @property
    def user(self) -> str | None:
        """Whom the service knows us as."""
        return self.credentials.name

    def key(self, job: str) -> str:
        """Jobs are named after their user."""
        return job if "." in job else f"{self.credentials.name}.{job}"

    async def _ask(self, ask: Ask, body: bytes = b"", *, patient: bool = True) -> tuple[Answer, bytes]:
        """Ask until there is an answer.

        Raises:
            FencedError: what was to be written was written by another.
            JobsError: the gate refuses it; the text says why.
            ServiceError: the credentials were taken away, or the connection is closed.
        """
        tries = Tries()
        while True:
            try:
                message = await self.client.request(
                    self.credentials.gate, body, timeout=_patience_s(ask), headers=header(ask)
                )
                answer = answered(message)
            except TRANSIENT as error:
                logger.debug("%s: %s", ask.operation, error)
                self._check()
                if not patient:
                    raise
                answer = Answer(verdict="later", reason=str(error))
            if answer.verdict == "fenced":
                raise FencedError(answer.reason)
            if answer.verdict == "refused":
                raise JobsError(f"refused: {answer.reason}")
            if answer.verdict != "later":
                return answer, message.data
            await tries.again(answer.reason)

    def _check(self) -> None:
        if self.client.is_closed or (self.refused() and not self.client.is_connected):
            raise ServiceError("the service has ended the connection, and takes these credentials no longer")

    async def swap(self, key: str, value: bytes, revision: int, *, bucket: KeyValue | None = None) -> int:
        """As a bus's."""
        ask = Ask(operation="write", key=key, revision=revision)
        return (await self._ask(ask, value))[0].revision

    async def find(self, key: str, bucket: KeyValue | None = None) -> Change | None:
        """As a bus's; a job of another is refused, or for a board not there."""
        ask = Ask(operation="find", key=key, bucket="boards" if bucket is self.boards else "jobs")
        answer, value = await self._ask(ask)
        return None if answer.verdict == "missing" else Change(key, value, answer.revision)

    async def leases(self, board: str) -> _GatedLeases:
        """As a bus's."""
        return _GatedLeases(self)

    async def lease(self, lease: Lease) -> None:
        """Only the scheduler hands leases over."""
        raise JobsError("leases are the scheduler's")

    async def beat(self, state: BoardState) -> None:
        """As a bus's."""
        await self._ask(Ask(operation="beat"), encode(state), patient=False)

    async def leave(self, board: str) -> None:
        """As a bus's."""
        await self._ask(Ask(operation="leave"), patient=False)

    async def newest(self, board: str) -> tuple[bytes | None, int]:
        """As a bus's, of the own board."""
        answer, data = await self._ask(Ask(operation="newest"))
        return (None, 0) if answer.verdict == "missing" else (data, answer.revision)

    async def append(self, board: str, job: str, data: bytes, sequence: int) -> int:
        """As a bus's, to the own board's ledger."""
        ask = Ask(operation="append", key=job, revision=sequence)
        return (await self._ask(ask, data, patient=False))[0].revision

    async def entries(self, after: int = 0) -> list[Received]:
        """Only the service itself reads the whole ledger: its entries hold what others have computed."""
        raise JobsError("the ledger is read with the credentials of the service itself, access/service.json")

    async def filed(self, job: str) -> tuple[Received, str | None] | None:
        """The entry of the run of an own job that is done, with whose signature that is; None: there is none."""
        answer, data = await self._ask(Ask(operation="filed", key=job))
        if answer.verdict == "missing":
            return None
        return Received(answer.board, answer.revision, data), answer.signer or None

    async def why(self, job: str) -> str | None:
        """As a bus's."""
        answer, told = await self._ask(Ask(operation="why", key=job))
        return None if answer.verdict == "missing" else told.decode()

    async def _keep(self, name: str, data: bytes, job: str) -> None:
        for part in range(parts_of(len(data))):
            ask = Ask(operation="put", key=job, sha256=name, part=part)
            await self._ask(ask, data[part * PART_BYTES : (part + 1) * PART_BYTES])

    async def _kept(self, payload: Payload, job: str) -> bytes | None:
        parts = [part async for part in self._parts(payload.sha256, parts_of(payload.size), job)]
        return b"".join(parts) if len(parts) == parts_of(payload.size) else None

    async def fetch(self, name: str, job: str = "") -> bytes:
        """As a bus's, of the own objects."""
        parts = [part async for part in self._parts(name, parts_of(MAX_PAYLOAD_BYTES), job)]
        if not parts:
            raise ContractError(f"object {name} is not in the store")
        return b"".join(parts)

    async def _parts(self, name: str, count: int, job: str) -> AsyncGenerator[bytes, None]:
        """Up to so many, as far as there are any."""
        for part in range(count):
            answer, data = await self._ask(Ask(operation="get", key=job, sha256=name, part=part))
            if answer.verdict == "missing":
                return
            yield data

    async def follow(
        self, bucket: KeyValue, key: str = ">", *, history: bool = False, after: int = 0
    ) -> AsyncGenerator[Change | None, None]:
        """As a bus's, of the own jobs; of boards all."""
        told = False
        while True:
            ask = Ask(
                operation="changes",
                bucket="boards" if bucket is self.boards else "jobs",
                key=key,
                revision=after,
                history=history,
                wait=told,
            )
            answer, body = await self._ask(ask)
            for each in _told.validate_json(body):
                after = each.revision
                yield Change(each.key, each.value.encode(), each.revision)
            if answer.told and not told:
                told = True
                yield None


def _patience_s(ask: Ask) -> float:
    return ANSWER_S + (WAIT_S if ask.wait or ask.operation == "take" else 0)


@dataclass(frozen=True)
class _Lease:
    bus: GatedBus
    data: bytes
    reply: str

    async def ack(self) -> None:
        await self.bus._ask(Ask(operation="done", receipt=self.reply), patient=False)


@dataclass(frozen=True)
class _GatedLeases:
    bus: GatedBus

    async def fetch(self, batch: int = 1, timeout: float | None = 5, /) -> list[_Lease]:
        answer, data = await self.bus._ask(Ask(operation="take"), patient=False)
        if answer.verdict == "missing":
            raise TimeoutError
        return [_Lease(self.bus, data, answer.receipt)]
