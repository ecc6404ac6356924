# SPDX-License-Identifier: BSD-2-Clause
"""Machines that can be cut off: network namespaces of Linux, on a bridge. It takes root, and `ip`."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from types import TracebackType
from typing import Self

NETWORK = "10.213.77"
"""Of the bridge; this machine is .254 there."""


def may_make_namespaces() -> bool:
    """Whether this process may."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


class Network:
    """A bridge with so many machines on it. Leaving it takes all of it away.

    Args:
        machines: how many; their numbers begin with 1.
    """

    def __init__(self, machines: int) -> None:
        self._machines = range(1, machines + 1)
        self._name = f"tp{os.getpid() % 100_000}"
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            bridge = self._name
            _ip("link", "add", bridge, "type", "bridge")
            self._stack.callback(_ip, "link", "del", bridge)
            _ip("addr", "add", f"{NETWORK}.254/24", "dev", bridge)
            _ip("link", "set", bridge, "up")
            for number in self._machines:
                space, port = f"{bridge}n{number}", self._port(number)
                _ip("netns", "add", space)
                self._stack.callback(_ip, "netns", "del", space)
                _ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
                _ip("link", "set", port, "master", bridge, "up")
                _ip("-n", space, "addr", "add", f"{self.address(number)}/24", "dev", "eth0")
                for device in ("eth0", "lo"):
                    _ip("-n", space, "link", "set", device, "up")
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def address(self, number: int) -> str:
        """Of a machine."""
        return f"{NETWORK}.{number}"

    def command(self, number: int, *arguments: str) -> list[str]:
        """A command, as it runs on a machine."""
        return ["ip", "netns", "exec", f"{self._name}n{number}", *arguments]

    def cut(self, number: int) -> None:
        """No packet reaches a machine or leaves it any more; connections hear nothing of it."""
        _ip("link", "set", self._port(number), "nomaster")

    def join(self, number: int) -> None:
        """Packets go again."""
        _ip("link", "set", self._port(number), "master", self._name)

    def _port(self, number: int) -> str:
        return f"{self._name}p{number}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, stdin=subprocess.DEVNULL)
