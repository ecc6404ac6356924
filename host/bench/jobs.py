# SPDX-License-Identifier: BSD-2-Clause
"""`triplane bench jobs`: the service of jobs under SIGKILL, its pace, and how soon a job begins."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from triplane.host.bench.registry import BenchContext, BenchError, benchmark
from triplane.host.replay.progress import ProgressView

if TYPE_CHECKING:
    from triplane.host.bench.service.cluster import Survived
    from triplane.host.bench.service.hostile import Hostile

Row = Callable[..., None]
COMMAND = "triplane bench jobs"
SEED = 2026


@benchmark("jobs", help="The service of jobs: killed agents, scheduler and server; jobs a second.")
def bench_jobs(ctx: BenchContext) -> None:
    """Chaos, pace, latency, hostile messages, a cluster; needs the extras `jobs` and `qiskit`, for the last root."""
    try:
        from triplane.host.bench.service.chaos import AGENTS, Chaos, chaos, on_boards
        from triplane.host.bench.service.cluster import cluster
        from triplane.host.bench.service.hostile import hostile
        from triplane.host.bench.service.namespaces import may_make_namespaces
        from triplane.host.bench.service.pace import first_shot, flow, pace, secured_flow
        from triplane.host.scheduler.contracts import State
    except ModuleNotFoundError as error:
        raise BenchError(f"{error}; jobs need extras: pip install 'triplane[jobs,qiskit]'") from error
    ctx.seeds["chaos"] = SEED
    command = COMMAND + (" --quick" if ctx.quick else "")
    count, kills, restarts = (400, 10, 2) if ctx.quick else (10_000, 200, 20)

    def row(work: str, measure: str, value: float, unit: str = "", goal: str | None = None) -> None:
        ctx.row(work=work, measure=measure, value=value, unit=unit, goal=goal, command=command)

    def counted(work: str, seen: Chaos, count: int) -> None:
        once = sum(ends == 1 for ends in seen.ends.values())
        row(work, "jobs that ended exactly once", once, goal=f"== {count}")
        row(work, "results that are wrong", seen.wrong, goal="== 0")
        row(work, "results without a manifest of theirs in the ledger", seen.unfiled, goal="== 0")
        row(work, f"ledger damaged{seen.damage and ': '}{seen.damage}", bool(seen.damage), goal="== 0")
        row(work, "jobs that failed", seen.states[State.FAILED])
        row(work, "starts beyond one for each job", seen.starts - count)
        row(work, "time", seen.seconds, "s")

    with ProgressView() as view, tempfile.TemporaryDirectory(prefix="triplane-jobs-") as name:
        folder = Path(name)

        def made(part: str) -> Path:
            (folder / part).mkdir()
            return folder / part

        view.step(f"{count} jobs, {kills} kills, {restarts} restarts of the server")
        seen = asyncio.run(
            chaos(made("chaos"), jobs=count, kills=kills, restarts=restarts, seed=SEED, view=view)
        )
        work = f"{count} jobs, {AGENTS} agents, {seen.kills} SIGKILL, server killed {seen.restarts} times"
        counted(work, seen, count)

        count = 20 if ctx.quick else 200
        view.step(f"{count} jobs on two simulated boards over UDP")
        seen = asyncio.run(on_boards(made("udp"), jobs=count, view=view))
        counted(f"{count} jobs, 2 boards over UDP, one agent killed {seen.kills} times", seen, count)

        number, queued = (500, 5_000) if ctx.quick else (4_000, 100_000)
        view.step("empty jobs")
        row(
            "empty jobs",
            "from submission to end",
            asyncio.run(flow(made("flow"), count=2 * number)),
            "jobs/s",
            ">= 500",
        )
        view.step("empty jobs of a secured service")
        secured = asyncio.run(secured_flow(made("secured"), count=number))
        row("empty jobs of a secured service", "from submission to end", secured, "jobs/s")
        view.step("submission to first shot")
        shot = asyncio.run(first_shot(made("first"), 30))
        work = "circuits of one shot, idle simulated board"
        row(work, "submission until it runs, median", shot.started, "ms")
        row(work, "submission to the outcome of the first shot, median", shot.shot, "ms")
        row(work, "submission to its end, filed and signed, median", shot.ended, "ms")
        row(work, "the compiler alone, median", shot.compiled, "ms")
        row(
            work,
            "first shot over compile time, median",
            shot.over,
            "ms",
            "<= 50",
        )
        view.step("a short queue")
        short = asyncio.run(pace(made("short"), measured=number, queued=0))
        view.step(f"{queued} jobs queued behind")
        long = asyncio.run(pace(made("long"), measured=number, queued=queued))
        for work, each in (("no job behind", short), (f"{queued} jobs behind", long)):
            row(work, "from queue to end", each.per_s, "jobs/s")
            row(work, "scheduler, processor time", each.scheduler_us, "us/job")
            row(work, "server, processor time", each.server_us, "us/job")
        row(
            f"{queued} jobs behind",
            "time for a job, to that with none behind",
            short.per_s / long.per_s,
            goal="<= 1.3",
        )
        rounds, other = (5, 20) if ctx.quick else (100, 500)
        view.step("hostile messages")
        _rows_of_hostile(
            row, asyncio.run(hostile(made("hostile"), jobs=other, rounds=rounds, seed=SEED)), other
        )
        if may_make_namespaces():
            per_s, partition_s, calm_s = (5.0, 10.0, 4.0) if ctx.quick else (20.0, 30.0, 15.0)
            view.step(f"a cluster of three, one node cut off for {partition_s:g} s, another killed")
            survived = asyncio.run(
                cluster(made("cluster"), per_s=per_s, partition_s=partition_s, calm_s=calm_s)
            )
            _rows_of_cluster(row, survived, partition_s)
        else:
            ctx.skip(
                work="a cluster of three", reason="network namespaces take root, and `ip`", command=command
            )


def _rows_of_hostile(row: Row, seen: Hostile, jobs: int) -> None:
    from triplane.host.bench.service.hostile import AUDITED

    tried = sum(seen.tried.values())
    work = f"{tried} hostile messages beside {jobs} jobs of another"
    row(work, "refused with a reason", sum(seen.refused.values()), goal=f"== {tried}")
    row(work, "kinds of them in the audit log", len(seen.audited), goal=f"== {len(AUDITED)}")
    row(work, "leaks, or changes of what is another's", seen.leaks, goal="== 0")
    row(work, "jobs of the other that ended once, with their result", seen.once, goal=f"== {jobs}")


def _rows_of_cluster(row: Row, seen: Survived, partition_s: float) -> None:
    accepted = len(seen.accepted)
    work = f"{accepted} jobs on 3 nodes, one cut off for {partition_s:g} s, then another killed"
    once = sum(seen.ends[job] == 1 for job in seen.accepted)
    row(work, "accepted jobs that ended exactly once", once, goal=f"== {accepted}")
    row(work, "results that are wrong or missing", seen.wrong, goal="== 0")
    row(work, "starts beyond one for each job", seen.starts - accepted)
    row(work, "slowest submission", seen.slowest_s, "s")
    row(work, "time", seen.seconds, "s")
