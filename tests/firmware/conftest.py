# SPDX-License-Identifier: BSD-2-Clause
"""The firmware's logic as a process of this machine, and the hardware that it sees."""

import subprocess

import pytest

from triplane.sim.processor.native import Machine, build_driver


@pytest.fixture(scope="session")
def process():
    """The driver; static data of the firmware are set by `Machine.begin`."""
    with subprocess.Popen(
        [str(build_driver())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        yield running
        running.stdin.close()
        assert running.wait(10) == 0, running.stderr.read()
        assert running.stderr.read() == "", "what the sanitizers found"


@pytest.fixture
def machine(process):
    return Machine(process)


@pytest.fixture(scope="session")
def make_machine(process):
    """For property tests, which need a fresh one for each example."""
    return lambda: Machine(process)
