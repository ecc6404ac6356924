# SPDX-License-Identifier: BSD-2-Clause
"""The record stream: sources, packer, ring and sender, and the registers through which the host drives them."""

from __future__ import annotations

from collections.abc import Sequence

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Signal

from triplane.gateware.link.records.packer import RecordPacker, RecordSource
from triplane.gateware.link.records.ring import PacketRing
from triplane.gateware.link.records.sender import PacketSender

DEFAULT_TIMEOUT = 24_576
"""Cycles, 100 microseconds at 245.76 MHz: what a slow stream waits at most."""

DEFAULT_LINGER = 256
"""Cycles that a record of another kind waits: the time in which a packet can be filled."""

COUNTERS = {
    "recorded": "Records that have been packed since reset.",
    "held": "Cycles in which a record waited since every slot holds a packet that is not acknowledged, or that is "
    "being copied to be sent.",
    "overwritten": "Packets that were given up, since their slot was used again before they were acknowledged.",
    "refused": "Acknowledgements that were for no packet in the ring, and did nothing.",
    "abandoned": "Records whose source gave them up before their last word; no part of them is in a packet.",
    "cut": "Records that were longer than was declared, did not fit, and lost their end; their packets say so.",
}
"""Counter -> meaning. All are 32 bits and start from 0 at reset only."""


class RecordStream(LiteXModule):
    """Packs records of several sources into numbered packets, sends each once, and keeps it until it is acknowledged.

    The way of a record: its source -> packer -> slot of the ring -> sender -> `source`; and, where a datagram was
    lost, the slot again through `bus`.

    With `guarded` nothing is lost by design: when all slots hold packets that the host has not acknowledged, sources
    wait, and `held` counts. Without it the oldest packet gives way, and `overwritten` counts.

    Parameters
    ----------
    sources: where records come from, one source for each kind.
    slots: packets that the ring keeps, a power of two.
    slot_words: words of a packet at most, header included, a power of two.
    first: number of the first packet; sequence numbers go on modulo 2**32.

    Attributes
    ----------
    sinks: words of records by kind.
    source: packets for a sender of datagrams, see `PacketSender`.
    bus: Wishbone slave that reads the ring, see `PacketRing`.
    now: input; cycle counter.
    flush: input; close the packet that is open.
    clear: input; sources forget what they had: records that are under way are given up. Packets, numbers and counters
        stay: what was recorded was recorded.
    """

    FLUSH_LATENCY = RecordPacker.FLUSH_LATENCY + 1
    """Cycles from `flush`, between records, to the packet being counted in `next`."""

    SEND_LATENCY = PacketSender.LATENCY
    """Cycles from a packet being counted in `next` to its first word at `source`, where nothing is before it, beside
    one for each of its words and one for each read on the bus meanwhile."""

    def __init__(
        self, sources: Sequence[RecordSource], slots: int = 32, slot_words: int = 256, *, first: int = 0
    ) -> None:
        self.ring = ring = PacketRing(slots, slot_words, first=first)
        self.packer = packer = RecordPacker(sources, slot_words)
        self.sender = sender = PacketSender(slot_words)
        self.sinks = dict(zip((source.kind for source in sources), packer.sinks, strict=True))
        self.source, self.bus = sender.source, ring.bus
        self.now, self.flush, self.clear = Signal(64), Signal(), Signal()

        self._control = CSRStorage(
            fields=[
                CSRField(
                    "guarded",
                    reset=1,
                    description="1: a full ring holds the sources. 0: the oldest packet gives way, and is counted.",
                ),
                CSRField("flush", pulse=True, description="Write 1 to close the packet that is open."),
            ],
            description="What becomes of records when nobody takes them.",
        )
        self._timeout = CSRStorage(
            32,
            reset=DEFAULT_TIMEOUT,
            description="Cycles after its first word in which a packet is closed, however little it holds.",
        )
        self._linger = CSRStorage(
            16,
            reset=DEFAULT_LINGER,
            description="Cycles that a record of another kind waits for the open packet to be filled, before it is "
            "closed; 0 where its source has no queue.",
        )
        self._session = CSRStorage(
            32, description="Number of the session, in the header of every packet; a write closes the open one."
        )
        self._acknowledge = CSRStorage(
            32,
            description="Number of the packet that the host needs next: all before it may be overwritten.",
        )
        self._next = CSRStatus(32, description="Number that the next packet to be closed will have.")
        self._oldest = CSRStatus(
            32, description="Number of the oldest packet in the ring; that of `next` where there is none."
        )
        self._acknowledged = CSRStatus(32, description="Packets before this number are not kept any more.")
        self._sent = CSRStatus(32, description="Number of the next packet to be sent.")
        self._shape = CSRStatus(
            fields=[
                CSRField("slots", size=16, description="Packets that the ring keeps."),
                CSRField("slot_words", size=16, description="Words of a slot, header included."),
            ],
            description="Shape of the ring: packet s is at word (s mod slots) * slot_words.",
        )

        # # #

        self.comb += [
            packer.now.eq(self.now),
            packer.clear.eq(self.clear),
            packer.flush.eq(self.flush | self._control.fields.flush),
            packer.session.eq(self._session.storage),
            packer.renewed.eq(self._session.re),
            packer.timeout.eq(self._timeout.storage),
            packer.linger.eq(self._linger.storage),
            packer.guarded.eq(self._control.fields.guarded),
            packer.room.eq(ring.room),
            packer.sequence.eq(ring.next),
            ring.guarded.eq(self._control.fields.guarded),
            *(getattr(ring, s).eq(getattr(packer, s)) for s in ("write", "word", "data", "opened", "closed")),
            ring.acknowledge.eq(self._acknowledge.re),
            ring.acknowledged_to.eq(self._acknowledge.storage),
            *(getattr(ring, s).eq(getattr(sender, s)) for s in ("start", "done", "read", "read_word")),
            *(getattr(sender, s).eq(getattr(ring, s)) for s in ("sendable", "granted", "read_data")),
            self._next.status.eq(ring.next),
            self._oldest.status.eq(ring.oldest),
            self._acknowledged.status.eq(ring.acknowledged),
            self._sent.status.eq(ring.sent),
            self._shape.fields.slots.eq(slots),
            self._shape.fields.slot_words.eq(slot_words),
        ]
        happens = {
            "recorded": packer.recorded,
            "held": packer.held,
            "overwritten": ring.lost,
            "refused": ring.refused,
            "abandoned": packer.abandoned,
            "cut": packer.cut,
        }
        for name, meaning in COUNTERS.items():
            counter = CSRStatus(32, name=name, description=meaning)
            setattr(self, f"_{name}", counter)
            self.sync += If(happens[name], counter.status.eq(counter.status + 1))
