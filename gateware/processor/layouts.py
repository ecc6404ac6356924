# SPDX-License-Identifier: BSD-2-Clause
"""What processor, firmware and host agree on: codes, address map, the processor's own registers, the board table.

Declared here once. Gateware decodes it, the firmware's header and the host's names are generated from it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

SLOT_BYTES = 32 * 1024
"""Room for an image, and so its limit."""

RAM_BYTES = 8 * 1024

SLOT_BASE = 0x0000_0000
"""Where the slot that runs is seen by the processor, whichever it is: images need not be linked for a slot."""

RAM_BASE = 0x1000_0000
PRIVATE_BASE = 0x2000_0000
TABLE_BASE = 0x3000_0000
BOARD_BASE = 0xF000_0000
"""First byte of the window to the board's register bus; the board's byte address is added."""

REGION_BITS = 4
"""Upper bits of an address that tell the regions apart."""

KICK_KEY = 0x7E1D_0D06
"""What the watchdog takes as a sign of life: a processor that writes anything else is not trusted."""


class State(IntEnum):
    """Of a job."""

    IDLE = 0
    LOADED = 1
    ARMED = 2
    RUNNING = 3
    DONE = 4
    FAULT = 5
    SAFE = 6
    BOOT = 7
    """No firmware has spoken since the last reset of the processor."""


class Event(IntEnum):
    """What moves a job from state to state; the first six follow from commands."""

    CHECK = 0
    ARM = 1
    START = 2
    ABORT = 3
    CLEAR = 4
    MAKE_SAFE = 5
    FINISHED = 6
    LEASE_EXPIRED = 7
    LIMIT_EXCEEDED = 8
    BOARD_SAFE = 9
    BOARD_RELEASED = 10
    FAILED = 11
    DISTRUSTED = 12


class Action(IntEnum):
    """What is done to the board on the way."""

    NONE = 0
    REFUSE = 1
    START = 2
    ABORT = 3
    STOP = 4
    """Abort, and request the safe state."""

    CLEAR = 5
    """Withdraw the request, and clear the board's faults."""


class Command(IntEnum):
    """What the host may ask for."""

    PING = 1
    CHECK = 2
    ARM = 3
    START = 4
    ABORT = 5
    CLEAR = 6
    MAKE_SAFE = 7
    STATUS = 8
    CONFIRM = 9
    REBOOT = 10


class Result(IntEnum):
    """How a command ended."""

    OK = 1
    REFUSED = 2
    UNKNOWN = 3
    NOT_TRUSTED = 4
    LEASE_OUT = 5
    BUS_FAILED = 6
    LOST = 7
    """The processor was reset before it answered."""


class Cause(IntEnum):
    """Why the processor was started last."""

    POWER_ON = 0
    HOST = 1
    FIRMWARE = 2
    WATCHDOG = 3
    UNCONFIRMED = 4
    CORRUPT = 5
    TRAP = 6
    STRAY = 7


FATAL = (Cause.WATCHDOG, Cause.UNCONFIRMED, Cause.TRAP, Cause.STRAY)
"""Causes in which a firmware was found not to work: the board goes safe."""


class LogCode(IntEnum):
    """Entries of the event log; the argument's meaning follows."""

    BOOT = 1
    """Cause in bits 3..0, slot in bit 4."""

    SELF_TEST = 2
    """Bits of what failed, as in the register `self_test`."""

    STATE = 3
    """New state in bits 7..0, state before in 15..8, event in 23..16."""

    COMMAND = 4
    """Command in bits 7..0, result in 15..8."""

    LEASE = 5
    """Cycles since the last sign of life of the host."""

    BACKLOG = 6
    """Rounds of the high-water mark."""

    MISSES = 7
    """Deadlines missed since the job was armed."""

    BOARD_FAULTS = 8
    """The board's fault conditions."""

    BUS = 9
    """Address on the board's bus that gave no answer."""

    TABLE = 10
    """Number of the table that is not trusted."""


NOT_OF_TABLES = ("sequencer_control_status", "processor_update_status")
"""The first says only what the status of each of its tables says; the second is of the firmware itself."""


def guarded_tables(fields: Mapping[str, Collection[str]]) -> list[str]:
    """Status registers of the tables of a board that a job may need, in the order of their numbers.

    fields: register of the board -> names of its fields, in the order of addresses.
    """
    return [
        name
        for name, names in fields.items()
        if name.endswith("_status") and ("trusted" in names or "table" in names) and name not in NOT_OF_TABLES
    ]


