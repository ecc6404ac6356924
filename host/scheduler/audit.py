# SPDX-License-Identifier: BSD-2-Clause
"""The audit log: a stream that takes no deletion. What was refused, what users wrote, who came and went."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal

from nats.js.api import StorageType, StreamConfig
from pydantic import BaseModel, ConfigDict

from triplane.host.scheduler.access import Principal
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.contracts import Count, Text, decode, encode
from triplane.host.scheduler.following import retried
from triplane.host.scheduler.limits import AUDITED, Tokens
from triplane.host.scheduler.streams import made_stream

STREAM = "triplane_audit"
SUBJECT = "triplane.audit"
LOOK_S = 0.5

TURNED_AWAY = re.compile(
    r"\[ERR\] (?P<from>\S+) - \S+ - (?P<what>.*(?:[Vv]iolation|authentication|maximum).*)"
)
"""Lines of the server's log: who had no key, or published where he may not, or too much at once."""


class Entry(BaseModel):
    """Something that was done, or refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    at: float
    who: Text
    """Role and name; or the address of somebody whom the server turned away."""
    what: Text
    verdict: Literal["done", "refused"]
    reason: Text = ""
    left_out: Count = 0
    """Entries of the same one before this one, that were too many to be written."""


class Audit:
    """Writes the log.

    Args:
        bus: of the service itself.
        clock: s, monotonic.
    """

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus, self._clock = bus, clock
        self._tokens: dict[str, Tokens] = {}
        self._left_out: dict[str, int] = {}

    @classmethod
    async def made(cls, bus: Bus, replicas: int = 1) -> Audit:
        """With the stream, made where it is not there."""
        configuration = StreamConfig(
            name=STREAM,
            subjects=[f"{SUBJECT}.*"],
            storage=StorageType.FILE,
            num_replicas=replicas,
            deny_delete=True,
            deny_purge=True,
        )
        await retried(lambda: made_stream(bus.js, configuration))
        return cls(bus)

    async def write(self, who: str, what: str, verdict: Literal["done", "refused"], reason: str = "") -> None:
        """Add an entry, and return when it is on the server's disk; of one who floods only some are kept."""
        tokens = self._tokens.setdefault(who, Tokens(AUDITED, self._clock))
        if not tokens.take():
            self._left_out[who] = self._left_out.get(who, 0) + 1
            return
        await self._add(
            verdict,
            Entry(
                at=time.time(),
                who=who[:200],
                what=what[:900],
                verdict=verdict,
                reason=reason[:900],
                left_out=self._left_out.pop(who, 0),
            ),
        )

    async def admitted(self, principal: Principal, before: Principal | None) -> None:
        """Add who came, or went; `before` is what was known of the same key."""
        steps = [] if before else [(principal.added, "added")]
        if principal.revoked and not (before and before.revoked):
            steps.append((principal.revoked, "revoked"))
        for at, step in steps:
            what = f"{step} {principal.role} {principal.name}, key {principal.key}"
            # Each machine of a cluster may say so; the server keeps the first.
            await self._add("admin", Entry(at=at, who="admin", what=what, verdict="done"), f"{what} {at}")

    async def _add(self, token: str, entry: Entry, name: str | None = None) -> None:
        headers = {"Nats-Msg-Id": name} if name else None
        await retried(
            lambda: self._bus.js.publish(f"{SUBJECT}.{token}", encode(entry), stream=STREAM, headers=headers)
        )

    async def follow_log(self, log: Path) -> None:
        """Add what the server turns away, from its log; until it is cancelled."""
        async for line in _lines(log):
            if found := TURNED_AWAY.search(line):
                # One bucket for all strangers: addresses are cheap.
                await self.write("server", f"{found['from']}: {found['what']}", "refused")


async def _lines(log: Path) -> AsyncIterator[str]:
    """Lines that come from now on; begins anew where the file was begun anew."""
    at = log.stat().st_size if log.exists() else 0
    while True:
        await asyncio.sleep(LOOK_S)
        size = log.stat().st_size if log.exists() else 0
        at = min(at, size)
        if at == size:
            continue
        with log.open("rb") as opened:
            opened.seek(at)
            data = opened.read(size - at)
        whole, _, rest = data.rpartition(b"\n")
        at = size - len(rest)
        for line in whole.splitlines():
            yield line.decode(errors="replace")


async def read_audit(bus: Bus) -> list[Entry]:
    """All entries, the first one first; needs the service's credentials."""
    subscription = await bus.js.subscribe(f"{SUBJECT}.*", stream=STREAM, ordered_consumer=True)
    found = []
    try:
        for _ in range((await bus.js.stream_info(STREAM)).state.messages):
            found.append(decode(Entry, (await subscription.next_msg(timeout=5)).data))
    finally:
        await subscription.unsubscribe()
    return found
