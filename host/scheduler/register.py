# SPDX-License-Identifier: BSD-2-Clause
"""Whose key is whose in a secured service: the principals of all its machines, in a bucket, public keys only.

Each machine's folder `access` tells it who was added or revoked there, and hears from it who was elsewhere; what one
has revoked stays so everywhere. The gate and `triplane report` ask it which board may sign with which key.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from functools import partial

from nats.js.kv import KeyValue

from triplane.host.provenance import SignatureError
from triplane.host.provenance.signing import Signature
from triplane.host.scheduler.access import Access, Principal, joined
from triplane.host.scheduler.audit import Audit
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.contracts import decode, encode
from triplane.host.scheduler.errors import ContractError, FencedError
from triplane.host.scheduler.following import Change, retried
from triplane.host.scheduler.streams import made_bucket

logger = logging.getLogger(__name__)

BUCKET = "triplane_access"
HEARD_S = 2.0
"""Until it has heard of a board that was added."""

HISTORY = 8
"""Revisions of a principal that are kept: there are two, added and revoked."""


class Register:
    """Of a service; `run` keeps it up to date.

    Args:
        bus: of the service itself.
        bucket: made by `made`.

    Attributes:
        news: set whenever somebody was added or revoked.
    """

    def __init__(self, bus: Bus, bucket: KeyValue) -> None:
        self._bus, self._bucket = bus, bucket
        self._known: dict[str, Principal] = {}
        self.news = asyncio.Event()

    @classmethod
    async def made(cls, bus: Bus, replicas: int = 1) -> Register:
        """With the bucket, made where it is not there."""
        return cls(bus, await retried(lambda: made_bucket(bus.js, BUCKET, HISTORY, replicas)))

    def principals(self, service: str) -> list[Principal]:
        """All that have or had a key, by when they were added.

        Args:
            service: public NKey of the folders `access` that they are of. A folder that was made anew has another, and
                brings nobody back from before.
        """
        found = [each for key, each in self._known.items() if key.startswith(f"{service}.")]
        return sorted(found, key=lambda each: each.added)

    def owner(self, signer: str) -> Principal | None:
        """The board that signs, or signed, with a key, 64 hex digits; None: the key is nobody's."""
        return next((each for each in self._known.values() if each.signer == signer), None)

    def signer_name(self, signer: str) -> str | None:
        """The same for people, as a copy of a run has it."""
        owner = self.owner(signer)
        return None if owner is None else f"board {owner.name}"

    async def refusal(self, board: str, run: str, signature: Signature) -> str | None:
        """Why a signature of a run is none of a board; None: it is. Waits a little for a board that was just added."""
        try:
            signature.check(run)
        except SignatureError as error:
            return str(error)
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARD_S):
                while self.owner(signature.key) is None:
                    await asyncio.sleep(HEARD_S / 20)
        owner = self.owner(signature.key)
        if owner is not None and owner.name == board and not owner.revoked:
            return None
        return (
            f"the run is signed by a key that is not board {board}'s; agents sign with the key of their credentials; "
            "those of an earlier version have none: triplane access revoke, then add"
        )

    async def run(self) -> None:
        """Hear of who comes and goes until it is cancelled."""
        async with aclosing(self._bus.follow(self._bucket)) as changes:
            async for change in changes:
                if change is not None:
                    self._hear(change)

    async def read(self) -> Register:
        """Know what is in the bucket now; returns itself."""
        async with aclosing(self._bus.follow(self._bucket)) as changes:
            async for change in changes:
                if change is None:
                    break
                self._hear(change)
        return self

    def _hear(self, change: Change) -> None:
        try:
            principal = decode(Principal, change.value)
        except ContractError as error:
            logger.warning("%s of %s is left out: %s", change.key, BUCKET, error)
            return
        self._known[change.key] = principal
        self.news.set()

    async def tell(self, access: Access, audit: Audit) -> None:
        """Say who was added and revoked in a folder; the audit log hears first of what is new."""
        service = access.key
        for principal in access.principals():
            while not await self._told(f"{service}.{principal.key}", principal, audit):
                logger.info("%s %s: another machine has told of it meanwhile", principal.role, principal.name)

    async def _told(self, key: str, principal: Principal, audit: Audit) -> bool:
        """False where somebody else has written since it was read."""
        found = await retried(partial(self._bus.find, key, self._bucket))
        known = decode(Principal, found.value) if found else None
        now = joined(known, principal) if known else principal
        if now == known:
            return True
        await audit.admitted(now, known)
        with suppress(FencedError):
            await self._bus.swap(key, encode(now), found.revision if found else 0, bucket=self._bucket)
            return True
        return False
