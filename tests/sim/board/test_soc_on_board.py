# SPDX-License-Identifier: BSD-2-Clause
"""The system on chip around a stand-in decoder, driven through its register bus."""

import random

import numpy as np
import pytest

from triplane.gateware.decoder.layouts import RESULT
from triplane.sim.board import BoardError, SimulatedBoard

SHOT, DEPTH = 4, 64
HASH = int("ab" * 32, 16)


def events(shots, seed=1):
    return np.random.default_rng(seed).integers(0, 2**32, shots * SHOT, dtype=np.uint32)


def finish(access, transfer):
    while access.board.advance(transfer, 5_000):
        pass
    return RESULT.parse(transfer.results.reshape(-1, RESULT.words))


def check(records, sent):
    assert (records["sequence"] == np.arange(len(records))).all()
    assert (records["observables"] == np.bitwise_xor.reduce(sent.reshape(-1, SHOT), axis=1)).all()


def test_identification(access, build):
    name = access.get("identification_name").to_bytes(16, "little").rstrip(b"\0")
    assert name == b"triplane"
    assert [access.field("identification_version", part) for part in ("major", "minor", "patch")] == [0, 1, 0]
    assert f"{access.get('identification_build_hash'):064x}" == build.build_hash
    assert access.get("identification_clock_hz") == 245_760_000
    assert access.field("identification_shot", "num_layers") == SHOT
    assert access.field("identification_record", "result_words") == RESULT.words
    assert access.field("identification_depths", "events") == DEPTH


def test_table_hash_does_not_outlive_its_tables(access):
    access.set("identification_table_hash", HASH)
    assert access.get("identification_table_hash") == HASH
    access.set("decoder_control", 0)
    assert access.get("identification_table_hash") == HASH
    access.set("decoder_table", 3)
    assert access.get("identification_table_hash") == 0


def test_cycle_counter_counts_cycles(access):
    access.pulse("counter_control", "latch")
    before, cycles = access.get("counter_cycles"), access.board.cycles
    access.board.run(1000)
    access.pulse("counter_control", "latch")
    assert access.get("counter_cycles") - before == access.board.cycles - cycles


@pytest.mark.parametrize("delay", [0, 40])
@pytest.mark.parametrize("period", [1, 25])
def test_every_shot_comes_back(access, delay, period):
    access.set("decoder_delay", delay)
    sent = events(300)
    transfer = access.start(sent, period)
    records = finish(access, transfer)
    check(records, sent)
    stamps = records["timestamp_lo"].astype(int)
    if period > delay + 20:
        assert (np.diff(stamps) == period * SHOT).all()
        assert access.get("pacer_stalled_rounds") == 0
        assert access.get("pacer_backlog_max") == 1
    else:
        assert access.get("pacer_stalled_rounds") > 0
    assert access.get("pacer_released") == len(sent)
    assert access.get("results_records") == 300
    assert not access.get("faults_state")


def test_a_reader_that_stops_costs_time_and_no_record(access):
    """Back-pressure from the result FIFO reaches the events; nothing is lost."""
    sent = events(16)
    transfer = access.start(sent)
    access.board.run(3000)
    assert access.field("link_status", "result_level") == DEPTH
    assert access.get("pacer_released") < len(sent)
    assert access.field("link_status", "running")
    check(finish(access, transfer), sent)


def test_overflow_stops_the_board_until_it_is_cleared(access):
    access.set("pacer_rounds", 1000)
    access.board.write(access.address("events_data"), np.arange(DEPTH), increment=False)
    assert access.field("link_status", "event_space") == 0
    assert not access.get("faults_state")
    access.set("events_data", 99)
    assert access.field("faults_status", "event_overflow")
    assert access.field("link_status", "safe")
    assert access.get("faults_cycle") > 0
    access.pulse("pacer_control", "start")
    access.board.run(500)
    assert access.get("pacer_released") == 0
    assert access.get("results_records") == 0
    access.pulse("faults_control", "clear")
    assert access.get("faults_status") == 0
    assert access.get("faults_cycle") == 0
    assert access.field("link_status", "event_space") == DEPTH
    assert not access.field("link_status", "running")
    sent = events(20)
    check(finish(access, access.start(sent)), sent)


def test_an_empty_read_is_a_fault(access):
    assert access.get("results_data") == 0
    assert access.field("faults_status", "empty_read")
    assert access.get("faults_state")


