# SPDX-License-Identifier: BSD-2-Clause
"""The committed firmware on the Verilated processor: boot, commands, what is watched, updates, what fails."""

import dataclasses
import shutil
import zlib

import numpy as np
import pytest
from litex.gen import LiteXModule
from migen import If, Signal

from triplane.firmware.image import Image, committed
from triplane.gateware.processor import BoardTable, Processor
from triplane.gateware.processor import core as processor_core
from triplane.gateware.processor.boot import HOLD_CYCLES
from triplane.gateware.processor.layouts import (
    LOG_DEPTH,
    RAM_BASE,
    Cause,
    Command,
    Event,
    LogCode,
    Result,
    State,
)
from triplane.gateware.processor.ram import StaticRam
from triplane.gateware.processor.slot import Slot
from triplane.sim.processor import SimulatedProcessor, build_processor

LEASE, WATCHDOG, TRIAL, BUS_LIMIT = 200_000, 1 << 17, 1_500_000, 256
TURN_CYCLES = 6_000
"""No turn of the main loop takes longer before a board that answers; a test holds it against what was measured."""

BOOT_CYCLES = 700_000
SCRATCH, FAULTS, CLEAR, PACER, PACING, PROGRAM, FORMATION, DECODER = (
    0x64,
    0x100,
    0x104,
    0x108,
    0x10C,
    0x110,
    0x114,
    0x118,
)
CONTROL, STATUS, SEQUENCER_TABLE, BACKLOG, LATE = 0x200, 0x204, 0x208, 0x20C, 0x210
FINISHED = 0b101000
EXECUTING = 0b1


def register(address, **fields):
    return {
        "address": address, "words": 1, "bits": 32, "access": "rw", "description": "", "reset": 0,
        "fields": [
            {"name": name, "offset": offset, "bits": bits, "access": "rw", "description": "", "reset": 0}
            for name, (offset, bits) in fields.items()
        ],
    }  # fmt: skip


BOARD = {
    "registers": {
        "identification_scratch": register(SCRATCH),
        "faults_status": register(FAULTS),
        "faults_control": register(CLEAR, clear=(0, 1)),
        "pacer_control": register(PACER, start=(0, 1), stop=(1, 1)),
        "pacer_status": register(PACING, running=(0, 1)),
        "pacer_backlog_max": register(BACKLOG),
        "decoder_late_windows": register(LATE),
        "decoder_status": register(DECODER, table=(1, 2), trusted=(4, 1)),
        "sequencer_program_status": register(SEQUENCER_TABLE, trusted=(0, 1)),
        "sequencer_control_control": register(
            CONTROL, start=(0, 1), stop=(1, 1), step=(2, 1), abort=(3, 1), clear=(4, 1)
        ),
        "sequencer_control_status": register(
            STATUS, executing=(0, 1), paused=(1, 1), starting=(2, 1), halted=(3, 1), waiting=(4, 1),
            drained=(5, 1), trusted=(6, 1),
        ),
        "formation_status": register(FORMATION, table=(4, 2)),
        "formation_control": register(PROGRAM, restart=(0, 1)),
    }
}  # fmt: skip

# Images of a few instructions, to be put behind a header's jump.
KICK = [
    0x200002B7,
    0x7E1D1337,
    0xD0630313,
    0x0062A423,
]  # lui t0, PRIVATE; lui t1, KICK_KEY; addi; sw t1, kick(t0)
HANGS = [0x0000006F]  # j .
KICKS_ONLY = [*KICK, 0xFFDFF06F]  # then j back to the sw
STRAYS = [0x400002B7, 0x0002A023]  # lui t0, 0x40000; sw zero, 0(t0)
RUNS_AWAY = [0x400002B7, 0x00028067]  # lui t0, 0x40000; jr t0
WRITES_ITSELF = [0x00002023]  # sw zero, 0(zero)
# auipc t0, 0; addi t0, t0, 16; csrw mtvec, t0; lw t1, 1(zero), which is misaligned; at mtvec: csrr t1, mepc; lui; sw
TRAPS = [
    0x00000297, 0x01028293, 0x30529073, 0x00102303, 0x34102373, 0x200002B7, 0x0062AA23,
]  # fmt: skip


