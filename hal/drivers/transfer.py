# SPDX-License-Identifier: BSD-2-Clause
"""Runs over a register bus: events in and records out, as the board has room for the one and has the other."""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np

from triplane.hal.board import Fault, Words
from triplane.hal.errors import BoardError, RunTimeoutError, SafeStateError
from triplane.hal.records import Pacing
from triplane.hal.registers import RegisterMap

CHUNK_WORDS = 1_000
"""Words that are moved at a time: how soon Ctrl-C is heard and progress moves."""

IDLE_LOOKS = 8
"""Looks without a word either way before the board's clock is asked how long that has been."""


class Bus(Protocol):
    """What is needed of a board."""

    registers: RegisterMap

    @property
    def record_words(self) -> int:
        """Words of a record."""

    @property
    def num_edges(self) -> int | None:
        """Bits of its correction, None without one."""

    def get(self, name: str) -> int:
        """Value of a register by name."""

    def burst_read(self, address: int, count: int, *, increment: bool = True) -> Words:
        """Read words."""

    def burst_write(self, address: int, words: Words, *, increment: bool = True) -> None:
        """Write words."""

    def elapse(self, cycles: int) -> None:
        """Let cycles pass."""

    def now(self) -> int:
        """The cycle counter."""

    def pacing(self) -> Pacing:
        """The schedule so far."""

    def fault(self) -> Fault | None:
        """Why the board is safe."""

    def start_pacer(self) -> None:
        """Release rounds from now on."""

    def stop_pacer(self) -> None:
        """Release none any more."""


class BusTransfer:
    """One run, see `hal.records.RecordSource`.

    Args:
        board: whose event FIFO is empty.
        words: uint32 (n,), the events.
        records: that will come.
        idle_limit: cycles without a word either way after which the board counts as stuck.
        timeout_s: wall clock limit, or None.
    """

    def __init__(
        self,
        board: Bus,
        words: Words,
        records: int,
        idle_limit: int,
        timeout_s: float | None,
    ) -> None:
        self._board = board
        self._events = words
        self._sent = 0
        self.record_words = board.record_words
        self.num_edges = board.num_edges
        self._total, self._taken = records * self.record_words, 0
        self._part = np.zeros(0, np.uint32)
        self._idle_limit = idle_limit
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        status = board.registers["link_status"]
        self._fields = status.fields
        self._status = status.address
        self._send(self._space(self._look()))
        self._start = self._end = board.now()
        self._still: int | None = None  # cycle in which nothing was seen to move first
        board.start_pacer()

    @property
    def cycles(self) -> int:
        """Clock cycles since the run started."""
        return self._end - self._start

    def pacing(self) -> Pacing:
        """The schedule so far."""
        return self._board.pacing()

    def take(self) -> Words | None:
        """New whole records, or None when all have come."""
        if self._taken == self._total:
            return None
        looks = 0
        while True:
            status = self._look()
            level = min(self._fields["result_level"].of(status), self._total - self._taken, CHUNK_WORDS)
            safe = bool(self._fields["safe"].of(status))
            sent = 0 if safe else self._send(self._space(status))
            if level:
                words = self._receive(level)
                if words is not None:
                    return words
            elif safe:
                raise SafeStateError(f"the board went safe after {self._progress()}: {self._board.fault()}")
            if self._deadline is not None and time.monotonic() > self._deadline:
                raise RunTimeoutError(
                    f"the run was stopped after {self._timeout_s:g} s with {self._progress()}; allow more time or run "
                    "fewer shots"
                )
            if sent or level:
                looks, self._still = 0, None
            else:
                looks += 1
                if looks % IDLE_LOOKS == 0:
                    self._check_alive()

    def stop(self) -> None:
        """Release no rounds any more."""
        self._board.stop_pacer()

    def _look(self) -> int:
        return int(self._board.burst_read(self._status, 1)[0])

    def _space(self, status: int) -> int:
        return min(self._fields["event_space"].of(status), len(self._events) - self._sent, CHUNK_WORDS)

    def _send(self, count: int) -> int:
        if count:
            address = self._board.registers["events_data"].address
            self._board.burst_write(address, self._events[self._sent : self._sent + count], increment=False)
            self._sent += count
        return count

    def _receive(self, count: int) -> Words | None:
        """Read so many words; those of whole records are returned, the others kept."""
        address = self._board.registers["results_data"].address
        found = np.concatenate([self._part, self._board.burst_read(address, count, increment=False)])
        self._taken += count
        whole = len(found) // self.record_words * self.record_words
        self._part = found[whole:]
        if self._taken == self._total:
            self._end = self._board.now()
        return found[:whole].reshape(-1, self.record_words) if whole else None

    def _check_alive(self) -> None:
        now = self._board.now()
        if self._still is None:
            self._still = now
        elif now - self._still > self._idle_limit:
            raise BoardError(
                f"no word has moved for {now - self._still} cycles: {self._sent} of {len(self._events)} event words "
                f"written, {self._progress()}; reset the board"
            )

    def _progress(self) -> str:
        return f"{self._taken // self.record_words} of {self._total // self.record_words} records"
