# SPDX-License-Identifier: BSD-2-Clause
"""The record stream of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.layouts import RESULT, UNTRUSTED
from triplane.hal.errors import RecordStreamError, UntrustedError

Words = npt.NDArray[np.uint32]


class Records(np.ndarray[Any, np.dtype[np.void]]):
    """Result records, structured array (records,) of `layouts.RESULT.dtype`.

    Attributes:
        corrections: bool (records, num_edges), column k = edge k of the graph is in the correction; None where the
            board was not asked for corrections. Slices and copies of the array do not carry it.
    """

    corrections: npt.NDArray[np.bool_] | None

    def __array_finalize__(self, source: object) -> None:
        self.corrections = None

    @classmethod
    def from_words(cls, words: Words, num_edges: int | None) -> Records:
        """Read records from uint32 (records, record words); `num_edges` is None without corrections."""
        records = RESULT.parse(words).view(cls)
        if num_edges is not None:
            bits = np.ascontiguousarray(words[:, RESULT.words :], dtype="<u4").view(np.uint8)
            records.corrections = np.unpackbits(bits, axis=1, bitorder="little")[:, :num_edges].astype(
                np.bool_
            )
        return records


@dataclass(frozen=True)
class Pacing:
    """How well the rounds of a run kept to their schedule.

    Attributes:
        released: rounds that have entered the decoder.
        starved: rounds for which the schedule waited, since the host had not delivered them.
        stalled: rounds that started late, since the decoder was busy.
        backlog_max: most rounds that were due and not yet taken by the decoder.
    """

    released: int
    starved: int
    stalled: int
    backlog_max: int


class RecordSource(Protocol):
    """What a driver gives to a RunStream."""

    record_words: int
    num_edges: int | None

    def take(self) -> Words | None:
        """New whole records, uint32 (records, record_words), at least one; None when the run is over."""

    def pacing(self) -> Pacing:
        """The schedule so far."""

    @property
    def cycles(self) -> int:
        """Clock cycles since the run started."""

    def stop(self) -> None:
        """End the run; safe to call at any time."""


class RunStream(Iterator[Records]):
    """Iterates over chunks of records in the order of the windows, as they arrive.

    Every chunk is checked: a gap in the sequence raises RecordStreamError, a record without a trusted table
    UntrustedError, and either stops the run. Leaving the
    iteration early, for example by Ctrl-C, leaves the board stopped once `close` is called or the next run starts.

    Attributes:
        total: records of the run.
        received: records so far.
    """

    def __init__(self, source: RecordSource, total: int) -> None:
        self._source = source
        self.total = total
        self.received = 0
        self._open = True
        self._closed_by_caller = False

    def __iter__(self) -> RunStream:
        return self

    def __next__(self) -> Records:
        if not self._open:
            self._check_whole()
            raise StopIteration
        try:
            words = self._source.take()
            if words is None:
                self._open = False
                self._check_whole()
                raise StopIteration
            records = Records.from_words(words, self._source.num_edges)
            self._check(records)
        except StopIteration:
            raise
        except BaseException:
            self.close()
            raise
        self.received += len(records)
        return records

    def _check_whole(self) -> None:
        """A run that somebody else ended must not look like one that came to its end."""
        if self.received < self.total and not self._closed_by_caller:
            raise RecordStreamError(
                f"the run ended after {self.received} of {self.total} records, since the board was closed, started "
                "a run of its own or went to its safe state; ask fault() for the reason, and start the run again"
            )

    def _check(self, records: Records) -> None:
        expected = np.arange(self.received, self.received + len(records), dtype=np.uint32)
        wrong = np.flatnonzero(records["sequence"] != expected)
        if wrong.size:
            at = wrong[0]
            raise RecordStreamError(
                f"record {expected[at]} carries sequence number {records['sequence'][at]}: a record was lost or "
                "doubled; the run was stopped, start it again"
            )
        without = np.flatnonzero(records["flags"] & UNTRUSTED)
        if without.size:
            raise UntrustedError(
                f"record {expected[without[0]]} was made without a table that passed its check, and predicts nothing; "
                "load the program again"
            )

    @property
    def cycles(self) -> int:
        """Clock cycles that the run has taken."""
        return self._source.cycles

    @property
    def pacing(self) -> Pacing:
        """How well the rounds have kept to their schedule."""
        return self._source.pacing()

    def close(self) -> None:
        """End the run; records that have not been taken are lost. Closing twice does no harm."""
        self._closed_by_caller = True
        self.end()

    def end(self) -> None:
        """End the run for a reason of the board's: whoever still iterates gets a RecordStreamError."""
        if self._open:
            self._open = False
            self._source.stop()
