# SPDX-License-Identifier: BSD-2-Clause
"""Connecting to a real nats-server that takes nobody: however its answers fall, each attempt ends with the reason."""

import asyncio
import contextlib
import socket
import subprocess

import pytest

from triplane.host.scheduler import connection
from triplane.host.scheduler.errors import ServiceError
from triplane.host.scheduler.server import server_binary

CLIENTS = 60


@pytest.fixture
def closed_server(port):
    """Its URL; it asks for a token that nobody has."""
    words = [server_binary(), "-a", "127.0.0.1", "-p", str(port), "--auth", "nobody knows"]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
        yield f"nats://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_who_is_turned_away_hears_so_whenever_the_answer_comes(closed_server, monkeypatch):
    monkeypatch.setattr(connection, "RETRY_S", 0.001)

    async def refused(number):
        await asyncio.sleep(number / CLIENTS / 10)
        with pytest.raises(ServiceError, match="does not take these credentials"):
            await connection.connected(closed_server, None, None)

    async def all_refused():
        tasks = [asyncio.create_task(refused(number)) for number in range(CLIENTS)]
        _, hung = rest = await asyncio.wait(tasks, timeout=20)
        while rest[1]:  # a cancellation may be forgotten, which is what this is about
            for task in rest[1]:
                task.cancel()
            rest = await asyncio.wait(tasks, timeout=0.05)
        return len(hung), [task.exception() for task in tasks if not task.cancelled()]

    assert asyncio.run(all_refused()) == (0, [None] * CLIENTS)
