# SPDX-License-Identifier: BSD-2-Clause
"""Frames and serial bytes that are wrong somewhere: sound requests, mutated at one layer, and noise."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

import sliplib

from triplane.gateware.link.etherbone import (
    BODY_WORD,
    CHECKSUM_WORD,
    EXCHANGE_PORT,
    HEADER,
    RECORD_WORD,
    WORD_BYTES,
    checksum,
)
from triplane.sim.board.wire import GATEWAY_MAC, PREAMBLE, Gateway

SERIAL_END = b"\xc0"
STRANGER = ("127.0.0.2", 4_321)
"""Client whose frames these are, as the board sees it."""

PORTS = (EXCHANGE_PORT, EXCHANGE_PORT + 1, 0, 53, 65_535)
LONGEST = 3_000
"""Bytes of a frame that is too long for any network."""

ETHERNET, IP_HEADER, UDP_HEADER = 14, 20, 8
"""Bytes of the headers in front of a datagram."""

Words = list[int]


def _request(rng: random.Random, addresses: list[int]) -> Words:
    """A request as a host would make it, with a key that is nobody's."""
    writes = [rng.getrandbits(32) for _ in range(rng.choice((0, 1, 1, 2, 5, 40)))]
    reads = [rng.choice(addresses) for _ in range(rng.choice((0, 1, 1, 3)))]
    if not writes + reads:
        reads = [addresses[0]]
    flags = rng.choice((0, 0x02, 0x20, 0x08))
    words = [HEADER, 0, flags << 24 | 0x0F << 16 | len(writes) << 8 | len(reads)]
    if writes:
        words += [rng.choice(addresses), *writes]
    if reads:
        # Never a sequence number of 0: such a request would open a session, as it may.
        words += [rng.getrandbits(16) << 16 | rng.randrange(1, 2**16), *reads]
    words[CHECKSUM_WORD] = checksum(words)
    return words


def _packed(words: Words) -> bytes:
    return struct.pack(f">{len(words)}I", *(word % 2**32 for word in words))


def _sealed(words: Words) -> bytes:
    """Whatever the words are, with the checksum that belongs to them."""
    if len(words) > BODY_WORD:
        words[CHECKSUM_WORD] = checksum(words)
    return _packed(words)


def _as_it_is(rng: random.Random, words: Words) -> bytes:
    """Sound, but of no session."""
    return _packed(words)


def _wrong_counts(rng: random.Random, words: Words) -> bytes:
    words[RECORD_WORD] = words[RECORD_WORD] & ~0xFFFF | rng.getrandbits(16)
    return _sealed(words)


def _wrong_header(rng: random.Random, words: Words) -> bytes:
    words[0] ^= 1 << rng.randrange(32)
    return _sealed(words)


def _wrong_record(rng: random.Random, words: Words) -> bytes:
    words[RECORD_WORD] ^= 1 << rng.randrange(16, 32)
    return _sealed(words)


def _unguarded(rng: random.Random, words: Words) -> bytes:
    """Writes without a checksum, or without a key."""
    if rng.random() < 0.5:
        words[CHECKSUM_WORD] = 0
        return _packed(words)
    return _sealed(words[: BODY_WORD + 1 + (words[RECORD_WORD] >> 8 & 0xFF)])


