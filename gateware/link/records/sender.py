# SPDX-License-Identifier: BSD-2-Clause
"""Packets on their way out of the ring: each once, in order, whole before its first word leaves."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import FSM, If, Memory, NextState, NextValue, Signal, bits_for, log2_int

from triplane.gateware.link.records.layouts import HEADER_WORDS, LENGTH_WORD, WORD_BITS

PACKET_LAYOUT = stream.EndpointDescription([("data", WORD_BITS)], [("length", 16)])
"""A packet on its way: words, and bytes of the packet as a parameter."""


class PacketSender(LiteXModule):
    r"""Copies a packet from the ring into a memory of its own, then gives it word by word.

    The copy is why a far side that never takes a word does not hold the ring up, why nothing that leaves can be
    written over, and why the words of a packet leave without a gap, as an Ethernet frame must.

    ```
    cycle     0       1       2       3            n+1    n+2    n+3    n+4
    state     IDLE    LENGTH  COPY    COPY   ...   COPY   COPY   SEND   SEND
    address   words           0       1            n-1
    read_data         words           word 0       n-2    n-1
    source                                                       word 0 word 1
    ```

    Args:
        slot_words: words of the longest packet, a power of two.

    Attributes:
        sendable, granted, read_data: inputs, see `PacketRing`.
        start, done, read, read_word: outputs, see `PacketRing`.
        source: words of packets, `first` and `last` on their ends; `length` in bytes stays for a whole packet.
    """

    LATENCY = 3
    """Cycles from a packet being sendable to its first word, beside one for each word of the packet and one for each
    read on the bus meanwhile."""

    def __init__(self, slot_words: int) -> None:
        self.sendable, self.granted, self.read_data = Signal(), Signal(), Signal(WORD_BITS)
        self.start, self.done = Signal(), Signal()
        self.read, self.read_word = Signal(), Signal(log2_int(slot_words))
        self.source = source = stream.Endpoint(PACKET_LAYOUT)

        # # #

        memory = Memory(WORD_BITS, slot_words)
        writer = memory.get_port(write_capable=True)
        reader = memory.get_port()
        self.specials += memory, writer, reader

        words, asked, copied, given = (Signal(bits_for(slot_words)) for _ in range(4))
        arriving, following = Signal(), Signal.like(given)
        self.fsm = fsm = FSM(reset_state="IDLE")
        fsm.act("IDLE",
            self.read_word.eq(LENGTH_WORD),
            self.read.eq(self.sendable),
            self.start.eq(self.granted),
            NextValue(asked, 0),
            NextValue(copied, 0),
            NextValue(given, 0),
            If(self.granted, NextState("LENGTH")),
        )  # fmt: skip
        fsm.act("LENGTH",
            NextValue(words, self.read_data[16:] + HEADER_WORDS),
            NextState("COPY"),
        )  # fmt: skip
        fsm.act("COPY",
            self.read_word.eq(asked),
            self.read.eq(asked != words),
            NextValue(arriving, self.granted),
            If(self.granted, NextValue(asked, asked + 1)),
            writer.we.eq(arriving),
            If(arriving,
                NextValue(copied, copied + 1),
                If(copied == words - 1, self.done.eq(1), NextState("SEND")),
            ),
        )  # fmt: skip
        fsm.act("SEND",
            source.valid.eq(1),
            If(source.ready,
                NextValue(given, following),
                If(source.last, NextState("IDLE")),
            ),
        )  # fmt: skip
        self.comb += [
            writer.adr.eq(copied),
            writer.dat_w.eq(self.read_data),
            following.eq(given + 1),
            # The memory is addressed a cycle ahead.
            reader.adr.eq(given),
            If(source.valid & source.ready, reader.adr.eq(following)),
            source.data.eq(reader.dat_r),
            source.first.eq(given == 0),
            source.last.eq(given == words - 1),
            source.length.eq(words << 2),
        ]
