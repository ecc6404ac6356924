# SPDX-License-Identifier: BSD-2-Clause
"""A server, schedulers and agents as processes of their own, which may be killed and started anew."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from triplane.host.scheduler.access import Access
from triplane.host.scheduler.credentials import Credentials
from triplane.host.scheduler.server import LOOPBACK, start_server

COMMAND = (sys.executable, "-m", "triplane.host")


class Processes:
    """Everything of a service. Use as a context manager: leaving it ends all of it.

    Args:
        folder: of the server's data, and of what the others print.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"nats://{LOOPBACK}:{self._port}"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._arguments: dict[str, Sequence[str]] = {}

    def __enter__(self) -> Self:
        self.server()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The server last: agents say that they end.
        for process in reversed(self.running.values()):
            process.terminate()
            process.wait()

    def server(self) -> None:
        """Start the server, on the data that is there."""
        self.running = {"server": start_server(self._folder / "nats", self._port), **self.running}

    def start(self, name: str, *arguments: str) -> None:
        """Start a command of ours under a name; with no arguments, the one that had this name."""
        self._arguments[name] = arguments or self._arguments[name]
        with (self._folder / f"{name}.log").open("ab") as log:
            command = [*COMMAND, *self._arguments[name]]
            self.running[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def scheduler(self) -> None:
        """Start a scheduler."""
        self.start("scheduler", "serve", "--url", self.url)

    def agents(self, count: int) -> None:
        """Start agents on golden models."""
        for number in range(count):
            self.agent(f"board-{number}", "model")

    def agent(self, name: str, board: str) -> None:
        """Start the agent of a board, whose URL is given, under the board's name."""
        self.start(name, "agent", "--board", board, "--name", name, "--url", self.url)

    def board(self, name: str, device: str) -> None:
        """Start a simulated board on loopback, with that device behind it, and its agent, which has the name."""
        port = free_port(socket.SOCK_DGRAM)
        self.start(f"{name}-itself", "board", "--device", device, "--udp-port", str(port))
        self.agent(name, f"udp://{LOOPBACK}:{port}")

    def kill(self, name: str) -> None:
        """End a process by SIGKILL, and start it again at once."""
        process = self.running.pop(name)
        process.kill()
        process.wait()
        if name == "server":
            self.server()
        else:
            self.start(name)

    def cpu_s(self, name: str) -> float:
        """Processor time that a process has had."""
        ticks = Path(f"/proc/{self.running[name].pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        return sum(map(int, ticks)) / 100  # USER_HZ is 100 on every Linux


class Secured:
    """A secured service and agents on golden models, as somebody starts them who has a shell. Leaving it ends all.

    Args:
        folder: of the server's data, and of what the others print.

    Attributes:
        access: to give keys.
        url: of the service.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack = folder, contextlib.ExitStack()
        self._port = free_port()
        self.url = f"nats://{LOOPBACK}:{self._port}"

    def __enter__(self) -> Self:
        root = self._folder / "nats"
        self.access = Access(root / "access")
        self._start("serve", "serve", "--secure", "--port", str(self._port), "--folder", str(root))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def agent(self, credentials: Credentials) -> None:
        """Start an agent on a golden model."""
        file = self._folder / f"{credentials.name}.credentials"
        credentials.write(file)
        self._start(
            credentials.name, "agent", "--board", "model", "--url", self.url, "--credentials", str(file)
        )

    def _start(self, name: str, *arguments: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen([*COMMAND, *arguments], stdout=log, stderr=log)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of loopback that nobody has now."""
    with contextlib.closing(socket.socket(type=kind)) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