def _flipped(rng: random.Random, words: Words) -> bytes:
    data = bytearray(_packed(words))
    for _ in range(rng.choice((1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _cut(rng: random.Random, words: Words) -> bytes:
    data = _packed(words)
    return data[: rng.randrange(len(data))]


def _longer(rng: random.Random, words: Words) -> bytes:
    return _packed(words) + rng.randbytes(rng.randrange(1, 200))


def _probe(rng: random.Random, words: Words) -> bytes:
    return _packed([HEADER | 1 << 8, 0][: rng.randrange(1, 3)]) + rng.randbytes(rng.choice((0, 0, 3, 4, 60)))


def _noise(rng: random.Random, words: Words) -> bytes:
    return rng.randbytes(rng.randrange(0, 1472))


DATAGRAMS: tuple[Callable[[random.Random, Words], bytes], ...] = (
    _as_it_is, _wrong_counts, _wrong_header, _wrong_record, _unguarded, _flipped, _cut, _longer, _probe, _noise,
)  # fmt: skip


def datagram(rng: random.Random, addresses: list[int]) -> bytes:
    """A request that is wrong somewhere, or of nobody."""
    return rng.choice(DATAGRAMS)(rng, _request(rng, addresses))[:1472]


def _checked(content: bytes) -> bytes:
    return PREAMBLE + content + struct.pack("<I", zlib.crc32(content))


def _sum(header: bytes) -> int:
    """Checksum of an IP header whose own is 0: the mutated header is to be right but for what was mutated."""
    total: int = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _resummed(content: bytearray) -> bytes:
    end = ETHERNET + IP_HEADER
    content[ETHERNET + 10 : ETHERNET + 12] = b"\0\0"
    content[ETHERNET + 10 : ETHERNET + 12] = struct.pack(">H", _sum(bytes(content[ETHERNET:end])))
    return _checked(bytes(content))


def _sound(rng: random.Random, content: bytearray) -> bytes:
    return _checked(bytes(content))


def _ip_field(rng: random.Random, content: bytearray) -> bytes:
    """A field of the IP header, all but the addresses, under a checksum that is right."""
    place = ETHERNET + rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9))
    content[place] = rng.randrange(256)
    return _resummed(content)


def _ip_sum(rng: random.Random, content: bytearray) -> bytes:
    content[ETHERNET + 10 + rng.randrange(2)] ^= 1 << rng.randrange(8)
    return _checked(bytes(content))


def _ip_options(rng: random.Random, content: bytearray) -> bytes:
    """An option in the IP header: longer than LiteEth expects."""
    content[ETHERNET] = 0x46
    length = struct.unpack(">H", content[ETHERNET + 2 : ETHERNET + 4])[0] + 4
    content[ETHERNET + 2 : ETHERNET + 4] = struct.pack(">H", length)
    content[ETHERNET + IP_HEADER : ETHERNET + IP_HEADER] = b"\x01\x01\x01\x00"
    return _resummed(content)


def _udp_field(rng: random.Random, content: bytearray) -> bytes:
    place = ETHERNET + IP_HEADER + rng.randrange(UDP_HEADER)
    content[place] = rng.randrange(256)
    return _checked(bytes(content))


def _kind(rng: random.Random, content: bytearray) -> bytes:
    content[12:14] = rng.choice((b"\x08\x06", b"\x86\xdd", b"\x81\x00", b"\0\0", rng.randbytes(2)))
    return _checked(bytes(content))


def _arp(rng: random.Random, content: bytearray) -> bytes:
    """ARP, cut or with wrong fields; never from an address that is somebody's, which would be believed."""
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, rng.choice((1, 2, rng.getrandbits(16)))) + rng.randbytes(20)
    body = bytes(b if rng.random() > 0.1 else rng.randrange(256) for b in body)
    head = rng.choice((b"\xff" * 6, bytes(content[:6]))) + GATEWAY_MAC + b"\x08\x06"
    return _checked(
        (head + body[: rng.choice((28, 28, rng.randrange(28)))]).ljust(rng.choice((0, 60)), b"\0")
    )


def _bits(rng: random.Random, content: bytearray) -> bytes:
    for _ in range(rng.choice((1, 2, 8))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return _checked(bytes(content))


def _frame_check(rng: random.Random, content: bytearray) -> bytes:
    frame = bytearray(_checked(bytes(content)))
    frame[-1 - rng.randrange(4)] ^= 1 << rng.randrange(8)
    return bytes(frame)


def _short(rng: random.Random, content: bytearray) -> bytes:
    frame = _checked(bytes(content))
    return frame[: rng.randrange(1, len(frame))]


def _runt(rng: random.Random, content: bytearray) -> bytes:
    return _checked(bytes(content[: rng.randrange(1, 60)]))


def _giant(rng: random.Random, content: bytearray) -> bytes:
    return _checked(bytes(content) + rng.randbytes(rng.randrange(1_500, LONGEST)))


def _preamble(rng: random.Random, content: bytearray) -> bytes:
    whole = _checked(bytes(content))[len(PREAMBLE) :]
    return bytes([0x55] * rng.choice((0, 1, 3, 20))) + rng.choice((b"\xd5", b"", b"\x5d")) + whole


def _garbage(rng: random.Random, content: bytearray) -> bytes:
    return rng.randbytes(rng.randrange(1, 200))


FRAMES: tuple[Callable[[random.Random, bytearray], bytes], ...] = (
    _sound, _sound, _sound, _sound, _ip_field, _ip_field, _ip_sum, _ip_options, _udp_field, _udp_field, _kind, _arp,
    _bits, _frame_check, _short, _runt, _giant, _preamble, _garbage,
)  # fmt: skip


def network_frame(rng: random.Random, addresses: list[int], gateway: Gateway) -> bytes:
    """A frame for the board's network that should change nothing there.

    Args:
        rng: decides all of it.
        addresses: of registers that requests may name; reading one must change nothing.
        gateway: whose neighbour the board is.

    Returns:
        As `SimulatedBoard.put_frame` takes it.
    """
    port = rng.choice(PORTS) if rng.random() < 0.2 else EXCHANGE_PORT
    sound = gateway.frame(datagram(rng, addresses), STRANGER, port)
    assert sound is not None, "a datagram is no longer than a frame holds"
    return rng.choice(FRAMES)(rng, bytearray(sound[len(PREAMBLE) : -WORD_BYTES]))


def serial_bytes(rng: random.Random, addresses: list[int]) -> bytes:
    """Bytes for the board's serial line that should change nothing there: wrong requests, wrong frames, noise."""
    data = datagram(rng, addresses)
    choice = rng.randrange(6)
    if choice == 0:
        return rng.randbytes(rng.randrange(1, 300)) + SERIAL_END
    framed: bytes = SERIAL_END + sliplib.encode(data) + SERIAL_END
    if choice == 1:  # an escape that is none
        place = rng.randrange(len(framed))
        return framed[:place] + b"\xdb" + framed[place:]
    if choice == 2:  # no end in between
        framed = framed[:-1] + sliplib.encode(datagram(rng, addresses)) + SERIAL_END
    if choice == 3:
        return SERIAL_END * rng.randrange(1, 10) + framed
    return framed
