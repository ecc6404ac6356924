# SPDX-License-Identifier: BSD-2-Clause
"""Receives the record stream: every packet once and in order, or a word on which were overwritten."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from triplane.gateware.link.records.layouts import HEADER, KINDS, Kind
from triplane.hal.board import Board
from triplane.hal.datagrams import NoDatagrams, PacketSource
from triplane.hal.errors import BoardError, RecordStreamError, UnsupportedError
from triplane.hal.packets import SEQUENCE_MODULUS, Packet, PacketError, decode, words_of
from triplane.hal.registers import Register

PATIENCE_S = 0.02
"""After which a packet that later ones have overtaken counts as lost, and a silent board is asked what it has."""

BEGINNING_S = 5.0
"""For a session to begin, and for the last packets to be complete."""


@dataclass(frozen=True)
class Overwritten:
    """Packets that are gone: somebody else acknowledged them before this host had them."""

    first: int
    count: int

    def __str__(self) -> str:
        return (
            f"packets {self.first} to {self.first + self.count - 1} were overwritten before they were fetched"
        )


Delivered = Packet | Overwritten


class StreamReceiver:
    """One session of a board's record stream. Use as a context manager: leaving it ends the session.

    Call `take` often enough: the board keeps so many packets until they are taken, and then loses records, which it
    counts. What is delivered is acknowledged with the next call, when it is in the caller's hands.

    Args:
        board: whose stream it is; used only within the methods of this object.
        source: of datagrams; None: everything is fetched.
        linger_cycles: after which the board closes a packet, however little it holds.

    Attributes:
        counts: `delivered`, packets; `fetched`, of these from the ring; `repeated`, datagrams of packets that had come
            before; `strays`, datagrams that were no packet of this session; `overwritten`, packets that are gone.
        records, lost: by kind, records that were delivered, and those that they say were lost before them.

    Raises:
        UnsupportedError: the board has no record stream.
    """

    def __init__(
        self, board: Board, source: PacketSource | None = None, *, linger_cycles: int = 24_576
    ) -> None:
        if "stream_session" not in board.registers:
            raise UnsupportedError(
                "the gateware of this board has no record stream; that of a board on a network has one"
            )
        self._board = board
        self._source = source or NoDatagrams()
        self.counts: Counter[str] = Counter()
        self.records: Counter[int] = Counter()
        self.lost: Counter[int] = Counter()
        self._next = 0
        self._acknowledged = 0
        self._early: dict[int, Packet | None] = {}  # None: overwritten
        self._quiet_since = time.monotonic()
        shape, value = self._register("shape"), self._get("shape")
        self._slot_words = shape.fields["slot_words"].of(value)
        self._set("address", self._source.address)
        self._set("port", self._source.port)
        self._set("linger", linger_cycles)
        self.session = self._begin(random.randrange(1, 2**32))

    def __enter__(self) -> StreamReceiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Registers

    def _register(self, name: str) -> Register:
        return self._board.registers[f"stream_{name}"]

    def _get(self, name: str) -> int:
        return self._board.read(self._register(name).address)

    def _set(self, name: str, value: int) -> None:
        self._board.write(self._register(name).address, value)

    def _begin(self, session: int) -> int:
        """Begin a session; it waits until what is left of an earlier one has been sent."""
        self._set("session", session)
        deadline = time.monotonic() + BEGINNING_S
        while self._get("active") != session:
            if time.monotonic() > deadline:
                raise RecordStreamError(
                    f"the record stream has not begun within {BEGINNING_S:g} s: a packet of an earlier session is "
                    "still on its way; check the board's network, or reset the board"
                )
        return session

    # Packets

    def take(self, timeout_s: float = 0.0) -> list[Delivered]:
        """Packets that are there by now, in order; waits for the first one if there is none.

        Args:
            timeout_s: of the wait. 0: what is there.

        Raises:
            RecordStreamError: another host has begun a session of its own.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self._acknowledge()
            self._receive(min(PATIENCE_S, max(deadline - time.monotonic(), 0)))
            if time.monotonic() - self._quiet_since >= PATIENCE_S or not self._source.port:
                self._recover()
            delivered = self._deliver()
            if delivered or time.monotonic() >= deadline:
                return delivered

    def finish(self) -> list[Delivered]:
        """Have the board close the packet that is open, and take all that the board has heard before this call.

        The stream goes on; records that come meanwhile may be among these.

        Raises:
            RecordStreamError: the packets did not come within some seconds, or the session is another's.
        """
        # Of a ring that was full the first gives room to records that wait in front of it.
        return self._drain() + self._drain()

    def _drain(self) -> list[Delivered]:
        """What is in packets, those that are open too."""
        delivered: list[Delivered] = []
        recorded = self._get("recorded")
        deadline = time.monotonic() + BEGINNING_S
        while True:
            control = self._register("control")
            self._board.write(control.address, 1 << control.fields["flush"].offset)
            self._recover()
            delivered += self._deliver()
            self._acknowledge()
            missing = (recorded - sum(self.records.values())) % SEQUENCE_MODULUS
            if self.counts["overwritten"] or not 0 < missing < SEQUENCE_MODULUS // 2:
                return delivered
            if time.monotonic() > deadline:
                raise RecordStreamError(
                    f"{missing} records that the board has recorded have not come within {BEGINNING_S:g} s; check the "
                    "link to the board, and record again"
                )

    def lost_on_board(self) -> Mapping[Kind, int]:
        """Records of this session that were lost on the board, by kind: also those that no record has told of yet."""
        named = ((kind, f"lost_{kind.name.lower()}") for kind in KINDS)
        return {kind: self._get(name) for kind, name in named if f"stream_{name}" in self._board.registers}

    def close(self) -> None:
        """End the session, and free the source; closing twice does no harm."""
        if self.session:
            session, self.session = self.session, 0
            try:
                if self._get("active") == session:
                    self._set("session", 0)
            except BoardError:
                pass  # who closes after an error must see that one
            finally:
                self._source.close()

    def _receive(self, timeout_s: float) -> None:
        """Sort datagrams in until none is there; wait for the first."""
        while (datagram := self._source.receive(timeout_s)) is not None:
            timeout_s = 0.0
            try:
                packet = decode(datagram)
            except PacketError:
                self.counts["strays"] += 1
                continue
            if packet.session != self.session:
                self.counts["strays"] += 1
                continue
            ahead = (packet.sequence - self._next) % SEQUENCE_MODULUS
            if ahead >= SEQUENCE_MODULUS // 2 or packet.sequence in self._early:
                self.counts["repeated"] += 1
                continue
            self._early[packet.sequence] = packet
            if not ahead:
                self._quiet_since = time.monotonic()

    def _recover(self) -> None:
        """Fetch what should be there and has not come."""
        self._quiet_since = time.monotonic()
        end, sequence = self._get("next"), self._next
        if sequence == end:
            self._check_session()
        while sequence != end:
            if sequence not in self._early:
                self._early[sequence] = self._fetch(sequence)
            sequence = (sequence + 1) % SEQUENCE_MODULUS

    def _fetch(self, sequence: int) -> Packet | None:
        """A packet from the ring; None where it is not there any more."""
        self._set("fetch", sequence)
        word = self._register("word").address
        data = self._board.burst_read(word, HEADER.words, increment=False).astype("<u4").tobytes()
        try:
            left = min(words_of(data), self._slot_words) - HEADER.words
            data += self._board.burst_read(word, left, increment=False).astype("<u4").tobytes()
            packet = decode(data)
        except PacketError:
            packet = None
        self._check_session()
        # Its slot is used again only after somebody has acknowledged it: then what was read may be anything.
        if (sequence - self._get("acknowledged")) % SEQUENCE_MODULUS >= SEQUENCE_MODULUS // 2:
            return None
        if packet is None or (packet.session, packet.sequence) != (self.session, sequence):
            raise RecordStreamError(
                f"packet {sequence} cannot be read from the ring, though it is not acknowledged: is another part of "
                "this host reading the ring at the same time? One receiver at a time can have it"
            )
        self.counts["fetched"] += 1
        return packet

    def _check_session(self) -> None:
        if self._get("active") != self.session:
            raise RecordStreamError(
                "another host has begun a session of the record stream, and one at a time can have it; what was "
                "delivered is whole, begin again to go on"
            )

    def _deliver(self) -> list[Delivered]:
        """What can be given in order by now; what is gone is told in its place."""
        delivered: list[Delivered] = []
        while self._next in self._early:
            packet = self._early.pop(self._next)
            if packet is None:
                self.counts["overwritten"] += 1
                before = delivered[-1] if delivered else None
                if isinstance(before, Overwritten):
                    delivered[-1] = Overwritten(before.first, before.count + 1)
                else:
                    delivered.append(Overwritten(self._next, 1))
            else:
                self.counts["delivered"] += 1
                for record in packet.records:
                    self.records[record.kind] += 1
                    self.lost[record.kind] += record.lost
                delivered.append(packet)
            self._next = (self._next + 1) % SEQUENCE_MODULUS
        return delivered

    def _acknowledge(self) -> None:
        """Free the slots of what the caller has."""
        if self._acknowledged != self._next:
            self._set("acknowledge", self._next)
            self._acknowledged = self._next
