# SPDX-License-Identifier: BSD-2-Clause
"""Agents, scheduler and server are killed while jobs run: each job ends once, with its own result."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from triplane.host.bench.service.processes import Processes
from triplane.host.provenance import ProvenanceError
from triplane.host.provenance.canonical import sha256
from triplane.host.replay.progress import ProgressView
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.client import Job, Jobs
from triplane.host.scheduler.contracts import Record, Request, State, decode
from triplane.host.scheduler.ledger import ServiceLedger

AGENTS = 8
SUBMITTED_AT_ONCE = 100
PATIENCE_S = 300.0
"""Without the end of any job, after which the rest counts as lost."""


@dataclass
class Chaos:
    """What was seen of the jobs, from outside.

    Attributes:
        ends: final revisions of each job.
        states: in which jobs ended.
        starts: how often jobs were started, in all.
        wrong: jobs whose result is another's.
        unfiled: jobs that are done without a manifest of theirs in the ledger.
        damage: what is wrong with the ledger; empty where all chains and signatures hold.
        kills: of processes by SIGKILL, the server not among them.
        restarts: of the server.
        seconds: that it took.
    """

    ends: Counter[str] = field(default_factory=Counter)
    states: Counter[State] = field(default_factory=Counter)
    starts: int = 0
    wrong: int = 0
    unfiled: int = 0
    damage: str = ""
    kills: int = 0
    restarts: int = 0
    seconds: float = 0.0


def program(number: int) -> bytes:
    """Halts with a number, after so many instructions that it can be killed in between."""
    return f"set r1, {100 + number % 900}\nagain: loop r1, again\nemit r1\nhalt {number}\n".encode()


Plan = list[tuple[int, str]]
"""After which end who is killed, the last one first."""


async def chaos(
    folder: Path, *, jobs: int, kills: int, restarts: int, seed: int, view: ProgressView
) -> Chaos:
    """Run jobs on golden models, kill at random, count.

    Args:
        folder: for data and logs.
        jobs: to be submitted.
        kills: by SIGKILL, of agents and of the scheduler, spread over the jobs' ends.
        restarts: of the server, by SIGKILL as well, likewise.
        seed: of who is killed.
        view: that shows how far it is.
    """
    with Processes(folder) as processes:
        processes.scheduler()
        processes.agents(AGENTS)
        return await watched(processes, jobs, _plan(jobs, kills, restarts, random.Random(seed)), view)


async def on_boards(folder: Path, *, jobs: int, view: ProgressView) -> Chaos:
    """Run jobs on two simulated boards over UDP, kill one of the agents twice, count. Arguments as of `chaos`."""
    with Processes(folder) as processes:
        processes.scheduler()
        for number in range(2):
            processes.board(f"board-{number}", "line5")
        return await watched(processes, jobs, [(2 * jobs // 3, "board-0"), (jobs // 3, "board-0")], view)


async def watched(processes: Processes, jobs: int, plan: Plan, view: ProgressView) -> Chaos:
    """Submit jobs, kill as planned, and count what becomes of them."""
    seen, began, planned = Chaos(), time.monotonic(), Counter(name == "server" for _, name in plan)
    async with await Bus.connect(processes.url) as bus, await Bus.connect(processes.url) as watching:
        submitting = asyncio.create_task(_submit(Jobs(bus, "bench"), jobs))
        counter = view.count("jobs that have ended", jobs, unit="jobs")
        try:
            async with (
                asyncio.timeout(PATIENCE_S) as patience,
                aclosing(watching.follow(watching.jobs)) as changes,
            ):
                async for change in changes:
                    if change is None:
                        continue
                    record = decode(Record, change.value)
                    seen.starts += record.state is State.RUNNING
                    if not record.state.final:
                        continue
                    seen.ends[change.key] += 1
                    counter.to(len(seen.ends))
                    patience.reschedule(asyncio.get_running_loop().time() + PATIENCE_S)
                    while plan and plan[-1][0] <= len(seen.ends):
                        await asyncio.to_thread(processes.kill, plan.pop()[1])
                    if len(seen.ends) == jobs:
                        break
        except TimeoutError:
            pass  # what has not ended by now is counted as such
        await submitting
        # Whoever would write a second end has had time to.
        await asyncio.sleep(3)
        final = [each for each in await Jobs(bus, "bench").revisions() if each.record.state.final]
        seen.ends = Counter(each.job for each in final)
        seen.states = Counter(each.record.state for each in final)
        for each in final:
            seen.wrong += not await _right(bus, each.job, each.record)
        await _audit(bus, final, seen)
    left = Counter(name == "server" for _, name in plan)
    seen.kills, seen.restarts = planned[False] - left[False], planned[True] - left[True]
    seen.seconds = time.monotonic() - began
    return seen


async def _audit(bus: Bus, final: list[Job], seen: Chaos) -> None:
    """Verify the whole ledger, and look up the manifest of every result in it."""
    done = [each for each in final if each.record.outcome]
    try:
        ledger = await ServiceLedger.read(bus)
    except ProvenanceError as error:
        seen.damage, seen.unfiled = str(error), len(done)
        return
    for job, _, record in done:
        assert record.outcome is not None
        line = ledger.lines.get(record.outcome.run)
        if line is None:
            seen.unfiled += 1
            continue
        content = line.objects.get(line.object) or await bus.fetch(line.object, line.job)
        manifest = json.loads(content)
        seen.unfiled += (
            sha256(content) != record.outcome.run
            or manifest["result"]["job"] != job
            or manifest["outputs"]["result.json"]["sha256"] != record.outcome.result.sha256
        )


def _plan(jobs: int, kills: int, restarts: int, chance: random.Random) -> Plan:
    names = ["scheduler", *(f"board-{number}" for number in range(AGENTS))]
    plan = [
        (1 + round((k + chance.random()) * 0.95 * jobs / kills), chance.choice(names)) for k in range(kills)
    ]
    plan += [(1 + round((k + chance.random()) * 0.95 * jobs / restarts), "server") for k in range(restarts)]
    return sorted(plan, reverse=True)


async def _submit(jobs: Jobs, count: int) -> None:
    for first in range(0, count, SUBMITTED_AT_ONCE):
        await asyncio.gather(
            *(_one(jobs, number) for number in range(first, min(first + SUBMITTED_AT_ONCE, count)))
        )


async def _one(jobs: Jobs, number: int) -> None:
    payload = await jobs.bus.put(program(number))
    request = Request(user=f"user{number % 3}", kind="control", payload=payload)
    await jobs.submit(request, job=f"job-{number}")


async def _right(bus: Bus, job: str, record: Record) -> bool:
    """Whether a job has its own result, with a manifest of this job."""
    if record.outcome is None:
        return record.state is State.FAILED
    manifest = record.outcome.manifest
    result = json.loads(await bus.get(record.outcome.result))
    return (
        result["exit_code"] == int(job.removeprefix("job-"))
        and manifest.job == job
        and manifest.payload == record.request.payload.sha256
        and manifest.lease == record.lease
    )
