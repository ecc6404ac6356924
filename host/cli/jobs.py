# SPDX-License-Identifier: BSD-2-Clause
"""Commands of the service of jobs."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from triplane.host.cli.app import app
from triplane.host.cli.common import errors
from triplane.host.cli.options import Known

if TYPE_CHECKING:
    from triplane.host.scheduler.client import Job, Jobs
    from triplane.host.scheduler.contracts import Record

Given = TypeVar("Given")

Service = Annotated[
    str,
    typer.Option(
        "--url",
        envvar="TRIPLANE_JOBS",
        metavar="nats://HOST:PORT",
        help="The service of jobs; several with commas.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", show_default=False, help="Name of a job.")]
URL = "nats://127.0.0.1:4222"
STOPPED = "stopped: jobs that were submitted go on; triplane jobs lists them"

jobs = typer.Typer(
    help="List jobs, or say why one is where it is; hold and release them.", invoke_without_command=True
)
app.add_typer(jobs, name="jobs")


@app.command(epilog="Example:   triplane submit bell.qasm --shots 1000 --wait")
def submit(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            show_default=False,
            help="FILE.qasm (OpenQASM 3), .qpy, .tasm, or .json: a program with tables.",
        ),
    ],
    shots: Annotated[int, typer.Option("--shots", min=1)] = 1_024,
    memory: Annotated[bool, typer.Option("--memory", help="Keep every shot by itself.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of an emulator.")] = None,
    priority: Annotated[int, typer.Option("--priority", min=-100, max=100)] = 0,
    due: Annotated[
        float | None, typer.Option("--due", help="Seconds from now; earlier ones are first.")
    ] = None,
    board: Annotated[str | None, typer.Option("--board", help="Only on the board of this name.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", help="Jobs of one batch follow each other.")] = None,
    session: Annotated[
        str | None, typer.Option("--session", help="Have a board alone, with jobs of that name.")
    ] = None,
    idle_timeout: Annotated[float, typer.Option("--idle-timeout", help="Of a session, s.")] = 60.0,
    minimum_fidelity: Annotated[
        float | None,
        typer.Option("--minimum-fidelity", min=0, max=1, help="Wait for a board that promises so much."),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", help="By whose times a shot's duration is estimated.")
    ] = "line5",
    hold: Annotated[bool, typer.Option("--hold", help="Wait for `triplane jobs release`.")] = False,
    user: Annotated[str | None, typer.Option("--user", show_default="yours")] = None,
    job: Annotated[str | None, typer.Option("--id", show_default="a new one", help="Twice is once.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait, and print the result.")] = False,
    as_json: AsJson = False,
    url: Service = URL,
    credentials: Known = None,
) -> None:
    """Submit a job; prints its name, and it is on the server's disk then."""
    with errors(STOPPED):
        import time

        from triplane.host.scheduler.contracts import checked_request
        from triplane.host.scheduler.requests import read_job

        kind, payload, needs = read_job(file, device)

        async def ask(there: Jobs) -> tuple[str, bytes | None]:
            request = checked_request(
                user=user or there.by,
                name=file.name,
                kind=kind,
                payload=await there.bus.put(payload),
                shots=shots,
                memory=memory,
                seed=seed,
                priority=priority,
                due=None if due is None else time.time() + due,
                board=board,
                batch=batch,
                session=None if session is None else {"name": session, "idle_timeout_s": idle_timeout},
                needs=needs.model_copy(update={"minimum_fidelity": minimum_fidelity}),
            )
            name = await there.submit(request, job=job, held=hold)
            if wait:  # whoever waits no longer finds the job again by its name
                print(f"job {name}", file=sys.stderr, flush=True)
            return name, await there.result(name) if wait else None

        name, result = _asked(url, credentials, ask)
        if as_json:
            _print({"id": name, "result": None if result is None else json.loads(result)})
        else:
            print(name if result is None else result.decode())


@jobs.callback()
def list_jobs(
    context: typer.Context, as_json: AsJson = False, url: Service = URL, credentials: Known = None
) -> None:
    """List all jobs, those that changed last at the end."""
    if context.invoked_subcommand is None:
        with errors(STOPPED):
            found = _asked(url, credentials, lambda there: there.all())
            if as_json:
                _print([_shown(each) for each in found])
                return
            for each in found:
                record = each.record
                print(
                    f"{each.job}  {record.state:9}  {record.request.user:12}  {record.board or '':12}  {record.reason}"
                )


