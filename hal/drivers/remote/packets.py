# SPDX-License-Identifier: BSD-2-Clause
"""Requests and replies as bytes; see `gateware.link.etherbone` for the format."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from triplane.gateware.link.etherbone import (
    BODY_WORD,
    BYTE_ENABLES,
    CHECKSUM_WORD,
    FLAG_WRITE_FIFO,
    HEADER,
    MAX_COUNT,
    RECORD_WORD,
    WORD_BYTES,
    checksum,
    request_words,
)


@dataclass(frozen=True)
class Request:
    """Words to write, then addresses to read.

    Attributes:
        writes: 32-bit words, at most `MAX_COUNT`.
        base: byte address of the first of them; of all with `fifo`.
        reads: byte addresses, at most `MAX_COUNT`.
    """

    writes: Sequence[int] = ()
    base: int = 0
    fifo: bool = False
    reads: Sequence[int] = ()

    def packed(self, key: int) -> bytes:
        """The datagram."""
        writes, reads = len(self.writes), len(self.reads)
        if max(writes, reads) > MAX_COUNT or not writes + reads:
            raise ValueError(
                f"a request has 1 to {MAX_COUNT} words to write or to read, not {writes} and {reads}"
            )
        flags = FLAG_WRITE_FIFO if self.fifo else 0
        words = [HEADER, 0, flags << 24 | BYTE_ENABLES << 16 | writes << 8 | reads]
        if writes:
            words += [self.base, *self.writes]
        if reads:
            words += [key, *self.reads]
        words[CHECKSUM_WORD] = checksum(words)
        return struct.pack(f">{len(words)}I", *words)


@dataclass(frozen=True)
class Reply:
    """Words that were read for the request with that key; fewer than asked for after an error of the bus."""

    key: int
    words: tuple[int, ...]


def unpack(datagram: bytes) -> Reply | None:
    """The reply in a datagram; None if it is none, or damaged."""
    count, rest = divmod(len(datagram), WORD_BYTES)
    if rest or count <= BODY_WORD:
        return None
    words = struct.unpack(f">{count}I", datagram)
    _, enables, writes, reads = words[RECORD_WORD].to_bytes(WORD_BYTES, "big")
    if (
        words[0] != HEADER
        or enables != BYTE_ENABLES
        or reads
        or count != request_words(max(writes, 1), 0) - (not writes)
        or words[CHECKSUM_WORD] != checksum(words)
    ):
        return None
    return Reply(words[BODY_WORD], words[BODY_WORD + 1 :])
