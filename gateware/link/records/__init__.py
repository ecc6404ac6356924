# SPDX-License-Identifier: BSD-2-Clause
"""The record stream: what plane C has to say, in numbered packets that stay until the host has them.

    layouts.py    packet, records, kinds
    tap.py        copies records that pass on their way elsewhere, whole or not at all
    faults.py     faults as records
    packer.py     records of all kinds become packets
    ring.py       packets in block memory until they are acknowledged
    sender.py     each packet once, in order, for a sender of datagrams
    stream.py     all of these, and the registers
    dissector.py  the layouts in Lua, for Wireshark

Datagrams get lost. The usual answers are a protocol with retransmission in the fabric, which is TCP by another name
and needs its time-outs, or none at all, which is how records vanish. Here the fabric only remembers: every packet is
written into a ring and sent once, blindly. The host sees by the number that one is missing and reads it from the ring
over the register bus, which has checks and repeats of its own. What the host has it acknowledges, which frees the slot.

Nobody waits for the stream: a tap listens to a stream of records that goes on as if the tap were not there, so a host
that does not read can delay no decoder. The price is that a full ring loses records. Those are lost whole, newest
first, and never in silence: the next record of that kind says how many were lost before it, and a register how many in
all. Packets that are not acknowledged are never overwritten.

Records of all kinds share a packet, each behind a word that says what it is. The obvious other way, packets of one
kind, saves that word, and closes a packet whenever two busy sources take turns.

What can go wrong, and what happens then. The network takes no packet: the ring fills up, and records are lost and
counted. A source stops in the middle of a record, or begins another: the part is thrown away and counted as lost. A
record is longer than was declared: the same. The host begins a session while a packet of the one before is on its way:
it starts when that packet has left, and headers carry the number of their session.
"""

from triplane.gateware.link.records.faults import FaultSource
from triplane.gateware.link.records.layouts import Kind
from triplane.gateware.link.records.stream import RecordStream
from triplane.gateware.link.records.tap import RecordTap

__all__ = ["FaultSource", "Kind", "RecordStream", "RecordTap"]
