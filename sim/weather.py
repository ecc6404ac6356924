# SPDX-License-Identifier: BSD-2-Clause
"""Networks as they are: datagrams lost, doubled, swapped, late and damaged, by a seed."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Protocol

FATES = ("lost", "doubled", "late", "swapped", "damaged")
SHARE = 0.1
"""Of the datagrams that each fate takes, in each direction."""

LATE_S = (0.01, 0.1)
SWAPPED_S = 1e-4
"""By which a datagram is held back, so that the next one overtakes it."""

LOOK_S = 0.002


class Link(Protocol):
    """What carries datagrams, as of `hal.drivers.remote.links`."""

    name: str

    def send(self, datagram: bytes) -> None:
        """Send one."""

    def receive(self, timeout_s: float) -> bytes | None:
        """The next one, or None after the time-out."""

    def close(self) -> None:
        """Free what it holds."""


class BadLink:
    """A link that loses, doubles, swaps, delays and damages datagrams in both directions.

    Args:
        link: that is made bad; closed with it.
        seed: of what happens.
        share: of the datagrams, for each of these.

    Attributes:
        counts: how many had which fate; "sound" for none.
    """

    def __init__(self, link: Link, seed: int, share: float = SHARE) -> None:
        self.name = link.name
        self.counts: Counter[str] = Counter()
        self._link, self._random, self._share = link, random.Random(seed), share
        self._late: list[tuple[float, bytes]] = []  # that are still to be sent, and when
        self._arrived: list[tuple[float, bytes]] = []  # that are still to be received, likewise

    def _fate(self, datagram: bytes) -> list[tuple[float, bytes]]:
        """What arrives of a datagram: delay in s, and bytes."""
        number = int(self._random.random() / self._share) if self._share else len(FATES)
        fate = FATES[number] if number < len(FATES) else "sound"
        self.counts[fate] += 1
        if fate == "lost":
            return []
        if fate == "doubled":
            return [(0, datagram), (0, datagram)]
        if fate == "late":
            return [(self._random.choice(LATE_S), datagram)]
        if fate == "swapped":
            return [(SWAPPED_S, datagram)]
        if fate == "damaged":
            place = self._random.randrange(len(datagram))
            return [(0, datagram[:place] + bytes([datagram[place] ^ 0x10]) + datagram[place + 1 :])]
        return [(0, datagram)]

    def send(self, datagram: bytes) -> None:
        """Send one, or what its fate leaves of it."""
        now = time.monotonic()
        self._late += [(now + delay, part) for delay, part in self._fate(datagram)]
        self._flush()

    def _flush(self) -> None:
        now = time.monotonic()
        due = [part for when, part in self._late if when <= now]
        self._late = [(when, part) for when, part in self._late if when > now]
        for part in due:
            self._link.send(part)

    def receive(self, timeout_s: float) -> bytes | None:
        """The next one, or None after the time-out."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._flush()
            now = time.monotonic()
            due = [item for item in self._arrived if item[0] <= now]
            if due:
                self._arrived.remove(due[0])
                return due[0][1]
            if now >= deadline:
                return None
            datagram = self._link.receive(min(LOOK_S, deadline - now))
            if datagram is not None:
                self._arrived += [(time.monotonic() + delay, part) for delay, part in self._fate(datagram)]

    def close(self) -> None:
        """Close the link."""
        self._link.close()


class Source(Protocol):
    """Where datagrams come from, as of `hal.datagrams`."""

    address: int
    port: int

    def receive(self, timeout_s: float) -> bytes | None:
        """The next one, or None after the time-out."""

    def close(self) -> None:
        """Free what it holds."""


class BadSource:
    """Datagrams of a record stream of which some are lost, doubled, or swapped with the next one.

    Args:
        source: as of `hal.datagrams.PacketSource`; closed with it.
        seed: of what happens.
        share: of the datagrams, for each of these.
    """

    def __init__(self, source: Source, seed: int, share: float = SHARE) -> None:
        self.address, self.port = source.address, source.port
        self.counts: Counter[str] = Counter()
        self._source, self._random, self._share = source, random.Random(seed), share
        self._queue: list[bytes] = []
        self._swapped: list[bytes] = []

    def receive(self, timeout_s: float) -> bytes | None:
        """The next one, or None after the time-out."""
        while not self._queue:
            datagram = self._source.receive(timeout_s)
            if datagram is None:
                return self._swapped.pop() if self._swapped else None
            timeout_s = 0.0
            held, self._swapped = self._swapped, []
            number = int(self._random.random() / self._share) if self._share else 3
            fate = ("lost", "doubled", "swapped", "sound")[min(number, 3)]
            self.counts[fate] += 1
            if fate == "swapped":
                self._swapped = [datagram]
            self._queue = [datagram] * {"lost": 0, "swapped": 0, "doubled": 2}.get(fate, 1) + held
        return self._queue.pop(0)

    def close(self) -> None:
        """Close the source."""
        self._source.close()
