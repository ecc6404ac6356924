# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of syndrome formation: whole data sets at once from the words of a table, and cycle by cycle."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from triplane.gateware.syndrome.layouts import LAST_ROUND, LEAKED, round_record
from triplane.gateware.syndrome.shape import EXPECTED, FIRST_EVENT, HOLD, WORD_BITS, SyndromeShape


def matrices(shape: SyndromeShape, words: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """A table as the hardware reads it: bool (kinds, rows, columns), from uint32 (shape.words,)."""
    table = np.ascontiguousarray(words, dtype="<u4")
    if table.shape != (shape.words,):
        raise ValueError(f"a table of this shape has {shape.words} words, not {table.shape}")
    bits = np.unpackbits(table.view(np.uint8), bitorder="little").reshape(shape.kinds, shape.rows, -1)
    return bits[:, :, : shape.columns].astype(bool)


def form(
    shape: SyndromeShape,
    words: npt.ArrayLike,
    rounds: Sequence[int],
    bits: npt.NDArray[np.bool_],
    leaked: npt.NDArray[np.bool_] | None = None,
    known: npt.NDArray[np.bool_] | None = None,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint32]]:
    """Detection events and measured observables of many shots.

    Args:
        shape, words: the table.
        rounds: kind of each round.
        bits: bool (shots, rounds, slots), results by slot; those of slots that a round does not expect are ignored.
        leaked: bool (shots, rounds, slots).
        known: bool (shots, known bits), the same for all rounds of a shot.

    Returns:
        Events, bool (shots, rounds, events), and observables, uint32 (shots,), bit k = observable k.
    """
    table = matrices(shape, words)
    shots = len(bits)
    events = np.zeros((shots, len(rounds), shape.events), dtype=bool)
    observables = np.zeros((shots, shape.observables), dtype=bool)
    columns = np.zeros((shots, shape.columns), dtype=bool)
    columns[:, shape.constant_column] = True
    if shape.known and known is not None:
        columns[:, shape.known_column(0) : shape.constant_column] = known
    ages = columns[:, shape.slots : shape.slots + shape.history * shape.kept]
    ages = ages.reshape(shots, shape.history, shape.kept)
    history = np.zeros_like(ages)
    for r, kind in enumerate(rounds):
        entry = table[kind]
        here = entry[EXPECTED, : shape.slots]
        values = bits[:, r] & here
        if leaked is not None:
            replaced = leaked[:, r] & here & entry[HOLD, : shape.slots]
            last = np.zeros_like(values)
            if shape.history:
                last[:, : shape.kept] = history[:, 0]
            values = np.where(replaced, last, values)
        columns[:, : shape.slots] = values
        columns[:, shape.slots : shape.slots + shape.history * shape.kept] = history.reshape(shots, -1)
        parity = (columns.astype(np.float32) @ entry.T.astype(np.float32)).astype(np.int64) & 1
        events[:, r] = parity[:, FIRST_EVENT : FIRST_EVENT + shape.events]
        observables ^= parity[:, FIRST_EVENT + shape.events :].astype(bool)
        kept = here[: shape.kept]
        older = np.concatenate([values[:, None, : shape.kept], history], axis=1)[:, : shape.history]
        history = np.where(kept, older, history)
    weights = np.uint32(1) << np.arange(shape.observables, dtype=np.uint32)
    return events, (observables * weights).sum(axis=1, dtype=np.uint32)


@dataclass
class Inputs:
    """Inputs of a cycle; masks have one bit per slot."""

    arm: int = 0
    kind: int = 0
    last: int = 0
    known: int = 0
    valid: int = 0
    bit: int = 0
    leaked: int = 0
    ready: int = 1
    records_ready: int = 1
    clear: int = 0


@dataclass
class Outputs:
    """Outputs of a cycle; words are (data, first, last), or None where nothing is offered."""

    word: tuple[int, int, int] | None = None
    record: tuple[int, int, int] | None = None
    formed: int = 0
    observables: int = 0
    untrusted: int = 0
    overrun: int = 0
    doubled: int = 0
    timed_out: int = 0
    held_up: int = 0
    record_lost: int = 0
    stopped: int = 0


