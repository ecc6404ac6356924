# SPDX-License-Identifier: BSD-2-Clause
"""A simulated processor: build, cache, ctypes, and the host's side of its registers."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from triplane.gateware.processor import Processor
from triplane.gateware.processor.layouts import LOG_DEPTH, Cause, LogCode, Result, State
from triplane.sim.board.build import COMPILER_FLAGS, LINK_FLAGS, MAKE_FLAGS
from triplane.sim.cache import cached, content_key
from triplane.sim.processor.top import processor_verilog
from triplane.sim.toolchain import find_toolchain
from triplane.sim.verilate import Progress, run_tool, verilate

HARNESS = Path(__file__).with_name("processor.cpp")
LIBRARY = "processor.so"
VERILATOR_FLAGS = (
    "--cc", "-O3", "--no-timing", "--no-assert", "--x-assign", "fast", "--x-initial", "fast",
    "--top-module", "processor", "-Wno-fatal", "-Wno-lint", "-Wno-style",
)  # fmt: skip
WRITE = np.dtype([("cycle", "<u8"), ("address", "<u4"), ("value", "<u4")])
STEP_CYCLES = 64
TAKEN = 256


@dataclass(frozen=True)
class ProcessorBuild:
    """A processor that can be loaded.

    Attributes:
        folder: of the library and its memory files.
        addresses: register -> (first word, words), see `top.ProcessorTop`.
    """

    folder: Path
    addresses: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class LogEntry:
    """An entry of the event log."""

    cycle: int
    code: LogCode
    argument: int


def build_processor(processor: Processor, *, progress: Progress | None = None) -> ProcessorBuild:
    """The library of a processor that was not finalised yet, from the cache or built now.

    Raises:
        ToolchainError: a tool is missing, or failed.
    """
    report = progress or (lambda _: None)
    verilog, memories, addresses = processor_verilog(processor)
    tools = find_toolchain()

    def build(folder: Path) -> None:
        for file_name, content in memories.items():
            (folder / file_name).write_text(content)
        source, objects = folder / "processor.v", folder / "objects"
        source.write_text(verilog)
        model = verilate(
            tools, source, objects, prefix="Vprocessor", flags=VERILATOR_FLAGS,
            compiler_flags=COMPILER_FLAGS, make_flags=MAKE_FLAGS, report=report,
        )  # fmt: skip
        report("linking")
        command = [tools.cxx, *LINK_FLAGS, *COMPILER_FLAGS, *model.include_flags, str(HARNESS)]
        run_tool([*command, *model.archives, "-o", str(folder / LIBRARY)], model.environment)
        shutil.rmtree(objects)

    flags = [*VERILATOR_FLAGS, *COMPILER_FLAGS, *MAKE_FLAGS, *LINK_FLAGS]
    files = json.dumps(memories, sort_keys=True)
    key = content_key([verilog, files, HARNESS.read_text(), *flags, *tools.identity])
    folder, _ = cached("processor", key, build, report=report)
    return ProcessorBuild(folder, addresses)


class SimulatedProcessor:
    """A processor out of reset, its host, and the board behind its bus. `close`, or use as a context."""

    def __init__(self, build: ProcessorBuild) -> None:
        self.build = build
        self._library = library = ctypes.CDLL(str(build.folder / LIBRARY))
        pointer, long, word, flag = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_int
        for name, result, *arguments in (
            ("processor_create", pointer),
            ("processor_destroy", None, pointer),
            ("processor_now", long, pointer),
            ("processor_set_now", None, pointer, long),
            ("processor_run", None, pointer, long),
            ("processor_write", None, pointer, word, word),
            ("processor_read", word, pointer, word),
            ("processor_requested_since", long, pointer),
            ("processor_expired_at", long, pointer),
            ("processor_expiries", long, pointer),
            ("board_get", word, pointer, word),
            ("board_set", None, pointer, word, word),
            ("board_react", None, pointer, word, word, word, word),
            ("board_silent", None, pointer, flag),
            ("board_latency", None, pointer, word),
            ("board_clear_address", None, pointer, word),
            ("board_set_safe", None, pointer, flag),
            ("board_is_safe", flag, pointer),
            ("board_safe_since", long, pointer),
            ("board_accesses", long, pointer),
            ("board_writes", long, pointer, pointer, long),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        # The model reads its memory files from the working directory when it is made.
        before = Path.cwd()
        os.chdir(build.folder)
        try:
            self._handle = library.processor_create()
        finally:
            os.chdir(before)

    def __enter__(self) -> SimulatedProcessor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the model. Further calls do nothing."""
        if self._handle:
            self._library.processor_destroy(self._handle)
            self._handle = None

    @property
    def now(self) -> int:
        """Cycle counter: the number of the next cycle."""
        return int(self._library.processor_now(self._handle))

    @now.setter
    def now(self, cycle: int) -> None:
        self._library.processor_set_now(self._handle, cycle)

    def run(self, cycles: int) -> None:
        """Let time pass."""
        self._library.processor_run(self._handle, cycles)

    def run_until(self, condition: Callable[[], bool], limit_cycles: int) -> int:
        """Let time pass until a condition holds, looked at every few cycles. Returns the cycles that it took.

        Raises AssertionError where it does not in time.
        """
        begun = self.now
        while not condition():
            if self.now - begun > limit_cycles:
                raise AssertionError(
                    f"nothing came of it in {limit_cycles} cycles; the job is {self.state.name}"
                )
            self.run(STEP_CYCLES)
        return self.now - begun

    def write(self, register: str, value: int) -> None:
        """Write a register of one word."""
        place, _ = self.build.addresses[register]
        self._library.processor_write(self._handle, place, value)

    def read(self, register: str) -> int:
        """Read a register, all its words."""
        place, words = self.build.addresses[register]
        parts = [int(self._library.processor_read(self._handle, place + k)) for k in range(words)]
        return sum(part << 32 * k for k, part in enumerate(parts))

    # The board

    def set(self, address: int, value: int) -> None:
        """Set a register of the board."""
        self._library.board_set(self._handle, address, value)

    def get(self, address: int) -> int:
        """A register of the board."""
        return int(self._library.board_get(self._handle, address))

    def react(self, address: int, mask: int, target: int, value: int) -> None:
        """From now on a write to `address` with a bit of `mask` sets the register `target`."""
        self._library.board_react(self._handle, address, mask, target, value)

    def silence(self, silent: bool) -> None:
        """Whether the board's bus answers nothing."""
        self._library.board_silent(self._handle, silent)

    def latency(self, cycles: int) -> None:
        """Cycles of an access to the board."""
        self._library.board_latency(self._handle, cycles)

    def clears_at(self, address: int) -> None:
        """A write to this register ends the board's safe state."""
        self._library.board_clear_address(self._handle, address)

    @property
    def safe(self) -> bool:
        """Whether the board is safe: since it was asked to, or since a fault of its own."""
        return bool(self._library.board_is_safe(self._handle))

    @safe.setter
    def safe(self, safe: bool) -> None:
        self._library.board_set_safe(self._handle, safe)

    @property
    def safe_since(self) -> int:
        """Cycle in which the board was told to be safe last."""
        return int(self._library.board_safe_since(self._handle))

    @property
    def expired_at(self) -> int:
        """Cycle of the last expiry."""
        return int(self._library.processor_expired_at(self._handle))

    @property
    def expiries(self) -> int:
        """Times that `expired` was high."""
        return int(self._library.processor_expiries(self._handle))

    @property
    def accesses(self) -> int:
        """Accesses of the processor that the board has answered."""
        return int(self._library.board_accesses(self._handle))

    def writes(self) -> npt.NDArray[np.void]:
        """Writes to the board since the last call, oldest first: `WRITE`."""
        chunks = []
        while True:
            chunk = np.zeros(TAKEN, WRITE)
            count = self._library.board_writes(self._handle, chunk.ctypes.data, TAKEN)
            chunks.append(chunk[:count])
            if count < TAKEN:
                return np.concatenate(chunks)

    # The host

    @property
    def state(self) -> State:
        """Of the job."""
        return State(self.read("job") & 0xF)

    @property
    def cause(self) -> Cause:
        """Why the processor was started last."""
        return Cause(self.read("boot_status") >> 1 & 0xF)

    @property
    def slot(self) -> int:
        """That runs."""
        return self.read("boot_status") & 1

    def command(
        self, code: int, argument: int = 0, *, limit_cycles: int = 100_000, sequence: int | None = None
    ) -> tuple[Result, int]:
        """Send a command and wait for its answer: (result, value)."""
        if sequence is None:
            sequence = ((self.read("mailbox_status") >> 16) + 1) & 0xFFFF
        self.write("mailbox_argument0", argument)
        self.write("mailbox_command", code | sequence << 8)
        self.run_until(lambda: not self.read("mailbox_status") & 1, limit_cycles)
        return Result(self.read("mailbox_status") >> 8 & 0xFF), self.read("mailbox_value")

    def log(self) -> list[LogEntry]:
        """Entries that are in the ring and were not taken yet, oldest first; they are taken."""
        count, taken = self.read("log_count"), self.read("log_taken")
        entries = []
        for number in range(max(taken, count - LOG_DEPTH), count):
            self.write("log_index", number % LOG_DEPTH)
            self.run(1)
            cycle, code, argument = (self.read(f"log_{name}") for name in ("time", "code", "argument"))
            entries.append(LogEntry(cycle, LogCode(code), argument))
        self.write("log_taken", count)
        return entries

    def load_slot(self, words: list[int], crc: int) -> None:
        """Write all of slot B, and its CRC, and wait for the check."""
        self.write("update_index", 0)
        for word in words:
            self.write("update_data", word)
        self.write("update_crc", crc)
        self.run_until(lambda: not self.read("update_status") & 2, 20_000)

    def boot(self, limit_cycles: int = 3_000_000) -> int:
        """Wait until the firmware has spoken. Returns the cycles that it took."""
        return self.run_until(lambda: self.state is not State.BOOT, limit_cycles)
