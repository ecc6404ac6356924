# SPDX-License-Identifier: BSD-2-Clause
"""The closed loop at the other end of a cable: the same programs on the same emulated qubits, the same results."""

from pathlib import Path

import pytest

from triplane import hal
from triplane.hal.drivers.simulated import simulated_design
from triplane.hal.errors import SafeStateError, UnsupportedError
from triplane.host.bench.resetting import SHAPE, control_program, small_board, small_target
from triplane.sim.board.emulation import EmulatedProcessor
from triplane.sim.qpu import Processor

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples" / "loop"
SEEDS = range(6)
LIMIT = 20_000
MASKS = (0b011, 0b100)
HEAD = """
.channel line, 3
.group line, line
    wait 50
"""
ILLEGAL = HEAD + "play line, 0, +20\nx_0\nwait 400\nhalt 7"
"""A pulse on a qubit that is being read out: no board minds it, but the emulator has no answer."""

COLLISION = HEAD + "play line, 0\nplay line, 0, +400\nwait 1000\nhalt 0"


@pytest.fixture(scope="module")
def refused():
    """What the processor was not able to play."""
    return []


@pytest.fixture(scope="module")
def served(serve, three_qubits, refused):
    design, _ = simulated_design(small_target(), fabric=SHAPE)

    def behind(board, addresses):
        return EmulatedProcessor(
            board, Processor(three_qubits), addresses, SHAPE, refused=lambda error: refused.append(str(error))
        ).play

    with serve(design, behind) as board:
        yield board


@pytest.fixture
def remote(served):
    target = small_target()
    with hal.connect(served.urls["udp"], graph=target.graph, table=target.shape, fabric=SHAPE) as board:
        yield board


def teleportation(device, prepare="x_0\n"):
    macros = f".macro prepare qubit\n{prepare}.endmacro\n.macro undo qubit\n.endmacro\n"
    return control_program(device, macros + (EXAMPLES / "teleportation.tasm").read_text(), MASKS)


@pytest.fixture(scope="module")
def local(three_qubits):
    """Exit codes of the board in this process."""
    with small_board() as board:
        board.load_control(teleportation(three_qubits))
        codes = []
        for seed in SEEDS:
            board.attach(Processor(three_qubits, seed=seed))
            codes.append(board.execute(limit_cycles=LIMIT).exit_code)
        return codes


def test_the_same_qubits_give_the_same_results(remote, three_qubits, local):
    remote.load_control(teleportation(three_qubits))
    codes = []
    for seed in SEEDS:
        remote.renew(seed)
        codes.append(remote.execute(limit_cycles=LIMIT).exit_code)
    assert codes == local
    assert len(set(codes)) > 1
    assert remote.fault() is None


def test_tables_are_those_that_were_loaded_last(remote, three_qubits):
    """Another pulse in the same entry: what is emulated follows what is written."""
    for prepare, found in (("x_0\n", 1), ("x_0\nx_0\n", 0), ("x_0\n", 1)):
        remote.load_control(teleportation(three_qubits, prepare))
        ones = 0
        for seed in range(4):
            remote.renew(seed)
            ones += remote.execute(limit_cycles=LIMIT).exit_code >> 2
        assert abs(ones - 4 * found) <= 1


def test_what_is_not_played_is_told_to_who_runs_the_emulator(remote, three_qubits, refused):
    refused.clear()
    remote.load_control(control_program(three_qubits, ILLEGAL, MASKS))
    remote.renew(0)
    assert remote.execute(limit_cycles=LIMIT).exit_code == 7
    assert len(refused) == 1
    assert "while that is read out" in refused[0]


def test_a_fault_is_left_by_the_next_job(remote, three_qubits, local):
    remote.load_control(control_program(three_qubits, COLLISION, MASKS))
    remote.renew(0)
    with pytest.raises(SafeStateError):
        remote.execute(limit_cycles=LIMIT)
    remote.load_control(teleportation(three_qubits))
    remote.renew(0)
    assert remote.execute(limit_cycles=LIMIT).exit_code == local[0]


def test_a_board_without_an_emulator_is_told(three_qubits):
    with (
        small_board() as board,
        pytest.raises(UnsupportedError, match="has no registers of an emulated processor"),
    ):
        board.renew(0)
