# SPDX-License-Identifier: BSD-2-Clause
"""A simulated board in this process: ctypes over the native harness."""

import ctypes
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]

# Status codes of harness.cpp
_OK, _DONE, _STUCK, _SAFE, _BUS_ERROR, _NO_TRACE, _TRACE_FAILED = range(7)

IDLE_STEP_CYCLES = 16

EVENT_SPACE_MASK = 0x7FFF
"""Field `event_space` of the link status."""


TONES_WORDS = 19

PLAYED = np.dtype([("cycle", "<u8"), ("channel", "<u4"), ("words", "<u4", (TONES_WORDS,))], align=True)
"""Mirrors `struct Played` of harness.cpp; the words of a channel are those of `boards.sim.platform`."""

EDGE = np.dtype([("cycle", "<u8"), ("channel", "<u4"), ("sounds", "<u4")], align=True)
"""Mirrors `struct Edge`: in this cycle the output of a channel begins to differ from 0 (1), or is 0 again (0)."""

WRITTEN = np.dtype([("cycle", "<u8"), ("address", "<u4"), ("word", "<u4")], align=True)
"""Mirrors `struct Written`: a word that was written to a register."""

TAKEN = 256
"""Records that are taken at a time."""


BUFFER_BYTES = 16_384
"""More than the longest frame."""


class BoardError(RuntimeError):
    """The simulated board did not do what it was told."""


class _Stream(ctypes.Structure):
    """Mirrors `struct Stream` of harness.cpp."""

    _fields_ = [
        ("status_address", ctypes.c_uint32),
        ("events_address", ctypes.c_uint32),
        ("results_address", ctypes.c_uint32),
        ("idle_step", ctypes.c_uint32),
        ("idle_limit", ctypes.c_uint64),
        ("events", ctypes.c_void_p),
        ("events_total", ctypes.c_uint64),
        ("events_done", ctypes.c_uint64),
        ("results", ctypes.c_void_p),
        ("results_total", ctypes.c_uint64),
        ("results_done", ctypes.c_uint64),
        ("progress", ctypes.c_uint64),
    ]


