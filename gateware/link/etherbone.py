# SPDX-License-Identifier: BSD-2-Clause
"""Etherbone as this board speaks it: numbers of the format, and how requests are told from their repetitions.

A datagram is one Etherbone packet with one record, of big-endian 32-bit words (CERN, "Etherbone Core Specification",
0.2, which LiteX's tools speak as well):

```
word        0              1         2               3            4...     then          ...
request     magic, version checksum  record header   write base   words    return key    addresses to read
reply       the same       checksum  record header   return key   words that were read
probe       the same       any       (both ways)
```

A record header is flags (`FLAG_*`), byte enables, the number of words to write and the number of words to read. The
writes come first. Addresses are in bytes; with `FLAG_WRITE_FIFO` all words are written to the base address, else to
ascending ones. Read addresses are given one by one, so that words of a FIFO are read by naming it as often.

The return base address, which the format leaves to whoever asks, is the **key** of a request here: the number of a
session in its upper half, a sequence number in its lower half. Requests with a key are executed exactly once and in
order, whatever the network loses, repeats, delays or swaps:

- A session is opened by a request with sequence number 0 that writes nothing. Its number must be ahead of that of the
  last session, modulo 2**16: what is left on the way of an old session can never open it again.
- It belongs to the address and port that opened it. The next session takes the board over.
- The request that follows the last one is executed and answered; the last one, come again, is answered from memory;
  every other is refused in silence. Sequence numbers go on from 0xFFFF with 0.

Word 1, which pads the header to 64 bits, holds a checksum (`checksum`) from end to end: a link may lose part of a
datagram without noticing, as a network interface does when it is not served in time.

Where key or checksum is 0 there is no key, whatever stands in its place: LiteX's tools number their reads there. Such
a request may read. Where it writes, or reads nothing, it is refused, since nobody
could tell whether it has been executed, unless the board is told to take the risk (`unguarded`).

A reply with fewer words than were asked for says that the bus gave an error at the next one, or at a write before.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

EXCHANGE_PORT = 1234
"""UDP port of requests: that of LiteX's Etherbone."""

WORD_BYTES = 4

MAGIC = 0x4E6F
VERSION = 1
SIZES = 0x44
"""Address and data are of 32 bits."""

PROBE, PROBE_REPLY = 1, 2
"""Flags of the packet header: is anybody there; yes."""

HEADER = MAGIC << 16 | VERSION << 12 | SIZES
"""First word of a packet."""

PROBE_OFFSET = 8
"""Lowest bit of the packet's flags in that word."""

FLAG_READ_FIFO, FLAG_CYCLE, FLAG_WRITE_FIFO = 0x20, 0x08, 0x02
"""Of a record that are taken notice of, or make no difference here."""

FLAGS_OTHER_SPACES = 0x80 | 0x40 | 0x04
"""Of a record that ask for configuration space, which this board has not."""

BYTE_ENABLES = 0x0F
"""All four: registers are written whole."""

CHECKSUM_WORD = 1

RECORD_WORD = 2
"""Word of the record header; packets of a probe end before it."""

BODY_WORD = 3
"""First word of what a record is about."""

MAX_COUNT = 255
"""Words to write, and words to read, of a record."""

SEQUENCE_BITS = 16

MTU_BYTES = 1472
"""Payload of a UDP datagram in an Ethernet frame."""


def request_words(writes: int, reads: int) -> int:
    """Words of a request."""
    return BODY_WORD + (1 + writes if writes else 0) + (1 + reads if reads else 0)


def checksum(words: Sequence[int]) -> int:
    """CRC-32 of a packet of three words or more: of its body, then of the record header, then of the first word.

    0, which stands for no checksum, is written as 2**32 - 1.
    """
    crc = zlib.crc32(struct.pack(f">{len(words) - 1}I", *words[BODY_WORD:], words[RECORD_WORD], words[0]))
    return crc or 2**32 - 1


def make_key(session: int, sequence: int) -> int:
    """The key of a request."""
    return session << SEQUENCE_BITS | sequence


def ahead(new: int, old: int) -> bool:
    """True if the number `new` of a session comes after `old`, modulo 2**16."""
    return 0 < (new - old) % 2**16 < 2**15
