# SPDX-License-Identifier: BSD-2-Clause
"""`triplane serve` and `triplane agent`: processes that run until they are told to stop."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from triplane.hal.errors import LinkError
from triplane.host.scheduler.access import Access, Principal
from triplane.host.scheduler.agent import Agent
from triplane.host.scheduler.audit import Audit
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.connection import ANSWER_S
from triplane.host.scheduler.credentials import Credentials
from triplane.host.scheduler.errors import ServiceError
from triplane.host.scheduler.gate import Gate
from triplane.host.scheduler.register import Register
from triplane.host.scheduler.runners import BoardRunner, ModelRunner, Runner
from triplane.host.scheduler.scheduler import Scheduler
from triplane.host.scheduler.server import START_S, Node, reload_server, running, watch_server

AGAIN_S = 2.0
"""Before a board that was lost is tried again."""

LOOK_S = 0.5
"""After which somebody who was added can connect, and who was revoked cannot."""

FORMED_S = 600.0
"""For a cluster, whose nodes somebody starts one after another."""

MODEL = "model"
"""URL of the golden model."""


def serve(
    folder: Path, node: Node | None, url: str | None, replicas: int, credentials: Credentials | None = None
) -> None:
    """A server, a scheduler, and for a secured server its gate.

    Args:
        folder: of the server's data, with the folder `access`.
        node: that is started; None: there is one already.
        url: of a cluster to connect to, several URLs with commas; None: the own node.
        replicas: of streams that are made now.
        credentials: of the service, for a secured cluster.

    Raises:
        ServiceError: the server does not start, is not reached, or has ended.
    """
    _collect_less()
    try:
        if node is None:
            assert url is not None
            access = _access_of(folder, credentials)

            def watched(audit: Audit, register: Register) -> list[Coroutine[Any, Any, None]]:
                # These servers are somebody else's to reload.
                return [admitting(access, register, audit, lambda: None)] if access else []

            uvloop.run(_scheduling(url, credentials, replicas, watched, FORMED_S))
        else:
            with running(folder, node) as process:
                uvloop.run(serve_beside(process, folder, node, url, replicas))
    except* ServiceError as ended:
        raise _first(ended) from None


def _collect_less() -> None:
    """Let the garbage collector pass over what was imported, and come more seldom."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _access_of(folder: Path, credentials: Credentials | None) -> Access | None:
    """Who has access, where the folder is that of the service whose credentials these are."""
    if credentials is None or not (folder / "access").is_dir():
        return None
    access = Access(folder / "access")
    return access if access.service == credentials else None


async def serve_beside(
    process: subprocess.Popen[bytes], folder: Path, node: Node, url: str | None, replicas: int
) -> None:
    """All that runs beside a server of our own, for as long as that lives."""
    access = node.access

    def watched(audit: Audit, register: Register) -> list[Coroutine[Any, Any, None]]:
        assert access is not None
        return [
            audit.follow_log(folder / "server.log"),
            admitting(access, register, audit, lambda: reload_server(folder, node, process)),
        ]

    at = url or f"nats://{node.here}:{node.port}"
    wait_s = FORMED_S if node.cluster else START_S
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch_server(folder, process))
        tasks.create_task(_scheduling(at, access.service if access else None, replicas, watched, wait_s))


async def _scheduling(
    url: str,
    credentials: Credentials | None,
    replicas: int,
    watches: Callable[[Audit, Register], list[Coroutine[Any, Any, None]]],
    wait_s: float,
) -> None:
    if credentials and credentials.role != "service":
        raise ServiceError(
            "to schedule takes the credentials of the service itself, access/service.json in its folder"
        )
    async with (
        await Bus.connect(url, credentials=credentials, replicas=replicas, wait_s=wait_s) as bus,
        asyncio.TaskGroup() as tasks,
    ):
        if credentials:
            audit, register = await Audit.made(bus, replicas), await Register.made(bus, replicas)
            tasks.create_task(register.run())
            tasks.create_task(Gate(bus, audit, register).run())
            for work in watches(audit, register):
                tasks.create_task(work)
        print(f"jobs: {url}", flush=True)
        tasks.create_task(Scheduler(bus).run())


async def admitting(access: Access, register: Register, audit: Audit, reload: Callable[[], None]) -> None:
    """Let the server hear of who comes and goes, here and on other machines, and the log as well; until cancelled.

    Args:
        access: of this machine.
        register: of the service; its `run` goes on meanwhile.
        audit: log.
        reload: lets this machine's server read who may connect.
    """
    # Somebody may have been added since the server has read who may connect: it reads again at once.
    known: list[Principal] = []
    while True:
        if register.news.is_set():
            register.news.clear()
            access.merge(register.principals(access.key))
        if (now := access.principals()) != known:
            known = now
            reload()
            await register.tell(access, audit)
        await asyncio.sleep(LOOK_S)


def attend(
    url: str,
    board: str,
    name: str,
    device: str,
    progress: Callable[[str], None],
    snapshot: Path | None = None,
    credentials: Credentials | None = None,
) -> None:
    """An agent for a board; it connects again when the board is lost, as another instance.

    Args:
        url: of the service.
        board: URL of the board, as `hal.connect` takes it, or "model".
        name: of the board.
        device: behind the board: a name, or a YAML file.
        progress: called with lines for people.
        snapshot: file of the device's calibration.
        credentials: of the board, for a secured service.

    Raises:
        ServiceError: the credentials are of somebody else.
    """
    if credentials and (credentials.role, credentials.name) != ("board", name):
        raise ServiceError(
            f"the credentials are of {credentials.role} {credentials.name}, not of board {name}"
        )
    _collect_less()
    while True:
        try:
            runner = _runner(board, device, progress, snapshot)
            try:
                uvloop.run(_attending(url, credentials, runner, name, board, progress))
            finally:
                runner.close()
        except* LinkError as lost:
            progress(f"{lost.exceptions[0]}; trying again in {AGAIN_S:g} s")
            time.sleep(AGAIN_S)
        except* ServiceError as refused:
            raise _first(refused) from None


async def _attending(
    url: str,
    credentials: Credentials | None,
    runner: Runner,
    name: str,
    board: str,
    progress: Callable[[str], None],
) -> None:
    # Also of a service that is about to start
    async with await Bus.connect(url, credentials=credentials, wait_s=ANSWER_S) as bus:
        progress(f"agent of board {name} ({board}) takes jobs of {url}")
        signer = credentials.signer if credentials else None
        await Agent(bus, runner, name=name, url=board, signer=signer).run()


def _first(group: BaseExceptionGroup[ServiceError]) -> ServiceError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return ServiceError(str(found))


def _runner(board: str, device: str, progress: Callable[[str], None], snapshot: Path | None) -> Runner:
    if board == MODEL:
        return ModelRunner()
    from triplane.hal.device import load_device

    return BoardRunner(board, load_device(device), progress, snapshot)
