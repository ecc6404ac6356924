# SPDX-License-Identifier: BSD-2-Clause
"""The packet of the record stream, declared once: gateware, host, dissector and documentation are made from it.

A packet is a header and records of one kind, one after the other, in words of 32 bits, least significant byte first
in memory and in a datagram.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from triplane.gateware.decoder.layouts import RESULT, Field, Record
from triplane.gateware.faults import CONDITIONS
from triplane.gateware.sequencer.layouts import TRACE
from triplane.gateware.syndrome.layouts import round_record
from triplane.gateware.syndrome.shape import SyndromeShape

MAGIC = int.from_bytes(b"TPRS", "little")
"""First word of every packet."""

VERSION = 1
"""Of this layout; a receiver refuses any other."""

UDP_PORT = 1235
"""Destination of the packets unless told otherwise: the port after Etherbone's."""

WORD_BITS = 32
SEQUENCE_BITS = 32


class Kind(IntEnum):
    """What the records of a packet are."""

    RESULT = 1
    ROUND = 2
    EVENT = 3
    TRACE = 4


KINDS = {
    Kind.RESULT: "results of the decoder, one a window, with the correction where it was asked for",
    Kind.ROUND: "measured rounds, with what was made of them",
    Kind.EVENT: "faults and other conditions, when they arose",
    Kind.TRACE: "what the sequencer's instructions have done",
}
"""Kind -> meaning; the numbers are part of the format: append, never change."""


class Reason(IntEnum):
    """Why a packet was closed."""

    FULL = 0
    KIND = 1
    LENGTH = 2
    TIMEOUT = 3
    FLUSH = 4
    SESSION = 5


REASONS = {
    Reason.FULL: "the longest record of its kind might not have found room",
    Reason.KIND: "a record of another kind waited",
    Reason.LENGTH: "its last record has another length than those before it",
    Reason.TIMEOUT: "it had been open for as long as the time-out allows",
    Reason.FLUSH: "the host, or a part of the board, asked for it",
    Reason.SESSION: "the host began another session",
}
"""Reason -> meaning. Where several hold at once, the first in the order FULL, LENGTH, SESSION, FLUSH, TIMEOUT, KIND."""

REASON_BITS = 3

GUARDED = 1 << 4
"""Flag: sources were held rather than packets overwritten when this one was closed."""

CUT = 1 << 5
"""Flag: a record was longer than was declared, did not fit, and lost its end."""

HEADER = Record(
    "packet",
    (
        Field("magic", 32, f"{MAGIC:#010x}: the bytes `TPRS`"),
        Field("version", 16, f"{VERSION}, the version of this layout"),
        Field("kind", 16, "kind of the records"),
        Field(
            "flags",
            16,
            "bits 2..0: why the packet was closed; bit 4: guarded, sources are held when the ring is full; bit 5: "
            "cut, a record was longer than was declared and lost its end",
        ),
        Field("records", 16, "number of records, at least 1"),
        Field("record_words", 16, "words of the first record, and of each after it but perhaps the last"),
        Field("words", 16, "words of all records; those that the others leave are the last record's"),
        Field("sequence", 32, "number of the packet, from 0 since reset, modulo 2**32"),
        Field("session", 32, "what the host had written to `session` when the packet was opened"),
        Field("first_cycle_lo", 32, "cycle counter, low half, when the first word of the first record was taken"),
        Field("first_cycle_hi", 32, "cycle counter, high half"),
        Field("last_cycle_lo", 32, "cycle counter, low half, when the last word of the last record was taken"),
        Field("last_cycle_hi", 32, "cycle counter, high half"),
    ),
)  # fmt: skip

HEADER_WORDS = HEADER.words


def word_of(name: str) -> int:
    """Number of the header's word that holds a field, or its beginning."""
    position = 0
    for field in HEADER.fields:
        if field.name == name:
            return position // WORD_BITS
        position += field.bits
    raise ValueError(f"the header has no field {name!r}; there are {', '.join(f.name for f in HEADER.fields)}")


SEQUENCE_WORD = word_of("sequence")
"""Word of a slot that says which packet it holds. It is the first that is written when a slot is used again, with the
complement of the new number, which no packet of that slot ever has, and the last when its packet is closed."""

LENGTH_WORD = word_of("words")
"""Word of the header whose upper half is the number of words after the header."""

EVENT = Record(
    "event",
    (
        Field("timestamp_lo", 32, "cycle counter, low half, in the first cycle in which the condition held"),
        Field("timestamp_hi", 32, "cycle counter, high half"),
        Field("code", 16, "number of the condition"),
        Field("count", 16, "times that it has arisen since its record before this one, 65535 at most"),
        Field("argument", 32, "what the condition brought with it that first time; 0 where it has no argument"),
    ),
)

EVENTS = tuple(CONDITIONS)
"""Names of the conditions by their numbers, on a board that connects its faults in their order."""

RECORDS: Mapping[Kind, Record] = {Kind.RESULT: RESULT, Kind.EVENT: EVENT, Kind.TRACE: TRACE}
"""Layouts that are the same on every board. A round's depends on its shape."""

UNITS: Mapping[str, str] = {
    "timestamp_lo": "cycle",
    "timestamp_hi": "2**32 cycles",
    "first_cycle_lo": "cycle",
    "first_cycle_hi": "2**32 cycles",
    "last_cycle_lo": "cycle",
    "last_cycle_hi": "2**32 cycles",
    "decode_cycles": "cycle",
    "waited": "cycle",
    "cycle": "cycle",
    "time": "cycle",
}
"""Field -> unit, of headers and records; what is not named here is a number, a mask or a count."""


def record_of(kind: Kind, shape: SyndromeShape | None = None) -> Record:
    """Layout of the records of a kind.

    Args:
        kind: of the records.
        shape: of the board's syndrome formation; needed for rounds only.

    Raises:
        ValueError: a round without a shape.
    """
    if kind in RECORDS:
        return RECORDS[kind]
    if shape is None:
        raise ValueError("records of rounds depend on the board: give the shape of its syndrome formation")
    return round_record(shape)
