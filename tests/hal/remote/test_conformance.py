# SPDX-License-Identifier: BSD-2-Clause
"""One suite for every way to a board: in this process, by real UDP, by a serial line over real TCP, by PYNQ.remote."""

import os

import numpy as np
import pytest

from triplane import hal
from triplane.hal import errors
from triplane.hal.drivers.sim import SimBoard

CYCLE_STAMPS = {"timestamp_lo", "timestamp_hi", "waited"}
"""Fields that depend on when a run was started."""


@pytest.fixture
def pynq_url():
    """Of a board that another process serves: pynq has an environment of its own, in which this one runs."""
    host = os.environ.get("TRIPLANE_TEST_PYNQ")
    if host is None:
        pytest.skip("tests/hal/remote/test_pynq.py runs this in an environment that has pynq")
    return f"pynq://{host}"


@pytest.fixture(params=["sim", "udp", "uart", "pynq"])
def board(request, code):
    if request.param == "sim":
        url = "sim"
    elif request.param == "pynq":
        url = request.getfixturevalue("pynq_url")
    else:
        url = request.getfixturevalue("served").urls[request.param]
    with hal.connect(url, graph=code.graph) as board:
        yield board


@pytest.fixture(scope="module")
def expected(code):
    """Records of the board in this process, with corrections."""
    with hal.connect("sim", graph=code.graph, correction=True) as board:
        board.load(hal.DecoderProgram.from_graph(code.graph))
        chunks = list(board.run(code.rounds, round_period_cycles=20))
        corrections = np.concatenate([chunk.corrections for chunk in chunks])
        return np.concatenate(chunks), corrections


def test_it_is_a_board(board, code):
    assert isinstance(board, hal.Board)
    assert (board.place is None) is isinstance(board, SimBoard)
    identity = board.identify()
    assert (identity.name, identity.clock_hz) == ("triplane", 245_760_000)
    assert board.fault() is None


def test_registers(board):
    scratch = board.registers["identification_scratch"]
    for word in (0, 0xFFFFFFFF, 0xC0DBDCDD, 0x12345678):
        board.write(scratch.address, word)
        assert board.read(scratch.address) == word
    wide = board.registers["identification_table_hash"]
    value = int.from_bytes(range(32), "big")
    board.set(wide.name, value)
    assert board.get(wide.name) == value
    assert list(board.burst_read(wide.address, 8)) == [value >> 32 * k & 0xFFFFFFFF for k in range(8)]


def test_a_long_burst_to_one_address(board):
    """Longer than a request, and of a FIFO that counts what it gets."""
    clear = board.registers["faults_control"]
    board.write(clear.address, 1 << clear.fields["clear"].offset)
    space = board.get("link_status") & 0x7FFF
    board.burst_write(board.registers["events_data"].address, np.arange(700), increment=False)
    assert board.get("link_status") & 0x7FFF == space - 700


def test_what_is_not_in_the_map_is_refused(board):
    with pytest.raises(errors.AddressError, match="no register at address 0xffff0000"):
        board.read(0xFFFF0000)
    with pytest.raises(errors.AddressError, match="can only be read"):
        board.write(board.registers["identification_clock_hz"].address, 1)
    with pytest.raises(errors.RegisterValueError, match="takes 0 to"):
        board.set("identification_scratch", 2**32)


def test_a_run_is_the_same_everywhere(board, code, expected):
    records, corrections = expected
    board.load(hal.DecoderProgram.from_graph(code.graph, correction=True))
    run = board.run(code.rounds, round_period_cycles=20)
    chunks = list(run)
    found = np.concatenate(chunks)
    for name in set(records.dtype.names) - CYCLE_STAMPS:
        assert np.array_equal(found[name], records[name]), name
    assert np.array_equal(np.concatenate([chunk.corrections for chunk in chunks]), corrections)
    assert run.pacing.released == code.rounds.shape[0] * code.rounds.shape[1]
    assert run.cycles > 0


def test_shot_by_shot(board, code, expected):
    records, _ = expected
    board.load(hal.DecoderProgram.from_graph(code.graph))
    run = board.run(code.rounds[:20], round_period_cycles=20, shot_by_shot=True)
    chunks = list(run)
    assert [len(chunk) for chunk in chunks] == [1] * 20
    assert np.array_equal(np.concatenate(chunks)["observables"], records["observables"][:20])
    assert run.pacing.released == 20 * code.rounds.shape[1]


def test_a_run_that_is_left_early_leaves_a_board_that_works(board, code, expected):
    records, _ = expected
    board.load(hal.DecoderProgram.from_graph(code.graph))
    run = board.run(code.rounds, round_period_cycles=20)
    next(run)
    run.close()
    again = np.concatenate(list(board.run(code.rounds[:50], round_period_cycles=20)))
    assert np.array_equal(again["observables"], records["observables"][:50])


def test_a_fault_is_told_and_cleared(board, code):
    board.load(hal.DecoderProgram.from_graph(code.graph))
    board.read(board.registers["results_data"].address)  # there is none
    fault = board.fault()
    assert fault.stopping == ("empty_read",)
    list(board.run(code.rounds[:5], round_period_cycles=20))
    assert board.fault() is None


def test_a_run_may_take_too_long(board, code):
    board.load(hal.DecoderProgram.from_graph(code.graph))
    with pytest.raises(errors.RunTimeoutError, match=r"stopped after 0\.2 s with"):
        list(board.run(code.rounds, round_period_cycles=1_000_000, timeout_s=0.2))
    assert len(np.concatenate(list(board.run(code.rounds[:5], round_period_cycles=20)))) == 5


def test_what_does_not_fit_is_refused(board, code):
    with pytest.raises(errors.ProgramError, match="no program is loaded"):
        board.run(code.rounds, round_period_cycles=20)
    board.load(hal.DecoderProgram.from_graph(code.graph))
    with pytest.raises(errors.ProgramError, match="rounds have shape"):
        board.run(code.rounds[0], round_period_cycles=20)
    with pytest.raises(errors.UnsupportedError, match="no sequencer feature"):
        board.execute(limit_cycles=1)


def test_a_closed_board_says_so(board):
    board.close()
    board.close()
    with pytest.raises(errors.BoardClosedError, match="connect again"):
        board.get("link_status")
