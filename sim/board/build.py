# SPDX-License-Identifier: BSD-2-Clause
"""From a design to a shared library in the cache."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triplane.sim.board.design import Design
from triplane.sim.cache import cached, content_key, seal, sealed
from triplane.sim.toolchain import Toolchain, compiler_version, find_toolchain, verilator_version
from triplane.sim.verilate import Progress, run_tool, verilate

HARNESS = Path(__file__).with_name("harness.cpp")
# Files of a cache entry, each with its SHA-256 beside it: what a full disk or a bad one has damaged is built again.
LIBRARY, DESIGN = "board.so", "design.json"

VERILATOR_FLAGS = (
    "--cc", "-O3", "--top-module", "board", "--no-timing", "--no-assert",
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
    drives, lines = design.converters
    defines = [f"-DNUM_DRIVES={drives}", f"-DNUM_LINES={lines}"]
    recipe = [HARNESS.read_text(), *flags, *defines, *tools]
    compiled = False

    def library(verilog: str) -> Path:
        nonlocal compiled
        key = content_key([verilog, *recipe])
        folder, compiled = cached(
            "boards",
            key,
            lambda work: _compile(find_toolchain(), verilog, trace, defines, work, report),
            intact=lambda folder: sealed(folder / LIBRARY),
            report=report,
        )
        return folder

    def elaborate(folder: Path) -> None:
        find_toolchain()  # what is missing is said before the long part
        report("elaborating the gateware")
        verilog, registers, build_hash = design.elaborate()
        entry = {"library": library(verilog).name, "verilog": verilog, "build_hash": build_hash, **registers}
        (folder / DESIGN).write_text(json.dumps(entry, indent=1))
        seal(folder / DESIGN)

    folder, elaborated = cached(
        "designs",
        content_key([design.source_key, *recipe]),
        elaborate,
        intact=lambda folder: sealed(folder / DESIGN),
        report=report,
    )
    entry = json.loads((folder / DESIGN).read_text())
    # The library may have been evicted, or damaged, since.
    path = folder.parents[1] / "boards" / entry["library"] / LIBRARY
    if not elaborated and not sealed(path):
        path = library(entry["verilog"]) / LIBRARY
    return BoardBuild(path, {"registers": entry["registers"]}, entry["build_hash"], elaborated, compiled)


def _compile(
    tools: Toolchain, verilog: str, trace: bool, defines: list[str], work: Path, report: Progress
) -> None:
    source = work / "board.v"
    source.write_text(verilog)
    objects = work / "objects"
    model = verilate(
        tools,
        source,
        objects,
        prefix="Vboard",
        flags=[*VERILATOR_FLAGS, *(["--trace"] if trace else [])],
        compiler_flags=COMPILER_FLAGS,
        make_flags=MAKE_FLAGS,
        report=report,
    )
    report("linking")
    tracing = [f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_VCD={int(trace)}"]
    inputs = [*model.include_flags, str(HARNESS), *model.archives]
    command = [
        tools.cxx,
        *LINK_FLAGS,
        *COMPILER_FLAGS,
        *tracing,
        *defines,
        *inputs,
        "-o",
        str(work / LIBRARY),
    ]
    run_tool(command, model.environment)
    seal(work / LIBRARY)
    shutil.rmtree(objects)