LOG_DEPTH = 64
WORD_BYTES = 4
WORD_BITS = 32
WORD_MASK = 2**WORD_BITS - 1


@dataclass(frozen=True)
class Field:
    """Bits of a private register."""

    name: str
    offset: int
    bits: int
    description: str


@dataclass(frozen=True)
class Register:
    """A register that the firmware sees; "r", "w", or "rs" where a read is an event for the hardware."""

    name: str
    access: str
    description: str
    fields: tuple[Field, ...] = ()


REGISTERS = (
    Register("now_low", "rs", "Cycle counter, low word; a read holds the high word of the same instant."),
    Register("now_high", "r", "High word of the instant at which now_low was read."),
    Register("kick", "w", "KICK_KEY restarts the watchdog."),
    Register(
        "boot",
        "r",
        "How the processor was started.",
        (
            Field("cause", 0, 4, "Why, see Cause."),
            Field("slot", 4, 1, "The slot that runs: 0 is A."),
            Field("confirmed", 5, 1, "The image that runs will not be rolled back for want of confirmation."),
        ),
    ),
    Register(
        "boot_control",
        "w",
        "Writing 1 to a bit acts.",
        (
            Field("confirm", 0, 1, "Keep the image that runs."),
            Field("reboot_a", 1, 1, "Start slot A."),
            Field("reboot_b", 2, 1, "Check slot B, and start it."),
        ),
    ),
    Register("trap", "w", "Address of an instruction that trapped. Writing it resets the processor into A."),
    Register(
        "mailbox",
        "r",
        "The command that waits.",
        (
            Field("code", 0, 8, "See Command."),
            Field("sequence", 8, 16, "The host's number of it."),
            Field("pending", 31, 1, "There is one."),
        ),
    ),
    Register("argument0", "r", "Of the command that waits."),
    Register("argument1", "r", "Of the command that waits."),
    Register("value", "w", "Word of the next answer."),
    Register("answer", "w", "Answers the command that waits with a Result."),
    Register("log_argument", "w", "Argument of the next entry of the log."),
    Register("log_code", "w", "Appends an entry to the log, with the time."),
    Register(
        "job",
        "w",
        "State of the job, for the host.",
        (
            Field("state", 0, 4, "See State."),
            Field("event", 4, 4, "The event that led to it."),
            Field("safe_request", 8, 1, "The board must be safe."),
        ),
    ),
    Register("safe", "r", "1 while the board is in its safe state."),
    Register("silence", "r", "Cycles since the last sign of life of the host, at most 2**32 - 1."),
    Register("lease", "r", "Cycles of silence that a job survives."),
    Register("backlog_limit", "r", "Rounds of backlog above which a job is stopped."),
    Register("miss_limit", "r", "Missed deadlines above which a job is stopped."),
    Register("bus_failed", "rs", "1 where an access to the board's bus got no answer; a read forgets it."),
    Register("bus_address", "r", "Address of the last one that got none."),
    Register("version", "w", "Version of the firmware that runs."),
    Register("image_crc", "w", "CRC-32 that the firmware found over its own image."),
    Register(
        "self_test",
        "w",
        "Outcome of the self-test.",
        (
            Field("ram", 0, 1, "A cell of the static RAM does not hold what is written to it."),
            Field("image", 1, 1, "The image's CRC is not the one at its end."),
            Field("bus", 2, 1, "The board's bus does not give back what is written to it."),
            Field("counter", 3, 1, "The cycle counter stands."),
            Field("table", 4, 1, "The board table is not one that this firmware understands."),
            Field("done", 31, 1, "The self-test has come to its end."),
        ),
    ),
    Register("turn", "w", "Cycles of the main loop's longest turn so far."),
    Register("ram_address", "w", "Address of the first cell of the static RAM that failed."),
)
"""The processor's own registers, in the order of their addresses from `PRIVATE_BASE` on."""


def private_map() -> dict[str, Any]:
    """`REGISTERS` in the form of `gateware.registers.register_map`."""
    return {
        "registers": {
            register.name: {
                "address": PRIVATE_BASE + WORD_BYTES * number,
                "words": 1,
                "bits": WORD_BITS,
                "access": "rw" if register.access == "w" else "ro",
                "description": register.description,
                "reset": 0,
                "fields": [
                    {
                        "name": field.name,
                        "offset": field.offset,
                        "bits": field.bits,
                        "access": "rw" if register.access == "w" else "ro",
                        "description": field.description,
                        "reset": 0,
                    }
                    for field in register.fields
                ],
            }
            for number, register in enumerate(REGISTERS)
        }
    }
