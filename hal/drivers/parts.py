# SPDX-License-Identifier: BSD-2-Clause
"""Runs in parts: every shot starts only when its records are asked for."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from triplane.hal.board import Words
from triplane.hal.errors import BoardError, RunTimeoutError
from triplane.hal.records import Pacing, RecordSource

Start = Callable[[Words, float | None], RecordSource]
"""Starts a part, given its words and the seconds that are left for it."""


class Parts:
    """A run of which every part starts when its records are taken; see `hal.records.RecordSource`.

    Args:
        start: starts a part.
        words: uint32 (parts, words of one).
        record_words, num_edges: of its records.
        clock: the board's cycle counter.
        stop: ends the part that is going on.
        timeout_s: wall clock limit for all of them.
    """

    def __init__(
        self,
        start: Start,
        words: Words,
        *,
        record_words: int,
        num_edges: int | None,
        clock: Callable[[], int],
        stop: Callable[[], None],
        timeout_s: float | None,
    ) -> None:
        self._start_part, self._words, self._clock, self._stop = start, words, clock, stop
        self._timeout_s = timeout_s
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self.record_words, self.num_edges = record_words, num_edges
        self._done = 0
        self._begin = self._end = clock()
        self._pacing = Pacing(0, 0, 0, 0)

    @property
    def cycles(self) -> int:
        """Clock cycles since the run started."""
        return self._end - self._begin

    def pacing(self) -> Pacing:
        """The schedule of all parts so far."""
        return self._pacing

    def take(self) -> Words | None:
        """The records of the next part."""
        if self._done == len(self._words):
            return None
        left = None if self._deadline is None else self._deadline - time.monotonic()
        if left is not None and left <= 0:
            raise RunTimeoutError(
                f"the run was stopped after {self._timeout_s:g} s with {self._done} of {len(self._words)} shots; "
                "allow more time or run fewer shots"
            )
        chunks: list[Words] = []
        try:
            part = self._start_part(self._words[self._done], left)
            while (words := part.take()) is not None:
                chunks.append(words)
        except BoardError as error:
            raise type(error)(f"shot {self._done} of {len(self._words)}: {error}") from error
        found, before = part.pacing(), self._pacing
        self._pacing = Pacing(
            before.released + found.released,
            before.starved + found.starved,
            before.stalled + found.stalled,
            max(before.backlog_max, found.backlog_max),
        )
        self._end = self._clock()
        self._done += 1
        return np.concatenate(chunks)

    def stop(self) -> None:
        """End the run."""
        self._stop()
