# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of the record stream: the packer cycle by cycle, the ring packet by packet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from triplane.gateware.link.records.layouts import (
    CUT,
    GUARDED,
    HEADER,
    HEADER_WORDS,
    MAGIC,
    SEQUENCE_BITS,
    VERSION,
    Kind,
    Reason,
)

MASK = 2**SEQUENCE_BITS - 1


class Offer(NamedTuple):
    """What a source offers in a cycle."""

    word: int
    first: bool
    last: bool


@dataclass
class Settings:
    """The packer's inputs that stay for many cycles; names as in the gateware."""

    timeout: int = 24_576
    linger: int = 256
    guarded: bool = True
    session: int = 0


@dataclass
class _Open:
    """A packet that is being filled."""

    kind: Kind
    session: int
    records: list[list[int]] = field(default_factory=list)
    under_way: list[int] | None = None
    cutting: bool = False
    cut: bool = False
    odd: bool = False
    renewing: bool = False
    flushing: bool = False
    expired: bool = False
    impatient: bool = False
    age: int = 0
    waited: int = 0
    first_cycle: int = 0
    last_cycle: int = 0

    @property
    def words(self) -> int:
        """Words of the whole records."""
        return sum(map(len, self.records))


class PackerModel:
    """`RecordPacker` with sources that have no queues.

    Args:
        limits: words of the longest record by kind, in the order of the sources.
        slot_words: of a slot.
        settings: may be changed at any time.

    Attributes:
        counts: `recorded`, `held`, `abandoned`, `cut`, since the beginning.
        opened: a slot was begun in the last cycle.
    """

    def __init__(self, limits: Mapping[Kind, int], slot_words: int, settings: Settings | None = None) -> None:
        self.kinds = list(limits)
        self.limits, self.slot_words = dict(limits), slot_words
        self.settings = settings or Settings()
        self.counts = dict.fromkeys(("recorded", "held", "abandoned", "cut"), 0)
        self.opened = False
        self._begun = [False] * len(self.kinds)
        self._turn = 0
        self._state = "AWAIT"
        self._step = 0
        self._reason = Reason.FULL
        self._open: _Open | None = None

    def step(
        self,
        offers: Sequence[Offer | None],
        *,
        now: int,
        sequence: int = 0,
        room: bool = True,
        flush: bool = False,
        clear: bool = False,
        renewed: bool = False,
    ) -> tuple[list[bool], bytes | None]:
        """One cycle.

        Args:
            offers: of each source.
            now: the cycle counter.
            sequence: number of the packet that is open.
            room: the next slot may be used.
            flush, clear, renewed: as in the gateware.

        Returns:
            which sources may hand a word over in this cycle; the packet that it completes, or None.
        """
        whole = [o if o and (o.first or begun) else None for o, begun in zip(offers, self._begun, strict=True)]
        ready = [o is not None and w is None for o, w in zip(offers, whole, strict=True)]
        strays = any(o is not None and o.last and r for o, r in zip(offers, ready, strict=True))
        gave_up, packet = strays, None
        self.opened = False
        mine = whole[self._turn]
        if self._state == "AWAIT":
            if any(whole):
                count = len(whole)
                self._turn = next(
                    k for k in ((self._turn + n) % count for n in range(1, count + 1)) if whole[k]
                )
                self._state = "OPEN"
        elif self._state == "OPEN":
            if mine is None or clear:
                self._state = "AWAIT"
            elif room:
                self.opened = True
                self._open = _Open(self.kinds[self._turn], self.settings.session)
                self._state = "FILL"
            else:
                self.counts["held"] += 1
        elif self._state == "FILL":
            others = any(w for k, w in enumerate(whole) if k != self._turn)
            ready[self._turn], abandoned = self._fill(mine, others, now, flush, clear, renewed)
            gave_up |= abandoned
        else:
            self._step += 1
            if self._step == HEADER_WORDS:
                packet = self._complete(sequence)
                self._state = "AWAIT"
        self.counts["abandoned"] += gave_up
        for k, w in enumerate(whole):
            if clear:
                self._begun[k] = False
            elif w and ready[k]:
                self._begun[k] = not w.last
        return ready, packet

    def _why(self, packet: _Open) -> Reason | None:
        """Why the packet is closed before the next record, as the registers say it; None where it is not."""
        place = HEADER_WORDS + packet.words
        reasons = {
            Reason.FULL: place + self.limits[packet.kind] > self.slot_words,
            Reason.LENGTH: packet.odd,
            Reason.SESSION: packet.renewing,
            Reason.FLUSH: packet.flushing,
            Reason.TIMEOUT: packet.expired,
            Reason.KIND: packet.impatient,
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def _fill(
        self, mine: Offer | None, others: bool, now: int, flush: bool, clear: bool, renewed: bool
    ) -> tuple[bool, bool]:
        """A cycle in which a packet is open: whether its source may hand a word over, and whether a record was given up."""
        packet = self._open
        assert packet is not None
        between = packet.under_way is None
        fresh = between and not packet.records
        why = self._why(packet)
        ready = (not between or fresh or why is None) and not clear
        taken = mine if ready else None
        if between and not fresh and why is not None:
            self._reason, self._step, self._state = why, 0, "CLOSE"
        elif fresh and (mine is None or clear):
            self._state = "AWAIT"

        packet.expired |= packet.age >= self.settings.timeout
        packet.age += 1
        packet.impatient |= others and packet.waited >= self.settings.linger
        packet.waited = packet.waited + 1 if others else 0
        if not fresh or taken:
            packet.renewing |= renewed
            packet.flushing |= flush

        if clear:
            packet.under_way, packet.cutting = None, False
            return ready, not between
        return ready, taken is not None and self._take(packet, taken, now)

    def _take(self, packet: _Open, offer: Offer, now: int) -> bool:
        """Takes a word; whether a record was given up for it."""
        anew = packet.under_way is not None and offer.first
        if packet.under_way is None or anew:
            packet.under_way, packet.cutting = [], False
            if not packet.records:
                packet.first_cycle = now
        if HEADER_WORDS + packet.words + len(packet.under_way) < self.slot_words:
            packet.under_way.append(offer.word)
        else:
            packet.cutting = True
        if offer.last:
            if packet.records:
                packet.odd = len(packet.under_way) != len(packet.records[0])
            packet.records.append(packet.under_way)
            packet.cut |= packet.cutting
            packet.last_cycle = now
            self.counts["recorded"] += 1
            self.counts["cut"] += packet.cutting
            packet.under_way, packet.cutting = None, False
        return anew

    def _complete(self, sequence: int) -> bytes:
        packet = self._open
        assert packet is not None
        flags = self._reason | GUARDED * self.settings.guarded | CUT * packet.cut
        return packet_bytes(
            packet.kind,
            packet.records,
            sequence=sequence,
            session=packet.session,
            cycles=(packet.first_cycle, packet.last_cycle),
            flags=flags,
        )


def packet_bytes(
    kind: int,
    records: Sequence[Sequence[int]],
    *,
    sequence: int = 0,
    session: int = 0,
    cycles: tuple[int, int] = (0, 0),
    flags: int = GUARDED,
) -> bytes:
    """A packet as it is in a datagram. All records but the last have the words of the first."""
    header = np.zeros(1, dtype=HEADER.dtype)
    contents = {
        "magic": MAGIC,
        "version": VERSION,
        "kind": int(kind),
        "flags": int(flags),
        "records": len(records),
        "record_words": len(records[0]),
        "words": sum(map(len, records)),
        "sequence": sequence,
        "session": session,
        "first_cycle_lo": cycles[0] & MASK,
        "first_cycle_hi": cycles[0] >> 32,
        "last_cycle_lo": cycles[1] & MASK,
        "last_cycle_hi": cycles[1] >> 32,
    }
    for name, value in contents.items():
        header[name] = value
    words = [word for record in records for word in record]
    return header.tobytes() + np.array(words, dtype="<u4").tobytes()


class RingModel:
    """Which packets `PacketRing` holds.

    Args:
        slots: of the ring.
        first: number of the first packet.

    Attributes:
        next, oldest, acknowledged: as in the gateware.
        overwritten, refused: as in the stream's registers.
    """

    def __init__(self, slots: int, *, first: int = 0) -> None:
        self.slots = slots
        self.next = self.oldest = self.acknowledged = first
        self.overwritten = self.refused = 0
        self._packets: dict[int, bytes] = {}

    @property
    def full(self) -> bool:
        """Whether every slot holds a packet that is not acknowledged."""
        return (self.next - self.acknowledged) & MASK == self.slots

    def open(self) -> None:
        """Packet `next` is begun."""
        if self.full:
            self.acknowledged = self.acknowledged + 1 & MASK
            self.overwritten += 1
        if (self.next - self.oldest) & MASK == self.slots:
            del self._packets[self.oldest]
            self.oldest = self.oldest + 1 & MASK

    def close(self, packet: bytes) -> None:
        """Packet `next` is complete."""
        self._packets[self.next] = packet
        self.next = self.next + 1 & MASK

    def acknowledge(self, number: int) -> None:
        """The host has all packets before this number."""
        if (number - self.acknowledged) & MASK <= (self.next - self.acknowledged) & MASK:
            self.acknowledged = number
        else:
            self.refused += 1

    def fetch(self, sequence: int) -> bytes | None:
        """A packet that is there, or None."""
        return self._packets.get(sequence)


class RecordStreamModel:
    """A board's record stream for tests of the host: records in, packets out, and the ring.

    Args:
        limits: words of the longest record by kind.
        slots, slot_words, first: as in the gateware.
        settings: of the packer.

    Attributes:
        packer, ring: the models of these.
        sent: packets that were completed and not taken from here yet, in order.
    """

    def __init__(
        self,
        limits: Mapping[Kind, int],
        slots: int = 32,
        slot_words: int = 256,
        *,
        first: int = 0,
        settings: Settings | None = None,
    ) -> None:
        self.packer = PackerModel(limits, slot_words, settings)
        self.ring = RingModel(slots, first=first)
        self.sent: list[bytes] = []
        self.now = 0

    def _cycle(self, offers: Sequence[Offer | None], *, flush: bool = False) -> list[bool]:
        room = not (self.packer.settings.guarded and self.ring.full)
        ready, packet = self.packer.step(
            offers, now=self.now, sequence=self.ring.next, room=room, flush=flush
        )
        self.now += 1
        if self.packer.opened:
            self.ring.open()
        if packet is not None:
            self.ring.close(packet)
            self.sent.append(packet)
        return ready

    def push(self, kind: Kind, record: Sequence[int], *, patience: int = 1000) -> bool:
        """Hand a record over. False where its first word is not taken within `patience` cycles: the ring is full."""
        place = self.packer.kinds.index(kind)
        for k, word in enumerate(record):
            offers: list[Offer | None] = [None] * len(self.packer.kinds)
            offers[place] = Offer(word, k == 0, k == len(record) - 1)
            for _ in range(patience):
                if self._cycle(offers)[place]:
                    break
            else:
                return False
        return True

    def idle(self, cycles: int) -> None:
        """Cycles in which no source offers anything."""
        for _ in range(cycles):
            self._cycle([None] * len(self.packer.kinds))

    def flush(self) -> None:
        """Close what is open, and wait until that is done."""
        self._cycle([None] * len(self.packer.kinds), flush=True)
        self.idle(HEADER_WORDS + 2)
