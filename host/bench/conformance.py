# SPDX-License-Identifier: BSD-2-Clause
"""Rows of `bench board` on the ways to a board: one suite of tests for all drivers, and one demo, near and far."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from triplane.host.bench.registry import BenchContext
from triplane.host.replay.progress import ProgressView
from triplane.host.served import served, triplane

SUITE = "tests/hal/remote/test_conformance.py"
PYNQ_SUITE = "tests/hal/remote/test_pynq.py"
"""Runs the same in an environment that has pynq, after tests of the unmodified client."""

DRIVERS = {"sim": "in this process", "udp": "real UDP on loopback", "uart": "serial line over TCP"}
PYNQ = "an unmodified pynq client"
SUITE_S = 1_800.0

ROUNDS, SHOTS = 25, 20
CLOSED_LOOP = (
    f"closed-loop demo, d=3, {ROUNDS} rounds, {SHOTS} shots: over UDP to another process, and in one"
)

SAME = ("logical_errors", "detection_events", "latency", "round_cycles")
"""Of the demo's result: what must not depend on where the board is."""


def conformance(ctx: BenchContext, view: ProgressView, command: str) -> None:
    """Run the suite, and count by driver what has passed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / SUITE).is_file():
        ctx.skip(work="conformance suite", reason=f"no {SUITE}: run it in the repository", command=command)
        return
    view.step("conformance suite, over sim, udp, uart")
    passed, failed, _ = _run(root, SUITE)
    for driver, what in DRIVERS.items():
        _row(ctx, f"conformance suite, `{driver}` ({what})", passed[driver], failed[driver], command)
    work = f"conformance suite, `pynq` remote ({PYNQ})"
    if ctx.quick:
        ctx.skip(work=work, reason="left out by --quick", command=command)
        return
    view.step("conformance suite, over pynq")
    passed, failed, reasons = _run(root, PYNQ_SUITE)
    client = "test_an_unmodified_client"
    if reasons.get(client):
        ctx.skip(work=work, reason=reasons[client], command=command)
    else:
        _row(ctx, work, passed[""], failed[""], command)


def _row(ctx: BenchContext, work: str, passed: int, failed: int, command: str) -> None:
    row = functools.partial(ctx.row, work=work, command=command)
    row(measure="tests that passed", value=passed, unit="tests", goal=">= 1")
    row(measure="tests that failed", value=failed, unit="tests", goal="<= 0")


def _run(root: Path, suite: str) -> tuple[Counter[str], Counter[str], dict[str, str]]:
    """Passed and failed tests by what they are run with, "" for nothing; names of skipped ones, with the reason."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        arguments = ["-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", f"--junitxml={report}", suite]
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=SUITE_S,
            check=False,
        )
        if not report.is_file():
            raise RuntimeError(f"{suite} could not be run: {(done.stdout + done.stderr)[-500:]}")
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    passed: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    for case in cases:
        name = case.get("name", "")
        found = re.search(r"\[(\w+)", name)
        driver = found[1] if found else ""
        skipped = case.find("skipped")
        if skipped is not None:
            reasons[name] = skipped.get("message", "")
        elif case.find("failure") is not None or case.find("error") is not None:
            failed[driver] += 1
        else:
            passed[driver] += 1
    return passed, failed, reasons


def closed_loop(ctx: BenchContext, view: ProgressView, command: str) -> None:
    """The demo on the board in this machine's process and in another one, by UDP: the same results."""
    with tempfile.TemporaryDirectory() as folder:
        view.step(f"demo, {SHOTS} shots, in one process")
        near = _demo(Path(folder) / "near.json")
        view.step(f"demo, {SHOTS} shots, over UDP")
        with served("--closed-loop") as board:
            far = _demo(Path(folder) / "far.json", "--board", board.urls["udp"])
    differing = sum(_measured(near[name]) != _measured(far[name]) for name in SAME)
    ctx.row(
        work=CLOSED_LOOP,
        measure="results that differ",
        value=differing,
        unit=f"of {len(SAME)}",
        goal="<= 0",
        command=command,
    )


def _demo(path: Path, *further: str) -> dict[str, object]:
    process = triplane("demo", "--rounds", str(ROUNDS), "--shots", str(SHOTS), "--json", str(path), *further)
    _, error = process.communicate()
    if process.returncode:
        raise RuntimeError(f"triplane demo {' '.join(further)}: {error[-500:]}")
    result: dict[str, object] = json.loads(path.read_text())
    return result


def _measured(part: object) -> object:
    """What the board has measured: predictions are known only where the emulated processor is."""
    if not isinstance(part, dict):
        return part
    return {name: value for name, value in part.items() if name not in ("predicted", "matching", "expected")}
