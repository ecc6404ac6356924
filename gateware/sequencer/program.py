# SPDX-License-Identifier: BSD-2-Clause
"""A program as it is loaded: words, groups, armed slots; and what a person needs to read it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from triplane.gateware.decoder.table import table_crc

TABLE_WORD_BITS = 32


@dataclass(frozen=True)
class Group:
    """Channels that an event goes to together, and the slots that a CAPTURE to them arms.

    Attributes:
        name: in the source.
        channels, slots: numbers, ascending.
    """

    name: str
    channels: tuple[int, ...]
    slots: tuple[int, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where an instruction stands in its source, from line 1."""

    file: str
    line: int


@dataclass(frozen=True)
class Program:
    """An assembled program.

    Attributes:
        words: uint64 (instructions,).
        groups: index -> group.
        labels: name -> address.
        source: address -> place.
        channels, slots: names that the source gave to numbers.
    """

    words: npt.NDArray[np.uint64]
    groups: tuple[Group, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    source: tuple[Place, ...] = ()
    channels: Mapping[str, int] = field(default_factory=dict)
    slots: Mapping[str, int] = field(default_factory=dict)

    @property
    def num_channels(self) -> int:
        """Channels that a board must have: one more than the highest number in a group."""
        return 1 + max((c for group in self.groups for c in group.channels), default=0)

    @property
    def num_slots(self) -> int:
        """Slots that a board must have."""
        named = [*self.slots.values(), *(s for group in self.groups for s in group.slots)]
        return 1 + max(named, default=0)

    @cached_property
    def channel_names(self) -> dict[int, str]:
        """Number -> name in the source."""
        return {number: name for name, number in self.channels.items()}

    def place(self, address: int) -> str:
        """Address as a person looks it up: with file and line where they are known."""
        near = [(at, name) for name, at in self.labels.items() if at <= address]
        where = f" ({max(near)[1]}+{address - max(near)[0]})" if near else ""
        if address < len(self.source):
            return f"{self.source[address].file}:{self.source[address].line}, address {address}{where}"
        behind = ", behind the last instruction" if self.source else ""
        return f"address {address}{where}{behind}"


def masks(rows: Iterable[Sequence[int]]) -> list[int]:
    """Each row of numbers as a mask, bit k = number k."""
    return [sum(1 << number for number in row) for row in rows]


def banks(rows: Sequence[int], depth: int, width: int) -> npt.NDArray[np.uint32]:
    """Contents of a table in its banks of 32 bits: uint32 (depth, banks), least significant bank first.

    Raises:
        ValueError: there are more rows than `depth`, or one does not fit `width` bits.
    """
    if len(rows) > depth:
        raise ValueError(f"{len(rows)} rows do not fit a table of {depth}")
    for number, row in enumerate(rows):
        if row >> width:
            raise ValueError(f"row {number}, {row:#x}, does not fit a table of {width} bits")
    count = -(-width // TABLE_WORD_BITS)
    table = np.zeros((depth, count), dtype=np.uint32)
    for number, row in enumerate(rows):
        for bank in range(count):
            table[number, bank] = row >> TABLE_WORD_BITS * bank & 0xFFFF_FFFF
    return table


def bank_crcs(table: npt.NDArray[np.uint32]) -> list[int]:
    """CRC-32 of each bank of a table, uint32 (depth, banks)."""
    return [table_crc(np.ascontiguousarray(table[:, bank])) for bank in range(table.shape[1])]
