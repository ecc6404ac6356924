# SPDX-License-Identifier: BSD-2-Clause
"""From Verilog and a harness to a shared library in the cache."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from triplane.sim.board.build import COMPILER_FLAGS, LINK_FLAGS, MAKE_FLAGS
from triplane.sim.cache import cached, content_key
from triplane.sim.toolchain import find_toolchain
from triplane.sim.verilate import Progress, run_tool, verilate

LIBRARY = "model.so"
VERILATOR_FLAGS = (
    "--cc", "-O3", "--no-timing", "--no-assert", "--x-assign", "fast", "--x-initial", "fast",
    "--output-split", "20000", "-Wno-fatal", "-Wno-lint", "-Wno-style",
)  # fmt: skip


def build_library(
    name: str, verilog: str, memories: Mapping[str, str], *, progress: Progress | None = None
) -> tuple[Path, str]:
    """Folder with `LIBRARY` and the memory files, and the hash that names it; from the cache or built now.

    Args:
        name: of the Verilog module, and of the harness in this folder.
        verilog: its text.
        memories: file name -> content.
        progress: called with a line of text as the build goes on.

    Raises:
        ToolchainError: a tool is missing, or failed.
    """
    report = progress or (lambda _: None)
    harness = Path(__file__).with_name(f"{name}.cpp")
    verilator_flags = [*VERILATOR_FLAGS, "--top-module", name]
    flags = [*verilator_flags, *COMPILER_FLAGS, *MAKE_FLAGS, *LINK_FLAGS]
    tools = find_toolchain()

    def build(folder: Path) -> None:
        for file_name, content in memories.items():
            (folder / file_name).write_text(content)
        source, objects = folder / f"{name}.v", folder / "objects"
        source.write_text(verilog)
        model = verilate(
            tools, source, objects, prefix=f"V{name}", flags=verilator_flags,
            compiler_flags=COMPILER_FLAGS, make_flags=MAKE_FLAGS, report=report,
        )  # fmt: skip
        report("linking")
        command = [tools.cxx, *LINK_FLAGS, *COMPILER_FLAGS, *model.include_flags, str(harness)]
        run_tool([*command, *model.archives, "-o", str(folder / LIBRARY)], model.environment)
        shutil.rmtree(objects)

    memory_files = json.dumps(dict(memories), sort_keys=True)
    key = content_key([verilog, memory_files, harness.read_text(), *flags, *tools.identity])
    folder, _ = cached("readout", key, build, report=report)
    return folder, key
