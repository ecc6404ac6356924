# SPDX-License-Identifier: BSD-2-Clause
"""A simulated board that listens on real sockets of this machine."""

import pytest

from triplane import hal
from triplane.hal.drivers.simulated import served_gateware, simulated_design


@pytest.fixture(scope="session")
def design(code):
    return simulated_design(hal.ArrayTarget(code.plan))


@pytest.fixture(scope="session")
def gateware(design):
    return served_gateware(*design)


@pytest.fixture(scope="module")
def served(design, serve):
    with serve(design[0]) as board:
        yield board
