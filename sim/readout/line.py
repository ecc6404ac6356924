# SPDX-License-Identifier: BSD-2-Clause
"""A simulated readout line in this process: build, cache, ctypes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from triplane.gateware.readout.layouts import CAPTURE_KIND, Discriminant
from triplane.gateware.readout.line import ReadoutLine
from triplane.gateware.readout.phase import CoherentPhase
from triplane.gateware.readout.top import line_verilog
from triplane.gateware.readout.writes import Writes, discriminant_writes, frequency_writes, weight_writes
from triplane.sim.readout.build import LIBRARY, build_library
from triplane.sim.verilate import Progress

_RECORD = np.dtype(
    [("cycle", "<u8")]
    + [(name, "<u4") for name in ("valid", "bits", "leaked", "time")]
    + [(name, "<u4") for name in ("saturated", "collision", "unknown", "reserved")]
    + [("soft", "<i1", (16,))]
)

SETTLING_CYCLES = CoherentPhase.SETTLING + 2
"""At least what a tone's phase takes to be right after the write."""


@dataclass(frozen=True)
class LineBuild:
    """A line that can be loaded.

    Attributes:
        library: path of the shared library.
        folder: where its memory files are.
        addresses: of its registers, see `top.LineTop`.
        num_tones, lead, latency: of the line.
        hash: names what was built.
    """

    library: Path
    folder: Path
    addresses: dict[str, int]
    num_tones: int
    lead: int
    latency: int
    hash: str


def build_line(line: ReadoutLine, *, progress: Progress | None = None) -> LineBuild:
    """The library of a line that was not finalised yet, from the cache or built now.

    Raises:
        ToolchainError: a tool is missing, or failed.
    """
    lead, num_tones = ReadoutLine.LEAD, line.num_tones
    verilog, memories, addresses = line_verilog(line, "line")
    folder, key = build_library("line", verilog, memories, progress=progress)
    return LineBuild(folder / LIBRARY, folder, addresses, num_tones, lead, ReadoutLine.LATENCY, key)


class SimulatedLine:
    """A line out of reset. `close`, or use as a context.

    Attributes:
        build: what it was made from.
    """

    def __init__(self, build: LineBuild) -> None:
        self.build = build
        self._library = library = ctypes.CDLL(str(build.library))
        pointer, long = ctypes.c_void_p, ctypes.c_uint64
        for name, result, *arguments in (
            ("line_create", pointer),
            ("line_destroy", None, pointer),
            ("line_now", long, pointer),
            ("line_set_now", None, pointer, long),
            ("line_busy_cycles", long, pointer),
            ("line_write", None, pointer, ctypes.c_uint32, ctypes.c_uint32),
            ("line_read", ctypes.c_uint32, pointer, ctypes.c_uint32),
            ("line_run", long, pointer, long, pointer, pointer, pointer, long, pointer, long),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        # The model reads its memory files from the working directory when it is made.
        before = Path.cwd()
        os.chdir(build.folder)
        try:
            self._handle = library.line_create()
        finally:
            os.chdir(before)

    def __enter__(self) -> SimulatedLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the model. Further calls do nothing."""
        if self._handle:
            self._library.line_destroy(self._handle)
            self._handle = None

    @property
    def now(self) -> int:
        """Cycle counter: the number of the next cycle."""
        return int(self._library.line_now(self._handle))

    @now.setter
    def now(self, cycle: int) -> None:
        """Jumps. Phases must be set anew afterwards, since no counter jumps in hardware."""
        self._library.line_set_now(self._handle, cycle)

    @property
    def busy_cycles(self) -> int:
        """Cycles of all runs in which the line was busy."""
        return int(self._library.line_busy_cycles(self._handle))

    def write(self, register: str, value: int) -> None:
        """Write a register, all its words, the most significant first. Two's complement where negative."""
        words = [name for name in (f"{register}.{k}" for k in range(4)) if name in self.build.addresses]
        for k in reversed(range(len(words))):
            self._library.line_write(
                self._handle, self.build.addresses[words[k]], value >> 32 * k & 0xFFFFFFFF
            )
        if not words:
            self._library.line_write(self._handle, self.build.addresses[register], value & 0xFFFFFFFF)

    def read(self, register: str) -> int:
        """Read a register of one word."""
        return int(self._library.line_read(self._handle, self.build.addresses[register]))

    def apply(self, writes: Writes) -> None:
        """Make register writes, see `gateware.readout.writes`."""
        for register, value in writes:
            self.write(register, value)

    def load_tone(
        self, tone: int, *, frequency: int, weights: npt.ArrayLike, discriminant: Discriminant
    ) -> None:
        """Set up a tone: frequency word, weights int (samples, 2) from number 0 on, discriminator."""
        self.apply(frequency_writes(tone, frequency))
        self.apply(weight_writes(tone, np.asarray(weights, dtype=np.int64).tolist()))
        self.apply(discriminant_writes(tone, discriminant))
        self.run(SETTLING_CYCLES)

    def run(
        self,
        cycles: int,
        samples: npt.NDArray[np.int16] | None = None,
        events: Sequence[tuple[int, int]] | npt.NDArray[np.uint64] = (),
        *,
        kind: int = CAPTURE_KIND,
    ) -> npt.NDArray[np.void]:
        """Run with samples, int16 (cycles, 2), or zeros, and events (cycle of this run, value), ascending.

        Returns:
            Structured: cycles in which the line said something; `cycle` is the cycle counter.
        """
        if samples is not None:
            if samples.shape != (cycles, 2):
                raise ValueError(f"samples must be ({cycles}, 2), not {samples.shape}")
            samples = np.ascontiguousarray(samples, dtype=np.int16)
        pairs = np.asarray(events, dtype=np.uint64).reshape(-1, 2)
        if (np.diff(pairs[:, 0].astype(np.int64)) <= 0).any():
            raise ValueError("events must be in different cycles, in ascending order")
        when = np.ascontiguousarray(pairs[:, 0])
        what = np.ascontiguousarray(pairs[:, 1] | np.uint64(kind << 32))
        records = np.zeros(3 * len(pairs) + 64, dtype=_RECORD)
        found = self._library.line_run(
            self._handle, cycles, None if samples is None else samples.ctypes.data, when.ctypes.data,
            what.ctypes.data, len(pairs), records.ctypes.data, len(records),
        )  # fmt: skip
        if found > len(records):
            raise AssertionError(f"{found} records came of {len(pairs)} events")
        return records[:found]

    def read_trace(self) -> npt.NDArray[np.int16]:
        """The raw trace: int16 (samples, 2)."""
        count = self.read("trace_status") >> 8
        self.write("trace_index", 0)
        words = np.array([self.read("trace_data") for _ in range(count)], dtype="<u4")
        return words.view("<i2").reshape(count, 2)

    def read_decimated(self) -> npt.NDArray[np.int32]:
        """The decimated trace: int32 (values, 2)."""
        count = self.read("decimated_status") >> 8
        self.write("decimated_index", 0)
        words = [[self.read(f"decimated_data{k}") for k in (0, 1)] for _ in range(count)]
        return np.array(words, dtype="<u4").reshape(count, 2).view("<i4")
