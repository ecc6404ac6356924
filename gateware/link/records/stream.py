# SPDX-License-Identifier: BSD-2-Clause
"""The record stream: taps, packer, ring and sender, and the registers through which the host drives them."""

from __future__ import annotations

from collections.abc import Sequence

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, ResetInserter, Signal

from triplane.gateware.link.records.packer import RecordPacker
from triplane.gateware.link.records.ring import PacketRing
from triplane.gateware.link.records.sender import PacketSender
from triplane.gateware.link.records.tap import RecordTap

DEFAULT_LINGER = 24_576
"""Cycles, 100 microseconds at 245.76 MHz: what a slow stream waits at most."""


class RecordStream(LiteXModule):
    """Packs what taps have heard into numbered packets, sends each once, and keeps it until it is acknowledged.

    The way of a record: tap -> packer -> slot of the ring -> sender -> `source`; and, where a datagram was lost, from
    the slot to the host through the registers `fetch` and `word`.

    Nothing is recorded until the host writes a number to `session`, which empties everything and starts with packet 0.

    Args:
        taps: where records come from, one for each kind; their order is that of turns.
        slots: packets that the ring keeps, a power of two.
        slot_words: words of a packet at most, header included, a power of two.

    Attributes:
        build: input; first 32 bits of the build hash.
        taps: as given.
        source: packets for a sender of datagrams, see `PacketSender`.
        address, port: where to send them, IPv4.
        now: input; cycle counter.
    """

    def __init__(self, taps: Sequence[RecordTap], slots: int = 64, slot_words: int = 256) -> None:
        if not taps:
            raise ValueError("a record stream needs at least 1 tap")
        kinds = [tap.kind.name for tap in taps]
        if len(set(kinds)) != len(kinds):
            raise ValueError(f"each kind has one tap, not {', '.join(kinds)}")
        self.taps = list(taps)
        self.ring = ring = PacketRing(slots, slot_words)
        self.packer = packer = ResetInserter()(RecordPacker(taps, slot_words))
        self.sender = sender = PacketSender(slot_words)
        self.source = sender.source
        self.address, self.port = Signal(32), Signal(16)
        self.build, self.now = Signal(32), Signal(64)
        for tap in taps:
            self.add_module(f"tap_{tap.kind.name.lower()}", tap)

        self._session = CSRStorage(
            32,
            description="Number of the session, in the header of every packet. A write begins one: what was recorded "
            "before is forgotten, and packets are numbered from 0. 0: nothing is recorded.",
        )
        self._address = CSRStorage(
            32, description="IPv4 address that packets are sent to, first number in the highest byte."
        )
        self._port = CSRStorage(
            16, description="UDP port that packets are sent to. 0: they stay in the ring, to be fetched."
        )
        self._control = CSRStorage(
            fields=[CSRField("flush", pulse=True, description="Write 1 to close the packet that is open.")],
            description="Acts once.",
        )
        self._linger = CSRStorage(
            32,
            reset=DEFAULT_LINGER,
            description="Cycles after which a packet is closed, however little it holds.",
        )
        self._acknowledge = CSRStorage(
            32,
            description="Number of the packet that the host needs next: the slots of all before it are used again. "
            "Without effect where one of them is not complete yet.",
        )
        self._fetch = CSRStorage(
            32, description="Number of a packet that is to be read, from its first word on, through `word`."
        )
        self._word = CSRStatus(
            32,
            description="A read takes a word of the packet of `fetch`, and the next read the word behind it.",
        )
        self._active = CSRStatus(32, description="Number of the session that has begun.")
        self._next = CSRStatus(32, description="Number that the next packet to be complete will have.")
        self._acknowledged = CSRStatus(32, description="Packets before this number are not kept any more.")
        self._sent = CSRStatus(32, description="Number of the next packet to be sent.")
        self._recorded = CSRStatus(
            32, description="Records of this session that are in packets, modulo 2**32."
        )
        self._shape = CSRStatus(
            fields=[
                CSRField("slots", size=16, description="Packets that the ring keeps."),
                CSRField("slot_words", size=16, description="Words of the longest packet, header included."),
            ],
            description="Shape of the ring.",
        )
        for tap in taps:
            name = f"lost_{tap.kind.name.lower()}"
            register = CSRStatus(
                32,
                name=name,
                description=f"Records of this session, of kind {int(tap.kind)} ({tap.kind.name.lower()}), that found "
                "no room or did not come to their end, modulo 2**32.",
            )
            setattr(self, f"_{name}", register)
            self.comb += register.status.eq(tap.lost)

        # # #

        # A session begins when no packet of the one before is on its way.
        beginning, restart = Signal(), Signal()
        session, recorded = self._active.status, self._recorded.status
        self.comb += [
            restart.eq(beginning & sender.idle),
            sender.hold.eq(beginning),
            packer.reset.eq(restart),
            ring.restart.eq(restart),
            *(tap.restart.eq(restart) for tap in taps),
            *(tap.recording.eq((session != 0) & ~beginning) for tap in taps),
        ]
        self.sync += [
            If(packer.recorded, recorded.eq(recorded + 1)),
            If(restart, beginning.eq(0), session.eq(self._session.storage), recorded.eq(0)),
            If(self._session.re, beginning.eq(1)),
        ]
        self.comb += [
            packer.build.eq(self.build),
            packer.now.eq(self.now),
            packer.session.eq(session),
            packer.sequence.eq(ring.next),
            packer.linger.eq(self._linger.storage),
            packer.flush.eq(self._control.fields.flush),
            packer.room.eq(ring.room),
            packer.granted.eq(ring.granted),
            *(getattr(ring, s).eq(getattr(packer, s)) for s in ("write", "word", "data", "closed")),
            ring.acknowledge.eq(self._acknowledge.re),
            ring.acknowledged_to.eq(self._acknowledge.storage),
            ring.fetch.eq(self._fetch.re),
            ring.fetched.eq(self._fetch.storage),
            # `we` is high in the very cycle in which the bus takes `status`.
            ring.fetch_next.eq(self._word.we),
            self._word.status.eq(ring.fetch_data),
            sender.pending.eq(ring.sent != ring.next),
            sender.enable.eq(self.port != 0),
            *(getattr(ring, s).eq(getattr(sender, s)) for s in ("read_word", "done")),
            sender.read_data.eq(ring.read_data),
            self.address.eq(self._address.storage),
            self.port.eq(self._port.storage),
            self._next.status.eq(ring.next),
            self._acknowledged.status.eq(ring.acknowledged),
            self._sent.status.eq(ring.sent),
            self._shape.fields.slots.eq(slots),
            self._shape.fields.slot_words.eq(slot_words),
        ]