@dataclass
class _Round:
    """A round that has been armed, or formed."""

    kind: int
    last: int
    known: int
    events: int = 0
    record: list[int] = field(default_factory=list)


class FormationModel:
    """`SyndromeFormation` with a trusted table, cycle by cycle.

    Args:
        shape, words: the table.
        ahead, queue_rounds, records: as in the gateware.
        timeout: contents of the register.

    Attributes:
        cause, fault_round, fault_shot, fault_slot: contents of the registers.
        stray, backlog_max, rounds, shots: contents of the registers.
    """

    def __init__(
        self,
        shape: SyndromeShape,
        words: npt.ArrayLike,
        *,
        ahead: int = 4,
        queue_rounds: int = 8,
        records: int = 4,
        timeout: int = 2**24 - 1,
    ) -> None:
        self.shape = shape
        self.ahead, self.queue_rounds, self.room, self.timeout = ahead, queue_rounds, records, timeout
        powers = [1 << k for k in range(shape.columns)]
        self.rows = [
            [sum(p for p, bit in zip(powers, row, strict=True) if bit) for row in entry]
            for entry in matrices(shape, words).tolist()
        ]
        self.now = 0
        self._forget()

    def _forget(self) -> None:
        self.armed: deque[_Round] = deque()
        self.got = self.bits = self.leaks = self.age = 0
        self.history = [0] * self.shape.history
        self.observables, self.fresh = 0, True
        self.queue: deque[_Round] = deque()
        self.word = self.record_word = 0
        self.records: deque[list[int]] = deque()
        self.formed: _Round | None = None
        self.round = self.shot = self.rounds = self.stray = self.backlog_max = 0
        self.stopped = self.waited = False
        self.cause = self.fault_round = self.fault_shot = self.fault_slot = 0

    def expected(self, kind: int) -> int:
        """Slots of a kind, as a mask."""
        return self.rows[kind][EXPECTED] & ((1 << self.shape.slots) - 1)

    def step(self, given: Inputs) -> Outputs:
        """One cycle."""
        out = Outputs(stopped=int(self.stopped), observables=self.observables)
        head = self.armed[0] if self.armed else None
        expected = self.expected(head.kind) if head else 0
        level = len(self.queue) + (self.formed is not None)
        complete = head is not None and not expected & ~self.got
        place = level < self.queue_rounds
        leave = complete and place
        out.held_up = int(complete and not place and not self.waited)
        out.formed = int(self.formed is not None)

        # Slots
        kept = self.got & ~expected if leave else self.got
        open_rounds = list(self.armed)[1 if leave else 0 :]
        awaited = 0
        for r in open_rounds:
            awaited |= self.expected(r.kind)
        take = again = 0
        if not self.stopped:
            take, again = given.valid & awaited & ~kept, given.valid & awaited & kept
            self.stray += bool(given.valid & ~awaited)
        out.doubled = int(again != 0)
        missing = expected & ~self.got
        out.timed_out = int(
            head is not None and not self.stopped and not complete and self.age >= self.timeout
        )
        wanted = self.expected(given.kind)
        out.untrusted = int(given.arm and not self.stopped and not wanted)
        out.overrun = int(given.arm and not self.stopped and bool(wanted) and len(self.armed) == self.ahead)

        # Words of the round that is given in this cycle, or of those that wait
        if self.formed is not None:
            self.queue.append(self.formed)
            out.record_lost = int(len(self.records) >= self.room)
        self.backlog_max = max(self.backlog_max, level)
        if self.queue and not given.clear:
            last = self.word == self.shape.words_per_round - 1
            data = self.queue[0].events >> (WORD_BITS * self.word) & 0xFFFFFFFF
            out.word = (data, int(self.word == 0), int(last))
        if self.records and not given.clear:
            words = self.records[0]
            last = self.record_word == len(words) - 1
            out.record = (words[self.record_word], int(self.record_word == 0), int(last))

        # What the cycle leaves behind
        if out.word and given.ready:
            self.word += 1
            if out.word[2]:
                self.word = 0
                self.queue.popleft()
        if out.record and given.records_ready:
            self.record_word += 1
            if out.record[2]:
                self.record_word = 0
                self.records.popleft()
        if self.formed is not None:
            self.rounds += 1
            if not out.record_lost:
                self.records.append(self.formed.record)
            self.formed = None
        for number, fault in enumerate((out.untrusted, out.overrun, out.doubled, out.timed_out), 1):
            if fault and not self.stopped:
                self.stopped, self.cause = True, number
                self.fault_round, self.fault_shot = self.round, self.shot
                culprits = again if out.doubled else missing if out.timed_out else 0
                self.fault_slot = (culprits & -culprits).bit_length() - 1 if culprits else 0
        self.waited = complete and not place
        room = len(self.armed) < self.ahead
        if leave and head:
            self._form(self.armed.popleft(), expected)
        if given.arm and not out.stopped and wanted and room:
            self.armed.append(_Round(given.kind, given.last, given.known))
        self.age = 0 if head is None or leave else self.age + 1
        self.got = kept | take
        self.bits = self.bits & ~take | given.bit & take
        self.leaks = self.leaks & ~take | given.leaked & take
        if given.clear:
            self._forget()
        self.now += 1
        return out

    def _form(self, formed: _Round, expected: int) -> None:
        """A round leaves: its events, and what is kept of it."""
        shape, rows = self.shape, self.rows[formed.kind]
        dropped = self.leaks & rows[HOLD]
        values = self.bits & ~dropped
        if shape.history:
            values |= dropped & self.history[0]
        values &= expected
        columns = values
        for age, kept in enumerate(self.history):
            columns |= kept << (shape.slots + age * shape.kept)
        if shape.known:
            columns |= formed.known << shape.known_column(0)
        columns |= 1 << shape.constant_column

        def parities(first: int, count: int) -> int:
            return sum(((columns & rows[first + k]).bit_count() & 1) << k for k in range(count))

        formed.events = parities(FIRST_EVENT, shape.events)
        observed = parities(FIRST_EVENT + shape.events, shape.observables)
        self.observables = observed ^ (0 if self.fresh else self.observables)
        measured, leaked = self.bits & expected, self.leaks & expected
        formed.record = self._record(formed, measured, leaked)
        mask = expected & ((1 << shape.kept) - 1)
        for age in reversed(range(shape.history)):
            newer = self.history[age - 1] if age else values
            self.history[age] = 0 if formed.last else self.history[age] & ~mask | newer & mask
        self.fresh = bool(formed.last)
        self.round, self.shot = (0, self.shot + 1) if formed.last else (self.round + 1, self.shot)
        self.formed = formed

    def _record(self, formed: _Round, measured: int, leaked: int) -> list[int]:
        flags = (LAST_ROUND if formed.last else 0) | (LEAKED if leaked else 0)
        wide = {"measured": measured, "leaked": leaked, "known": formed.known, "events": formed.events}
        values = {
            "sequence": self.rounds,
            "shot": self.shot,
            "round": self.round,
            "timestamp_lo": self.now & 0xFFFFFFFF,
            "timestamp_hi": self.now >> 32,
            "kind": formed.kind,
            "flags": flags,
            "observables": self.observables,
        }
        packed = position = 0
        for f in round_record(self.shape).fields:
            name, _, number = f.name.rpartition("_")
            value = wide[name] >> (WORD_BITS * int(number)) if name in wide else values[f.name]
            packed |= (value & ((1 << f.bits) - 1)) << position
            position += f.bits
        return [packed >> (WORD_BITS * k) & 0xFFFFFFFF for k in range(position // WORD_BITS)]
