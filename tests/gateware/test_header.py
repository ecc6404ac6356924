# SPDX-License-Identifier: BSD-2-Clause
"""C headers of register maps: a compiler must read the same numbers as the map has."""

import re
from enum import IntEnum

import pytest

from triplane.gateware.header import board_header, constant_lines, enumeration_lines, register_lines
from triplane.gateware.processor.layouts import PRIVATE_BASE, REGISTERS, private_map


def register(address, fields=(), bits=32):
    return {
        "address": address, "words": -(-bits // 32), "bits": bits, "access": "rw", "description": "Says */ so.",
        "reset": 0,
        "fields": [
            {"name": name, "offset": offset, "bits": width, "access": "rw", "description": "It.", "reset": 0}
            for name, offset, width in fields
        ],
    }  # fmt: skip


def definitions(text):
    return {name: int(value, 16) for name, value in re.findall(r"#define (\w+) REGISTER_WORD\((\w+)\)", text)}


def test_addresses_offsets_and_masks():
    registers = {"a_b": register(0x10, [("low", 0, 3), ("high", 31, 1)]), "c": register(0x14)}
    found = definitions(board_header({"registers": registers}, 0xF000_0000))
    assert found == {
        "BOARD_A_B": 0xF000_0010,
        "BOARD_A_B_LOW_OFFSET": 0,
        "BOARD_A_B_LOW_MASK": 7,
        "BOARD_A_B_HIGH_OFFSET": 31,
        "BOARD_A_B_HIGH_MASK": 0x8000_0000,
        "BOARD_C": 0xF000_0014,
    }


def test_a_field_beyond_the_first_word_has_no_mask():
    lines = register_lines({"registers": {"wide": register(0, [("far", 30, 4)], 64)}}, "x")
    assert list(definitions("\n".join(lines))) == ["X_WIDE"]


def test_a_description_cannot_end_its_comment():
    text = "\n".join(register_lines({"registers": {"r": register(0)}}, "x"))
    assert "/* Says * / so. */" in text


def test_names_that_clash_are_refused():
    registers = {"a_b": register(0, [("offset", 0, 1)]), "a": register(4, [("b_offset", 0, 1), ("b", 1, 1)])}
    with pytest.raises(ValueError, match="BOARD_A_B_OFFSET"):
        board_header({"registers": registers})


def test_enumerations_and_constants():
    class Codes(IntEnum):
        ONE = 1
        FIVE = 5

    assert definitions("\n".join(enumeration_lines(Codes, "code"))) == {
        "CODE_ONE": 1,
        "CODE_FIVE": 5,
        "CODE_COUNT": 6,
    }
    assert definitions("\n".join(constant_lines({"width": 7}, ""))) == {"WIDTH": 7}


def test_private_registers_are_at_their_places():
    found = definitions("\n".join(register_lines(private_map(), "private")))
    for number, entry in enumerate(REGISTERS):
        assert found[f"PRIVATE_{entry.name.upper()}"] == PRIVATE_BASE + 4 * number
        for field in entry.fields:
            mask = found[f"PRIVATE_{entry.name}_{field.name}_MASK".upper()]
            assert mask.bit_count() == field.bits
            assert mask >> field.offset == 2**field.bits - 1
