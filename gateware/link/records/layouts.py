# SPDX-License-Identifier: BSD-2-Clause
"""The record stream, declared once: gateware, host, dissector and documentation are made from it.

A packet is a header and records, one after the other; a record is one word that says what it is, and its words. All
words are of 32 bits, least significant byte first in memory and in a datagram.
"""

from __future__ import annotations

from enum import IntEnum

from triplane.gateware.decoder.layouts import RESULT, Field, Record
from triplane.gateware.faults import CONDITIONS
from triplane.gateware.syndrome.layouts import round_record
from triplane.gateware.syndrome.shape import SyndromeShape

MAGIC = int.from_bytes(b"TPRS", "little")
"""First word of every packet."""

VERSION = 1
"""Of these layouts; a receiver refuses any other."""

STREAM_PORT = 1235
"""UDP port that packets come from: the one after that of requests."""

WORD_BITS = 32


class Kind(IntEnum):
    """What a record is."""

    RESULT = 1
    ROUND = 2
    FAULT = 3


KINDS = {
    Kind.RESULT: "result of a window: frame update, cycles, and the correction where it was asked for",
    Kind.ROUND: "a measured round, and the syndrome that was made of it",
    Kind.FAULT: "faults, when they arose",
}
"""Kind -> meaning; the numbers are part of the format: append, never change."""


class Reason(IntEnum):
    """Why a packet was closed."""

    FULL = 0
    TIMEOUT = 1
    FLUSH = 2


REASONS = {
    Reason.FULL: "the next record did not fit",
    Reason.TIMEOUT: "it had been open for as long as `linger` allows",
    Reason.FLUSH: "the host asked for it",
}
"""Reason -> meaning."""

HEADER = Record(
    "packet",
    (
        Field("magic", 32, f"{MAGIC:#010x}: the bytes `TPRS`"),
        Field("version", 16, f"{VERSION}, the version of this layout"),
        Field("words", 16, "words of all records, their first words included"),
        Field("session", 32, "number that the host gave the session, not 0"),
        Field("sequence", 32, "number of the packet, from 0 in every session, modulo 2**32"),
        Field("cycle_lo", 32, "cycle counter, low half, when the packet was opened"),
        Field("cycle_hi", 32, "cycle counter, high half"),
        Field("records", 16, "number of records, at least 1"),
        Field("reason", 16, "why it was closed: " + "; ".join(f"{int(r)} {text}" for r, text in REASONS.items())),
        Field("build", 32, "first eight hexadecimal digits of the build hash"),
    ),
)  # fmt: skip
"""Of a packet."""

LENGTH_WORD = 1
"""Word of the header whose upper half is the number of words behind the header."""

PREFIX = Record(
    "record",
    (
        Field("kind", 8, "what the record is"),
        Field("words", 8, "words of the record, this one not included"),
        Field("lost", 16, "records of this kind that were lost since the one before, 65535 at most"),
    ),
)
"""First word of a record."""

MAX_RECORD_WORDS = 2**8 - 1
LOST_MAX = 2**16 - 1

FAULT = Record(
    "fault",
    (
        Field("timestamp_lo", 32, "cycle counter, low half, in the first cycle in which the first of them held"),
        Field("timestamp_hi", 32, "cycle counter, high half"),
        Field(
            "conditions",
            32,
            "conditions that have arisen: " + "; ".join(f"bit {k}: {name}" for k, name in enumerate(CONDITIONS)),
        ),
    ),
)  # fmt: skip
"""Faults that arose in one cycle, or while the record before them was on its way."""


def record_of(kind: Kind, shape: SyndromeShape | None = None) -> Record:
    """Layout of the records of a kind; behind a result there may be a correction.

    Args:
        kind: of the records.
        shape: of the board's syndrome formation; needed for rounds only.

    Raises:
        ValueError: a round without a shape.
    """
    if kind != Kind.ROUND:
        return {Kind.RESULT: RESULT, Kind.FAULT: FAULT}[kind]
    if shape is None:
        raise ValueError("records of rounds depend on the board: give the shape of its syndrome formation")
    return round_record(shape)
