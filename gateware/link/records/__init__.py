# SPDX-License-Identifier: BSD-2-Clause
"""The record stream: what plane C has to say, in numbered packets that stay until the host has them.

    layouts.py    header of a packet, kinds, the record of an event
    events.py     conditions, such as faults, become records
    packer.py     records of several sources become packets
    ring.py       packets in block memory, and which of them are there
    sender.py     each packet once, in order, for a sender of datagrams
    stream.py     all of these, and the registers
    dissector.py  the layouts in Lua, for Wireshark

Datagrams get lost. The usual answers are a protocol with retransmission in the fabric, which is TCP by another name
and needs its time-outs, or none at all, which is how records vanish. Here the fabric only remembers: every packet is
written into a ring and sent once, blindly. The host sees by the number that one is missing and reads it from the ring
over the register bus, which has checks and repeats of its own. What the host has it acknowledges, which frees slots.

Why packets of one kind: the host takes one apart with one cast, and a record needs no header of its own. Why one
packet is open, and not one of each kind: packets are then closed in the order of their numbers and hold records in
the order in which they were taken; a record of another kind waits some cycles for the open one to be filled
(`linger`), so that two busy sources do not close a packet at every record. A source that must not wait has a queue.

What can go wrong, and what happens then. Nobody acknowledges: guarded, sources are held, back to the decoder and the
pacer, where the backlog counts it; unguarded, the oldest packet gives way and is counted. A packet is overwritten
while it is read: the reader sees it by the number, read before and after (`ring.py`). The far side of `source` never
takes a word: packets are read from the ring, nothing else changes. A source stops in the middle of a record: the packet
stays open until it goes on or is cleared, as a record is never cut. A record is longer than was declared: it is kept
as far as the slot goes, and the packet and a counter say that its end is missing.
"""

from triplane.gateware.link.records.events import EventSource
from triplane.gateware.link.records.layouts import Kind
from triplane.gateware.link.records.packer import RecordSource
from triplane.gateware.link.records.ring import PacketRing
from triplane.gateware.link.records.stream import RecordStream

__all__ = ["EventSource", "Kind", "PacketRing", "RecordSource", "RecordStream"]
