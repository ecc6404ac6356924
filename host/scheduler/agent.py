# SPDX-License-Identifier: BSD-2-Clause
"""The agent beside a board: takes its leases, runs the jobs, writes how they ended. It may die at any point."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncGenerator
from importlib.metadata import version
from typing import NamedTuple
from uuid import uuid4

from triplane.hal.errors import LinkError
from triplane.host.provenance import RunRecorder
from triplane.host.provenance.signing import Signer
from triplane.host.provenance.store import default_root
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.contracts import (
    BoardState,
    Lease,
    Manifest,
    Outcome,
    Record,
    State,
    decode,
    encode,
)
from triplane.host.scheduler.errors import ContractError, FencedError, ServiceError
from triplane.host.scheduler.evidence import Evidence, Objects
from triplane.host.scheduler.exchange import Leases, Taken
from triplane.host.scheduler.following import RETRY_S, TRANSIENT, retried
from triplane.host.scheduler.ledger import BoardLedger
from triplane.host.scheduler.runners import Ran, Runner

logger = logging.getLogger(__name__)

BEAT_S = 1.0
CHECK_S = 0.25
FETCH_S = 5.0
MAX_REASON = 900
OWN_NAME = "each board has a name of its own: --name"


class _Said(NamedTuple):
    """Of a board, by an agent of it."""

    revision: int
    instance: str


class Agent:
    """One board's.

    Args:
        bus: connected.
        runner: of the board.
        name: of the board; no two agents have the same.
        url: of the board, for people.
        signer: of the runs; that of the board's credentials; None: the person's own key on this machine.
    """

    def __init__(
        self, bus: Bus, runner: Runner, *, name: str, url: str, signer: Signer | None = None
    ) -> None:
        self.bus, self.runner, self.name, self.url = bus, runner, name, url
        self.instance = uuid4().hex
        self._replaced = False
        self._software = version("triplane")
        self._ledger = BoardLedger(bus, name, signer or Signer.of_store(default_root()))
        self._evidence = Evidence(board=name, url=url)
        self._ended = asyncio.Queue[tuple[Taken, _Attended]](maxsize=1)

    async def run(self) -> None:
        """Work until it is cancelled; then say so, for others to take what is left.

        Raises:
            ServiceError: the board has another agent. Two of one name would take each other's jobs away.
        """
        await self._wait_for_other()
        leases = await self.bus.leases(self.name)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._beat())
                tasks.create_task(self._work(leases))
                tasks.create_task(self._file())
        finally:
            if not self._replaced:
                with contextlib.suppress(*TRANSIENT):
                    await self.bus.leave(self.name)

    def state(self) -> BoardState:
        """What the agent says of its board."""
        return BoardState(
            name=self.name, instance=self.instance, url=self.url, **self.runner.capability.fields
        )

    async def _beat(self) -> None:
        """Say every second that this agent lives; of two that began at once the later to speak stays."""
        others = None
        while True:
            with contextlib.suppress(*TRANSIENT):
                newest = await self._newest()
                if newest is None or newest.instance == self.instance:
                    others = None
                elif others is not None and newest.revision > others:
                    self._replaced = True
                    raise ServiceError(f"board {self.name} has another agent by now; {OWN_NAME}")
                else:
                    others = newest.revision  # of one that is gone, or from a replica that is behind
                await self.bus.beat(self.state())
            await asyncio.sleep(BEAT_S)

    async def _wait_for_other(self) -> None:
        """Return at once where nobody speaks for the board; where somebody did, see whether he still does."""
        if (before := await retried(self._newest)) is None:
            return
        await asyncio.sleep(1.5 * BEAT_S)
        now = await retried(self._newest)
        if now and now.revision > before.revision:
            raise ServiceError(f"board {self.name} has an agent already; {OWN_NAME}")

    async def _newest(self) -> _Said | None:
        """What was said last; None: its agent has left, or never was."""
        found = await self.bus.find(self.name, self.bus.boards)
        if found is None or not found.value:
            return None
        with contextlib.suppress(ContractError):
            return _Said(found.revision, decode(BoardState, found.value).instance)
        return None

    async def _work(self, leases: Leases) -> None:
        while True:
            try:
                messages = await leases.fetch(1, FETCH_S)
            except TRANSIENT as error:
                # Nothing to do for so long, or the server is away: it answers at once then.
                logger.debug("leases of %s: %s", self.name, error)
                await asyncio.sleep(0 if isinstance(error, TimeoutError) else RETRY_S)
                continue
            try:
                for message in messages:
                    await self._take(message)
            except LinkError:
                await self._ended.join()  # the board is lost, what it had ended is not
                raise

    async def _take(self, message: Taken) -> None:
        """Run a job if its lease is this agent's and holds still; the message is done with in any case."""
        async with self._passed_over():
            lease = decode(Lease, message.data)
            if lease.record.instance == self.instance:
                await self._ended.put((message, await self._attend(lease)))
                return
        await _done(message)

    async def _file(self) -> None:
        """Write how jobs ended, one after the other, while the board has the next one already."""
        while True:
            message, ran = await self._ended.get()
            async with self._passed_over():
                await self.bus.swap(ran.job, encode(await self._end(ran)), ran.revision)
            await _done(message)
            self._ended.task_done()

    @contextlib.asynccontextmanager
    async def _passed_over(self) -> AsyncGenerator[None]:
        """Of a job that is not, or no longer, this agent's nothing is written."""
        try:
            yield
        except FencedError as error:
            logger.info("%s", error)
        except ContractError as error:
            logger.warning("a lease is refused: %s", error)

    async def _attend(self, lease: Lease) -> _Attended:
        """From leased to running, and run it; written only if nobody has come between.

        Raises:
            FencedError: somebody has: it was cancelled, or another agent has it.
        """
        running = lease.record.model_copy(
            update={
                "state": State.RUNNING,
                "reason": "its turn on the board",
                "by": f"agent {self.name}",
                "at": time.time(),
                "lease": lease.revision,
                "attempts": lease.record.attempts + 1,
            }
        )
        revision = await self.bus.swap(lease.job, encode(running), lease.revision)
        return await self._run(lease.job, running, revision)

    async def _run(self, job: str, running: Record, revision: int) -> _Attended:
        began = time.time()
        try:
            payload = await self.bus.get(running.request.payload, job)
            recorder, objects = self._evidence.begin(running.request, payload)
            ran = await self._supervised(job, running, payload, revision, recorder)
            came: _Came | Exception = _Came(ran, recorder, objects)
        except (FencedError, LinkError):
            raise
        except Exception as error:  # noqa: BLE001 (whatever a job does, the agent lives on, and the job's owner sees it)
            came = error
        return _Attended(job, running, revision, began, came)

    async def _end(self, attended: _Attended) -> Record:
        """The record of the end, once what came of the job is in the ledger."""
        job, running, _, began, came = attended
        if isinstance(came, Exception):
            return _failed(running, came)
        try:
            kept = await self.bus.put(came.ran.result, job)
            facts = {"job": job, "lease": running.lease, "instance": self.instance}
            signed = self._evidence.end(came.recorder, came.ran, self.runner.capability.gateware, facts)
            filed = await self._ledger.append(job, signed, came.objects.kept)
        except FencedError:
            raise
        except Exception as error:  # noqa: BLE001 (as of a run)
            return _failed(running, error)
        assert running.lease is not None
        manifest = Manifest(
            job=job,
            lease=running.lease,
            user=running.request.user,
            payload=running.request.payload.sha256,
            result=kept.sha256,
            board=self.name,
            instance=self.instance,
            url=self.url,
            gateware=self.runner.capability.gateware,
            software=self._software,
            began=began,
            ended=time.time(),
        )
        return running.model_copy(
            update={
                "state": State.DONE,
                "reason": f"its result has {kept.size} bytes",
                "at": manifest.ended,
                "outcome": Outcome(result=kept, manifest=manifest, run=filed.run, entry=filed.number),
            }
        )

    async def _supervised(
        self, job: str, running: Record, payload: bytes, revision: int, recorder: RunRecorder
    ) -> Ran:
        """Run in a thread; look now and then whether the job is still ours, and end it where it is not."""
        fenced = threading.Event()

        def check() -> None:
            if fenced.is_set():
                raise FencedError(f"{job} was cancelled or given to another agent while it ran")

        work = asyncio.create_task(
            asyncio.to_thread(self.runner.run, running.request, payload, check, recorder)
        )
        while not (await asyncio.wait([work], timeout=CHECK_S))[0]:
            with contextlib.suppress(*TRANSIENT):
                found = await self.bus.find(job)
                if found is None or found.revision != revision:
                    fenced.set()
        return work.result()


class _Came(NamedTuple):
    """What came of a job that was run."""

    ran: Ran
    recorder: RunRecorder
    objects: Objects


class _Attended(NamedTuple):
    """A job that was begun: its record of that with its revision, and what came of it."""

    job: str
    running: Record
    revision: int
    began: float
    came: _Came | Exception


def _failed(running: Record, error: Exception) -> Record:
    reason = f"{type(error).__name__}: {error}"[:MAX_REASON]
    return running.model_copy(update={"state": State.FAILED, "reason": reason, "at": time.time()})


async def _done(message: Taken) -> None:
    with contextlib.suppress(*TRANSIENT):
        await message.ack()
