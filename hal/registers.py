# SPDX-License-Identifier: BSD-2-Clause
"""The register map of a board, and checks of every access against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from triplane.hal.errors import AddressError, RegisterValueError

WORD_BYTES = 4
WORD_MAX = 2**32 - 1


@dataclass(frozen=True)
class Field:
    """A field of a register: its lowest bit, its width, and how it is accessed ("rw", "ro" or "pulse")."""

    name: str
    offset: int
    bits: int
    access: str
    description: str

    def of(self, value: int) -> int:
        """The field's value within a register value."""
        return value >> self.offset & (1 << self.bits) - 1


@dataclass(frozen=True)
class Register:
    """A register.

    Attributes:
        address: in bytes; of the least significant word.
        size_words: 32-bit words, at consecutive addresses, least significant first.
        bits: width in bits.
        writable: False for a register that can only be read.
        fields: by name; empty for a register that is one number.
    """

    name: str
    address: int
    size_words: int
    bits: int
    writable: bool
    description: str
    fields: Mapping[str, Field]

    def word_bits(self, word: int) -> int:
        """Bits of word `word` that exist."""
        return min(32, self.bits - 32 * word)


class RegisterMap(Mapping[str, Register]):
    """All registers of a board, by name. `json` is what `gateware.registers.register_map` returned."""

    def __init__(self, json: Mapping[str, Any]) -> None:
        self._registers = {
            name: Register(
                name,
                entry["address"],
                entry["words"],
                entry["bits"],
                entry["access"] == "rw",
                entry["description"],
                {
                    f["name"]: Field(f["name"], f["offset"], f["bits"], f["access"], f["description"])
                    for f in entry["fields"]
                },
            )
            for name, entry in json["registers"].items()
        }
        self._words = {
            register.address + WORD_BYTES * word: (register, word)
            for register in self._registers.values()
            for word in range(register.size_words)
        }

    def __getitem__(self, name: str) -> Register:
        return self._registers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._registers)

    def __len__(self) -> int:
        return len(self._registers)

    def find(self, address: int) -> tuple[Register, int]:
        """Register and word at a byte address.

        Raises:
            AddressError: nothing is there; the message names the nearest register below.
        """
        found = self._words.get(address)
        if found is not None:
            return found
        if isinstance(address, bool) or not isinstance(address, int):
            raise AddressError(f"an address must be a whole number of bytes, not {address!r}")
        if address % WORD_BYTES:
            raise AddressError(f"address {address:#x} is not a multiple of {WORD_BYTES}")
        below = [register for register in self._registers.values() if register.address <= address]
        hint = f"; the nearest below is {below[-1].name} at {below[-1].address:#x}" if below else ""
        raise AddressError(f"no register at address {address:#x}{hint}")

    def check_read(self, address: int, count: int, increment: bool) -> None:
        """Raise AddressError unless `count` words can be read."""
        if count < 1:
            raise AddressError(f"a burst must be at least 1 word long, not {count}")
        for word in range(count if increment else 1):
            self.find(address + WORD_BYTES * word)

    def check_write(self, address: int, words: list[int], increment: bool) -> None:
        """Raise AddressError or RegisterValueError unless these words can be written."""
        if not words:
            raise AddressError("a burst must be at least 1 word long, not 0")
        for index, value in enumerate(words):
            if increment or index == 0:
                register, word = self.find(address + WORD_BYTES * index)
                if not register.writable:
                    raise AddressError(f"{register.name} at {register.address:#x} can only be read")
                limit = (1 << register.word_bits(word)) - 1
            if not 0 <= value <= limit:
                raise RegisterValueError(
                    f"{value:#x} does not fit word {word} of {register.name}, which takes 0 to {limit:#x}"
                )
