# SPDX-License-Identifier: BSD-2-Clause
"""What somebody does with jobs: submit, look, hold, cancel, wait for the result."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple
from uuid import uuid4

from nats.js.kv import KeyValue

from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.contracts import (
    BoardState,
    Model,
    Record,
    Request,
    State,
    checked_key,
    decode,
    encode,
)
from triplane.host.scheduler.errors import (
    ContractError,
    FencedError,
    JobsError,
    UnfinishedError,
    UnknownJobError,
)
from triplane.host.scheduler.following import Change

logger = logging.getLogger(__name__)


class Job(NamedTuple):
    """A job as its record has it."""

    job: str
    revision: int
    record: Record


class Jobs:
    """The jobs of a service. A user of a secured one may leave out the own name, which the names of jobs begin with.

    Args:
        bus: connected.
        by: who asks, for the records.
    """

    def __init__(self, bus: Bus, by: str) -> None:
        self.bus, self.by = bus, by

    async def submit(self, request: Request, *, job: str | None = None, held: bool = False) -> str:
        """Submit a job; when this returns, it is on the server's disk, and ends once.

        Args:
            request: with a payload that `bus.put` gave.
            job: its name; None makes one. To submit again what may have arrived, give the same name.
            held: it waits until it is released.

        Raises:
            JobsError: another job has that name, or it is none.
        """
        name = checked_key(self.bus.key(job or uuid4().hex))
        record = Record(
            request=request,
            state=State.HELD if held else State.QUEUED,
            reason="submitted",
            by=self.by,
            at=time.time(),
        )
        try:
            await self.bus.create(name, encode(record))
        except FencedError:
            if (await self.get(name)).record.request != request:
                raise JobsError(f"there is a job {name} with another content; give it another name") from None
        return name

    async def get(self, job: str) -> Job:
        """A job; raises UnknownJobError."""
        name = self._named(job)
        found = await self.bus.record(name)
        return Job(name, found.revision, decode(Record, found.value))

    async def all(self) -> list[Job]:
        """All jobs, those that changed last at the end. What is no record is left out, and logged."""
        changes = await self._kept(self.bus.jobs, Record)
        return [Job(change.key, change.revision, record) for change, record in changes]

    async def boards(self) -> list[BoardState]:
        """Boards whose agent has said something, and has not ended."""
        return [state for _, state in await self._kept(self.bus.boards, BoardState)]

    async def revisions(self) -> list[Job]:
        """All revisions of all jobs that are kept, in the order in which they were written."""
        changes = await self._kept(self.bus.jobs, Record, history=True)
        return [Job(change.key, change.revision, record) for change, record in changes]

    async def _kept(
        self, bucket: KeyValue, model: type[Model], key: str = ">", *, history: bool = False
    ) -> list[tuple[Change, Model]]:
        found = []
        async with aclosing(self.bus.follow(bucket, key, history=history)) as changes:
            async for change in changes:
                if change is None:
                    break
                try:
                    if change.value:
                        found.append((change, decode(model, change.value)))
                except ContractError as error:
                    logger.warning("%s is left out: %s", change.key, error)
        return found

    async def history(self, job: str) -> list[Record]:
        """All decisions about a job, the first one first; raises UnknownJobError."""
        name = (await self.get(job)).job
        changes = await self._kept(self.bus.jobs, Record, name, history=True)
        return [record for _, record in changes]

    async def why(self, job: str) -> str | None:
        """What is between a job and its start, as the scheduler sees it now; None: no scheduler answers."""
        return await self.bus.why(self._named(job))

    async def cancel(self, job: str) -> bool:
        """End a job, wherever it is; False where it has ended already."""
        return await self._change(job, State.CANCELLED, tuple(s for s in State if not s.final))

    async def hold(self, job: str) -> bool:
        """Let a job that waits wait until it is released; False where it does not wait."""
        return await self._change(job, State.HELD, (State.QUEUED,))

    async def release(self, job: str) -> bool:
        """Let a held job go on; False where it is not held."""
        return await self._change(job, State.QUEUED, (State.HELD,))

    async def _change(self, job: str, state: State, where: tuple[State, ...]) -> bool:
        while True:
            found = await self.get(job)
            if found.record.state not in where:
                return False
            reason = {State.CANCELLED: "cancelled", State.HELD: "held", State.QUEUED: "released"}[state]
            changed = found.record.model_copy(
                update={"state": state, "reason": reason, "by": self.by, "at": time.time()}
            )
            try:
                await self.bus.swap(found.job, encode(changed), found.revision)
            except FencedError:
                continue
            return True

    async def follow(self, job: str) -> AsyncGenerator[Record, None]:
        """The newest record of a job and those that come, to its end; raises UnknownJobError."""
        name = (await self.get(job)).job
        async with aclosing(self.bus.follow(self.bus.jobs, name)) as changes:
            async for change in changes:
                if change is not None and change.value:
                    record = decode(Record, change.value)
                    yield record
                    if record.state.final:
                        return

    async def result(self, job: str, *, wait_s: float | None = None) -> bytes:
        """The result, verified against its manifest.

        Args:
            job: its name.
            wait_s: for its end; None: as long as it takes.

        Raises:
            UnfinishedError: it has not ended in that time, has failed, or was cancelled; the text says why.
        """
        name, _, record = await self.get(job)
        if not record.state.final and wait_s != 0:
            try:
                async with asyncio.timeout(wait_s):
                    async for each in self.follow(job):
                        record = each
            except TimeoutError:
                pass
        if record.outcome is None:
            raise UnfinishedError(f"job {job} is {record.state}: {record.reason}")
        return await self.bus.get(record.outcome.result, name)

    def _named(self, job: str) -> str:
        try:
            return checked_key(self.bus.key(job))
        except ContractError:
            raise UnknownJobError(f"there is no job {job[:80]!r}; list them: triplane jobs") from None
