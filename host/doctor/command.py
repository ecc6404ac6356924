# SPDX-License-Identifier: BSD-2-Clause
"""`triplane doctor`: from the command line to the printed findings."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.text import Text

from triplane import hal
from triplane.hal.datagrams import PacketSource, StreamSocket
from triplane.hal.errors import BoardError, IdentityError, LinkError
from triplane.host.built import BuiltFor, loopback_board
from triplane.host.doctor.examine import CHECKS, examine
from triplane.host.doctor.finding import Finding, Status, failed, skipped
from triplane.host.doctor.patient import Patient, Way
from triplane.host.outputs import write_json
from triplane.host.replay.progress import ProgressView
from triplane.host.served import served
from triplane.host.serving import loopback_board as simulated_board
from triplane.sim.board import build_board

STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "bold red", Status.SKIPPED: "dim"}
WIDTH = max(map(len, CHECKS)) + 2


class DoctorError(ValueError):
    """An examination that cannot be made as asked for."""


def doctor(
    built_for: BuiltFor | None,
    boards: Sequence[str],
    *,
    cabled: bool,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    json_file: Path | None = None,
) -> bool:
    """Examine a board, and say what was found.

    Args:
        built_for: what the board must be; None, without boards: a simulated one is started for it.
        boards: URLs of the ways to it; everything goes by the first, the others are tried.
        cabled: whether each readout line's DAC is cabled to its ADC.
        only, skip: names of checks.
        json_file: where the findings go as well.

    Returns:
        Whether nothing has failed.

    Raises:
        DoctorError: no such check, or no such way.
    """
    names = chosen(only, skip)
    console = Console(highlight=False, soft_wrap=True)
    with ProgressView() as view:
        if built_for is None:
            with _simulated(view) as urls:
                findings = _examined(loopback_board(), urls, True, names, console, view)
                boards = urls
        else:
            findings = _examined(built_for, boards, cabled, names, console, view)
    counts = {status: sum(found.status is status for found in findings.values()) for status in Status}
    console.print(", ".join(f"{count} {status}" for status, count in counts.items() if count))
    if json_file is not None:
        write_json(json_file, _as_json(findings, boards, counts))
    return not counts[Status.FAILED]


def chosen(only: Sequence[str], skip: Sequence[str]) -> list[str]:
    """Names of checks, in their order.

    Raises:
        DoctorError: one is none, or none is left.
    """
    for name in (*only, *skip):
        if name not in CHECKS:
            raise DoctorError(f"no check named {name!r}; there are: {', '.join(CHECKS)}")
    names = [name for name in CHECKS if (not only or name in only) and name not in skip]
    if not names:
        raise DoctorError("--only and --skip leave no check; take a name away")
    return names


@contextlib.contextmanager
def _simulated(view: ProgressView) -> Iterator[list[str]]:
    """URLs of a simulated board in a process of its own, with cables at its converters."""
    view.step("no --board: a simulated one is examined, small, with its readout lines cabled to themselves")
    design, _ = simulated_board()
    build_board(design, progress=view.build)
    with served("--loopback") as board:
        yield [board.urls["udp"], board.urls["uart"]]


def _examined(
    built_for: BuiltFor,
    boards: Sequence[str],
    cabled: bool,
    names: Sequence[str],
    console: Console,
    view: ProgressView,
) -> dict[str, Finding]:
    """The findings, each printed as it comes."""
    for url in boards:
        if hal.driver_of(url) in ("sim", "qick"):
            raise DoctorError(
                f"--board {url}: a board is examined over a link, udp, uart or pynq; without --board a simulated one "
                "is started"
            )
    for url in boards:
        if boards.count(url) > 1:
            raise DoctorError(
                f"--board {url} is given twice, and a link has one host at a time; give each way once"
            )
    tell = functools.partial(_tell, console)
    try:
        board = built_for.connect(boards[0], progress=view.build)
    except BoardError as error:
        return _unreachable(error, names, tell)
    with board:
        patient = Patient(
            board,
            boards[0],
            built_for.target,
            tuple(Way(url, functools.partial(built_for.connect, url, observe=True)) for url in boards[1:]),
            built_for.fabric,
            cabled,
            _stream(boards),
        )
        return examine(patient, names, tell, lambda name: view.step(f"{name}: {CHECKS[name]}"))


def _stream(boards: Sequence[str]) -> Callable[[], PacketSource] | None:
    """Opens the socket for the record stream of a board that has a network address."""
    hosts = [urlsplit(url).hostname for url in boards if hal.driver_of(url) == "udp"]
    return functools.partial(StreamSocket, str(hosts[0])) if hosts else None


def _unreachable(
    error: BoardError, names: Sequence[str], tell: Callable[[str, Finding], None]
) -> dict[str, Finding]:
    """What can be said of a board that nobody gets through to."""
    wrong = isinstance(error, IdentityError)
    name = "versions" if wrong else "transports"
    if wrong:
        fix = (
            "flash the board with the bundle that this host has, or name the gateware that is in it (--distance, "
            "--closed-loop, --bundle)"
        )
    elif isinstance(error, LinkError):
        fix = "check power, cable and address; `ping` the board; a serial line takes one host at a time"
    else:
        fix = ""  # No matter of cables; the error says what is missing, and what to do.
    findings = {name: failed(str(error), fix)}
    findings |= {other: skipped("the board was not reached") for other in names if other != name}
    for check in [name, *(other for other in names if other != name)]:
        tell(check, findings[check])
    return findings


def _tell(console: Console, name: str, finding: Finding) -> None:
    """A line, and one more for what to do."""
    line = Text(f"{finding.status:8}", STYLES[finding.status])
    line.append(f"{name:{WIDTH}}", "bold")
    line.append(finding.text, "")
    console.print(line)
    if finding.fix:
        console.print(Text(f"{'':{8 + WIDTH}}-> {finding.fix}"))


def _as_json(
    findings: dict[str, Finding], boards: Sequence[str], counts: dict[Status, int]
) -> dict[str, Any]:
    return {
        "boards": list(boards),
        "healthy": not counts[Status.FAILED],
        "findings": {name: finding.as_json() for name, finding in findings.items()},
    }