def described(image=None, **options):
    parameters = {"lease_cycles": LEASE, "trial_cycles": TRIAL, "bus_limit": BUS_LIMIT} | options
    processor = Processor(image or committed().content, watchdog_cycles=WATCHDOG, **parameters)
    processor.describe(BOARD)
    return processor


@pytest.fixture(scope="module")
def build():
    return build_processor(described())


def prepare(simulated):
    """A board as it is out of reset, with all tables loaded."""
    simulated.set(SCRATCH, 0x1234_5678)
    simulated.set(SEQUENCER_TABLE, 1)
    simulated.set(FORMATION, 3 << 4)
    simulated.set(DECODER, 1 << 4)
    simulated.react(CONTROL, 1, STATUS, EXECUTING)
    simulated.react(CONTROL, 8, STATUS, 0b100000)
    simulated.clears_at(CLEAR)


@pytest.fixture
def fresh(build):
    """Out of reset, the firmware not yet through with its self-test."""
    with SimulatedProcessor(build) as simulated:
        prepare(simulated)
        yield simulated


@pytest.fixture
def booted(fresh):
    fresh.boot()
    fresh.log()
    fresh.writes()
    return fresh


@pytest.fixture
def armed(booted):
    assert booted.command(Command.CHECK)[0] == Result.OK
    assert booted.command(Command.ARM)[0] == Result.OK
    return booted


@pytest.fixture
def running(armed):
    assert armed.command(Command.START)[0] == Result.OK
    return armed


def codes(entries):
    return [entry.code for entry in entries]


def moves(entries):
    """(state before, event, state after) of the log's changes of state."""
    return [
        (State(e.argument >> 8 & 0xFF), Event(e.argument >> 16 & 0xFF), State(e.argument & 0xFF))
        for e in entries
        if e.code == LogCode.STATE
    ]


def version_of(image, version):
    """The same firmware that says that it is another version."""
    content = image.content
    return Image.sealed(content[:8] + version.to_bytes(4, "little") + content[12:-4])


def slot_of(code):
    """A slot with a program that is not an image of ours, and its CRC."""
    words = [*code, *[0] * (8192 - len(code))]
    return words, zlib.crc32(np.array(words, dtype="<u4").tobytes())


# Boot


def test_boot_to_idle(fresh):
    took = fresh.boot()
    assert fresh.state == State.IDLE
    assert took < BOOT_CYCLES
    assert fresh.read("self_test") == 1 << 31, "done, and nothing failed"
    assert fresh.read("image_crc") == committed().crc
    assert fresh.read("version") == committed().word(2)
    assert f"{fresh.read('golden'):064x}" == committed().sha256
    assert (fresh.cause, fresh.slot, fresh.expiries) == (Cause.POWER_ON, 0, 0)
    assert not fresh.safe
    fresh.run(1)
    log = fresh.log()
    assert codes(log) == [LogCode.BOOT, LogCode.SELF_TEST]
    assert [entry.argument for entry in log] == [0, 0]
    assert fresh.read("boot_started") < log[0].cycle < log[1].cycle < fresh.now
    assert fresh.get(SCRATCH) == 0x1234_5678, "what the echo overwrote is back"


def test_an_idle_firmware_leaves_the_bus_alone(booted):
    before = booted.accesses
    booted.run(3 * WATCHDOG)
    assert booted.accesses == before
    assert booted.expiries == 0
    assert booted.state == State.IDLE


def test_a_board_that_does_not_answer_at_boot(fresh):
    fresh.silence(True)
    fresh.boot()
    fresh.run(TURN_CYCLES)
    assert fresh.state == State.FAULT
    assert fresh.safe
    assert fresh.read("self_test") == 1 << 31 | 1 << 2
    assert (LogCode.BUS, SCRATCH) in [(entry.code, entry.argument) for entry in fresh.log()]


