# SPDX-License-Identifier: BSD-2-Clause
"""The agent beside a board: takes its leases, runs the jobs, writes how they ended. It may die at any point."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from importlib.metadata import version
from typing import NamedTuple
from uuid import uuid4

from triplane.hal.errors import LinkError
from triplane.host.provenance import RunRecorder
from triplane.host.provenance.canonical import sha256
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
from triplane.host.scheduler.evidence import Evidence
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
            for message in messages:
                await self._take(message)

    async def _take(self, message: Taken) -> None:
        """Run a job if its lease is this agent's and holds still; the message is done with in any case."""
        try:
            lease = decode(Lease, message.data)
            if lease.record.instance == self.instance:
                await self._attend(lease)
        except FencedError as error:
            logger.info("%s", error)
        except ContractError as error:
            logger.warning("a lease is refused: %s", error)
        with contextlib.suppress(*TRANSIENT):
            await message.ack()

    async def _attend(self, lease: Lease) -> None:
        """From leased to running to the end; each step only if nobody has come between.

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
        ended = await self._run(lease, running, revision)
        await self.bus.swap(lease.job, encode(ended), revision)

    async def _run(self, lease: Lease, running: Record, revision: int) -> Record:
        """The record of the end."""
        began = time.time()
        try:
            payload = await self.bus.get(running.request.payload, lease.job)
            recorder, objects = self._evidence.begin(running.request, payload)
            ran = await self._supervised(lease.job, running, payload, revision, recorder)
            kept = await self.bus.put(ran.result, lease.job)
            facts = {"job": lease.job, "lease": lease.revision, "instance": self.instance}
            signed = self._evidence.end(recorder, ran, self.runner.capability.gateware, facts)
            run = await self._ledger.append(lease.job, signed, objects.kept)
        except (FencedError, LinkError):
            raise
        except Exception as error:  # noqa: BLE001 (whatever a job does, the agent lives on, and the job's owner sees it)
            return running.model_copy(
                update={
                    "state": State.FAILED,
                    "reason": f"{type(error).__name__}: {error}"[:MAX_REASON],
                    "at": time.time(),
                }
            )
        manifest = Manifest(
            job=lease.job,
            lease=lease.revision,
            user=running.request.user,
            payload=sha256(payload),
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
                "outcome": Outcome(result=kept, manifest=manifest, run=run),
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
