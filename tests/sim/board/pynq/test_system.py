# SPDX-License-Identifier: BSD-2-Clause
"""Files of the simulated board's Linux, and what loading firmware does."""

import struct

import pytest

from triplane.sim.board.pynq.overlay import bit_file
from triplane.sim.board.pynq.system import (
    FILES_BYTES,
    FIRMWARE_FOLDER,
    MANAGER,
    BitstreamError,
    FileError,
    Files,
    processing_system,
)

BUILD = "cd" * 32


def firmware(build):
    """As a client makes it of a .bit file."""
    bit = bit_file(build, "hwh")
    data = bit[bit.index(b"triplane simulated") :]
    words = struct.unpack(f">{len(data) // 4}I", data)
    return struct.pack(f"<{len(words)}I", *words)


@pytest.fixture
def loads():
    return []


@pytest.fixture
def files(loads):
    return Files(BUILD, lambda: loads.append(1))


def load(files, data, name="a.bin"):
    files.write(f"{FIRMWARE_FOLDER}{name}", data)
    files.write(f"{MANAGER}firmware", name.encode())


def test_firmware_of_this_build_is_loaded(files, loads):
    load(files, firmware(BUILD))
    assert loads == [1]
    # Else a client would send nothing, and have what is there loaded, whatever it is.
    assert not files.exists(f"{FIRMWARE_FOLDER}a.bin")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (firmware("0" * 64), "is of build 000000000000, and this simulated board is build cdcdcdcdcdcd"),
        (b"\xff" * 1000, "names no build of a simulated board"),
    ],
)
def test_every_other_is_refused(files, loads, data, text):
    with pytest.raises(BitstreamError, match=text):
        load(files, data)
    assert not loads
    assert not files.exists(f"{FIRMWARE_FOLDER}a.bin")


def test_firmware_that_was_not_sent(files, loads):
    with pytest.raises(BitstreamError, match=r"no firmware 'b\.bin'"):
        files.write(f"{MANAGER}firmware", b"b.bin")
    assert not loads


def test_files(files):
    assert b"aarch64" in files.read("/proc/version")
    files.write("/tmp/x", b"abc")
    assert files.read("/tmp/x") == b"abc"
    files.write(f"{MANAGER}flags", b"1")
    assert files.read(f"{MANAGER}flags") == b"1"
    with pytest.raises(FileError, match="has no file /tmp/y"):
        files.read("/tmp/y")
    for path in ("/proc/version", "/etc/passwd", "", "/lib/firmwarex"):
        with pytest.raises(FileError, match="cannot be written"):
            files.write(path, b"")


def test_files_have_an_end(files):
    class Long(bytes):
        def __len__(self):
            return FILES_BYTES

    files.write("/tmp/x", b"abc")
    with pytest.raises(FileError, match="no room for"):
        files.write("/tmp/y", Long())
    assert not files.exists("/tmp/y")
    assert files.room("/tmp/x") > files.room("/tmp/y")
    with pytest.raises(FileError, match="no room for"):
        files.write(f"{MANAGER}flags", bytes(5_000))


def test_registers_of_the_processing_system():
    _, clocks, _ = processing_system()
    pll = clocks.read(0xFF5E_0020)
    control = clocks.read(0xFF5E_00C0)
    # FBDIV, halved by DIV2, of 33.333 MHz; then both divisors of the first clock.
    assert 33.333 * (pll >> 8 & 0x7F) / 2 / (control >> 8 & 0x3F) / (control >> 16 & 0x3F) == pytest.approx(
        99.999
    )
    assert pll >> 16 & 1
    clocks.write(0xFF5E_00C4, 7)
    assert clocks.read(0xFF5E_00C4) == 7