def altered(build, tmp_path, change):
    """The build with other contents of its memories: `change(name, words)` returns them."""
    folder = tmp_path / "altered"
    shutil.copytree(build.folder, folder)
    for path in folder.glob("*.init"):
        words = [int(line, 16) for line in path.read_text().split()]
        path.write_text("".join(f"{word:08x}\n" for word in change(words)))
    return dataclasses.replace(build, folder=folder)


def is_image(words):
    return words[1] == committed().word(1)


def test_an_image_with_a_flipped_bit(build, tmp_path):
    def change(words):
        # In the constants at the end: the code must run in order to find it.
        return [*words[:-6], words[-6] ^ 1 << 20, *words[-5:]] if is_image(words) else words

    with SimulatedProcessor(altered(build, tmp_path, change)) as simulated:
        prepare(simulated)
        simulated.boot()
        simulated.run(TURN_CYCLES)
        assert simulated.state == State.FAULT
        assert simulated.safe
        assert simulated.read("self_test") == 1 << 31 | 1 << 1
        assert simulated.read("image_crc") != committed().crc


def test_a_board_without_a_table(build, tmp_path):
    with SimulatedProcessor(
        altered(build, tmp_path, lambda words: words if is_image(words) else [0] * len(words))
    ) as simulated:
        prepare(simulated)
        simulated.boot()
        simulated.run(TURN_CYCLES)
        assert simulated.state == State.FAULT
        assert simulated.read("self_test") == 1 << 31 | 1 << 4
        assert len(simulated.writes()) == 0


# Commands


def test_ping(booted):
    assert booted.command(Command.PING, 0xCAFE_F00D) == (Result.OK, 0xCAFE_F00D)
    assert booted.log() == []


def test_a_job_from_check_to_done(booted):
    start = booted.now
    for command, state in (
        (Command.CHECK, State.LOADED), (Command.ARM, State.ARMED), (Command.START, State.RUNNING),
    ):  # fmt: skip
        assert booted.command(command) == (Result.OK, State(state - 1))
        assert booted.state == state
    writes = booted.writes()
    assert writes["address"].tolist() == [CONTROL]
    assert writes["value"].tolist() == [1]
    booted.run(3 * TURN_CYCLES)
    assert booted.state == State.RUNNING
    booted.set(STATUS, FINISHED)
    booted.run(2 * TURN_CYCLES)
    assert booted.state == State.DONE
    assert not booted.safe
    log = booted.log()
    assert moves(log) == [
        (State.IDLE, Event.CHECK, State.LOADED),
        (State.LOADED, Event.ARM, State.ARMED),
        (State.ARMED, Event.START, State.RUNNING),
        (State.RUNNING, Event.FINISHED, State.DONE),
    ]
    assert [e.argument for e in log if e.code == LogCode.COMMAND] == [
        c | Result.OK << 8 for c in (Command.CHECK, Command.ARM, Command.START)
    ]
    times = [entry.cycle for entry in log]
    assert times == sorted(times)
    assert start < times[0]
    assert times[-1] < booted.now
    assert booted.command(Command.ARM)[0] == Result.OK, "once more"
    assert booted.command(Command.ABORT)[0] == Result.OK
    assert booted.state == State.LOADED
    assert booted.command(Command.CLEAR)[0] == Result.OK
    assert booted.state == State.IDLE


def test_commands_that_a_state_refuses(booted):
    for command in (Command.ARM, Command.START, Command.ABORT):
        assert booted.command(command) == (Result.REFUSED, State.IDLE)
    assert booted.state == State.IDLE


def test_a_command_that_does_not_exist(booted):
    assert booted.command(77) == (Result.UNKNOWN, State.IDLE)


