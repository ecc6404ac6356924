# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/link/records`: taps and packer cycle by cycle, the ring packet by packet."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from triplane.gateware.link.records.layouts import HEADER, LOST_MAX, MAGIC, PREFIX, VERSION, Kind, Reason
from triplane.gateware.link.records.tap import WAITING_RECORDS

WORD = 2**32


class Passing(NamedTuple):
    """A word that passes a tap."""

    word: int
    first: bool
    last: bool


class Note(NamedTuple):
    """What a tap knows of a record that is whole."""

    words: int
    void: bool
    lost: int


class TapModel:
    """`RecordTap`.

    Args:
        most: words of the longest record.
        depth: words that wait at the most; None as in the gateware.

    Attributes:
        lost: records that were lost.
    """

    def __init__(self, most: int, depth: int | None = None) -> None:
        self.most, self.depth = most, max(64, 4 * most) if depth is None else depth
        self.words: deque[int] = deque()
        self.notes: deque[Note] = deque()
        self.lost = 0
        self._record: int | None = None  # words of the record that is kept
        self._before = 0

    def hear(self, passing: Passing | None, recording: bool) -> tuple[list[int], list[Note]]:
        """One cycle; what comes to the end of the two queues with the next clock edge."""
        words: list[int] = []
        notes: list[Note] = []
        if passing is None:
            return words, notes
        lost = 0
        if passing.first:
            if self._record is not None:
                notes.append(Note(self._record, True, self._before))
                lost += 1
            self._record = None
            if recording:
                room = len(self.words) <= self.depth - self.most and len(self.notes) <= WAITING_RECORDS - 2
                if room and not passing.last:
                    self._record = 0
                else:
                    lost += 1
        whole = False
        if self._record is not None:
            fits = self._record < self.most
            if fits:
                words.append(passing.word)
                self._record += 1
            if passing.last:
                whole = fits
                lost += not fits
                notes.append(Note(self._record, not fits, self._before))
                self._record = None
        self._before = 0 if whole else min(self._before + lost, LOST_MAX)
        self.lost += lost
        return words, notes


@dataclass
class _Open:
    """A packet that is being filled."""

    cycle: int
    words: list[int] = field(default_factory=list)
    records: int = 0
    age: int = 0
    expired: bool = False


