# SPDX-License-Identifier: BSD-2-Clause
"""`triplane serve` and `triplane agent`: processes that run until they are told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from triplane.hal.errors import LinkError
from triplane.host.scheduler.agent import Agent
from triplane.host.scheduler.bus import Bus
from triplane.host.scheduler.runners import BoardRunner, ModelRunner, Runner
from triplane.host.scheduler.scheduler import Scheduler
from triplane.host.scheduler.server import serving

AGAIN_S = 2.0
"""Before a board that was lost is tried again."""

MODEL = "model"
"""URL of the golden model."""


def serve(folder: Path, port: int, url: str | None, replicas: int) -> None:
    """A server and a scheduler; with a URL only the scheduler, for the server there.

    Args:
        folder: of the server's data.
        port: that it listens on, on loopback.
        url: of a cluster that is there already.
        replicas: of streams that are made now.
    """

    async def scheduling(at: str) -> None:
        async with await Bus.connect(at, replicas=replicas) as bus:
            print(f"jobs: {at}", flush=True)
            await Scheduler(bus).run()

    with contextlib.nullcontext(url) if url else serving(folder, port) as at:
        asyncio.run(scheduling(at))


def attend(
    url: str,
    board: str,
    name: str,
    device: str,
    progress: Callable[[str], None],
    snapshot: Path | None = None,
) -> None:
    """An agent for a board; it connects again when the board is lost, as another instance.

    Args:
        url: of the service.
        board: URL of the board, as `hal.connect` takes it, or "model".
        name: of the board.
        device: behind the board: a name, or a YAML file.
        progress: called with lines for people.
        snapshot: file of the device's calibration.
    """
    while True:
        try:
            runner = _runner(board, device, progress, snapshot)
            try:
                asyncio.run(_attending(url, runner, name, board, progress))
            finally:
                runner.close()
        except* LinkError as lost:
            progress(f"{lost.exceptions[0]}; trying again in {AGAIN_S:g} s")
            time.sleep(AGAIN_S)


async def _attending(
    url: str, runner: Runner, name: str, board: str, progress: Callable[[str], None]
) -> None:
    async with await Bus.connect(url) as bus:
        progress(f"agent of board {name} ({board}) takes jobs of {url}")
        await Agent(bus, runner, name=name, url=board).run()


def _runner(board: str, device: str, progress: Callable[[str], None], snapshot: Path | None) -> Runner:
    if board == MODEL:
        return ModelRunner()
    from triplane.hal.device import load_device

    return BoardRunner(board, load_device(device), progress, snapshot)