def test_safe_ends_a_stream(access):
    sent = events(200)
    transfer = access.start(sent, period=20)
    assert access.board.advance(transfer, 2_000)
    access.board.write(access.address("events_data"), np.zeros(DEPTH + 1), increment=False)
    while access.board.advance(transfer, 2_000):
        pass
    assert access.get("faults_state")
    assert 0 < transfer.done < len(transfer.results)
    # What was decoded before the fault is whole.
    done = transfer.done // RESULT.words
    check(
        RESULT.parse(transfer.results[: done * RESULT.words].reshape(-1, RESULT.words)), sent[: done * SHOT]
    )


@pytest.mark.parametrize("condition", ["unmatched", "starved", "stalled"])
def test_counted_conditions_stop_the_board_where_asked_to(access, condition):
    bits = [f["name"] for f in access.registers["faults_status"]["fields"]]

    def provoke():
        if condition == "unmatched":
            access.set("decoder_control", 1 << 3)
        if condition == "stalled":
            access.set("decoder_delay", 100)
        sent = events(10)
        if condition == "starved":
            access.set("pacer_rounds", 4)
            access.pulse("pacer_control", "start")
            access.board.run(50)
            return
        transfer = access.start(sent)
        while access.board.advance(transfer, 2_000):
            pass

    provoke()
    assert access.field("faults_status", condition)
    assert not access.get("faults_state")
    access.board.reset()
    access.set("faults_stop_on", 1 << bits.index(condition))
    provoke()
    assert access.get("faults_state")


def test_unmatched_records_are_counted(access):
    access.set("decoder_control", 1 << 3)
    records = finish(access, access.start(events(10)))
    assert (records["flags"] == 1).all()
    assert access.get("results_unmatched_records") == 10


def test_a_hung_decoder_is_reported(access):
    access.set("decoder_control", 1 << 2)
    transfer = access.start(events(30))
    with pytest.raises(
        BoardError, match="no word has moved for 2000 cycles: 68 of 120 event words written, 0 of 300"
    ):
        finish(access, transfer)


def test_bus_fuzz(access):
    """Any access to any address of the bus ends, and the board works after a clear and a restart."""
    rng = random.Random(20)
    before = access.board.cycles
    for _ in range(20_000):
        address = rng.choice([4 * rng.randrange(0x1200), rng.getrandbits(32) & ~3])
        if rng.getrandbits(1):
            access.board.write(address, [rng.getrandbits(32)])
        else:
            access.board.read(address)
    assert access.board.cycles - before == 40_000, "every access takes 2 cycles"
    access.board.reset()
    sent = events(50)
    check(finish(access, access.start(sent)), sent)


def test_bursts(access):
    table = [random.Random(4).getrandbits(32) for _ in range(8)]
    access.board.write(access.address("identification_table_hash"), table)
    assert access.board.read(access.address("identification_table_hash"), 8).tolist() == table
    access.board.write(access.address("identification_scratch"), table, increment=False)
    assert (
        access.board.read(access.address("identification_scratch"), 3, increment=False).tolist()
        == table[-1:] * 3
    )


def test_boards_in_one_process_are_apart(access, another):
    second = another()
    access.set("identification_scratch", 1)
    second.set("identification_scratch", 2)
    assert (access.get("identification_scratch"), second.get("identification_scratch")) == (1, 2)
    sent = [events(40, seed) for seed in (1, 2)]
    transfers = [board.start(words, period=5) for board, words in zip((access, second), sent, strict=True)]
    going = [True, True]
    while any(going):
        going = [
            moving and board.board.advance(transfer, 100)
            for moving, board, transfer in zip(going, (access, second), transfers, strict=True)
        ]
    for transfer, words in zip(transfers, sent, strict=True):
        check(RESULT.parse(transfer.results.reshape(-1, RESULT.words)), words)


def test_a_closed_board_says_so(another):
    board = another().board
    board.close()
    board.close()
    with pytest.raises(BoardError, match="the simulated board is closed"):
        board.read(0)


def test_tracing_needs_its_build(access, tmp_path):
    with pytest.raises(BoardError, match="built without tracing"):
        access.board.trace(tmp_path / "x.vcd", 10)
    with pytest.raises(ValueError, match="a trace must be at least 1 cycle long, not 0"):
        access.board.trace(tmp_path / "x.vcd", 0)


@pytest.mark.parametrize("older_first", [True, False])
def test_two_boards_of_one_build(build, older_first):
    library = build.library
    older, younger = SimulatedBoard(library), SimulatedBoard(library)
    order = [older, younger] if older_first else [younger, older]
    for board in order:
        board.run(100)
    order[0].close()
    order[1].run(100)
    order[1].close()
    with SimulatedBoard(library) as another:
        before = another.cycles
        another.run(100)
        assert another.cycles == before + 100
