# SPDX-License-Identifier: BSD-2-Clause
"""A simulated board in a process of its own, as users start one, for benchmarks that need it to be far away."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

STARTED_S = 30.0
"""For a process to end that was told to."""

LINKS = re.compile(r"--board ((udp|uart|pynq)\S+)")


class ServedError(RuntimeError):
    """The board's process did not come to listen."""


@dataclass(frozen=True)
class Served:
    """A board that listens.

    Attributes:
        process: its own.
        urls: "udp", "uart" and, if asked for, "pynq" -> what `--board` and `hal.connect` take.
    """

    process: subprocess.Popen[str]
    urls: dict[str, str]


def triplane(*arguments: str) -> subprocess.Popen[str]:
    """A command of Triplane's in a process of its own, its output and errors in pipes."""
    command = [sys.executable, "-m", "triplane.host", *arguments]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@contextlib.contextmanager
def served(*arguments: str, links: Sequence[str] = ("udp", "uart"), udp_port: int = 0) -> Iterator[Served]:
    """`triplane board` with these arguments, until the context is left.

    Raises:
        ServedError: it ended before it listened.
    """
    process = triplane("board", *arguments, "--udp-port", str(udp_port))
    try:
        assert process.stdout is not None
        urls: dict[str, str] = {}
        for line in process.stdout:
            if found := LINKS.search(line):
                urls[found[2]] = found[1]
            if urls.keys() >= set(links):
                break
        else:
            raise ServedError(f"triplane board {' '.join(arguments)}: {process.communicate()[1][-500:]}")
        yield Served(process, urls)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STARTED_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
