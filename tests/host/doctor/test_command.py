# SPDX-License-Identifier: BSD-2-Clause
"""`triplane doctor` as a person calls it."""

import json
import socket

import pytest

from triplane.hal.drivers.simulated import simulated_design
from triplane.host.built import BuiltFor, loopback_board
from triplane.host.doctor import CHECKS
from triplane.host.doctor.command import DoctorError, chosen, doctor
from triplane.host.served import triplane
from triplane.host.small import CABLED, small_target


def run(*arguments):
    """The command to its end: exit code, output, errors."""
    process = triplane("doctor", *arguments)
    output, error = process.communicate(timeout=600)
    return process.returncode, output, error


def test_names_of_checks():
    assert chosen((), ()) == list(CHECKS)
    assert chosen(["pll", "clock"], ()) == ["clock", "pll"]
    assert chosen((), ["memory"]) == [name for name in CHECKS if name != "memory"]
    with pytest.raises(DoctorError, match="no check named 'pl'; there are: versions, firmware, clock"):
        chosen(["pl"], ())
    with pytest.raises(DoctorError, match="leave no check"):
        chosen(["pll"], ["pll"])


def test_a_board_of_its_own(tmp_path):
    path = tmp_path / "health.json"
    code, output, error = run("--only", "clock", "--only", "sync", "--json", str(path))
    assert code == 0, error
    assert [line.split()[:2] for line in output.splitlines()] == [
        ["ok", "clock"],
        ["ok", "sync"],
        ["2", "ok"],
    ]
    found = json.loads(path.read_text())
    assert found["healthy"] is True
    assert [url.split(":")[0] for url in found["boards"]] == ["udp", "uart"]
    assert found["findings"]["sync"] == {
        "status": "ok",
        "text": "all 2 lines are aligned, to the cycle",
        "fix": "",
        "measured": {"line 0 loop_cycles": 34, "line 1 loop_cycles": 34},
    }


def test_nobody_answers(capsys):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"udp://127.0.0.1:{silent.getsockname()[1]}"
        assert not doctor(loopback_board(), [url], cabled=True, only=["pll", "transports"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("failed  transports")
    assert "has not answered within" in lines[0]
    assert "check power, cable and address" in lines[1]
    assert lines[2:] == ["skipped pll         the board was not reached", "1 failed, 1 skipped"]


def test_an_overlay_that_is_missing(capsys):
    assert not doctor(loopback_board(), ["pynq:none.bit"], cabled=True, only=["transports"])
    found = capsys.readouterr().out.splitlines()
    assert found[0].startswith("failed  transports  there is no overlay none.bit; give the .bit file")
    assert found[1:] == ["1 failed"]


def test_another_gateware(serve, capsys):
    design, _ = simulated_design(small_target(), fabric=CABLED)
    other = loopback_board()
    without = BuiltFor(other.graph, other.table)
    with serve(design) as board:
        assert not doctor(without, [board.urls["udp"]], cabled=False, only=["versions"])
    line, fix, _ = capsys.readouterr().out.splitlines()
    assert line.startswith("failed  versions    the board carries build")
    assert "flash the board with the bundle that this host has" in fix


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--board", "sim"], "--board sim: a board is examined over a link"),
        (["--board", "udp://h", "--board", "udp://h"], "--board udp://h is given twice"),
        (["--board", "tcp://h"], "no driver for board 'tcp://h'"),
        (["--board", "udp://h:99999"], "Port out of range"),
        (["--board", "udp://127.0.0.1:1", "--only", "heart"], "no check named 'heart'"),
        (
            ["--closed-loop", "--loopback", "--board", "udp://h"],
            "--closed-loop and --loopback are different boards",
        ),
        (
            ["--closed-loop", "somewhere", "--board", "udp://h"],
            "the board of --closed-loop decodes no data set",
        ),
        (["--distance", "3"], "give the URL of yours with --board"),
        (["--bundle", "/nowhere", "--board", "udp://h"], "/nowhere"),
    ],
)
def test_what_makes_no_sense(arguments, says):
    code, output, error = run(*arguments)
    assert (code, output) == (1, "")
    assert error.startswith("error: ")
    assert says in error
    assert "Traceback" not in error
