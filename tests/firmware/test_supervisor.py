# SPDX-License-Identifier: BSD-2-Clause
"""The firmware's turns before a model of the hardware, under sanitizers: whatever comes, the invariants hold."""

import random
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triplane.firmware.image import committed
from triplane.gateware.processor.boardtable import GROUPS
from triplane.gateware.processor.layouts import Command, LogCode, Result, State
from triplane.sim.processor.native import ABORT, BACKLOG, CLEAR, FINISHED, MISSES, SCRATCH, START, TABLES

KNOWN = {code.value for code in Command}


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100])
def test_crc(machine, count):
    words = np.random.default_rng(count).integers(0, 2**32, count, dtype=np.uint32)
    given_words = " ".join(f"{word:x}" for word in words)
    assert machine.call(f"c {count:x} {given_words}") == [zlib.crc32(words.astype("<u4").tobytes())]


def selftest(machine, words):
    (failures,) = machine.call(f"s {len(words):x} {' '.join(f'{word:x}' for word in words)}")
    assert machine.log[-1] == (LogCode.SELF_TEST, failures)
    assert ("self_test", failures | 1 << 31) in machine.writes
    return failures


def image_words():
    content = committed().content
    return [int.from_bytes(content[k : k + 4], "little") for k in range(0, len(content), 4)]


def test_selftest_finds_nothing_in_what_is_right(machine):
    assert selftest(machine, image_words()) == 0
    assert machine.board[SCRATCH] == 0x1234


@pytest.mark.parametrize("seed", range(20))
def test_selftest_finds_any_flipped_bit(machine, seed):
    rng = random.Random(seed)
    words = image_words()
    place = rng.randrange(len(words))
    words[place] ^= 1 << rng.randrange(32)
    assert selftest(machine, words) == 2, f"word {place}, seed {seed}"


@pytest.mark.parametrize("count", [0, 1])
def test_selftest_of_what_is_no_image(machine, count):
    assert selftest(machine, [0] * count) == 2


def test_selftest_of_board_and_table(machine):
    machine.silent = True
    assert selftest(machine, image_words()) == 4
    machine.table[0] ^= 1
    assert selftest(machine, image_words()) == 16


def test_a_stuck_bit_of_the_bus(machine):
    plain = machine.access

    def stuck(address, value):
        found = plain(address, value)
        return found if value is not None else found | 1 << 9

    machine.access = stuck
    assert selftest(machine, image_words()) == 4


def test_what_fails_at_boot_makes_the_board_safe(machine):
    machine.begin(2)
    assert machine.state == State.FAULT
    assert machine.safe_request


def test_a_turn_answers_one_command(machine):
    machine.begin()
    assert machine.turn(Command.PING, 0xABC) == (Result.OK, 0xABC)
    assert machine.turn() is None


def test_the_request_to_be_safe_comes_before_any_access(machine):
    machine.job_running()
    machine.writes.clear()
    machine.private["silence"] = 1000
    machine.turn()
    names = [name for name, _ in machine.writes]
    assert names.index("job") < names.index(ABORT)
    assert next(value for name, value in machine.writes if name == "job") >> 8 == 1


def test_the_lease_counts_to_the_cycle(machine):
    machine.job_running()
    machine.private["silence"] = 999
    machine.turn()
    assert machine.state == State.RUNNING
    machine.private["silence"] = 1000
    machine.turn()
    assert machine.state == State.SAFE


def test_a_counter_of_misses_that_was_cleared_counts_on(machine):
    machine.board[MISSES] = 50
    machine.private["miss_limit"] = 10
    machine.job_running()
    machine.board[MISSES] = 10
    machine.turn()
    assert machine.state == State.RUNNING
    machine.board[MISSES] = 11
    machine.turn()
    assert machine.state == State.SAFE
    assert (LogCode.MISSES, 11) in machine.log


def test_a_bus_that_fails_while_a_job_starts(machine):
    machine.begin()
    machine.turn(Command.CHECK)
    machine.turn(Command.ARM)
    machine.silent = True
    assert machine.turn(Command.START)[0] in (Result.BUS_FAILED, Result.REFUSED)
    assert machine.state == State.FAULT
    assert machine.safe_request
    machine.silent = False
    assert machine.turn(Command.CLEAR)[0] == Result.OK
    assert (machine.state, machine.safe_request) == (State.IDLE, 0)
    assert (CLEAR, 1) in machine.writes


def test_a_write_that_fails_while_a_job_starts(machine):
    machine.begin()
    machine.turn(Command.CHECK)
    machine.turn(Command.ARM)
    plain = machine.access

    def deaf(address, value):
        machine.silent = address == START and value is not None
        return plain(address, value)

    machine.access = deaf
    assert machine.turn(Command.START)[0] == Result.BUS_FAILED
    assert (machine.state, machine.safe_request) == (State.FAULT, 1), "in the same turn"
    assert machine.writes.index((ABORT, 2)) > 0


@pytest.mark.parametrize("started", [False, True])
def test_limits_hold_once_a_job_is_armed(machine, started):
    machine.private["backlog_limit"] = 7
    machine.begin()
    machine.turn(Command.CHECK)
    machine.turn(Command.ARM)
    if started:
        machine.turn(Command.START)
    machine.board[BACKLOG] = 7
    machine.turn()
    assert machine.state == (State.RUNNING if started else State.ARMED)
    machine.board[BACKLOG] = 8
    machine.turn()
    assert (machine.state, machine.safe_request) == (State.SAFE, 1)


def test_a_job_does_without_the_tables_that_its_check_left_out(machine):
    machine.begin()
    machine.board[TABLES[1]] = 0
    assert machine.turn(Command.CHECK) == (Result.NOT_TRUSTED, 2)
    assert machine.turn(Command.CHECK, 2)[0] == Result.OK
    assert machine.turn(Command.ARM)[0] == Result.OK
    for _ in range(GROUPS["trusted"][0] + 1):
        machine.turn()
    assert machine.state == State.ARMED
    assert machine.turn(Command.ABORT)[0] == Result.OK
    assert machine.turn(Command.CHECK)[0] == Result.NOT_TRUSTED, "the next check says anew"


def test_a_request_stands_until_it_is_cleared(machine):
    machine.begin()
    machine.turn(Command.MAKE_SAFE)
    machine.turn()
    assert (machine.state, machine.safe_request) == (State.SAFE, 1), "though the board is not safe yet"


def test_no_reboot_while_a_job_is_armed(machine):
    machine.begin()
    assert machine.turn(Command.REBOOT, 2)[0] == Result.REFUSED
    machine.turn(Command.CHECK)
    machine.turn(Command.ARM)
    assert machine.turn(Command.REBOOT, 0)[0] == Result.REFUSED
    machine.turn(Command.ABORT)
    machine.writes.clear()
    assert machine.turn(Command.REBOOT, 1)[0] == Result.OK
    names = [name for name, _ in machine.writes]
    assert names.index("answer") < names.index("boot_control"), "the host is told before"


STEPS = st.one_of(
    st.tuples(st.just("command"), st.integers(0, 12), st.integers(0, 8)),
    st.tuples(st.just("table"), st.sampled_from(TABLES), st.integers(0, 1)),
    st.tuples(st.just("silent"), st.booleans(), st.none()),
    st.tuples(st.just("safe"), st.integers(0, 1), st.none()),
    st.tuples(st.just("silence"), st.sampled_from([0, 999, 1000, 2**32 - 1]), st.none()),
    st.tuples(st.just("finished"), st.integers(0, 3), st.none()),
    st.tuples(st.just("backlog"), st.sampled_from([0, 7, 8]), st.none()),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps=st.lists(STEPS, max_size=25))
def test_invariants(make_machine, steps):
    machine = make_machine()
    machine.private["backlog_limit"] = 7
    machine.begin()
    for what, value, extra in steps:
        before, begun, logged = machine.state, len(machine.writes), len(machine.log)
        answer = None
        match what:
            case "command":
                answer = machine.turn(value, extra)
            case "table":
                machine.board[value] = extra
            case "silent":
                machine.silent = value
            case "finished":
                machine.board[FINISHED] = value
            case "backlog":
                machine.board[BACKLOG] = value
            case _:
                machine.private[what] = value
        if answer is None:
            machine.turn()
        done = machine.writes[begun:]
        after = machine.state
        # The host is told of every state, with its time, and of no other.
        moved = [argument for code, argument in machine.log[logged:] if code == LogCode.STATE]
        passed = [before]
        for argument in moved:
            assert argument >> 8 & 0xFF == passed[-1]
            passed.append(State(argument & 0xFF))
        assert passed[-1] == after
        # Pulses are played by a job that was armed, and by no other.
        assert ((START, 1) in done) <= (
            before in (State.ARMED, State.LOADED, State.DONE) and State.RUNNING in passed
        )
        # A job that does not run any more was stopped, or has ended.
        if State.RUNNING in passed and after not in (State.RUNNING, State.DONE) and not machine.silent:
            assert (ABORT, 2) in done
        # No job goes on without a host, on a board that is safe, or behind a bus that is silent.
        if after in (State.ARMED, State.RUNNING):
            assert machine.private["silence"] < machine.private["lease"]
            assert not machine.private["safe"]
            assert not machine.silent
            assert machine.board[BACKLOG] <= 7
        # What was asked for is answered, and what does not exist is said to be unknown.
        if answer is not None:
            assert (answer[0] == Result.UNKNOWN) == (value not in KNOWN)
            if answer[0] == Result.REFUSED:
                assert passed[-1] == after
        # In FAULT the board is asked to be safe.
        if after == State.FAULT:
            assert machine.safe_request
