# SPDX-License-Identifier: BSD-2-Clause
"""Verilog to object archives: what the simulated board and the cocotb runner have in common."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from triplane.sim.cache import cached, content_key, make_takes
from triplane.sim.toolchain import Toolchain, ToolchainError

JOBS = 2
LOG_LINES = 40

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Verilated:
    """A model, compiled but not linked.

    archives: the model, then Verilator's run-time library.
    include_flags: for code that includes the model's header.
    environment: for the linker.
    """

    archives: tuple[str, str]
    include_flags: tuple[str, ...]
    environment: dict[str, str]


def verilate(
    tools: Toolchain,
    source: Path,
    objects: Path,
    *,
    prefix: str,
    flags: Sequence[str],
    compiler_flags: Sequence[str] = (),
    make_flags: Sequence[str] = (),
    report: Progress = lambda _: None,
) -> Verilated:
    """Run Verilator on `source` in the folder `objects` and compile the result.

    prefix: of the model's class and files.  flags: of Verilator, apart from these.  compiler_flags: for every C++ file.
    make_flags: assignments for the generated makefile.  report: called with a line of text as things go on.

    Raises ToolchainError with the last output of the tool that failed.
    """
    objects.mkdir(exist_ok=True)
    root = tools.verilator_root
    if not make_takes(root):
        root = objects / "verilator"
        root.symlink_to(tools.verilator_root)
    environment = tools.environment(root)
    report("verilating")
    command = [tools.perl, str(root / "bin" / "verilator"), *flags, "--prefix", prefix, "-Mdir", str(objects)]
    if compiler_flags:
        command += ["-CFLAGS", " ".join(compiler_flags)]
    run_tool([*command, str(source)], environment)

    total, done = len(list(objects.glob("*.cpp"))), 0

    def count(line: str) -> None:
        nonlocal done
        if re.search(r" -c .*\.cpp", line) and done < total:
            done += 1
            report(f"compiling {done} of {total}")

    report(f"compiling 0 of {total}")
    make = [tools.make, f"-j{JOBS}", "-C", str(objects), "-f", f"{prefix}.mk", *make_flags]
    run_tool([*make, f"{prefix}__ALL.a"], environment, count)

    def runtime(folder: Path) -> None:
        report("compiling Verilator's run-time library")
        run_tool([*make, "libverilated.a"], environment)
        shutil.copy(objects / "libverilated.a", folder)

    # The same for all models with the same features, and slower to compile than a small model.
    classes = (objects / f"{prefix}_classes.mk").read_text()
    features = re.findall(r"^VM_[A-Z_]+ = .*$", classes, re.MULTILINE)
    sources = classes[classes.index("VM_GLOBAL_FAST") :]
    key = content_key([*features, sources, *compiler_flags, *make_flags, *tools.identity])
    library, _ = cached("runtime", key, runtime)
    includes = (objects, root / "include", root / "include" / "vltstd")
    return Verilated(
        (str(objects / f"{prefix}__ALL.a"), str(library / "libverilated.a")),
        tuple(f"-I{folder}" for folder in includes),
        environment,
    )


def run_tool(
    command: Sequence[str], environment: dict[str, str], line_seen: Callable[[str], None] | None = None
) -> None:
    """Run a tool to its end. Any exception in the meantime ends the tool and all that it has started.

    That covers Ctrl-C, and SIGTERM and SIGHUP where they raise (`host.termination`: in the `triplane` command). After
    SIGKILL the tool runs on, and the next build of the same entry sweeps up what it left.

    Raises ToolchainError with the tool's last output where it fails.
    """
    lines: list[str] = []
    with subprocess.Popen(
        command,
        env=environment,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line)
                if line_seen:
                    line_seen(line)
            status = process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            # The pipe ends with the last process that holds it: from then on nothing writes into the folder any more.
            process.stdout.read()
            raise
    if status:
        tail = "".join(lines[-LOG_LINES:])
        text = f"{' '.join(command[:3])} ... failed with status {status}; its last output:\n{tail}"
        raise ToolchainError(text)
