# SPDX-License-Identifier: BSD-2-Clause
"""SIGTERM and SIGHUP clean up as Ctrl-C does."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SIGNALS = [signal.SIGTERM, signal.SIGHUP]

SLEEP = """
import time
from triplane.host.termination import terminable
with terminable():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        time.sleep(0.5)
        print("cleaned up", flush=True)
"""


def start(
    arguments: list[str], number: signal.Signals, action: signal.Handlers, **environment: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=functools.partial(signal.signal, number, action),
    )


@pytest.mark.parametrize("number", SIGNALS)
def test_clean_up_runs_once_and_whole(number: signal.Signals) -> None:
    process = start(["-c", SLEEP], number, signal.SIG_DFL)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    time.sleep(0.2)
    process.send_signal(number)
    out, error = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert out == "cleaned up\n"
    assert error == f"ended by {number.name}: no file is left half written\n"


@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_ignored_stays_ignored(number: signal.Signals) -> None:
    process = start(["-c", SLEEP.replace("60", "1")], number, signal.SIG_IGN)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_build_leaves_no_compiler_and_no_folder(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "m.dem").write_text("error(0.1) D0 L0\nerror(0.1) D0 D1\nerror(0.1) D1\n")
    (tmp_path / "s.dets").write_text("shot D0 L0\nshot D0 D1\nshot\n" * 20)
    cache, home = tmp_path / "cache", tmp_path / "home"
    process = start(
        ["-m", "triplane.host", "replay", str(tmp_path)],
        number,
        signal.SIG_DFL,
        TRIPLANE_CACHE=str(cache),
        TRIPLANE_HOME=str(home),
    )
    deadline = time.monotonic() + 120
    while not any("cc1plus" in command for command in commands(cache)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 128 + number, error
    assert "Traceback" not in error
    assert f"ended by {number.name}" in error
    assert not list(commands(cache))
    assert not list(tmp_path.rglob("*.partial"))
    # What was elaborated before the compiler began is whole, and stays.
    assert not [path for path in cache.glob("*/*") if path.is_dir() and path.parent.name != "designs"]


def commands(folder: Path) -> list[str]:
    """Command lines of the processes that work in a folder."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                if (process / "cwd").readlink().is_relative_to(folder):
                    found.append((process / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
    return found
