# SPDX-License-Identifier: BSD-2-Clause
"""From a design to a shared library in the cache."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triplane.sim.board.design import Design
from triplane.sim.cache import cached, content_key
from triplane.sim.toolchain import (
    Toolchain,
    ToolchainError,
    compiler_version,
    find_toolchain,
    verilator_version,
)

HARNESS = Path(__file__).with_name("harness.cpp")
JOBS = 2

VERILATOR_FLAGS = (
    "--cc", "-O3", "--prefix", "Vboard", "--top-module", "board", "--no-timing", "--no-assert",
    "--x-assign", "fast", "--x-initial", "fast",
    # Files and functions small enough that the C++ compiler stays linear on decoders of 30,000 LUTs.
    "--output-split", "20000", "--output-split-cfuncs", "2000",
    "-Wno-fatal", "-Wno-lint", "-Wno-style",
)  # fmt: skip
COMPILER_FLAGS = (
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-gnu-unique",
    "-DVL_TIME_CONTEXT",
    "-DVL_IGNORE_UNKNOWN_ARCH",
)
MAKE_FLAGS = ("OPT_FAST=-O2", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")
# Several boards live in one process: no symbol of one library may stand in for that of another.
LINK_FLAGS = ("-shared", "-O2", "-std=gnu++17", "-Wl,-Bsymbolic", "-pthread")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BoardBuild:
    """A board that can be loaded.

    library: path of the shared library.
    registers: register map (see `gateware.registers.register_map`).
    build_hash: SHA-256 (hex), as its identification reads.
    elaborated, compiled: whether this call had to.
    """

    library: Path
    registers: dict[str, Any]
    build_hash: str
    elaborated: bool
    compiled: bool


def build_board(design: Design, *, trace: bool = False, progress: Progress | None = None) -> BoardBuild:
    """The library of a design, from the cache or built now.

    trace: with VCD support: slower, and an entry of its own in the cache.
    progress: called with a line of text as the build goes on.

    Raises ToolchainError: a tool is missing, or failed.
    """
    report = progress or (lambda _: None)
    flags = [*VERILATOR_FLAGS, *COMPILER_FLAGS, *MAKE_FLAGS, *LINK_FLAGS, *(["--trace"] if trace else [])]
    tools = [verilator_version(), compiler_version() or "none"]
    recipe = [HARNESS.read_text(), *flags, *tools]
    compiled = False

    def library(verilog: str) -> Path:
        nonlocal compiled
        key = content_key([verilog, *recipe])
        folder, compiled = cached(
            "boards", key, lambda work: _compile(find_toolchain(), verilog, trace, work, report)
        )
        return folder

    def elaborate(folder: Path) -> None:
        find_toolchain()  # what is missing is said before the long part
        report("elaborating the gateware")
        verilog, registers, build_hash = design.elaborate()
        entry = {"library": library(verilog).name, "verilog": verilog, "build_hash": build_hash, **registers}
        (folder / "design.json").write_text(json.dumps(entry, indent=1))

    folder, elaborated = cached("designs", content_key([design.source_key, *recipe]), elaborate)
    entry = json.loads((folder / "design.json").read_text())
    # The library may have been evicted since.
    path = folder.parents[1] / "boards" / entry["library"]
    if not path.is_dir():
        path = library(entry["verilog"])
    return BoardBuild(
        path / "board.so", {"registers": entry["registers"]}, entry["build_hash"], elaborated, compiled
    )


def _compile(tools: Toolchain, verilog: str, trace: bool, work: Path, report: Progress) -> None:
    source = work / "board.v"
    source.write_text(verilog)
    root = tools.verilator_root
    if " " in str(root):
        root = work / "verilator"
        root.symlink_to(tools.verilator_root)
    objects = work / "objects"
    environment = tools.environment(root)
    report("verilating")
    extra = ["--trace"] if trace else []
    _run(
        [tools.perl, str(root / "bin" / "verilator"), *VERILATOR_FLAGS, *extra, "-CFLAGS", " ".join(COMPILER_FLAGS),
         "-Mdir", str(objects), str(source)],
        environment,
    )  # fmt: skip
    total = len(list(objects.glob("*.cpp")))
    done = 0

    def count(line: str) -> None:
        nonlocal done
        # The run-time library is compiled too, and not counted.
        if re.search(r" -c .*\.cpp", line) and done < total:
            done += 1
            report(f"compiling {done} of {total}")

    report(f"compiling 0 of {total}")
    make = [tools.make, f"-j{JOBS}", "-C", str(objects), "-f", "Vboard.mk", *MAKE_FLAGS]
    _run([*make, "Vboard__ALL.a"], environment, count)

    def runtime(folder: Path) -> None:
        report("compiling Verilator's run-time library")
        _run([*make, "libverilated.a"], environment)
        shutil.copy(objects / "libverilated.a", folder)

    # The same for all boards with the same features, and slower to compile than a small board.
    classes = (objects / "Vboard_classes.mk").read_text()
    parts = [
        classes[classes.index("VM_GLOBAL_FAST") :],
        str(trace),
        *COMPILER_FLAGS,
        *MAKE_FLAGS,
        *tools.identity,
    ]
    library, _ = cached("runtime", content_key(parts), runtime)
    report("linking")
    _run(
        [tools.cxx, *LINK_FLAGS, *COMPILER_FLAGS, f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_VCD={int(trace)}",
         f"-I{objects}", f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}", str(HARNESS),
         str(objects / "Vboard__ALL.a"), str(library / "libverilated.a"), "-o", str(work / "board.so")],
        environment,
    )  # fmt: skip
    for path in objects.iterdir():
        path.unlink()
    objects.rmdir()
    (work / "verilator").unlink(missing_ok=True)


def _run(
    command: list[str], environment: dict[str, str], line_seen: Callable[[str], None] | None = None
) -> None:
    """Run a tool to its end. Whatever interrupts us ends the tool and all that it has started too."""
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
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if status:
        tail = "".join(lines[-40:])
        raise ToolchainError(
            f"{' '.join(command[:3])} ... failed with status {status}; its last output:\n{tail}"
        )
