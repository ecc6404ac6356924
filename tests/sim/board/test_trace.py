# SPDX-License-Identifier: BSD-2-Clause
"""Waveforms: their window, and files that cannot be written."""

import subprocess
import sys

import pytest

from triplane.sim.board import BoardError, SimulatedBoard, build_board


def test_trace_window_is_bounded(design, tmp_path):
    traced = build_board(design, trace=True)
    assert traced.library != build_board(design).library
    path = tmp_path / "window.vcd"
    with SimulatedBoard(traced.library) as board:
        board.run(100)
        board.trace(path, 50)
        board.run(1000)
        size = path.stat().st_size
        board.run(1000)
        assert path.stat().st_size == size
    text = path.read_text()
    stamps = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert "sys_clk" in text
    assert 90 <= stamps[-1] - stamps[0] <= 100, "50 cycles are 100 half cycles"


def test_a_full_disk_ends_the_trace_and_is_told(design, tmp_path):
    with SimulatedBoard(build_board(design, trace=True).library) as board:
        board.trace("/dev/full", 5000)
        board.run(10_000)  # Verilator's own file would wait here for ever
        with pytest.raises(BoardError, match="waveform /dev/full: No space left on device; free space there"):
            board.end_trace()
        board.end_trace()
        board.trace(tmp_path / "good.vcd", 10)
        board.run(20)
        board.end_trace()
        assert "#" in (tmp_path / "good.vcd").read_text()
        board.trace("/dev/full", 5000)
        with pytest.raises(BoardError, match="No space left on device"):
            board.close()
        board.close()


# A limit on the size of files is met in the middle of a file, as the end of a disk is.
LIMITED = """
import resource, signal, sys
from triplane.sim.board import BoardError, SimulatedBoard
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
board = SimulatedBoard(sys.argv[1])
board.trace(sys.argv[2], 100_000)
board.run(100_000)
try:
    board.close()
except BoardError as error:
    print(error)
"""


def test_a_trace_that_grows_too_large_is_told(design, tmp_path):
    library = build_board(design, trace=True).library
    path = tmp_path / "large.vcd"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, library, path], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.startswith(f"cannot write the waveform {path}: File too large; "), done.stderr
    assert path.stat().st_size == 100_000


def test_a_path_that_cannot_be_written_is_named_with_its_cause(design, tmp_path):
    path = tmp_path / "missing" / "x.vcd"
    with (
        SimulatedBoard(build_board(design, trace=True).library) as board,
        pytest.raises(BoardError, match=r"missing/x\.vcd: No such file or directory"),
    ):
        board.trace(path, 10)