class Streaming:
    """A transfer of events in and results out, done in slices.

    events: uint32 (words,) to write.  results: uint32 (words,), filled from the start; `done` words are valid.
    """

    def __init__(self, state: _Stream, events: Words, results: Words) -> None:
        self.state, self.events, self.results = state, events, results

    @property
    def done(self) -> int:
        """Result words that have arrived."""
        return int(self.state.results_done)

    @property
    def sent(self) -> int:
        """Event words that have been written."""
        return int(self.state.events_done)


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    board, words = ctypes.c_void_p, ctypes.c_void_p
    for name, result, *arguments in (
        ("board_create", board),
        ("board_destroy", None, board),
        ("board_cycles", ctypes.c_uint64, board),
        ("board_reset", None, board),
        ("board_run", None, board, ctypes.c_uint64),
        ("board_write", ctypes.c_int, board, ctypes.c_uint32, words, ctypes.c_uint64, ctypes.c_int),
        ("board_read", ctypes.c_int, board, ctypes.c_uint32, words, ctypes.c_uint64, ctypes.c_int),
        ("board_stream", ctypes.c_int, board, ctypes.POINTER(_Stream), ctypes.c_uint64),
        ("board_trace", ctypes.c_int, board, ctypes.c_char_p, ctypes.c_uint64),
        ("board_trace_end", ctypes.c_int, board),
        ("board_trace_error", ctypes.c_int, board),
        ("board_now", ctypes.c_uint64, board),
        ("board_play", ctypes.c_uint64, board, ctypes.c_uint64),
        ("board_played", ctypes.c_uint64, board, words, ctypes.c_uint64),
        ("board_edges", ctypes.c_uint64, board, words, ctypes.c_uint64),
        ("board_watch", None, board, words, ctypes.c_uint64),
        ("board_written", ctypes.c_uint64, board, words, ctypes.c_uint64),
        ("board_samples", None, board, ctypes.c_uint32, ctypes.c_uint64, words, ctypes.c_uint64),
        ("board_frame_in", None, board, ctypes.c_char_p, ctypes.c_uint64),
        ("board_frame_out", ctypes.c_uint64, board, ctypes.c_char_p, ctypes.c_uint64),
        ("board_waiting", ctypes.c_uint64, board),
        ("board_serial_in", None, board, ctypes.c_char_p, ctypes.c_uint64),
        ("board_serial_out", ctypes.c_uint64, board, ctypes.c_char_p, ctypes.c_uint64),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class SimulatedBoard:
    """One board, out of reset. Any number of them may exist at once; one may not be used by two threads at once.

    Addresses are in bytes, words are uint32. `close` may be called more than once; everything else raises BoardError
    afterwards.
    """

    def __init__(self, library: Path) -> None:
        self._library = _load(library)
        self._board: int | None = self._library.board_create()
        self._trace_path = ""
        self._buffer = ctypes.create_string_buffer(BUFFER_BYTES)
        self.reset()

    def __enter__(self) -> "SimulatedBoard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except BoardError:
            if error is None:  # else what happened first is what counts
                raise

    def close(self) -> None:
        """Free the board; a VCD that is being written is completed.

        Raises BoardError, with the board freed, where the VCD could not be written.
        """
        if self._board is not None:
            try:
                self.end_trace()
            finally:
                board, self._board = self._board, None
                self._library.board_destroy(board)

    @property
    def _handle(self) -> int:
        if self._board is None:
            raise BoardError("the simulated board is closed")
        return self._board

    @property
    def cycles(self) -> int:
        """Clock cycles simulated since creation."""
        return int(self._library.board_cycles(self._handle))

    def reset(self) -> None:
        """Pulse the board's reset."""
        self._library.board_reset(self._handle)

    def run(self, cycles: int) -> None:
        """Let time pass without bus traffic."""
        if cycles < 0:
            raise ValueError(f"cycles must be 0 or more, not {cycles}")
        self._library.board_run(self._handle, cycles)

    def write(self, address: int, words: npt.ArrayLike, *, increment: bool = True) -> None:
        """Write words at consecutive addresses, or all at one with `increment=False`: 2 cycles per word."""
        data = np.ascontiguousarray(words, dtype=np.uint32)
        self._check(
            self._library.board_write(self._handle, address, data.ctypes.data, data.size, increment), address
        )

    def read(self, address: int, count: int = 1, *, increment: bool = True) -> Words:
        """Read `count` words from consecutive addresses, or all from one with `increment=False`: 2 cycles per word."""
        data = np.zeros(count, dtype=np.uint32)
        self._check(
            self._library.board_read(self._handle, address, data.ctypes.data, count, increment), address
        )
        return data

    @staticmethod
    def _check(status: int, address: int) -> None:
        if status == _BUS_ERROR:
            raise BoardError(f"no answer from the bus at address {address:#x}")

    def stream(
        self,
        events: Words,
        result_words: int,
        *,
        status_address: int,
        events_address: int,
        results_address: int,
        idle_limit: int,
    ) -> Streaming:
        """Prepare a transfer; `advance` does it.

        events: uint32 (words,), written to `events_address` as `status_address` reports space.
        result_words: words to read from `results_address`.
        idle_limit: cycles without a word either way after which the board counts as stuck.
        """
        events = np.ascontiguousarray(events, dtype=np.uint32).reshape(-1)
        results = np.zeros(result_words, dtype=np.uint32)
        state = _Stream(
            status_address=status_address,
            events_address=events_address,
            results_address=results_address,
            idle_step=IDLE_STEP_CYCLES,
            idle_limit=idle_limit,
            events=events.ctypes.data,
            events_total=events.size,
            results=results.ctypes.data,
            results_total=result_words,
            progress=self.cycles,
        )
        return Streaming(state, events, results)

    def fill(self, streaming: Streaming) -> None:
        """Write as many events as there is space for, before anything is started."""
        space = int(self.read(streaming.state.status_address)[0]) & EVENT_SPACE_MASK
        first = streaming.events[streaming.sent : streaming.sent + space]
        self.write(streaming.state.events_address, first, increment=False)
        streaming.state.events_done += first.size

    def advance(self, streaming: Streaming, max_cycles: int) -> bool:
        """Go on with a transfer for about `max_cycles`. Returns False once all results are there, or the board is safe.

        Raises BoardError if nothing has moved for the transfer's idle limit.
        """
        status = self._library.board_stream(self._handle, ctypes.byref(streaming.state), max_cycles)
        if status == _STUCK:
            raise BoardError(
                f"no word has moved for {streaming.state.idle_limit} cycles: {streaming.sent} of "
                f"{streaming.events.size} event words written, {streaming.done} of {streaming.results.size} "
                "result words read"
            )
        self._check(status, streaming.state.status_address)
        return bool(status == _OK)

    @property
    def now(self) -> int:
        """The board's own cycle counter."""
        return int(self._library.board_now(self._handle))

    def play(self, max_cycles: int) -> bool:
        """Let time pass, up to the next tones of a readout line, or the next frame or byte that the board sends.

        Returns whether there were tones.
        """
        return bool(self._library.board_play(self._handle, max_cycles))

    def played(self) -> npt.NDArray[np.void]:
        """What generators have begun since the last call, oldest first: `PLAYED`."""
        return self._taken(self._library.board_played, PLAYED)

    def edges(self) -> npt.NDArray[np.void]:
        """When outputs of channels have begun to differ from 0, and when they were 0 again, since the last call."""
        return self._taken(self._library.board_edges, EDGE)

    def watch(self, addresses: Iterable[int]) -> None:
        """Keep what is written to registers, whoever writes it, for `written`; byte addresses."""
        words = np.array(sorted(addresses), dtype=np.uint32)
        self._library.board_watch(self._handle, words.ctypes.data, words.size)

    def written(self) -> npt.NDArray[np.void]:
        """What was written to registers that are watched, since the last call, oldest first: `WRITTEN`."""
        return self._taken(self._library.board_written, WRITTEN)

    def _taken(self, take: Callable[..., int], dtype: np.dtype[np.void]) -> npt.NDArray[np.void]:
        chunks = []
        while True:
            chunk = np.zeros(TAKEN, dtype)
            count = take(self._handle, chunk.ctypes.data, TAKEN)
            chunks.append(chunk[:count])
            if count < TAKEN:
                return np.concatenate(chunks)

    def samples(self, line: int, start: int, samples: npt.NDArray[np.int16]) -> None:
        """What the ADC of a line converts from a cycle of the board's counter on; 0 before and after.

        line: of the board.  start: a cycle.  samples: int16 (n, 2), i and q; they take the place of earlier ones.
        """
        words = np.ascontiguousarray(samples, dtype="<i2").view("<u4").reshape(-1)
        self._library.board_samples(self._handle, line, start, words.ctypes.data, words.size)

    def put_frame(self, frame: bytes) -> None:
        """A frame for the board's network, preamble to check sequence; it enters as time passes."""
        if not frame:
            raise ValueError("a frame has at least one byte")
        self._library.board_frame_in(self._handle, frame, len(frame))

    def frames(self) -> list[bytes]:
        """Frames that the board has sent since the last call, preamble to check sequence."""
        taken = []
        while length := self._library.board_frame_out(self._handle, self._buffer, len(self._buffer)):
            taken.append(self._buffer.raw[:length])
        return taken

    def put_serial(self, data: bytes) -> None:
        """Bytes for the board's serial line; they enter as they are taken."""
        self._library.board_serial_in(self._handle, data, len(data))

    def serial(self) -> bytes:
        """Bytes that the board has sent on its serial line since the last call."""
        data = b""
        while count := self._library.board_serial_out(self._handle, self._buffer, len(self._buffer)):
            data += self._buffer.raw[:count]
        return data

    @property
    def waiting(self) -> int:
        """Frames and serial bytes that have not entered the board yet."""
        return int(self._library.board_waiting(self._handle))

    def trace(self, path: Path | str, cycles: int) -> None:
        """Write a VCD of the next `cycles` cycles (time unit: half a clock cycle). Needs a build with `trace=True`."""
        if cycles < 1:
            raise ValueError(f"a trace must be at least 1 cycle long, not {cycles}")
        self.end_trace()
        self._trace_path = str(path)
        status = self._library.board_trace(self._handle, os.fsencode(path), cycles)
        if status == _NO_TRACE:
            raise BoardError(
                f"cannot write {path}: the board was built without tracing; build it with trace=True"
            )
        if status == _TRACE_FAILED:
            raise self._trace_failed()

    def end_trace(self) -> None:
        """Complete the VCD, if there is one. Raises BoardError where not all of it could be written."""
        if self._library.board_trace_end(self._handle) == _TRACE_FAILED and self._trace_path:
            raise self._trace_failed()

    def _trace_failed(self) -> BoardError:
        path, self._trace_path = self._trace_path, ""  # told once
        reason = os.strerror(self._library.board_trace_error(self._handle))
        return BoardError(
            f"cannot write the waveform {path}: {reason}; free space there, or give a file somewhere else"
        )