def test_status(running):
    result, value = running.command(Command.STATUS)
    assert result == Result.OK
    assert value == State.RUNNING | Event.START << 4


@pytest.mark.parametrize(
    ("address", "bit"),
    [(DECODER, 0), (SEQUENCER_TABLE, 1), (FORMATION, 2)],
    ids=["decoder", "program", "formation"],
)
def test_no_job_with_a_table_that_is_not_trusted(booted, address, bit):
    tables = BoardTable.for_map(BOARD).tables
    assert BOARD["registers"][tables[bit]]["address"] == address
    booted.set(address, 1)
    if address == SEQUENCER_TABLE:
        booted.set(address, 2)
    assert booted.command(Command.CHECK) == (Result.NOT_TRUSTED, 1 << bit)
    assert booted.state == State.IDLE
    assert booted.command(Command.CHECK, 1 << bit)[0] == Result.OK, "a job that does without"
    assert booted.command(Command.ARM)[0] == Result.OK


def test_a_table_that_loses_its_trust(running):
    running.set(FORMATION, 0)
    running.run(2 * 8 * TURN_CYCLES)
    assert running.state == State.SAFE
    assert running.safe
    assert (LogCode.TABLE, 2) in [(entry.code, entry.argument) for entry in running.log()]


def test_abort_while_running(running):
    running.writes()
    assert running.command(Command.ABORT)[0] == Result.OK
    assert running.state == State.LOADED
    writes = running.writes()
    assert list(zip(writes["address"].tolist(), writes["value"].tolist(), strict=True)) == [
        (CONTROL, 8),
        (PACER, 2),
    ]
    assert not running.safe


def test_safe_and_clear(running):
    assert running.command(Command.MAKE_SAFE)[0] == Result.OK
    assert running.state == State.SAFE
    assert running.safe
    assert running.command(Command.ARM)[0] == Result.REFUSED
    running.writes()
    assert running.command(Command.CLEAR)[0] == Result.OK
    running.run(TURN_CYCLES)
    assert running.state == State.IDLE
    assert not running.safe
    cleared = [(w["address"], w["value"]) for w in running.writes() if w["address"] != SCRATCH]
    assert cleared == [(CONTROL, 16), (CLEAR, 1), (CONTROL, 16), (PROGRAM, 1)]


def test_a_second_command_before_the_answer_is_refused(booted):
    refused = booted.read("mailbox_refused")
    booted.write("mailbox_argument0", 1)
    booted.write("mailbox_command", Command.PING | 1 << 8)
    booted.write("mailbox_argument0", 2)
    booted.write("mailbox_command", Command.MAKE_SAFE | 2 << 8)
    booted.run(TURN_CYCLES)
    assert booted.read("mailbox_status") == Result.OK << 8 | 1 << 16
    assert booted.read("mailbox_value") == 1
    assert booted.read("mailbox_refused") == refused + 1
    assert booted.state == State.IDLE


def test_a_command_that_comes_twice_is_executed_once(booted):
    assert booted.command(Command.CHECK, sequence=9)[0] == Result.OK
    assert booted.command(Command.CLEAR, sequence=10)[0] == Result.OK
    booted.write("mailbox_command", Command.CLEAR | 10 << 8)
    booted.write("mailbox_command", Command.CLEAR | 10 << 8)
    booted.run(TURN_CYCLES)
    assert codes(booted.log()).count(LogCode.COMMAND) == 2
    assert booted.read("mailbox_refused") == 0


# What is watched


