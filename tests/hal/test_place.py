# SPDX-License-Identifier: BSD-2-Clause
"""One board has one name, however its address is written."""

import pytest

from triplane.hal.place import place_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("udp://localhost", "udp://127.0.0.1:1234"),
        ("pynq://127.0.0.1/a.bit", "pynq://localhost:7967/b.bit"),
        ("pynq:/home/xilinx/a.bit", "pynq:b.bit"),
    ],
)
def test_addresses_of_one_board(one, other):
    assert place_of(one) == place_of(other)


def test_links_to_a_serial_line(tmp_path):
    (tmp_path / "ttyUSB1").touch()
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyUSB1")
    assert place_of(f"uart:{tmp_path}/by-id") == place_of(f"uart:{tmp_path}/ttyUSB1")


def test_different_boards():
    urls = [
        "udp://127.0.0.1",
        "udp://127.0.0.1:9",
        "udp://127.0.0.2",
        "uart:/dev/ttyUSB0",
        "qick:local",
        "qick:h:1",
    ]
    assert len({place_of(url) for url in urls}) == len(urls)
