# SPDX-License-Identifier: BSD-2-Clause
"""The scheduler: follows the records, and leases boards to jobs. It keeps nothing that the records do not have."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple

from nats.aio.msg import Msg

from triplane.host.scheduler.bus import WHY, Bus
from triplane.host.scheduler.contracts import (
    MAX_ATTEMPTS,
    BoardState,
    Lease,
    Record,
    Request,
    State,
    Window,
    checked_key,
    decode,
    encode,
)
from triplane.host.scheduler.errors import ContractError, FencedError, ServiceError
from triplane.host.scheduler.fleet import Fleet, Member
from triplane.host.scheduler.following import TRANSIENT, Change, retried
from triplane.host.scheduler.policy import Policy, Score, estimated_fidelity
from triplane.host.scheduler.queue import Next, Queue
from triplane.host.scheduler.sessions import Sessions, opened

logger = logging.getLogger(__name__)

TICK_S = 0.25
TURN = 64
"""Leases that are written side by side."""

BY = "scheduler"


class Seen(NamedTuple):
    """A job that has not ended, at its newest revision."""

    revision: int
    record: Record


class Scheduler:
    """One of any number: two would hinder each other, and do nothing wrong.

    Args:
        bus: connected.
        policy: that chooses boards.
    """

    def __init__(self, bus: Bus, policy: Policy = estimated_fidelity) -> None:
        self.bus = bus
        self.queue = Queue()
        self.fleet = Fleet(policy, time.monotonic)
        self._jobs: dict[str, Seen] = {}
        self.sessions = Sessions(time.monotonic)
        self._wake = asyncio.Event()
        self._told: set[str] = set()
        self._connected = True

    async def run(self) -> None:
        """Follow, decide, watch over agents and sessions, answer; until it is cancelled."""
        subscription = await self.bus.client.subscribe(WHY, cb=self._answer)
        try:
            async with asyncio.TaskGroup() as tasks:
                for name, bucket, take in (
                    ("windows", self.bus.windows, self._on_window),
                    ("boards", self.bus.boards, self._on_board),
                    ("jobs", self.bus.jobs, self._on_job),
                ):
                    tasks.create_task(self._follow(name, self.bus.follow(bucket), take))
                tasks.create_task(self._decide())
                tasks.create_task(self._watch())
        finally:
            with contextlib.suppress(*TRANSIENT):
                await subscription.unsubscribe()

    async def _follow(
        self,
        name: str,
        changes: AsyncIterator[Change | None],
        take: Callable[[Change], Coroutine[Any, Any, None]],
    ) -> None:
        async for change in changes:
            if change is None:
                self._told.add(name)
                if name == "jobs":
                    await self._lease_again()
            else:
                try:
                    await take(change)
                except ContractError as error:
                    logger.warning("%s of %s is refused: %s", change.key, name, error)
            self._wake.set()

    async def _on_window(self, change: Change) -> None:
        if change.value:
            self.fleet.window(decode(Window, change.value))

    async def _on_board(self, change: Change) -> None:
        if not change.value:
            member = self.fleet.boards.pop(change.key, None)
            gone, why = member and member.state.instance, "its agent has stopped"
        elif "boards" not in self._told:
            return  # what was said before this scheduler began may be old: who lives speaks within a second
        else:
            gone, why = self.fleet.tell(decode(BoardState, change.value)), "its agent was started anew"
        if gone:
            self.fleet.heard.pop(gone, None)
            await self._recover(gone, why)

    async def _on_job(self, change: Change) -> None:
        known = self._jobs.get(change.key)
        if known and known.revision >= change.revision:
            return
        self._forget(change.key)
        record = decode(Record, change.value)
        if record.state.final:
            return
        checked_key(change.key)  # what is no name cannot be leased, whoever wrote it
        self._jobs[change.key] = Seen(change.revision, record)
        self.sessions.add(change.key, record.request)
        if record.state is State.QUEUED:
            self.queue.add(change.key, change.revision, record.request)
        elif record.instance:
            self.fleet.take(change.key, record.instance)

    def _forget(self, job: str) -> None:
        self.queue.remove(job)
        if known := self._jobs.pop(job, None):
            self.sessions.remove(job, known.record.request)
            if known.record.instance:
                self.fleet.give_back(job, known.record.instance)

    async def _lease_again(self) -> None:
        """Leases that an earlier scheduler wrote, and may not have handed over."""
        for job, (revision, record) in list(self._jobs.items()):
            if record.state is State.LEASED:
                await self.bus.lease(Lease(job=job, revision=revision, record=record))

    async def _decide(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if len(self._told) < 3:
                continue
            while turn := self._turn():
                await asyncio.gather(*(self._lease(*each) for each in turn))

    def _turn(self) -> list[tuple[Next, Member, Score]]:
        """Decisions that can be written side by side; each is in force here at once."""
        made: list[tuple[Next, Member, Score]] = []
        batches = frozenset(each.batch for each in self.fleet.boards.values() if each.batch)
        while len(made) < TURN:
            found = self.queue.next(self._has_board, batches)
            chosen = self.fleet.best(found.request) if found else None
            if found is None or chosen is None:
                break
            member, score = chosen
            self.queue.remove(found.job)
            self.queue.charge(found.request)
            self.fleet.take(found.job, member.state.instance)
            member.batch = found.request.batch
            if found.request.session and member.window is None:
                self.fleet.window(opened(member.state.name, found.request))
            made.append((found, member, score))
        return made

    def _has_board(self, request: Request) -> bool:
        return next(self.fleet.fitting(request), None) is not None

    async def _lease(self, found: Next, member: Member, score: Score) -> None:
        board = member.state
        waited = self._jobs[found.job].record
        record = waited.model_copy(
            update={
                "state": State.LEASED,
                "reason": f"{found.reason}; board {board.name}: {score.reason}",
                "by": BY,
                "at": time.time(),
                "board": board.name,
                "instance": board.instance,
            }
        )
        if found.request.session:
            await self._write_window(opened(board.name, found.request))
        try:
            revision = await self.bus.swap(found.job, encode(record), found.revision)
        except FencedError:
            self.fleet.give_back(found.job, board.instance)
            self._wake.set()
            return
        known = self._jobs.get(found.job)
        if (
            known is None or known.revision > revision
        ):  # its end, or another decision, was seen before the answer
            if known is None or known.record.instance != board.instance:
                self.fleet.give_back(found.job, board.instance)
            return
        self._jobs[found.job] = Seen(revision, record)
        self.fleet.take(found.job, board.instance)
        await self.bus.lease(Lease(job=found.job, revision=revision, record=record))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if self.bus.client.is_closed:
                raise ServiceError("the server has ended the connection for good; its log says why")
            if not self.bus.client.is_connected:
                self._connected = False
                continue
            if not self._connected:
                self._connected = True
                self.fleet.patience()
            for instance in self.fleet.silent():
                await self._recover(instance, "nothing was heard of its agent")
            for instance in [
                each for each, jobs in self.fleet.held.items() if jobs and each not in self.fleet.heard
            ]:
                await self._recover(instance, "its agent is gone")
            for window in self.sessions.ended(self.fleet):
                await self._write_window(window)
            self._wake.set()

    async def _recover(self, instance: str, why: str) -> None:
        """What an agent had goes back to the queue; an agent that lives still is fenced by the new revision."""
        for job in list(self.fleet.held.pop(instance, ())):
            known = self._jobs.get(job)
            if known is None or known.record.instance != instance:
                continue
            record = known.record
            spent = record.attempts >= MAX_ATTEMPTS
            again = record.model_copy(
                update={
                    "state": State.FAILED if spent else State.QUEUED,
                    "reason": f"board {record.board}: {why}; started {record.attempts} times",
                    "by": BY,
                    "at": time.time(),
                    "board": None,
                    "instance": None,
                    "lease": None,
                }
            )
            try:
                await self.bus.swap(job, encode(again), known.revision)
            except FencedError:
                continue  # its newest revision is on its way, and says who has it

    async def _write_window(self, window: Window) -> None:
        self.fleet.window(window)
        await retried(lambda: self.bus.windows.put(window.board, encode(window)))

    async def _answer(self, message: Msg) -> None:
        """Why a job waits, for `jobs why`."""
        job = message.data.decode(errors="replace")
        await message.respond(self.explain(job).encode())

    def explain(self, job: str) -> str:
        """What is between a job and its start, now."""
        known = self._jobs.get(job)
        if known is None:
            return "it has ended, or there is none of that name"
        request, state = known.record.request, known.record.state
        if state is State.HELD:
            return "it is held until somebody releases it"
        if state is not State.QUEUED:
            return f"board {known.record.board} has it"
        if job not in self.queue:
            return "it is about to be leased"
        obstacles = self.fleet.obstacles(request)
        lines = [f"board {name}: {why}" for name, why in obstacles.items()]
        if not self.fleet.boards:
            lines.append("no board is there: start an agent, triplane agent --board URL")
        lines.append(f"{self.queue.ahead(job)} jobs that wait come before it, whatever board they need")
        lines.append(f"{request.user} has had {self.queue.used_s[request.user]:.3f} s of boards")
        return "\n".join(lines)