@jobs.command()
def why(job: Id, as_json: AsJson = False, url: Service = URL, credentials: Known = None) -> None:
    """Every decision about a job with its reason, and what it waits for now."""
    with errors(STOPPED):

        async def ask(there: Jobs) -> tuple[list[Record], str | None]:
            return await there.history(job), await there.why(job)

        decisions, now = _asked(url, credentials, ask)
        if as_json:
            _print({"decisions": [_decision(each) for each in decisions], "now": now})
            return
        for each in decisions:
            print(_line(each))
        if not decisions[-1].state.final:
            print(f"now: {now or 'no scheduler answers; start one: triplane serve'}")


@jobs.command()
def hold(job: Id, url: Service = URL, credentials: Known = None) -> None:
    """Let a job that waits wait on."""
    _do(url, credentials, job, lambda there: there.hold(job), "held", "it does not wait")


@jobs.command()
def release(job: Id, url: Service = URL, credentials: Known = None) -> None:
    """Let a held job go on."""
    _do(url, credentials, job, lambda there: there.release(job), "queued", "it is not held")


@app.command()
def cancel(job: Id, as_json: AsJson = False, url: Service = URL, credentials: Known = None) -> None:
    """End a job, wherever it is."""
    _do(
        url,
        credentials,
        job,
        lambda there: there.cancel(job),
        "cancelled",
        "it has ended already",
        as_json=as_json,
    )


@app.command()
def logs(
    job: Id,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until it ends.")] = False,
    as_json: AsJson = False,
    url: Service = URL,
    credentials: Known = None,
) -> None:
    """Print what has become of a job, and with -f what becomes of it."""
    with errors(STOPPED):

        async def ask(there: Jobs) -> None:
            told = 0.0
            for each in await there.history(job):
                _tell(each, as_json)
                told = each.at
            if follow:
                async for each in there.follow(job):
                    if each.at > told:
                        _tell(each, as_json)

        _asked(url, credentials, ask)


@app.command()
def results(
    job: Id,
    wait: Annotated[bool, typer.Option("--wait", help="For its end.")] = False,
    as_json: AsJson = False,
    url: Service = URL,
    credentials: Known = None,
) -> None:
    """Print the result of a job, JSON; with --json also the manifest of what it was made of."""
    with errors(STOPPED):

        async def ask(there: Jobs) -> tuple[bytes, Record]:
            result = await there.result(job, wait_s=None if wait else 0)
            return result, (await there.get(job)).record

        result, record = _asked(url, credentials, ask)
        assert record.outcome is not None
        if as_json:
            _print(
                {
                    "result": json.loads(result),
                    "manifest": record.outcome.manifest.model_dump(mode="json"),
                    "run": record.outcome.run,
                }
            )
        else:
            print(result.decode())


def _asked(url: str, credentials: Path | None, ask: Callable[[Jobs], Awaitable[Given]]) -> Given:
    """What a connection of its own answers."""
    from triplane.host.scheduler.bus import Bus
    from triplane.host.scheduler.client import Jobs
    from triplane.host.scheduler.credentials import given_credentials
    from triplane.host.scheduler.requests import this_user

    async def asking() -> Given:
        async with await Bus.connect(url, credentials=given_credentials(credentials)) as bus:
            return await ask(Jobs(bus, bus.user or this_user()))

    return asyncio.run(asking())


def _do(
    url: str,
    credentials: Path | None,
    job: str,
    change: Callable[[Jobs], Awaitable[bool]],
    done: str,
    otherwise: str,
    *,
    as_json: bool = False,
) -> None:
    with errors(STOPPED):
        from triplane.host.scheduler.errors import JobsError

        changed = _asked(url, credentials, change)
        if as_json:
            _print({"id": job, "changed": changed})
        elif not changed:
            raise JobsError(f"job {job}: {otherwise}")
        else:
            print(f"{job} is {done}")


def _shown(job: Job) -> dict[str, Any]:
    request = job.record.request
    return {
        "id": job.job,
        "user": request.user,
        "name": request.name,
        "kind": request.kind,
        "shots": request.shots,
        **_decision(job.record),
    }


def _decision(record: Record) -> dict[str, Any]:
    kept = {"state", "reason", "by", "at", "board", "attempts"}
    return record.model_dump(mode="json", include=kept)


def _line(record: Record) -> str:
    import datetime

    when = datetime.datetime.fromtimestamp(record.at).astimezone().isoformat(" ", "milliseconds")
    return f"{when}  {record.state:9}  by {record.by}: {record.reason}"


def _tell(record: Record, as_json: bool) -> None:
    print(json.dumps(_decision(record)) if as_json else _line(record), flush=True)


def _print(content: Any) -> None:
    print(json.dumps(content, indent=2))
