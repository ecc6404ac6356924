# SPDX-License-Identifier: BSD-2-Clause
"""Golden model of `gateware/link/exchange.py`: datagram in, bus accesses and datagram out."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Protocol

from triplane.gateware.link.etherbone import (
    BODY_WORD,
    BYTE_ENABLES,
    CHECKSUM_WORD,
    FLAG_WRITE_FIFO,
    FLAGS_OTHER_SPACES,
    HEADER,
    PROBE,
    PROBE_OFFSET,
    PROBE_REPLY,
    RECORD_WORD,
    SEQUENCE_BITS,
    WORD_BYTES,
    ahead,
    checksum,
    make_key,
    request_words,
)


class BusError(Exception):
    """Nothing answers at an address."""


class Bus(Protocol):
    """What requests are executed on; addresses in bytes."""

    def read(self, address: int) -> int:
        """A word; raises BusError."""

    def write(self, address: int, word: int) -> None:
        """Write a word; raises BusError."""


@dataclass
class ExchangeModel:
    """What the gateware makes of datagrams.

    Attributes:
        bus: that requests are executed on.
        unguarded: as the register of that name.
        counts: of `requests`, `repeated`, `refused`, `malformed`, `bus_errors`.
        key: of the last request that was executed exactly once.
    """

    bus: Bus
    unguarded: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    key: int = 0
    _owner: Hashable = None
    _kept: bytes = b""

    def receive(self, datagram: bytes, peer: Hashable) -> bytes | None:
        """The reply to a datagram from a peer, or None."""
        if len(datagram) % WORD_BYTES or not datagram:
            self.counts["malformed"] += 1
            return None
        words = struct.unpack(f">{len(datagram) // WORD_BYTES}I", datagram)
        if len(words) >= RECORD_WORD and words[0] == HEADER | PROBE << PROBE_OFFSET:
            return struct.pack(">2I", HEADER | PROBE_REPLY << PROBE_OFFSET, words[1])
        if len(words) <= RECORD_WORD:
            self.counts["malformed"] += 1
            return None
        flags, enables, writes, reads = words[RECORD_WORD].to_bytes(WORD_BYTES, "big")
        if (
            words[0] != HEADER
            or enables != BYTE_ENABLES
            or flags & FLAGS_OTHER_SPACES
            or not writes + reads
            or len(words) != request_words(writes, reads)
        ):
            self.counts["malformed"] += 1
            return None
        key_at = request_words(writes, 0)
        told = words[CHECKSUM_WORD]
        returned = words[key_at] if reads else 0
        key = returned if told else 0
        if told not in (0, checksum(words)):
            self.counts["malformed"] += 1
            return None
        session, sequence = key >> SEQUENCE_BITS, key % 2**SEQUENCE_BITS
        current = self.key >> SEQUENCE_BITS
        mine = self._owner == peer and session == current
        if key and mine and key == self.key:
            self.counts["repeated"] += 1
            return self._kept
        if key:
            follows = mine and key == make_key(current, (self.key + 1) % 2**SEQUENCE_BITS)
            if not follows and (sequence or writes or not ahead(session, current)):
                self.counts["refused"] += 1
                return None
            self.key, self._owner = key, peer
        elif writes and not self.unguarded:
            self.counts["refused"] += 1
            return None
        answer = self._execute(words, flags, writes, words[key_at + 1 :])
        if not reads:
            return None
        packet = [HEADER, 0, BYTE_ENABLES << 16 | len(answer) << 8, returned, *answer]
        packet[CHECKSUM_WORD] = checksum(packet)
        reply = struct.pack(f">{len(packet)}I", *packet)
        if key:
            self._kept = reply
        return reply

    def _execute(self, words: tuple[int, ...], flags: int, writes: int, reads: tuple[int, ...]) -> list[int]:
        self.counts["requests"] += 1
        answer: list[int] = []
        try:
            for number in range(writes):
                offset = 0 if flags & FLAG_WRITE_FIFO else WORD_BYTES * number
                self.bus.write((words[BODY_WORD] + offset) % 2**32, words[BODY_WORD + 1 + number])
            for address in reads:
                answer.append(self.bus.read(address))
        except BusError:
            self.counts["bus_errors"] += 1
        return answer
