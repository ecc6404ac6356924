# SPDX-License-Identifier: BSD-2-Clause
"""How many empty jobs a second, what one costs with many behind it, and how soon a job begins."""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

from triplane.host.bench.service.processes import Processes, Secured
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.client import Jobs
from triplane.host.scheduler.contracts import Record, Request, State, decode
from triplane.host.scheduler.server import START_S

AT_ONCE = 256
AGENTS = 4
SECURED_AT_ONCE = 32
"""Of one user; a gate takes 64 questions of one at a time."""


@dataclass(frozen=True)
class Pace:
    """Of empty jobs.

    Attributes:
        per_s: jobs that ended in a second.
        scheduler_us: processor time of the scheduler for a job.
        server_us: of the server.
    """

    per_s: float
    scheduler_us: float
    server_us: float


async def pace(folder: Path, *, measured: int, queued: int) -> Pace:
    """Let jobs queue, then let agents come, and look at the first ones that end.

    Args:
        folder: for data and logs.
        measured: ends that are looked at, after as many again that are not: agents start side by side.
        queued: jobs behind these.
    """
    with Processes(folder) as processes:
        processes.scheduler()
        async with await Bus.connect(processes.url) as bus:
            jobs = Jobs(bus, "bench")
            payload = await bus.put(b"halt 0\n")
            request = Request(user="bench", kind="control", payload=payload)
            total = 2 * measured + queued
            for first in range(0, total, AT_ONCE):
                count = min(AT_ONCE, total - first)
                await asyncio.gather(*(jobs.submit(request, job=f"job-{first + k}") for k in range(count)))
            while f"{total - 1} jobs" not in (await jobs.why(f"job-{total - 1}") or ""):
                await asyncio.sleep(0.2)
            ended, began, before = 0, 0.0, (0.0, 0.0)
            async with aclosing(bus.follow(bus.jobs)) as changes:
                async for change in changes:
                    if change is None:
                        # Only now: who still reads what is queued would time the reading, not the ends.
                        processes.agents(AGENTS)
                        continue
                    if b'"state":"done"' not in change.value:
                        continue
                    ended += 1
                    if ended == measured:
                        began, before = time.monotonic(), _spent(processes)
                    if ended == 2 * measured:
                        break
            seconds, after = time.monotonic() - began, _spent(processes)
    scheduler, server = (1e6 * (b - a) / measured for a, b in zip(before, after, strict=True))
    return Pace(measured / seconds, scheduler, server)


def _spent(processes: Processes) -> tuple[float, float]:
    return processes.cpu_s("scheduler"), processes.cpu_s("server")


async def flow(folder: Path, *, count: int) -> float:
    """Jobs a second, from the first submission to the last end, while agents wait already."""
    with Processes(folder) as processes:
        processes.scheduler()
        processes.agents(AGENTS)
        async with await Bus.connect(processes.url) as bus, await Bus.connect(processes.url) as watching:
            jobs = Jobs(bus, "bench")
            payload = await bus.put(b"halt 0\n")
            request = Request(user="bench", kind="control", payload=payload)
            await asyncio.gather(*(_done(jobs, request) for _ in range(4 * AGENTS)))

            async def submit() -> None:
                for first in range(0, count, AT_ONCE):
                    batch = range(first, min(first + AT_ONCE, count))
                    await asyncio.gather(*(jobs.submit(request, job=f"job-{k}") for k in batch))

            began, ended = time.monotonic(), 0
            task = asyncio.create_task(submit())
            async with aclosing(watching.follow(watching.jobs, "*")) as changes:
                async for change in changes:
                    if change and change.key.startswith("job-") and b'"state":"done"' in change.value:
                        ended += 1
                        if ended == count:
                            break
            await task
            return count / (time.monotonic() - began)


async def secured_flow(folder: Path, *, count: int) -> float:
    """As `flow`, of a secured service: each step of each job is a question to its gate; a user for each agent."""
    async with AsyncExitStack() as stack:
        service = stack.enter_context(Secured(folder))
        users = []
        for number in range(AGENTS):
            service.agent(service.access.add("board", f"board-{number}"))
            known = service.access.add("user", f"user-{number}")
            bus = await stack.enter_async_context(
                await Bus.connect(service.url, credentials=known, wait_s=START_S)
            )
            users.append(Jobs(bus, known.name))
        watching = await stack.enter_async_context(
            await Bus.connect(service.url, credentials=service.access.service)
        )
        payload = await users[0].bus.put(b"halt 0\n")
        requests = [Request(user=each.by, kind="control", payload=payload) for each in users]
        await asyncio.gather(*(_done(*each) for each in zip(users, requests, strict=True)))

        async def submit(jobs: Jobs, request: Request) -> None:
            for first in range(0, count // AGENTS, SECURED_AT_ONCE):
                batch = range(first, min(first + SECURED_AT_ONCE, count // AGENTS))
                await asyncio.gather(*(jobs.submit(request, job=f"job-{k}") for k in batch))

        began, ended = time.monotonic(), 0
        submitting = asyncio.gather(*(submit(*each) for each in zip(users, requests, strict=True)))
        async with aclosing(watching.follow(watching.jobs)) as changes:
            async for change in changes:
                if change and ".job-" in change.key and b'"state":"done"' in change.value:
                    ended += 1
                    if ended == count // AGENTS * AGENTS:
                        break
        await submitting
        return ended / (time.monotonic() - began)


async def _done(jobs: Jobs, request: Request) -> None:
    await jobs.result(await jobs.submit(request))


async def first_shot_ms(folder: Path, count: int) -> float:
    """Median time from a submission to the start of the job on an idle simulated board, as its client sees it."""
    with Processes(folder) as processes:
        processes.scheduler()
        processes.start("sim", "agent", "--board", "sim", "--name", "sim")
        async with await Bus.connect(processes.url) as bus:
            jobs = Jobs(bus, "bench")
            request = Request(user="bench", kind="control", payload=await bus.put(b"halt 0\n"))
            await jobs.result(await jobs.submit(request))
            return await _median_ms(jobs, request, count)


async def _median_ms(jobs: Jobs, request: Request, count: int) -> float:
    found = []
    for _ in range(count):
        began = time.monotonic()
        job = await jobs.submit(request)
        async with aclosing(jobs.bus.follow(jobs.bus.jobs, job)) as changes:
            async for change in changes:
                state = decode(Record, change.value).state if change else None
                if state in (State.RUNNING, State.DONE):
                    break
        found.append(1e3 * (time.monotonic() - began))
        await jobs.result(job)
    return statistics.median(found)
