# SPDX-License-Identifier: BSD-2-Clause
"""A board for clients of PYNQ.remote, and an unmodified pynq 4.0 in an environment of its own as the client."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from triplane import hal
from triplane.hal import RegisterMap, errors
from triplane.hal.drivers.pynq import PYNQ_PORT
from triplane.sim.board.pynq.server import PynqEndpoint

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = ROOT / ".venv-pynq"
RESOLVE_S, RUN_S = 600, 600

# A client looks for no other port. All of 127.0.0.0/8 is this machine, so that tests of two processes need not meet.
HOST = f"127.{os.getpid() >> 16 & 0x7F | 0x80}.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF or 1}"


@pytest.fixture(scope="module")
def board(design, serve):
    def beside(server, build):
        return PynqEndpoint(
            server.board,
            RegisterMap(build.registers),
            build.build_hash,
            configure=server.board.reset,
            called=server.called,
            host=HOST,
        )

    with serve(design[0], beside=beside) as served:
        yield served


@pytest.fixture(scope="module")
def python():
    """The interpreter of an environment with pynq, which uv makes from uv.lock, or brings up to date."""
    if sys.version_info >= (3, 13):
        pytest.skip("pynq 4.0 needs grpcio 1.64.0 and NumPy 1, which have wheels for Python 3.12 at the most")
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on the path: it makes the environment that pynq needs of its own")
    command = [
        uv,
        "sync",
        "--quiet",
        "--locked",
        "--extra",
        "pynq",
        "--no-group",
        "circuits",
        "--python",
        sys.executable,
    ]
    made = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=RESOLVE_S, check=False
    )
    if made.returncode:
        pytest.skip(f"no environment with pynq, {' '.join(command)}: {made.stderr.strip()[-500:]}")
    return ENVIRONMENT / "bin" / "python"


def environment(**added):
    """Of a process in that environment: nothing of the one that this runs in."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "VIRTUAL_ENV"))
    }
    return {**kept, "UV_PROJECT_ENVIRONMENT": str(ENVIRONMENT), **added}


def test_an_unmodified_client(board, python):
    """What pynq does by itself, and the conformance suite through our driver, over one board."""
    ran = subprocess.run(
        [
            *(python, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider"),
            *("-W", "default"),  # pynq's warnings are for its authors
            *(
                "tests/hal/pynq",
                "tests/hal/remote/test_conformance.py",
                "-k",
                "not sim and not udp and not uart",
            ),
        ],
        cwd=ROOT,
        env=environment(PYNQ_REMOTE_DEVICES=HOST, TRIPLANE_TEST_PYNQ=HOST),
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed
    assert int(passed[1]) > 25, ran.stdout  # 11 of them are the conformance suite
    assert "skipped" not in ran.stdout


def test_a_port_that_is_taken(board, gateware):
    """Two boards on one port would answer in turn."""
    import asyncio

    async def enter():
        second = PynqEndpoint(None, gateware.registers, gateware.build_hash, configure=None, host=HOST)
        assert second.port == PYNQ_PORT
        async with second:
            pass

    with pytest.raises(OSError, match=f"{HOST}:{PYNQ_PORT}"):
        asyncio.run(enter())


def test_a_board_under_pynq_is_not_observed(code):
    with pytest.raises(errors.UnsupportedError, match="cannot be observed"):
        hal.connect(f"pynq://{HOST}", graph=code.graph, observe=True)


def test_what_is_missing_is_named(code, tmp_path):
    with pytest.raises(errors.BoardError, match=r"no overlay .*absent\.bit"):
        hal.connect(f"pynq:{tmp_path / 'absent.bit'}", graph=code.graph)
    try:
        import pynq  # noqa: F401
    except ImportError:
        with pytest.raises(errors.BoardError, match="uv sync --extra pynq"):
            hal.connect(f"pynq://{HOST}", graph=code.graph)
    else:
        pytest.skip("pynq is installed here")


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("pynq:triplane.bit", "pynq"),
        ("pynq:/home/xilinx/triplane.bit", "pynq"),
        ("pynq:///home/xilinx/triplane.bit", "pynq"),
        ("pynq://192.168.2.99", "pynq"),
        ("pynq://192.168.2.99:7968/home/xilinx/triplane.bit", "pynq"),
    ],
)
def test_addresses(url, driver):
    assert hal.driver_of(url) == driver


@pytest.mark.parametrize("url", ["pynq:", "pynq://"])
def test_addresses_without_a_board(url):
    with pytest.raises(ValueError, match="no driver for board"):
        hal.driver_of(url)
