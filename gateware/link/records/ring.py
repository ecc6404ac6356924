# SPDX-License-Identifier: BSD-2-Clause
"""The memory that keeps packets until the host has them, and the numbers that say which ones it holds."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from migen import Cat, If, Memory, Mux, Signal, log2_int

from triplane.gateware.link.records.layouts import HEADER_WORDS, SEQUENCE_BITS, WORD_BITS

MAX_SLOT_WORDS = 8192
"""Words of the largest slot: a datagram of 32 KiB."""


class PacketRing(LiteXModule):
    r"""Slots in block memory: packet s is in slot s mod `slots`, until packet s + `slots` is begun there.

    Four numbers go round, none of which ever overtakes the one to its right:

    ```
    oldest          acknowledged        next
      |                  |               |
      v  can be read     v  to be kept   v  being filled, or to be filled
    ..[s][s][s][s][s][s][s][s][s][s][s][s][open]..
    ```

    and `sent`, the next packet to be sent, which `acknowledged` pushes on.

    **Reading while it is written.** The word that says which packet a slot holds (`layouts.SEQUENCE_WORD`) is the
    first to be written when the slot is begun anew, with the complement of the new number, and the last when its
    packet is closed. Numbers of one slot are equal modulo `slots`, a power of two of at least 2, and those of the
    complement differ in their lowest bit: it is never what a reader looks for. So who reads that word, then the
    packet, then that word again, and finds the number that it wants both times, has read that packet and no part of
    another: words are read one after the other, and whatever changes a word has changed that one before.

    The memory is read through one port; the bus goes first, every other cycle at most, and the sender waits.

    Args:
        slots: packets that it keeps, a power of two, at least 2.
        slot_words: words of a slot, a power of two, from 16 to 8,192; of a standard Ethernet frame at most 256.
        first: number of the first packet.

    Attributes:
        write, word, data: inputs; a word of the slot that is open.
        opened: input; packet `next` is begun.
        closed: input; packet `next` is complete.
        guarded: input; slots of packets that are not acknowledged are not used again.
        room: packet `next` may be begun.
        acknowledge, acknowledged_to: inputs; the host has all packets before this number.
        next: number of the packet that is open, or is to be opened: those before it are complete.
        oldest: number of the oldest packet that can be read; `next` where there is none.
        acknowledged: packets before this number are the host's.
        sent: number of the next packet to be sent.
        lost: 1 in a cycle in which a packet that was not acknowledged is given up.
        refused: 1 in a cycle in which an acknowledgement is for no packet that is kept.
        start: input; packet `sent` begins to be read by the sender; only where `sendable`.
        sendable: there is a packet to be sent.
        done: input; the sender has read all of it.
        read, read_word: inputs; the sender reads this word of packet `sent`, where `granted`.
        granted: the word is `read_data` in the next cycle.
        read_data: the word.
        bus: Wishbone slave, word w of slot k at word address k * `slot_words` + w. A write is answered with `err`.
    """

    READ_LATENCY = 1
    """Cycles from a read on the bus to its `ack`."""

    def __init__(self, slots: int = 32, slot_words: int = 256, *, first: int = 0) -> None:
        if slots < 2 or slots & (slots - 1):
            raise ValueError(f"the number of slots must be a power of two, at least 2, not {slots}")
        if not 16 <= slot_words <= MAX_SLOT_WORDS or slot_words & (slot_words - 1):
            raise ValueError(
                f"words of a slot must be a power of two from 16 to {MAX_SLOT_WORDS}, not {slot_words}; "
                f"{HEADER_WORDS} of them are the header's"
            )
        if not 0 <= first < 1 << SEQUENCE_BITS:
            raise ValueError(f"the first sequence number is one of {SEQUENCE_BITS} bits, not {first}")
        self.slots, self.slot_words = slots, slot_words
        slot_bits, word_bits = log2_int(slots), log2_int(slot_words)
        self.write, self.word, self.data = Signal(), Signal(word_bits), Signal(WORD_BITS)
        self.opened, self.closed = Signal(), Signal()
        self.guarded, self.room = Signal(), Signal()
        self.acknowledge, self.acknowledged_to = Signal(), Signal(SEQUENCE_BITS)
        self.next = Signal(SEQUENCE_BITS, reset=first)
        self.oldest = Signal(SEQUENCE_BITS, reset=first)
        self.acknowledged = Signal(SEQUENCE_BITS, reset=first)
        self.sent = Signal(SEQUENCE_BITS, reset=first)
        self.lost, self.refused = Signal(), Signal()
        self.start, self.sendable, self.done = Signal(), Signal(), Signal()
        self.read, self.read_word = Signal(), Signal(word_bits)
        self.granted, self.read_data = Signal(), Signal(WORD_BITS)
        self.bus = bus = wishbone.Interface(data_width=WORD_BITS, adr_width=slot_bits + word_bits)

        # # #

        memory = Memory(WORD_BITS, slots * slot_words)
        writer = memory.get_port(write_capable=True)
        reader = memory.get_port()
        self.specials += memory, writer, reader
        from_bus = Signal()
        self.comb += [
            writer.adr.eq(Cat(self.word, self.next[:slot_bits])),
            writer.dat_w.eq(self.data),
            writer.we.eq(self.write),
            from_bus.eq(bus.cyc & bus.stb & ~bus.ack),
            reader.adr.eq(Mux(from_bus, bus.adr, Cat(self.read_word, self.sent[:slot_bits]))),
            self.granted.eq(self.read & ~from_bus),
            self.read_data.eq(reader.dat_r),
            bus.dat_r.eq(reader.dat_r),
        ]
        self.sync += [bus.ack.eq(from_bus), bus.err.eq(from_bus & bus.we)]

        # Distances are at most `slots`, so that their low bits say all.
        kept, unsent, readable = (Signal(slot_bits + 1) for _ in range(3))
        behind, ahead = Signal(), Signal(slot_bits + 2)
        lapping, sending = Signal(), Signal()
        self.comb += [
            kept.eq(self.next - self.acknowledged),
            unsent.eq(self.next - self.sent),
            readable.eq(self.next - self.oldest),
            ahead.eq(self.acknowledged - self.sent),
            behind.eq((ahead != 0) & ~ahead[-1]),
            # Packet `next` would be written over the one that is on its way out: of that one no part must be lost.
            lapping.eq(unsent == slots),
            self.room.eq(~(sending & lapping) & (~self.guarded | (kept != slots))),
            self.sendable.eq((unsent != 0) & ~behind & ~sending & ~(self.opened & lapping)),
        ]

        # Acknowledgements
        distance, fits, moves = Signal(SEQUENCE_BITS), Signal(), Signal()
        self.comb += [
            distance.eq(self.acknowledged_to - self.acknowledged),
            fits.eq(distance <= kept),
            moves.eq(self.acknowledge & fits & (distance != 0)),
            self.refused.eq(self.acknowledge & ~fits),
            self.lost.eq(self.opened & (kept == slots) & ~moves),
        ]
        self.sync += [
            If(self.closed, self.next.eq(self.next + 1)),
            If(self.opened & (readable == slots), self.oldest.eq(self.oldest + 1)),
            If(moves,
                self.acknowledged.eq(self.acknowledged_to),
            ).Elif(self.lost, self.acknowledged.eq(self.acknowledged + 1)),
            If(self.start, sending.eq(1)),
            # What is acknowledged, or given up, needs not be sent any more.
            If(self.done,
                sending.eq(0),
                self.sent.eq(self.sent + 1),
            ).Elif(behind & ~sending, self.sent.eq(self.acknowledged)),
        ]  # fmt: skip
