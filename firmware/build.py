# SPDX-License-Identifier: BSD-2-Clause
"""Builds the firmware: compiled by Zig's clang, linked, measured, sealed.

python -m triplane.firmware.build            # write image.hex, print the report
python -m triplane.firmware.build --check    # build anew, exit 1 where the committed image differs

The compiler comes from PyPI (`uv sync --extra firmware`), in one version: the committed bytes follow from it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from triplane.firmware.analysis import Program, check_source
from triplane.firmware.elf import Elf
from triplane.firmware.image import IMAGE, Image, ImageError
from triplane.firmware.registers import STACK_BYTES, firmware_header
from triplane.gateware.processor.layouts import RAM_BYTES, SLOT_BYTES

ZIG_VERSION = "0.17.1"
FOLDER = Path(__file__).parent
C_FILES = ("main.c", "selftest.c", "supervisor.c", "monitor.c", "board.c", "job.c", "crc.c")
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Werror")
FLAGS = (
    "-target", "riscv32-freestanding-none", "-mcpu=generic_rv32", "-mabi=ilp32", "-std=c11", "-Os",
    "-ffreestanding", "-nostdlib", "-fno-builtin",
    # A jump to a register could go anywhere: nothing could be said about the longest path.
    "-fno-jump-tables",
    "-fno-sanitize=all", "-fno-stack-protector", "-ffunction-sections", "-fdata-sections",
    # Keeps the symbols, which the analysis reads; none of it is in the image.
    "-g",
)  # fmt: skip
LINK_FLAGS = ("-Wl,--gc-sections", "-Wl,--entry=image_header", "-Wl,--no-eh-frame-hdr")

ENTRY, TURN = "begin", "supervisor_turn"


class BuildError(RuntimeError):
    """The firmware could not be built, or is beyond a limit; the text says what to do."""


@dataclass(frozen=True)
class Report:
    """What an image takes.

    Attributes:
        image_bytes: all of it, with header and CRC.
        text_bytes, rodata_bytes, bss_bytes: of its parts.
        stack_bytes: most that the stack takes.
        turn_instructions: longest path of one turn of the main loop.
        boot_instructions: longest path from reset to the first turn's end, RAM test and an image of 32 KiB included.
        functions: how many are reached.
    """

    image_bytes: int
    text_bytes: int
    rodata_bytes: int
    bss_bytes: int
    stack_bytes: int
    turn_instructions: int
    boot_instructions: int
    functions: int

    def lines(self) -> list[str]:
        """For people."""
        parts = f"text {self.text_bytes}, constants {self.rodata_bytes}"
        stack = f"{self.stack_bytes} of {STACK_BYTES} bytes at most, {self.functions} functions, no recursion"
        return [
            f"image        {self.image_bytes} of {SLOT_BYTES} bytes ({parts})",
            f"static data  {self.bss_bytes} of {RAM_BYTES - STACK_BYTES} bytes",
            f"stack        {stack}",
            f"main loop    {self.turn_instructions} instructions a turn at most",
            f"boot         {self.boot_instructions} instructions at most",
        ]


def build(cache: Path | None = None) -> tuple[Image, Report]:
    """The firmware of the sources beside this file.

    cache: folder for the compiler's own cache; a temporary one by default.

    Raises BuildError: the compiler is missing or of another version, or says something; or a limit is exceeded.
    AnalysisError: stack or longest path cannot be bounded.
    """
    check_compiler()
    for name in C_FILES:
        check_source(name, (FOLDER / name).read_text())
    with tempfile.TemporaryDirectory(prefix="firmware.") as work:
        folder = Path(work)
        (folder / "registers.h").write_text(firmware_header())
        zig = cache or folder / "zig"
        environment = os.environ | {
            "ZIG_GLOBAL_CACHE_DIR": str(zig),
            "ZIG_LOCAL_CACHE_DIR": str(zig),
        }
        objects = []
        for name in ("start.S", *C_FILES):
            object_ = folder / f"{name}.o"
            compile_ = [*FLAGS, *WARNINGS, "-I", str(folder), "-c", str(FOLDER / name), "-o", str(object_)]
            _run(["cc", *compile_], environment)
            objects.append(str(object_))
        elf_path = folder / "firmware.elf"
        link = [*FLAGS, *LINK_FLAGS, "-Wl,-T," + str(FOLDER / "link.ld"), *objects, "-o", str(elf_path)]
        _run(["cc", *link], environment)
        elf = Elf.parse(elf_path.read_bytes())
    image = Image.sealed(_content(elf))
    return image, _measure(elf, image)


def check_compiler() -> None:
    """Raise BuildError where the compiler is not the one that the committed image was built with."""
    if importlib.util.find_spec("ziglang") is None:
        raise BuildError(
            "the package `ziglang`, which compiles the firmware, is missing; run `uv sync --extra firmware`, or use "
            "the committed image"
        )
    found = version("ziglang")
    if found != ZIG_VERSION:
        raise BuildError(
            f"the firmware's bytes are those of ziglang {ZIG_VERSION}, and {found} is installed; run `uv sync`"
        )


def _run(arguments: Sequence[str], environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "ziglang", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
    said = (done.stdout + done.stderr).strip()
    if done.returncode or said:
        raise BuildError(f"zig {' '.join(arguments[:1])} of {arguments[-3]} said:\n{said}")


def _content(elf: Elf) -> bytes:
    """The bytes of the image, as far as the linker makes them."""
    content = bytearray()
    for name in (".text", ".rodata"):
        section = elf.sections.get(name)
        if section is not None:
            content.extend(bytes(section.address - len(content)))
            content += section.content
    return bytes(content) + bytes(-len(content) % 4)


def _measure(elf: Elf, image: Image) -> Report:
    program = Program(elf)
    bss = elf.sections[".bss"].size if ".bss" in elf.sections else 0
    report = Report(
        image_bytes=len(image.content),
        text_bytes=elf.sections[".text"].size,
        rodata_bytes=elf.sections[".rodata"].size if ".rodata" in elf.sections else 0,
        bss_bytes=bss,
        stack_bytes=program.stack_bytes(ENTRY),
        turn_instructions=program.longest_path(TURN),
        boot_instructions=program.longest_path(ENTRY),
        functions=len(program.order(ENTRY)),
    )
    for what, takes, limit in (
        ("stack", report.stack_bytes, STACK_BYTES),
        ("static data", report.bss_bytes, RAM_BYTES - STACK_BYTES),
    ):
        if takes > limit:
            raise BuildError(f"the {what} of the firmware takes {takes} bytes, and there are {limit}")
    return report


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m triplane.firmware.build", description="Builds the firmware."
    )
    parser.add_argument(
        "path", type=Path, nargs="?", default=IMAGE, help="image.hex of the package by default"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the image is out of date"
    )
    options = parser.parse_args(arguments)
    image, report = build()
    print(*report.lines(), f"sha256       {image.sha256}", sep="\n")
    if not options.check:
        options.path.write_text(image.text())
        return 0
    try:
        same = Image.from_text(options.path.read_text()) == image
    except (OSError, ImageError) as error:
        print(error, file=sys.stderr)
        same = False
    if not same:
        print(f"{options.path} is not what the sources say; run without --check", file=sys.stderr)
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