class StreamModel:
    """`RecordStream` from its taps to its ring.

    Args:
        taps: by kind, in the order of turns.
        slots, slot_words: as in the gateware.
        build: first 32 bits of the build hash.

    Attributes:
        session, linger: registers; change `session` by `begin` only.
        next, sent, acknowledged: numbers of packets.
        recorded: records in packets.
    """

    def __init__(self, taps: Mapping[Kind, TapModel], slots: int, slot_words: int, build: int = 0) -> None:
        self.kinds = list(taps)
        self.taps = dict(taps)
        self.slots, self.slot_words, self.build = slots, slot_words, build
        self.linger = 24_576
        self.begin(0)

    def begin(self, session: int) -> None:
        """A session begins with the next cycle."""
        self.session = session
        self.taps = {kind: TapModel(tap.most, tap.depth) for kind, tap in self.taps.items()}
        self.next = self.sent = self.acknowledged = self.recorded = 0
        self._packets: dict[int, bytes] = {}
        self._state, self._turn, self._left, self._step = "AWAIT", 0, 0, 0
        self._reason = Reason.FULL
        self._open: _Open | None = None
        self._flushing = False

    @property
    def lost(self) -> dict[Kind, int]:
        """Records that were lost, by kind."""
        return {kind: tap.lost for kind, tap in self.taps.items()}

    @property
    def room(self) -> bool:
        """Whether slot `next` may be used."""
        return self.next - min(self.acknowledged, self.sent) < self.slots

    def acknowledge(self, number: int) -> None:
        """The host has all packets before this number; without effect where they are not all there."""
        if self.acknowledged <= number <= self.next:
            self.acknowledged = number

    def fetch(self, number: int) -> bytes | None:
        """A packet that is in the ring, or None."""
        return self._packets.get(number)

    def step(
        self,
        passing: Sequence[Passing | None],
        now: int,
        *,
        granted: bool = True,
        flush: bool = False,
        recording: bool = True,
    ) -> bytes | None:
        """One cycle; the packet that it completes, or None.

        Args:
            passing: what passes each tap.
            now: cycle counter.
            granted: the memory takes a word of the packer's.
            flush: the host asks for the open packet.
            recording: False while a session waits for its beginning.
        """
        arrived = [
            tap.hear(word, recording and self.session != 0)
            for tap, word in zip(self.taps.values(), passing, strict=True)
        ]
        packet, forget = self._pack(now, granted)
        self._flushing = flush or (self._flushing and not forget)
        for tap, (words, notes) in zip(self.taps.values(), arrived, strict=True):
            tap.words.extend(words)
            tap.notes.extend(notes)
        return packet

    def _pack(self, now: int, granted: bool) -> tuple[bytes | None, bool]:
        """A cycle of the packer: the packet that it completes, and whether requests to close one are forgotten."""
        tap = list(self.taps.values())[self._turn]
        opened, expired = self._open, self._open is not None and self._open.expired
        if opened is not None:
            opened.expired |= opened.age >= self.linger
            opened.age += 1
        if self._state == "AWAIT":
            return None, self._await(opened is not None, expired)
        if self._state == "BEGIN":
            self._begin(tap, opened, now, granted)
        elif self._state == "DISCARD" or granted:
            if self._state == "CLOSE":
                self._step += 1
                if self._step == HEADER.words:
                    return self._close(), True
            else:
                self._copy(tap)
        return None, False

    def _await(self, opened: bool, expired: bool) -> bool:
        count = len(self.kinds)
        waiting = [k % count for k in range(self._turn + 1, self._turn + 1 + count)]
        waiting = [k for k in waiting if self.taps[self.kinds[k]].notes]
        if opened and expired:
            self._reason, self._step, self._state = Reason.TIMEOUT, 0, "CLOSE"
        elif waiting:
            self._turn, self._state = waiting[0], "BEGIN"
        elif opened and self._flushing:
            self._reason, self._step, self._state = Reason.FLUSH, 0, "CLOSE"
        else:
            return True
        return False

    def _begin(self, tap: TapModel, opened: _Open | None, now: int, granted: bool) -> None:
        note = tap.notes[0]
        self._left = note.words
        if note.void:
            self._state = "DISCARD"
        elif opened is None:
            if self.room:
                self._open = _Open(now)
        elif HEADER.words + len(opened.words) + 1 + note.words > self.slot_words:
            self._reason, self._step, self._state = Reason.FULL, 0, "CLOSE"
        elif granted:
            opened.words.append(prefix(self.kinds[self._turn], note.words, note.lost))
            self._state = "COPY"

    def _copy(self, tap: TapModel) -> None:
        word = tap.words.popleft()
        self._left -= 1
        if self._state == "COPY":
            assert self._open is not None
            self._open.words.append(word)
        if self._left == 0:
            tap.notes.popleft()
            if self._state == "COPY":
                assert self._open is not None
                self._open.records += 1
                self.recorded += 1
            self._state = "AWAIT"

    def _close(self) -> bytes:
        assert self._open is not None
        packet = packet_bytes(
            self._open.words,
            self._open.records,
            session=self.session,
            sequence=self.next,
            cycle=self._open.cycle,
            reason=self._reason,
            build=self.build,
        )
        self._packets.pop(self.next - self.slots, None)
        self._packets[self.next] = packet
        self.next += 1
        self._open, self._state = None, "AWAIT"
        return packet


def prefix(kind: int, words: int, lost: int) -> int:
    """First word of a record."""
    return int(np.array([(kind, words, lost)], PREFIX.dtype).view("<u4")[0])


def packet_bytes(
    words: Sequence[int],
    records: int,
    *,
    session: int,
    sequence: int,
    cycle: int = 0,
    reason: int = Reason.FULL,
    build: int = 0,
) -> bytes:
    """A packet as it is in a datagram, of the words behind its header."""
    header = np.zeros(1, HEADER.dtype)
    contents = {
        "magic": MAGIC,
        "version": VERSION,
        "words": len(words),
        "session": session,
        "sequence": sequence,
        "cycle_lo": cycle % WORD,
        "cycle_hi": cycle // WORD,
        "records": records,
        "reason": int(reason),
        "build": build,
    }
    for name, value in contents.items():
        header[name] = value
    return header.tobytes() + np.array(words, "<u4").tobytes()
