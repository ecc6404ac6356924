# SPDX-License-Identifier: BSD-2-Clause
"""The closed loop at the other end of a cable: the same programs on the same emulated qubits, the same results."""

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from triplane import hal
from triplane.gateware.fabric import ROUND_LAST
from triplane.gateware.link.records.layouts import Kind, record_of
from triplane.gateware.syndrome.compile import syndrome_table
from triplane.hal.datagrams import StreamSocket
from triplane.hal.drivers.simulated import simulated_design
from triplane.hal.errors import SafeStateError, UnsupportedError
from triplane.host.bench.resetting import control_program, small_board
from triplane.host.provenance.store import Store
from triplane.host.runtime.streaming import record_stream
from triplane.host.small import SHAPE, small_circuit, small_rounds, small_target
from triplane.sim.board.emulation import EmulatedProcessor
from triplane.sim.models.decoder.lut import fill_table
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


def test_measured_rounds_are_recorded_as_the_board_holds_them(served, remote, three_qubits, tmp_path):
    h5py = pytest.importorskip("h5py", reason="recordings need h5py (extra record)")
    target = small_target()
    syndrome = syndrome_table(small_rounds(), [0, 1, 2] * 2, target.graph)
    first, last = syndrome.rounds
    head = f".equ FIRST, {first}\n.equ LAST, {last | 1 << ROUND_LAST}\n.macro error\nx_1\n.endmacro\n"
    program = control_program(
        three_qubits, head + (EXAMPLES / "frame-of-a-qubit.tasm").read_text(), (0b111, 0b100)
    )
    model = small_circuit().detector_error_model(decompose_errors=True)
    remote.load(hal.DecoderProgram.from_table(target, fill_table(model, target.shape).words))
    remote.load_control(dataclasses.replace(program, syndrome=syndrome.words(SHAPE.syndrome)))
    path, recorded, begun = tmp_path / "rounds.h5", [], threading.Event()
    records = {"round": 2 * len(SEEDS), "result": len(SEEDS)}

    class Source(StreamSocket):
        def receive(self, timeout_s):
            begun.set()
            return super().receive(timeout_s)

    def work():
        built_for = {"graph": target.graph, "table": target.shape, "fabric": SHAPE}
        with hal.connect(served.urls["uart"], observe=True, **built_for) as observed:
            recorded.append(
                record_stream(
                    observed,
                    Source("127.0.0.1"),
                    path,
                    command=["triplane", "record"],
                    records=sum(records.values()),
                    shape=SHAPE.syndrome,
                    store=Store(tmp_path / "store"),
                )
            )

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    runs = []
    for seed in SEEDS:
        remote.renew(seed)
        runs.append(remote.execute(limit_cycles=2 * LIMIT, live=True, records=True))
    thread.join(60)
    assert not thread.is_alive()
    assert recorded[0]["records"] == records
    assert not any(recorded[0]["lost"].values())
    rounds, results = (np.concatenate([getattr(run, name) for run in runs]) for name in ("rounds", "results"))
    # The X on qubit 1 makes both events of the first round.
    assert np.median(rounds["events_0"][::2]) == 0b11
    with h5py.File(path) as file:
        for name in record_of(Kind.ROUND, SHAPE.syndrome).dtype.names:
            assert np.array_equal(file["round"][name], rounds[name]), name
        for name in results.dtype.names:
            assert np.array_equal(file["result"][name], results[name]), name


COUNTING = """
.channel line, 3
.group line, line
    set r1, 0
again:
    emit r1
    add r1, r1, 3
    blt r1, {limit}, again
    halt 5
"""


@pytest.mark.parametrize("way", ["udp", "uart"])
def test_outcomes_over_a_cable(served, three_qubits, way):
    target = small_target()
    with hal.connect(served.urls[way], graph=target.graph, table=target.shape, fabric=SHAPE) as board:
        count = 2 * board.descriptor.control.result_fifo_words + 11
        board.load_control(control_program(three_qubits, COUNTING.format(limit=3 * count)))
        parts = []
        ended = board.execute(limit_cycles=50_000_000, outcomes=parts.append)
        assert ended.exit_code == 5
        assert np.concatenate(parts).tolist() == list(range(0, 3 * count, 3))
