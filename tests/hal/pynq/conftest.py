# SPDX-License-Identifier: BSD-2-Clause
"""What runs where pynq is installed, against a board that another process serves; see tests/hal/remote/test_pynq.py."""

import importlib.util
import os

import pytest

from triplane import hal
from triplane.hal.drivers.simulated import served_gateware, simulated_design
from triplane.sim.board.pynq.overlay import write_overlay

HERE = importlib.util.find_spec("pynq") is not None and "TRIPLANE_TEST_PYNQ" in os.environ


def pytest_collection_modifyitems(items):
    if not HERE:
        reason = "tests/hal/remote/test_pynq.py runs this in an environment that has pynq"
        for item in items:
            if "hal/pynq" in str(item.path):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def host():
    """Where the board listens, as PYNQ_REMOTE_DEVICES has it too."""
    return os.environ["TRIPLANE_TEST_PYNQ"]


@pytest.fixture(scope="session")
def gateware(code):
    return served_gateware(*simulated_design(hal.ArrayTarget(code.plan)))


@pytest.fixture(scope="session")
def bitfile(gateware):
    return write_overlay(gateware.registers, gateware.build_hash)


@pytest.fixture(scope="session")
def other(gateware, tmp_path_factory):
    """The overlay of a build that no board is."""
    from triplane.sim.board.pynq.overlay import bit_file, hwh_text, window_of

    folder = tmp_path_factory.mktemp("other")
    hwh = hwh_text(window_of(gateware.registers))
    (folder / "triplane.hwh").write_text(hwh)
    (folder / "triplane.bit").write_bytes(bit_file("0" * 64, hwh))
    return folder / "triplane.bit"