def test_a_heartbeat_keeps_a_job_alive(running):
    for _ in range(6):
        running.run(LEASE // 2)
        running.write("lease_heartbeat", 1)
    assert running.state == State.RUNNING
    assert not running.safe


@pytest.mark.parametrize("started", [False, True])
def test_a_host_that_falls_silent(armed, started):
    if started:
        assert armed.command(Command.START)[0] == Result.OK
    armed.writes()
    armed.write("lease_heartbeat", 1)
    last = armed.now
    armed.run(LEASE - TURN_CYCLES)
    assert not armed.safe
    armed.run(2 * TURN_CYCLES)
    assert armed.state == State.SAFE
    assert 0 <= armed.safe_since - last - LEASE < TURN_CYCLES
    writes = armed.writes()
    assert (writes["cycle"] > armed.safe_since).all(), "safe first, which needs no bus"
    assert writes["address"].tolist() == [CONTROL, PACER]
    log = armed.log()
    (lease,) = [entry for entry in log if entry.code == LogCode.LEASE]
    assert LEASE <= lease.argument < LEASE + TURN_CYCLES
    assert moves(log)[-1][1:] == (Event.LEASE_EXPIRED, State.SAFE)
    assert armed.command(Command.CLEAR)[0] == Result.OK
    armed.run(TURN_CYCLES)
    assert armed.state == State.IDLE, "the next job can come"


def test_no_job_is_armed_without_a_lease(booted):
    booted.write("lease_cycles", 0)
    assert booted.command(Command.CHECK)[0] == Result.OK
    assert booted.command(Command.ARM)[0] == Result.LEASE_OUT
    assert booted.state == State.LOADED


def test_backlog_above_the_limit(running):
    running.write("lease_backlog_limit", 5)
    running.set(BACKLOG, 5)
    running.run(2 * TURN_CYCLES)
    assert running.state == State.RUNNING
    running.set(BACKLOG, 6)
    running.run(2 * TURN_CYCLES)
    assert running.state == State.SAFE
    assert running.safe
    assert (LogCode.BACKLOG, 6) in [(entry.code, entry.argument) for entry in running.log()]


def test_missed_deadlines_count_from_the_arming_on(booted):
    booted.set(LATE, 100)
    booted.write("lease_miss_limit", 3)
    for command in (Command.CHECK, Command.ARM, Command.START):
        assert booted.command(command)[0] == Result.OK
    booted.set(LATE, 103)
    booted.run(2 * TURN_CYCLES)
    assert booted.state == State.RUNNING
    booted.set(LATE, 104)
    booted.run(2 * TURN_CYCLES)
    assert booted.state == State.SAFE
    assert (LogCode.MISSES, 4) in [(entry.code, entry.argument) for entry in booted.log()]


def test_a_board_that_goes_safe_by_itself(running):
    running.writes()
    running.set(FAULTS, 0x20)
    running.safe = True
    running.run(2 * TURN_CYCLES)
    assert running.state == State.SAFE
    assert running.read("job") >> 8 == 0, "the board is safe without being asked to"
    assert running.writes()["address"].tolist() == [CONTROL, PACER]
    log = running.log()
    assert (LogCode.BOARD_FAULTS, 0x20) in [(entry.code, entry.argument) for entry in log]
    running.safe = False  # the host has cleared it without a word to the firmware
    running.run(2 * TURN_CYCLES)
    assert running.state == State.IDLE


def test_a_bus_that_falls_silent(running):
    running.silence(True)
    running.run(BUS_LIMIT * 16 + 2 * TURN_CYCLES)
    assert running.state == State.FAULT
    assert running.safe
    assert LogCode.BUS in codes(running.log())
    assert running.command(Command.CLEAR)[0] == Result.BUS_FAILED
    assert running.state == State.FAULT
    assert running.expiries == 0, "every access has an end"
    running.silence(False)
    assert running.command(Command.CLEAR)[0] == Result.OK
    running.run(TURN_CYCLES)
    assert running.state == State.IDLE
    assert not running.safe


def test_a_slow_bus_is_no_fault(booted):
    booted.latency(BUS_LIMIT - 2)
    for command in (Command.CHECK, Command.ARM, Command.START):
        assert booted.command(command)[0] == Result.OK
    booted.write("lease_heartbeat", 1)
    booted.run(LEASE // 2)
    assert booted.state == State.RUNNING
    assert booted.expiries == 0


# The log


def test_the_log_keeps_the_last_entries_and_counts_the_lost(booted):
    before = booted.read("log_count")
    for _ in range(LOG_DEPTH):
        booted.command(77)
    booted.command(Command.CHECK)
    assert booted.read("log_count") == before + LOG_DEPTH + 2
    assert booted.read("log_lost") == 2
    log = booted.log()
    assert len(log) == LOG_DEPTH
    assert codes(log) == [*[LogCode.COMMAND] * (LOG_DEPTH - 2), LogCode.STATE, LogCode.COMMAND]
    assert booted.log() == []


def test_time_stamps_of_64_bits(booted):
    booted.now = 2**32 - 1_000
    booted.command(77)
    booted.run(2_000)
    booted.command(77)
    early, late = (entry.cycle for entry in booted.log())
    assert 2**32 - 1_000 < early < 2**32 < late < booted.now


# Images


def test_update_confirmed(booted):
    newer = version_of(committed(), 0x000203)
    booted.load_slot(*newer.slot())
    assert booted.read("update_status") == 1
    assert booted.command(Command.REBOOT, 1)[0] == Result.OK
    booted.run(100)
    booted.boot()
    assert (booted.slot, booted.cause) == (1, Cause.FIRMWARE)
    assert booted.read("version") == 0x000203
    assert booted.read("image_crc") == newer.crc
    assert not booted.safe
    assert booted.command(Command.CONFIRM)[0] == Result.OK
    booted.run(2 * TRIAL)
    assert (booted.slot, booted.expiries) == (1, 0)
    booted.write("update_data", 0)
    assert booted.read("update_status") >> 16 == 1, "what runs is not overwritten"
    assert booted.command(Command.REBOOT, 0)[0] == Result.OK
    booted.run(100)
    booted.boot()
    assert (booted.slot, booted.read("version")) == (0, committed().word(2))
    assert booted.log()[-2].argument == Cause.FIRMWARE


def test_update_that_nobody_confirms_is_rolled_back(booted):
    booted.load_slot(*version_of(committed(), 0x000203).slot())
    booted.command(Command.REBOOT, 1)
    booted.run(100)
    booted.boot()
    assert booted.slot == 1
    started = booted.read("boot_started")
    booted.run(TRIAL)
    assert (booted.slot, booted.cause) == (0, Cause.UNCONFIRMED)
    assert TRIAL - 4 <= booted.expired_at - started <= TRIAL
    booted.boot()
    booted.run(TURN_CYCLES)
    assert booted.state == State.SAFE
    assert booted.safe
    assert booted.read("version") == committed().word(2)


def test_update_that_is_not_what_was_sent(booted):
    words, crc = committed().slot()
    words[500] ^= 1 << 13
    booted.load_slot(words, crc)
    assert booted.read("update_status") == 0
    assert booted.read("update_found") != crc
    assert booted.command(Command.REBOOT, 1)[0] == Result.OK
    booted.run(2 * Slot.CHECK_CYCLES)
    assert (booted.slot, booted.cause) == (0, Cause.CORRUPT)
    booted.boot()
    assert booted.state == State.IDLE
    assert booted.read("version") == committed().word(2)


def test_a_slot_that_was_never_written(booted):
    booted.write("boot_control", 2)
    booted.run(2 * Slot.CHECK_CYCLES)
    assert (booted.slot, booted.cause) == (0, Cause.CORRUPT)
    assert booted.safe, "the host took the processor away"


@pytest.mark.parametrize(
    ("code", "cause", "within"),
    [
        (HANGS, Cause.WATCHDOG, WATCHDOG + 10),
        (KICKS_ONLY, Cause.UNCONFIRMED, TRIAL + 10),
        (STRAYS, Cause.STRAY, 100),
        (RUNS_AWAY, Cause.STRAY, 100),
        (WRITES_ITSELF, Cause.STRAY, 100),
        (TRAPS, Cause.TRAP, 200),
    ],
    ids=["hangs", "kicks-only", "strays", "runs-away", "writes-itself", "traps"],
)
def test_firmware_that_does_not_work_gives_way_to_slot_a(booted, code, cause, within):
    booted.load_slot(*slot_of(code))
    begun = booted.now
    booted.write("boot_control", 2)
    booted.run(Slot.CHECK_CYCLES // 2)
    booted.safe = False
    booted.run_until(lambda: booted.expiries == 2, Slot.CHECK_CYCLES + within + 100)
    started = begun + Slot.CHECK_CYCLES + HOLD_CYCLES
    assert started < booted.expired_at < started + within
    assert booted.safe
    assert (booted.cause, booted.slot) == (cause, 0)
    assert booted.read("boot_status") >> 8 == 1
    booted.boot()
    booted.run(TURN_CYCLES)
    assert booted.state == State.SAFE
    assert booted.command(Command.CLEAR)[0] == Result.OK
    booted.run(TURN_CYCLES)
    assert booted.state == State.IDLE
    assert [entry.argument for entry in booted.log() if entry.code == LogCode.BOOT] == [cause]


def test_a_command_to_firmware_that_hangs_is_lost(booted):
    booted.load_slot(*slot_of(HANGS))
    booted.write("boot_control", 2)
    booted.run(Slot.CHECK_CYCLES + 20)
    result, _ = booted.command(Command.PING, limit_cycles=2 * WATCHDOG)
    assert result == Result.LOST


def test_no_reboot_while_a_job_runs(running):
    assert running.command(Command.REBOOT, 0) == (Result.REFUSED, State.RUNNING)
    running.write("boot_control", 1)
    assert running.safe, "unless by force, and then the board is safe"
    assert running.cause == Cause.HOST


# The static RAM


class StuckRam(LiteXModule):
    """A bit of a word reads as 1, whatever was written."""

    WORD, BIT = 0x321, 7

    def __init__(self):
        self.cells = StaticRam()
        for name in ("address", "write", "write_data"):
            setattr(self, name, getattr(self.cells, name))
        self.data, stuck = Signal(32), Signal()
        self.sync += stuck.eq(self.address == self.WORD)
        self.comb += [self.data.eq(self.cells.data), If(stuck, self.data[self.BIT].eq(1))]


def test_a_cell_of_the_ram_that_is_stuck(monkeypatch):
    monkeypatch.setattr(processor_core, "StaticRam", StuckRam)
    with SimulatedProcessor(build_processor(described())) as simulated:
        prepare(simulated)
        simulated.boot()
        assert simulated.state == State.FAULT
        assert simulated.safe
        assert simulated.read("self_test") == 1 << 31 | 1
        assert simulated.read("ram_address") == RAM_BASE + 4 * StuckRam.WORD
        simulated.run(3 * WATCHDOG)
        assert (simulated.expiries, simulated.state) == (0, State.FAULT)


# Parameters


def test_the_longest_turn_is_measured(running):
    running.command(Command.MAKE_SAFE)
    running.command(Command.CLEAR)
    running.command(Command.CHECK)
    assert 100 < running.read("turn") < TURN_CYCLES


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (b"", {}, "an image is of 1 to 8192 words of 4 bytes, not of 0 bytes; build it"),
        (bytes(6), {}, "not of 6 bytes"),
        (bytes(32772), {}, "not of 32772 bytes"),
        (bytes(8), {"watchdog_cycles": 1}, "watchdog_cycles must be 2 to 4294967295, not 1"),
        (bytes(8), {"trial_cycles": 2**32}, "trial_cycles must be 2 to 4294967295, not 4294967296"),
        (bytes(8), {"lease_cycles": 0}, "a lease is of 1 to 4294967295 cycles, not 0"),
        (bytes(8), {"bus_limit": 1}, "its limit cannot be 1"),
    ],
)
def test_parameters_are_checked(image, options, message):
    with pytest.raises(ValueError, match=message):
        Processor(image, **options)
