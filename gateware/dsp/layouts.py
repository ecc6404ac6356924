# SPDX-License-Identifier: BSD-2-Clause
"""Tables and records of pulse generators, declared once: the gateware loads them, the host packs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SCALE_BITS = 15
"""Fraction bits of an amplitude: 2**15 is 1."""

SLOT_BITS = 3
"""Of the number of a frequency slot, or of a tone: there are eight."""


@dataclass(frozen=True)
class EntryField:
    """Field of an entry: where its least significant bit is, its width, and what it means."""

    name: str
    word: int
    offset: int
    bits: int
    meaning: str


PULSE = (
    EntryField("start", 0, 0, 16, "first clock of the envelope in the envelope memory"),
    EntryField("length", 0, 16, 16, "clocks of two samples; 0 plays nothing and only adds to the frame"),
    EntryField("amplitude", 1, 0, 16, "unsigned, 2**15 = 1; multiplies the amplitude of AMP events"),
    EntryField("slot", 1, 16, SLOT_BITS, "frequency slot"),
    EntryField("phase", 2, 0, 32, "added to the slot's phase during this pulse, 2**32 = one turn"),
    EntryField("after", 3, 0, 32, "added to the slot's phase for good when the pulse ends: a virtual Z"),
)
"""Entry of a `PulseGenerator`'s table."""

TONES = (
    EntryField("start", 0, 0, 16, "first clock of the envelope in the envelope memory"),
    EntryField("length", 0, 16, 16, "clocks of two samples; 0 plays nothing"),
    EntryField("amplitude", 1, 0, 16, "unsigned, 2**15 = 1; multiplies the amplitude of AMP events"),
    EntryField("mask", 1, 16, 8, "bit k: tone k sounds"),
)
"""Entry of a `ToneGenerator`'s table."""

NUM_TONES = 2**SLOT_BITS

PLAYED = [
    ("time", 32),  # cycle in which the first sample leaves, low half of the cycle counter
    ("entry", 10),  # of the pulse table
    ("slot", SLOT_BITS),
    ("frequency", 32),  # of the slot, turns per sample
    ("phase", 32),  # of the carrier at the first sample
    ("gain", 2 + SCALE_BITS),  # AMP times the entry's amplitude, 2**15 = 1
]
"""What a `PulseGenerator` tells of a pulse that begins."""

TONES_PLAYED = [
    ("time", 32),  # as above
    ("entry", 10),
    ("mask", NUM_TONES),  # bit k: tone k sounds
    *((f"frequency{k}", 32) for k in range(NUM_TONES)),
    *((f"phase{k}", 32) for k in range(NUM_TONES)),  # of the tone at the first sample
    ("gain", 2 + SCALE_BITS),
]
"""What a `ToneGenerator` tells of a pulse that begins."""


def entry_words(fields: Sequence[EntryField]) -> int:
    """Number of 32-bit words of an entry."""
    return 1 + max(f.word for f in fields)


def pack_entry(fields: Sequence[EntryField], values: Mapping[str, int]) -> list[int]:
    """Words of an entry, in the order in which the bus writes them.

    Args:
        fields: `PULSE` or `TONES`.
        values: of every field; phases modulo 2**32, so that they may be negative.

    Raises:
        ValueError: a field is missing, is not of this entry, or does not fit.
    """
    names = {f.name for f in fields}
    if values.keys() != names:
        raise ValueError(
            f"an entry has the fields {', '.join(sorted(names))}, not {', '.join(sorted(values))}"
        )
    words = [0] * entry_words(fields)
    for f in fields:
        value = values[f.name] % 2**32 if f.bits == 32 else values[f.name]
        if not 0 <= value < 2**f.bits:
            raise ValueError(f"{f.name} is 0 to {2**f.bits - 1}, not {value}")
        words[f.word] |= value << f.offset
    return words


def unpack_entry(fields: Sequence[EntryField], words: Sequence[int]) -> dict[str, int]:
    """Fields of an entry from its words: the inverse of `pack_entry`."""
    return {f.name: words[f.word] >> f.offset & (1 << f.bits) - 1 for f in fields}
