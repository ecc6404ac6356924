# SPDX-License-Identifier: BSD-2-Clause
"""Overlays of the simulated board; pynq's own parser reads them in tests/hal/pynq."""

import struct
from xml.etree import ElementTree

import pytest

from triplane.hal.registers import RegisterMap
from triplane.sim.board.pynq.overlay import Window, bit_file, build_of, hwh_text, window_of, write_overlay

BUILD = "ab" * 32


def register_map(end):
    """Of two registers, the last of which ends at a byte address."""
    common = {"bits": 32, "access": "rw", "description": "", "fields": []}
    return RegisterMap(
        {
            "registers": {
                "a": {"address": 0, "words": 1, **common},
                "b": {"address": end - 8, "words": 2, **common},
            }
        }
    )


def firmware(bit):
    """What arrives at a board: the data of the last field, each word reversed."""
    (length,) = struct.unpack(">H", bit[:2])
    at = 2 + length + 2
    while bit[at : at + 1] != b"e":
        at += 3 + struct.unpack(">H", bit[at + 1 : at + 3])[0]
    (length,) = struct.unpack(">I", bit[at + 1 : at + 5])
    data = bit[at + 5 :]
    assert len(data) == length
    assert length % 4 == 0
    return b"".join(data[k : k + 4][::-1] for k in range(0, length, 4))


@pytest.mark.parametrize(
    ("end", "size"), [(8, 0x1000), (0x1000, 0x1000), (0x1004, 0x2000), (0x7004, 0x8000), (0x8000, 0x8000)]
)
def test_window(end, size):
    assert window_of(register_map(end)) == Window(0xA000_0000, size)


def test_a_bitstream_names_its_build():
    bit = bit_file(BUILD, "hwh")
    assert build_of(firmware(bit)) == BUILD
    assert bit == bit_file(BUILD, "hwh")
    assert bit != bit_file(BUILD, "another")


def test_every_other_bitstream_names_none():
    whole = firmware(bit_file(BUILD, "hwh"))
    for place in range(0, len(whole), 3):
        # The text is of lower-case letters: with this bit wrong it is another text, or none.
        damaged = bytearray(whole)
        damaged[place] ^= 0x80
        assert build_of(bytes(damaged)) is None
    for wrong in (b"", b"\0" * 64, whole[:-4], whole + b"x", whole * 30, bytes(range(256)) * 1_000):
        assert build_of(wrong) is None


def test_the_handoff_has_the_window():
    system = ElementTree.fromstring(hwh_text(Window(0xA000_0000, 0x8000)))
    (place,) = system.iter("MEMRANGE")
    assert (place.get("BASEVALUE"), place.get("HIGHVALUE")) == ("0xA0000000", "0xA0007FFF")
    assert place.get("INSTANCE") == "triplane"
    assert not list(system.iter("REGISTER"))


def test_both_files_are_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPLANE_CACHE", str(tmp_path))
    bit = write_overlay(register_map(0x7004), BUILD)
    assert bit.is_relative_to(tmp_path)
    assert build_of(firmware(bit.read_bytes())) == BUILD
    assert "0xA0007FFF" in bit.with_suffix(".hwh").read_text()
    assert write_overlay(register_map(0x7004), BUILD) == bit
    assert write_overlay(register_map(0x9004), BUILD) != bit
