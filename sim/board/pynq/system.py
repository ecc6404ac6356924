# SPDX-License-Identifier: BSD-2-Clause
"""What a client of PYNQ.remote finds around the fabric: files of Linux, and registers of the processing system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from triplane.hal.registers import WORD_BYTES
from triplane.sim.board.pynq.overlay import CLOCK_DIVISOR, build_of

FIRMWARE_FOLDER = "/lib/firmware/"
WRITABLE_FOLDERS = (FIRMWARE_FOLDER, "/tmp/")
MANAGER = "/sys/class/fpga_manager/fpga0/"

FILES_BYTES = 256 * 2**20
"""That files of a client may take, all of them: several bitstreams of the largest device."""

BOARD_FILES = {
    # The client looks for the architecture in it.
    "/proc/version": b"Linux version 0 (simulated) aarch64\n",
    "/proc/device-tree/chosen/pynq_board": b"Triplane simulated board\0",
    f"{MANAGER}state": b"operating\n",
    f"{MANAGER}flags": b"0\n",
}


class FileError(Exception):
    """A file is not there, or may not be written."""


class BitstreamError(Exception):
    """A bitstream that this board does not take."""


class Files:
    """Files that a client may read and write, and the FPGA manager among them.

    Args:
        build_hash: of the board.
        configure: called when a bitstream of this build is loaded.
    """

    def __init__(self, build_hash: str, configure: Callable[[], object]) -> None:
        self._build_hash = build_hash
        self._configure = configure
        self._files = dict(BOARD_FILES)

    def exists(self, path: str) -> bool:
        """Whether there is a file."""
        return path in self._files

    def read(self, path: str) -> bytes:
        """Its content; raises FileError where there is none."""
        found = self._files.get(path)
        if found is None:
            raise FileError(f"the simulated board has no file {path}")
        return found

    def room(self, path: str) -> int:
        """Bytes that may be written to a file; raises FileError for one that may not be written."""
        if path in (f"{MANAGER}flags", f"{MANAGER}firmware"):
            return 4_096
        if not path.startswith(WRITABLE_FOLDERS):
            raise FileError(
                f"{path} cannot be written: a client writes to {' and '.join(WRITABLE_FOLDERS)} and to the FPGA manager"
            )
        return FILES_BYTES - sum(len(data) for name, data in self._files.items() if name != path)

    def write(self, path: str, data: bytes) -> None:
        """Put a file in place. A name that is written to the FPGA manager has that firmware loaded.

        Raises:
            FileError: it may not be written, or there is no room for it.
            BitstreamError: the firmware is not of this board's build.
        """
        if len(data) > self.room(path):
            raise FileError(
                f"no room for {len(data)} bytes in {path}; the board takes files of {FILES_BYTES} bytes"
            )
        if path == f"{MANAGER}firmware":
            self._load(data.decode("utf-8", "replace").strip())
        else:
            self._files[path] = data

    def _load(self, name: str) -> None:
        firmware = self._files.get(f"{FIRMWARE_FOLDER}{name}")
        if firmware is None:
            raise BitstreamError(f"there is no firmware {name!r} in {FIRMWARE_FOLDER}")
        # A client sends no file whose name is there already, be it of another build: so none stays.
        self._files = {
            path: data for path, data in self._files.items() if not path.startswith(FIRMWARE_FOLDER)
        }
        build = build_of(firmware)
        if build != self._build_hash:
            what = f"is of build {build[:12]}" if build else "names no build of a simulated board"
            raise BitstreamError(
                f"the bitstream {name} {what}, and this simulated board is build {self._build_hash[:12]}: load the "
                "overlay that it names when it starts, or start the board that the bitstream is of"
            )
        self._configure()


class Region(Protocol):
    """Registers at addresses of the processing system's bus."""

    base: int
    size: int

    def read(self, address: int) -> int:
        """A word at a byte address."""

    def write(self, address: int, word: int) -> None:
        """Write one."""


class SystemRegisters:
    """Registers that keep what is written to them, as those do that pynq writes when it loads an overlay."""

    def __init__(self, base: int, size: int, values: dict[int, int] | None = None) -> None:
        self.base, self.size = base, size
        self._words = dict(values or {})

    def read(self, address: int) -> int:
        """A word at a byte address."""
        return self._words.get(address, 0)

    def write(self, address: int, word: int) -> None:
        """Write one."""
        self._words[address] = word


CRF_APB, CRL_APB, FPD_SLCR = 0xFD1A_0000, 0xFF5E_0000, 0xFD61_0000
"""Modules of a Zynq UltraScale+ (UG1087): clocks of both power domains, and the widths of ports in FPD_SLCR."""

IOPLL_CTRL = CRL_APB + 0x20
PL0_REF_CTRL = CRL_APB + 0xC0
IOPLL = 90 << 8 | 1 << 16
"""33.333 MHz times 90 (FBDIV), halved (DIV2): 1,500 MHz, as the first boot loader leaves it."""

CLOCK = 1 << 24 | 1 << 16 | CLOCK_DIVISOR << 8
"""A clock for the fabric that runs (CLKACT), from that PLL by DIVISOR1 = 1 and DIVISOR0."""

MODULE_BYTES = 0x1_0000


def processing_system() -> list[Region]:
    """The registers beside the fabric that there are."""
    return [
        SystemRegisters(CRF_APB, MODULE_BYTES),
        SystemRegisters(
            CRL_APB,
            MODULE_BYTES,
            {IOPLL_CTRL: IOPLL} | {PL0_REF_CTRL + WORD_BYTES * number: CLOCK for number in range(4)},
        ),
        SystemRegisters(FPD_SLCR, MODULE_BYTES),
    ]
