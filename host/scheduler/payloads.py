# SPDX-License-Identifier: BSD-2-Clause
"""Payloads and results by their SHA-256: in a message where they are small, else objects of the service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from io import BytesIO

from nats.js.errors import NotFoundError, ObjectNotFoundError
from nats.js.kv import KeyValue
from nats.js.object_store import ObjectStore

from triplane.host.provenance.canonical import sha256
from triplane.host.scheduler.contracts import INLINE_BYTES, MAX_PAYLOAD_BYTES, Payload
from triplane.host.scheduler.errors import ContractError
from triplane.host.scheduler.exchange import parts_of
from triplane.host.scheduler.following import Change, retried


class Payloads(ABC):
    """What a bus can do with them; `objects` and `parts` are the bus's."""

    objects: ObjectStore
    parts: KeyValue | None

    @abstractmethod
    async def find(self, key: str, bucket: KeyValue | None = None) -> Change | None:
        """The bus's."""

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
