# SPDX-License-Identifier: BSD-2-Clause
"""As much of a linked ELF file as the build needs: sections, symbols."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SECTION = struct.Struct("<10I")
_SYMBOL = struct.Struct("<IIIBBH")
_SYMTAB, _NOBITS = 2, 8
_FUNCTION = 2
_MACHINE_RISCV = 243
_ALLOCATED = 2


@dataclass(frozen=True)
class Section:
    """Where a section lies, and what is in it; `allocated` where it takes memory of the processor."""

    name: str
    address: int
    size: int
    allocated: bool
    content: bytes


@dataclass(frozen=True)
class Function:
    """Addresses of a function: [start, end)."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Elf:
    """A 32-bit little-endian RISC-V executable.

    Attributes:
        sections: by name.
        functions: in the order of their addresses.
    """

    sections: dict[str, Section]
    functions: list[Function]

    @classmethod
    def parse(cls, data: bytes) -> Elf:
        """Raises ValueError where it is not such a file."""
        if data[:6] != b"\x7fELF\x01\x01":
            raise ValueError("not a little-endian 32-bit ELF file")
        header = _HEADER.unpack_from(data)
        machine, table, entry, count, names_at = header[2], header[6], header[11], header[12], header[13]
        if machine != _MACHINE_RISCV:
            raise ValueError(f"the ELF file is for machine {machine}, not for RISC-V ({_MACHINE_RISCV})")
        raw = [_SECTION.unpack_from(data, table + entry * number) for number in range(count)]
        names = data[raw[names_at][4] :]
        sections, functions = {}, []
        for name, kind, flags, address, offset, size, link, *_ in raw:
            content = b"" if kind == _NOBITS else data[offset : offset + size]
            label = _text(names, name)
            sections[label] = Section(label, address, size, bool(flags & _ALLOCATED), content)
            if kind == _SYMTAB:
                strings = data[raw[link][4] :]
                for where, value, length, info, _, _ in _SYMBOL.iter_unpack(content):
                    if info & 0xF == _FUNCTION:
                        functions.append(Function(_text(strings, where), value, value + length))
        return cls(sections, sorted(functions, key=lambda function: function.start))


def _text(table: bytes, offset: int) -> str:
    return table[offset : table.index(b"\0", offset)].decode()
