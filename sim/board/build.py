# SPDX-License-Identifier: BSD-2-Clause
"""From a design to a shared library in the cache."""

import json
import shutil
from collections.abc import Callable
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
MODEL_ARCHIVES = ("model.a", "runtime.a")

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


@dataclass(frozen=True)
class Elaborated:
    """What a design says of itself without being compiled.

    verilog: of the module `board`.
    registers: register map (see `gateware.registers.register_map`).
    build_hash: SHA-256 (hex), as its identification reads.
    fresh: whether this call had to elaborate it.
    """

    verilog: str
    registers: dict[str, Any]
    build_hash: str
    fresh: bool


def elaborate_board(
    design: Design, *, progress: Progress | None = None, before: Callable[[], object] = lambda: None
) -> Elaborated:
    """The register map and the hash of a design, from the cache or elaborated now, which needs no compiler.

    before: called before it is elaborated, if it must be.
    """
    report = progress or (lambda _: None)

    def elaborate(folder: Path) -> None:
        before()
        report("elaborating the gateware")
        verilog, registers, build_hash = design.elaborate()
        entry = {"verilog": verilog, "build_hash": build_hash, **registers}
        (folder / DESIGN).write_text(json.dumps(entry, indent=1))
        seal(folder / DESIGN)

    folder, fresh = cached(
        "designs",
        content_key([design.source_key]),
        elaborate,
        intact=lambda folder: sealed(folder / DESIGN),
        report=report,
    )
    entry = json.loads((folder / DESIGN).read_text())
    return Elaborated(entry["verilog"], {"registers": entry["registers"]}, entry["build_hash"], fresh)


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
    defines = [f"-DNUM_DRIVES={drives}", f"-DNUM_LINES={lines}", f"-DLINKS={int(design.links)}"]
    recipe = [HARNESS.read_text(), *flags, *defines, *tools]

    # A tool that is missing is named before the long part.
    board = elaborate_board(design, progress=progress, before=find_toolchain)
    library, compiled = cached(
        "boards",
        content_key([board.verilog, *recipe]),
        lambda work: _compile(find_toolchain(), board.verilog, trace, defines, work, report),
        intact=lambda folder: sealed(folder / LIBRARY),
        report=report,
    )
    return BoardBuild(library / LIBRARY, board.registers, board.build_hash, board.fresh, compiled)


def _compile(
    tools: Toolchain, verilog: str, trace: bool, defines: list[str], work: Path, report: Progress
) -> None:
    """The shared library: a model from the cache or compiled now, and the harness around it."""
    model = _model(tools, verilog, trace, report)
    report("linking")
    tracing = [f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_VCD={int(trace)}"]
    includes = [model, tools.verilator_root / "include", tools.verilator_root / "include" / "vltstd"]
    command = [
        tools.cxx,
        *LINK_FLAGS,
        *COMPILER_FLAGS,
        *tracing,
        *defines,
        *(f"-I{folder}" for folder in includes),
        str(HARNESS),
        *(str(model / name) for name in MODEL_ARCHIVES),
        "-o",
        str(work / LIBRARY),
    ]
    run_tool(command, tools.environment(tools.verilator_root))
    seal(work / LIBRARY)


def _model(tools: Toolchain, verilog: str, trace: bool, report: Progress) -> Path:
    """Folder with the archives and headers of the verilated model. It takes minutes, and outlives the harness."""
    flags = [*VERILATOR_FLAGS, *(["--trace"] if trace else [])]
    recipe = [*flags, *COMPILER_FLAGS, *MAKE_FLAGS, verilator_version(), compiler_version() or "none"]

    def build(work: Path) -> None:
        source, objects = work / "board.v", work / "objects"
        source.write_text(verilog)
        made = verilate(
            tools,
            source,
            objects,
            prefix="Vboard",
            flags=flags,
            compiler_flags=COMPILER_FLAGS,
            make_flags=MAKE_FLAGS,
            report=report,
        )
        for archive, name in zip(made.archives, MODEL_ARCHIVES, strict=True):
            shutil.copy(archive, work / name)
            seal(work / name)
        for header in objects.glob("*.h"):
            shutil.copy(header, work)
        shutil.rmtree(objects)

    folder, _ = cached(
        "models",
        content_key([verilog, *recipe]),
        build,
        intact=lambda folder: all(sealed(folder / name) for name in MODEL_ARCHIVES),
        report=report,
    )
    return folder
