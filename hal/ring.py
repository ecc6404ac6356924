# SPDX-License-Identifier: BSD-2-Clause
"""Packets out of the board's ring, by a protocol that sees whether one was overwritten while it was read."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import numpy as np

from triplane.gateware.link.records.layouts import HEADER_WORDS, LENGTH_WORD, MAGIC, SEQUENCE_WORD


class SlotReader:
    """The order in which a slot is read: its sequence number, the packet, the sequence number again.

    The gateware changes the number before anything else of a packet that gives way (`gateware/link/records/ring.py`
    says why that is enough), so a packet whose number was right both times is whole.

    Args:
        slots, slot_words: shape of the ring, as the board's register `shape` tells it.
    """

    def __init__(self, slots: int, slot_words: int) -> None:
        self.slots, self.slot_words = slots, slot_words

    def base(self, sequence: int) -> int:
        """Word address of the slot that packet `sequence` is in, from the beginning of the ring."""
        return sequence % self.slots * self.slot_words

    def reading(self, sequence: int) -> Generator[int, int, bytes | None]:
        """Yields word addresses, is sent the words; returns the packet, or None where it is not there any more."""
        base = self.base(sequence)
        if (yield base + SEQUENCE_WORD) != sequence:
            return None
        length = (yield base + LENGTH_WORD) >> 16
        # Nonsense where the packet gives way just now; the second look at the number sees that.
        words = min(HEADER_WORDS + length, self.slot_words)
        packet = []
        for k in range(words):
            packet.append((yield base + k))
        if (yield base + SEQUENCE_WORD) != sequence:
            return None
        return _bytes(packet, sequence)


class RingReader:
    """`fetch` for a `PacketReceiver`: reads packets over whatever reads words of the ring.

    Args:
        slots, slot_words: shape of the ring.
        read: (word address from the beginning of the ring, number of words) -> the words, read one after the other
            in the order of their addresses, each at least once, after the call began and before it returned.
    """

    def __init__(self, slots: int, slot_words: int, read: Callable[[int, int], Sequence[int]]) -> None:
        self._order = SlotReader(slots, slot_words)
        self._read = read

    def fetch(self, sequence: int) -> bytes | None:
        """The packet of that number, or None where it is not in the ring, or gave way while it was read."""
        base, slot_words = self._order.base(sequence), self._order.slot_words
        if self._read(base + SEQUENCE_WORD, 1)[0] != sequence:
            return None
        header = self._read(base, HEADER_WORDS)
        length = min(int(header[LENGTH_WORD]) >> 16, slot_words - HEADER_WORDS)
        records = self._read(base + HEADER_WORDS, length) if length else []
        if self._read(base + SEQUENCE_WORD, 1)[0] != sequence:
            return None
        return _bytes([*header, *records], sequence)


def _bytes(words: Sequence[int], sequence: int) -> bytes | None:
    """The packet; None for a slot that was never written and only looks as if it held packet 0."""
    if words[0] != MAGIC or words[SEQUENCE_WORD] != sequence:
        return None
    return np.array(words, dtype="<u4").tobytes()
