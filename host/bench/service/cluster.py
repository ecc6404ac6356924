# SPDX-License-Identifier: BSD-2-Clause
"""Three servers in network namespaces; one is cut off, another is killed, and no accepted job is lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from triplane.host.bench.service.chaos import program
from triplane.host.bench.service.namespaces import Network
from triplane.host.bench.service.processes import COMMAND
from triplane.host.scheduler.access import Access
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.client import Jobs
from triplane.host.scheduler.contracts import Request
from triplane.host.scheduler.server import Cluster, Node, server_binary

NODES = 3
AGENTS = 4
CLIENTS, ROUTES = 4222, 6222
FORMED_S = 120.0
PATIENCE_S = 180.0


@dataclass
class Survived:
    """What was seen of the jobs.

    Attributes:
        accepted: jobs whose submission was acknowledged.
        ends: final revisions of each job.
        wrong: results of another job, or none.
        starts: of jobs, in all.
        slowest_s: submission that took longest.
        seconds: that it took.
        victims: node that was cut off, and node that was killed.
    """

    accepted: set[str] = field(default_factory=set)
    ends: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    starts: int = 0
    slowest_s: float = 0.0
    seconds: float = 0.0
    victims: tuple[str, str] = ("", "")


class _Nodes:
    """The servers, each on a machine of its own, all with one folder of access."""

    def __init__(self, folder: Path, network: Network) -> None:
        self._folder, self._network = folder, network
        self.access = Access(folder / "access")
        addresses = {number: network.address(number) for number in range(1, NODES + 1)}
        self.access.certify(list(addresses.values()))
        self.url = ",".join(f"nats://{address}:{CLIENTS}" for address in addresses.values())
        self._nodes = {
            number: Node(
                CLIENTS,
                address,
                self.access,
                Cluster(
                    f"node{number}",
                    f"{address}:{ROUTES}",
                    tuple(f"{each}:{ROUTES}" for other, each in addresses.items() if other != number),
                ),
            )
            for number, address in addresses.items()
        }
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, number: int) -> None:
        file = self._nodes[number].write(self._folder / f"node{number}")
        self._running[number] = subprocess.Popen(
            self._network.command(number, server_binary(), "-c", str(file))
        )

    def kill(self, number: int) -> None:
        process = self._running.pop(number)
        process.kill()
        process.wait()

    def __enter__(self) -> _Nodes:
        for number in self._nodes:
            self.start(number)
        return self

    def __exit__(self, *_: object) -> None:
        for number in list(self._running):
            self.kill(number)


async def cluster(folder: Path, *, per_s: float, partition_s: float, calm_s: float) -> Survived:
    """Submit jobs at a steady rate while the leader of the records is cut off, and later its successor killed.

    Args:
        folder: for data and logs.
        per_s: jobs a second.
        partition_s: how long a node is cut off.
        calm_s: before, between and after; and until the node that was killed is started again.
    """
    seen, began = Survived(), time.monotonic()
    with Network(NODES) as network, contextlib.ExitStack() as processes:
        nodes = _Nodes(folder, network)
        ada = nodes.access.add("user", "ada")
        boards = [nodes.access.add("board", f"board-{number}") for number in range(AGENTS)]
        processes.enter_context(nodes)

        def start(name: str, *arguments: str) -> None:
            with (folder / f"{name}.log").open("ab") as log:
                command = [*COMMAND, *arguments, "--url", nodes.url]
                process = subprocess.Popen(command, stdout=log, stderr=log)
            processes.callback(process.wait)
            processes.callback(process.terminate)

        start(
            "scheduler",
            "serve",
            "--folder",
            str(folder),
            "--replicas",
            str(NODES),
            "--credentials",
            str(nodes.access.folder / "service.json"),
        )
        async with await Bus.connect(
            nodes.url, credentials=nodes.access.service, replicas=NODES, wait_s=FORMED_S
        ) as bus:
            for board in boards:
                file = folder / f"{board.name}.credentials"
                board.write(file)
                start(board.name, "agent", "--board", "model", "--credentials", str(file))
            async with await Bus.connect(nodes.url, credentials=ada, wait_s=FORMED_S) as users:
                ending = asyncio.Event()
                submitting = asyncio.create_task(_submit(Jobs(users, "ada"), per_s, ending, seen))
                await asyncio.sleep(calm_s)
                cut = await _leader(bus)
                network.cut(cut)
                await asyncio.sleep(partition_s)
                network.join(cut)
                await asyncio.sleep(calm_s)
                killed = await _leader(bus)
                await asyncio.to_thread(nodes.kill, killed)
                await asyncio.sleep(calm_s)
                nodes.start(killed)
                await asyncio.sleep(calm_s)
                ending.set()
                seen.victims = (f"node{cut}", f"node{killed}")
                await submitting
                await _count(bus, seen)
    seen.seconds = time.monotonic() - began
    return seen


async def _leader(bus: Bus) -> int:
    """Number of the node that leads the stream of records."""
    while True:
        with contextlib.suppress(Exception):  # there may be none for a while
            found = (await bus.js.stream_info("KV_triplane_jobs")).cluster
            if found and found.leader:
                return int(found.leader.removeprefix("node"))
        await asyncio.sleep(0.5)


async def _submit(jobs: Jobs, per_s: float, ending: asyncio.Event, seen: Survived) -> None:
    """One after another beside each other: a submission that waits for the cluster holds up none."""

    async def one(number: int) -> None:
        payload = await jobs.bus.put(program(number))
        began = time.monotonic()
        request = Request(user="ada", kind="control", payload=payload)
        seen.accepted.add(await jobs.submit(request, job=f"job-{number}"))
        seen.slowest_s = max(seen.slowest_s, time.monotonic() - began)

    async with asyncio.TaskGroup() as tasks:
        number = 0
        while not ending.is_set():
            tasks.create_task(one(number))
            number += 1
            await asyncio.sleep(1 / per_s)


async def _count(bus: Bus, seen: Survived) -> None:
    """Wait until all accepted jobs have ended, then look at every revision that is kept."""
    jobs = Jobs(bus, "bench")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while sum(each.record.state.final for each in await jobs.all()) < len(seen.accepted):
                await asyncio.sleep(1)
    results = {}
    for each in await jobs.revisions():
        seen.starts += each.record.state == "running"
        if each.record.state.final:
            seen.ends[each.job] += 1
            results[each.job] = each.record
    for job in seen.accepted:
        outcome = results[job].outcome if job in results else None
        number = int(job.removeprefix("ada.job-"))
        seen.wrong += outcome is None or json.loads(await bus.get(outcome.result, job))["exit_code"] != number
