# SPDX-License-Identifier: BSD-2-Clause
"""How many empty jobs a second, what one costs with many behind it, and how soon a job begins."""

from __future__ import annotations

import asyncio
import io
import json
import statistics
import time
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

from qiskit import QuantumCircuit, qpy

from triplane.hal.device import Device, load_device
from triplane.host.bench.service.processes import Processes, Secured
from triplane.host.compiler.circuits import compile_circuit
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.client import Jobs
from triplane.host.scheduler.contracts import Record, Request, State, decode
from triplane.host.scheduler.ledger import ServiceLedger
from triplane.host.scheduler.server import START_S
from triplane.host.small import shape_of

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
            await _all_there(jobs)
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
        await _all_there(users[0])
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


async def _all_there(jobs: Jobs) -> None:
    """Wait for all agents: one that still starts would take the processors from those that work."""
    while len(await jobs.boards()) < AGENTS:
        await asyncio.sleep(0.2)


async def _done(jobs: Jobs, request: Request) -> None:
    await jobs.result(await jobs.submit(request))


@dataclass(frozen=True)
class FirstShot:
    """Medians of a circuit's job on an idle simulated board, ms.

    Attributes:
        started: from submission until its client sees that it runs.
        shot: until the agent has the outcome of the one shot, by the clock of the machine that both run on.
        ended: until its client sees the end, filed and signed.
        compiled: the compiler alone, here, of a like circuit right after.
        over: of the differences of `shot` and `compiled`, pair by pair.
    """

    started: float
    shot: float
    ended: float
    compiled: float
    over: float


async def first_shot(folder: Path, count: int) -> FirstShot:
    """Submit circuits of one shot, one after the other, each with other angles: none is compiled already."""
    device = load_device("line5")
    started: list[float] = []
    ended: list[float] = []
    compiled: list[float] = []
    submitted: list[float] = []
    names: list[str] = []
    with Processes(folder) as processes:
        processes.scheduler()
        processes.agent("sim", "sim")
        async with await Bus.connect(processes.url) as bus, await Bus.connect(processes.url) as watching:
            jobs = Jobs(bus, "bench")
            for number in range(count + 1):
                content = io.BytesIO()
                qpy.dump(_turned(number), content)
                payload = await bus.put(content.getvalue())
                request = Request(user="bench", kind="qpy", payload=payload, shots=1)
                began, seen = time.time(), None
                job = await jobs.submit(request)
                async with aclosing(watching.follow(watching.jobs, job)) as changes:
                    async for change in changes:
                        state = decode(Record, change.value).state if change else None
                        if seen is None and state in (State.RUNNING, State.DONE):
                            seen = time.time()
                        if state is not None and state.final:
                            break
                if number:  # the first one waits for the board
                    assert seen is not None
                    ended.append(time.time() - began)
                    started.append(seen - began)
                    submitted.append(began)
                    names.append(job)
                await asyncio.to_thread(_compile, 1_000 + number, device, compiled)
            ledger = await ServiceLedger.read(bus)
            outcomes = {}
            for line in ledger.lines.values():
                figures = json.loads(line.objects[line.object])["result"]
                outcomes[figures["job"]] = figures["first_outcome"]
    shot = [outcomes[job] - at for job, at in zip(names, submitted, strict=True)]
    over = [each - compile_s for each, compile_s in zip(shot, compiled[1:], strict=True)]
    medians = (1e3 * statistics.median(each) for each in (started, shot, ended, compiled[1:], over))
    return FirstShot(*medians)


def _compile(number: int, device: Device, seconds: list[float]) -> None:
    circuit, began = _turned(number), time.monotonic()
    compile_circuit(circuit, device, shape_of(device)).program(1)
    seconds.append(time.monotonic() - began)


def _turned(number: int) -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.ry(0.01 + number / 100, 0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit
