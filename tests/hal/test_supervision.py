# SPDX-License-Identifier: BSD-2-Clause
"""What a host says to a soft core, and what becomes of its answers; the soft core itself answers in `hal/remote`."""

from types import SimpleNamespace

import numpy as np
import pytest

from triplane.gateware.processor.layouts import Command, Result, State
from triplane.hal.drivers import supervision
from triplane.hal.drivers.supervision import SELF_TEST_DONE, SupervisedSource, Supervision
from triplane.hal.errors import BoardError

TABLES = ("sequencer_program_status", "decoder_status", "formation_status")


def field(offset, bits):
    return SimpleNamespace(offset=offset, of=lambda word: word >> offset & (1 << bits) - 1)


def register(address, **fields):
    return SimpleNamespace(address=address, fields={name: field(*where) for name, where in fields.items()})


class Core:
    """A board of which only the mailbox is there. `answers`: command -> result; one that is missing never comes."""

    registers = {
        "sequencer_program_status": register(0, trusted=(0, 1)),
        "sequencer_control_status": register(4, trusted=(0, 1)),
        "decoder_status": register(8, table=(0, 2)),
        "formation_status": register(12, table=(0, 2)),
        "processor_update_status": register(16, trusted=(0, 1)),
        "processor_job": register(20, state=(0, 4)),
        "processor_mailbox_argument0": register(24),
        "processor_mailbox_command": register(32, code=(0, 8), sequence=(8, 16)),
        "processor_mailbox_status": register(36, pending=(0, 1), result=(8, 8), taken=(16, 16)),
    }

    def __init__(self, answers, *, state=State.IDLE, taken=0, self_test=SELF_TEST_DONE, value=0):
        self.answers, self.state, self.taken, self.self_test, self.value = (
            answers,
            state,
            taken,
            self_test,
            value,
        )
        self.result, self.heard, self.lease = 0, [], None

    def get(self, name):
        return {
            "processor_job": int(self.state),
            "processor_self_test": self.self_test,
            "processor_mailbox_value": self.value,
            "processor_mailbox_status": (self.result is None) | (self.result or 0) << 8 | self.taken << 16,
        }[name]

    def set(self, name, value):
        assert name == "processor_lease_cycles"
        self.lease = value

    def burst_write(self, address, words, *, increment=True):
        assert (address, increment, words[1]) == (24, True, 0)
        assert words[2] >> 8 == (self.taken + 1) % 2**16
        self.taken = words[2] >> 8
        self.heard.append((Command(words[2] & 0xFF), words[0]))
        self.result = self.answers.get(Command(words[2] & 0xFF))

    def elapse(self, cycles):
        pass


ALL = dict.fromkeys(Command, Result.OK)


def test_a_job_names_the_tables_that_it_can_do_without():
    core = Core(ALL, taken=2**16 - 1)
    job = Supervision(core, 1234)
    job.begin(["decoder_status"])
    job.start()
    assert core.heard == [(Command.CHECK, 0b101), (Command.ARM, 0), (Command.START, 0)]
    assert core.lease == 1234


@pytest.mark.parametrize("state", State)
def test_only_what_is_there_is_ended_and_released(state):
    core = Core(ALL, state=state)
    job = Supervision(core)
    job.end()
    assert core.heard == [(Command.ABORT, 0)] * (state in (State.ARMED, State.RUNNING))
    core.heard.clear()
    job.release()
    assert core.heard == [(Command.CLEAR, 0)] * (state in (State.SAFE, State.FAULT))
    assert core.lease is None


def test_a_table_that_is_not_trusted_is_named():
    core = Core(ALL | {Command.CHECK: Result.NOT_TRUSTED}, value=0b110)
    with pytest.raises(
        BoardError, match="by decoder_status, formation_status a table is not trusted; load again"
    ):
        Supervision(core).begin(TABLES)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (Result.REFUSED, "answers REFUSED to ARM in the state SAFE"),
        (99, "answers 99 to ARM in the state SAFE"),
        (None, "does not answer ARM; power the board up again"),
    ],
)
def test_what_is_not_granted_is_an_error(result, message):
    with pytest.raises(BoardError, match=message):
        Supervision(Core(ALL | {Command.ARM: result}, state=State.SAFE)).begin(TABLES)


def test_a_core_that_does_not_boot_is_told(monkeypatch):
    monkeypatch.setattr(supervision, "BOOT_LOOKS", 3)
    with pytest.raises(BoardError, match="does not end its self-test"):
        Supervision(Core(ALL, self_test=0))
    with pytest.raises(BoardError, match="failed its self-test .processor_self_test: 0x80000004"):
        Supervision(Core(ALL, self_test=SELF_TEST_DONE | 4))


@pytest.mark.parametrize(("chunks", "stops"), [([3, 2], 0), ([3, 2], 1), ([3], 1), ([], 2)])
def test_a_run_ends_its_job_once(chunks, stops):
    left = [np.zeros((count, 4), np.uint32) for count in chunks]
    stopped, ended = [], []
    source = SupervisedSource(
        SimpleNamespace(
            record_words=4,
            num_edges=None,
            take=lambda: left.pop(0) if left else None,
            stop=lambda: stopped.append(1),
        ),
        5,
        lambda: ended.append(1),
    )
    for _ in chunks:
        source.take()
    assert bool(ended) == (sum(chunks) == 5)
    for _ in range(stops):
        source.stop()
    assert len(stopped) == stops
    assert ended == [1]
