# SPDX-License-Identifier: BSD-2-Clause
"""The memory that keeps packets until the host has them, and the numbers that say which ones it holds."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Cat, Constant, If, Memory, Mux, Signal, log2_int

from triplane.gateware.link.records.layouts import WORD_BITS

MAX_SLOT_WORDS = 256
"""Words of the largest slot: its packet fits an Ethernet frame."""


class PacketRing(LiteXModule):
    r"""Slots in block memory: packet s is in slot s mod `slots` until it has been sent and acknowledged.

    ```
    acknowledged       sent            next
       v                v               v
    ..[s][s][s][s][s][s][s][s][s][s][s][open]..
    ```

    A slot is begun anew when its packet is acknowledged, so that nothing changes under a reader, and sent, so that
    nothing leaves torn.

    The memory has two ports: packer and host share one, where the host goes first, and the sender has the other, since
    what it sends must leave without a gap.

    Args:
        slots: packets that it keeps, a power of two, at least 2.
        slot_words: words of a slot, a power of two, 16 to 256.

    Attributes:
        write, word, data: inputs; a word of slot `next`, taken where `granted`.
        closed: input; packet `next` is complete.
        acknowledge, acknowledged_to: inputs; the host has all packets before this number. Ignored where those are not
            all in the ring.
        fetch, fetched: inputs; the host reads packet `fetched` from its first word on.
        fetch_data: the word that it is at.
        fetch_next: input; on to the next word, the slot's first after its last.
        read_word: input; the sender reads this word of packet `sent`.
        read_data: the word, a cycle later.
        done: input; packet `sent` has been sent, or will not be.
        next, sent, acknowledged: numbers of packets, modulo 2**32.
        room: slot `next` may be used.
        restart: input; all numbers are 0 again.
    """

    FETCH_LATENCY = 1
    """Cycles from `fetch` to the word; one more from `fetch_next`."""

    def __init__(self, slots: int, slot_words: int) -> None:
        if slots < 2 or slots & (slots - 1):
            raise ValueError(f"the number of slots must be a power of two, at least 2, not {slots}")
        if not 16 <= slot_words <= MAX_SLOT_WORDS or slot_words & (slot_words - 1):
            raise ValueError(
                f"words of a slot must be a power of two from 16 to {MAX_SLOT_WORDS}, not {slot_words}"
            )
        slot_bits, word_bits = log2_int(slots), log2_int(slot_words)
        self.write, self.word, self.data = Signal(), Signal(word_bits), Signal(WORD_BITS)
        self.granted, self.closed = Signal(), Signal()
        self.acknowledge, self.acknowledged_to = Signal(), Signal(32)
        self.fetch, self.fetched = Signal(), Signal(32)
        self.fetch_data, self.fetch_next = Signal(WORD_BITS), Signal()
        self.read_word, self.read_data = Signal(word_bits), Signal(WORD_BITS)
        self.done = Signal()
        self.next, self.sent, self.acknowledged = Signal(32), Signal(32), Signal(32)
        self.room, self.restart = Signal(), Signal()

        # # #

        memory = Memory(WORD_BITS, slots * slot_words)
        shared, reader = memory.get_port(write_capable=True), memory.get_port()
        self.specials += memory, shared, reader

        # The host's place, and the word that was there
        slot, place = Signal(slot_bits), Signal(word_bits)
        moved, fresh, looked_up = Signal(), Signal(), Signal(WORD_BITS)
        self.comb += [
            self.granted.eq(~(self.fetch | moved)),
            shared.adr.eq(Cat(self.word, self.next[:slot_bits])),
            If(moved, shared.adr.eq(Cat(place, slot))),
            If(self.fetch, shared.adr.eq(Cat(Constant(0, word_bits), self.fetched[:slot_bits]))),
            shared.dat_w.eq(self.data),
            shared.we.eq(self.write & self.granted),
            self.fetch_data.eq(Mux(fresh, shared.dat_r, looked_up)),
            reader.adr.eq(Cat(self.read_word, self.sent[:slot_bits])),
            self.read_data.eq(reader.dat_r),
        ]
        self.sync += [
            moved.eq(self.fetch_next),
            fresh.eq(self.fetch | moved),
            looked_up.eq(self.fetch_data),
            If(self.fetch, slot.eq(self.fetched), place.eq(0)).Elif(self.fetch_next, place.eq(place + 1)),
        ]

        # Numbers
        kept, unsent, step = Signal(32), Signal(32), Signal(32)
        self.comb += [
            kept.eq(self.next - self.acknowledged),
            unsent.eq(self.next - self.sent),
            step.eq(self.acknowledged_to - self.acknowledged),
            self.room.eq((kept[: slot_bits + 1] < slots) & (unsent[: slot_bits + 1] < slots)),
        ]
        self.sync += [
            If(self.closed, self.next.eq(self.next + 1)),
            If(self.done, self.sent.eq(self.sent + 1)),
            If(self.acknowledge & (step <= kept), self.acknowledged.eq(self.acknowledged_to)),
            If(self.restart, self.next.eq(0), self.sent.eq(0), self.acknowledged.eq(0)),
        ]
