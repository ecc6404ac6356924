# SPDX-License-Identifier: BSD-2-Clause
"""Packets on their way out of the ring: each once, in order, without a gap between its words."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import FSM, If, NextState, NextValue, Signal, bits_for

from triplane.gateware.link.records.layouts import HEADER, LENGTH_WORD, WORD_BITS

PACKET_LAYOUT = stream.EndpointDescription([("data", WORD_BITS)], [("length", 16)])
"""A packet on its way: words, and bytes of the packet as a parameter."""


class PacketSender(LiteXModule):
    r"""Reads packets from the ring and gives them word by word.

    ```
    cycle      0       1       2       3             n+2
    state      IDLE    LENGTH  SEND    SEND   ...    IDLE
    read_word  length  0       1       2
    read_data          length  word 0  word 1
    source                     word 0  word 1
    ```

    Args:
        slot_words: words of a slot.

    Attributes:
        pending: input; packet `sent` of the ring is complete.
        enable: input; packets leave; else they are passed over.
        hold: input; begin none.
        idle: none is on its way.
        read_word, read_data, done: see `PacketRing`.
        source: words of packets, `first` and `last` on their ends; `length` in bytes stays for a whole packet.
    """

    LATENCY = 2
    """Cycles from a packet being pending to its first word, where none is on its way."""

    def __init__(self, slot_words: int) -> None:
        self.pending, self.enable, self.hold, self.idle = Signal(), Signal(), Signal(), Signal()
        self.read_word, self.read_data = Signal(max=slot_words), Signal(WORD_BITS)
        self.done = Signal()
        self.source = source = stream.Endpoint(PACKET_LAYOUT)

        # # #

        words, given, following = (Signal(bits_for(slot_words)) for _ in range(3))
        self.fsm = fsm = FSM(reset_state="IDLE")
        fsm.act("IDLE",
            self.idle.eq(1),
            self.read_word.eq(LENGTH_WORD),
            If(self.pending & ~self.hold,
                If(self.enable, NextState("LENGTH")).Else(self.done.eq(1)),
            ),
        )  # fmt: skip
        fsm.act("LENGTH",
            NextValue(words, self.read_data[16:] + HEADER.words),
            NextValue(given, 0),
            NextState("SEND"),
        )  # fmt: skip
        fsm.act("SEND",
            source.valid.eq(1),
            self.read_word.eq(following),
            NextValue(given, following),
            If(source.ready & source.last, self.done.eq(1), NextState("IDLE")),
        )  # fmt: skip
        self.comb += [
            # The memory is addressed a cycle ahead.
            following.eq(given + (source.valid & source.ready)),
            source.data.eq(self.read_data),
            source.first.eq(given == 0),
            source.last.eq(given == words - 1),
            source.length.eq(words << 2),
        ]
