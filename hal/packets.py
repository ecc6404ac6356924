# SPDX-License-Identifier: BSD-2-Clause
"""Packets of the record stream as bytes; `gateware/link/records/layouts.py` declares the format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triplane.gateware.link.records.layouts import (
    HEADER,
    LOST_MAX,
    MAGIC,
    MAX_RECORD_WORDS,
    PREFIX,
    VERSION,
    WORD_BITS,
    Kind,
    Reason,
)

Words = npt.NDArray[np.uint32]

WORD_BYTES = WORD_BITS // 8
HEADER_BYTES = HEADER.dtype.itemsize
SEQUENCE_MODULUS = 2**32


class PacketError(ValueError):
    """Bytes that are no packet; the message says what is wrong with them."""


@dataclass(frozen=True)
class StreamRecord:
    """A record of the stream.

    Attributes:
        kind: number of what it is; one that this version does not know is kept as it is.
        lost: records of its kind that were lost since the one before it, 65535 at most.
        words: uint32 (words,); their layout is that of the kind, `layouts.record_of`.
    """

    kind: int
    lost: int
    words: Words


@dataclass(frozen=True)
class Packet:
    """A packet, as it was in the ring.

    Attributes:
        session: number that the host gave the session.
        sequence: number of the packet in the session, modulo 2**32.
        cycle: of the board's counter when the packet was opened.
        reason: why it was closed; a `layouts.Reason`.
        build: first eight hexadecimal digits of the build hash, as a number.
        records: at least one, in the order in which the board took them up.
    """

    session: int
    sequence: int
    cycle: int
    reason: int
    build: int
    records: tuple[StreamRecord, ...]

    def of(self, kind: Kind) -> Iterator[StreamRecord]:
        """Its records of a kind."""
        return (record for record in self.records if record.kind == kind)


def words_of(data: bytes) -> int:
    """Words of the packet that begins with these bytes, header included.

    Raises:
        PacketError: no packet of this version begins like this.
    """
    if len(data) < HEADER_BYTES:
        raise PacketError(f"a packet has at least {HEADER_BYTES} bytes, not {len(data)}")
    header = np.frombuffer(data, HEADER.dtype, 1)[0]
    if header["magic"] != MAGIC:
        raise PacketError(f"a packet begins with {MAGIC:#010x}, not {int(header['magic']):#010x}")
    if header["version"] != VERSION:
        raise PacketError(
            f"the packet is of version {header['version']} of the record stream, and this host reads {VERSION}: use "
            "the host that belongs to the gateware"
        )
    return HEADER.words + int(header["words"])


def decode(data: bytes) -> Packet:
    """The packet that these bytes are.

    Raises:
        PacketError: they are none: magic, version, length or a record is wrong.
    """
    words = words_of(data)
    if len(data) != WORD_BYTES * words:
        raise PacketError(f"the packet should have {WORD_BYTES * words} bytes and has {len(data)}")
    header = np.frombuffer(data, HEADER.dtype, 1)[0]
    if not header["session"]:
        raise PacketError("the packet is of session 0, in which nothing is recorded")
    return Packet(
        int(header["session"]),
        int(header["sequence"]),
        int(header["cycle_lo"]) | int(header["cycle_hi"]) << WORD_BITS,
        int(header["reason"]),
        int(header["build"]),
        tuple(_records(np.frombuffer(data, "<u4", offset=HEADER_BYTES), int(header["records"]))),
    )


def _records(words: Words, count: int) -> Iterator[StreamRecord]:
    if not count:
        raise PacketError("a packet has at least 1 record, not 0")
    at = 0
    for number in range(count):
        if at >= len(words):
            raise PacketError(f"the packet ends after {number} of its {count} records")
        kind, length, lost = words[at : at + 1].view(PREFIX.dtype)[0].tolist()
        end = at + 1 + length
        if end > len(words):
            raise PacketError(
                f"record {number} of the packet has {length} words, {len(words) - at - 1} are there"
            )
        yield StreamRecord(kind, lost, words[at + 1 : end])
        at = end
    if at != len(words):
        raise PacketError(f"{len(words) - at} words are behind the last record of the packet")


def encode(packet: Packet) -> bytes:
    """The packet as bytes; `decode` gives it back.

    Raises:
        PacketError: a number does not fit its field.
    """
    parts: list[Words] = []
    for record in packet.records:
        if not 0 <= record.lost <= LOST_MAX or len(record.words) > MAX_RECORD_WORDS:
            raise PacketError(
                f"a record has up to {MAX_RECORD_WORDS} words and up to {LOST_MAX} lost before it, "
                f"not {len(record.words)} and {record.lost}"
            )
        parts += [
            np.array([(record.kind, len(record.words), record.lost)], PREFIX.dtype).view("<u4"),
            record.words,
        ]
    if not parts:
        raise PacketError("a packet has at least 1 record, not 0")
    words = np.concatenate(parts).astype("<u4")
    header = np.zeros(1, HEADER.dtype)
    contents = {
        "magic": MAGIC,
        "version": VERSION,
        "words": len(words),
        "session": packet.session,
        "sequence": packet.sequence,
        "cycle_lo": packet.cycle % 2**WORD_BITS,
        "cycle_hi": packet.cycle >> WORD_BITS,
        "records": len(packet.records),
        "reason": int(packet.reason),
        "build": packet.build,
    }
    for field in HEADER.fields:
        if not 0 <= contents[field.name] < 1 << field.bits:
            raise PacketError(f"{field.name} has {field.bits} bits; {contents[field.name]} does not fit")
        header[field.name] = contents[field.name]
    return header.tobytes() + words.tobytes()


__all__ = [
    "HEADER_BYTES",
    "Packet",
    "PacketError",
    "Reason",
    "StreamRecord",
    "decode",
    "encode",
    "words_of",
]
