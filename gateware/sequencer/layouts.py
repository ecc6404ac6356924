# SPDX-License-Identifier: BSD-2-Clause
"""Layouts of the sequencer's streams, records and faults, declared once."""

from __future__ import annotations

from enum import IntEnum

from triplane.gateware.decoder.layouts import Field, Record

TIME_BITS = 32
VALUE_BITS = 32
KIND_BITS = 3
ADDRESS_BITS = 12
"""Width of a program address: 4,096 instructions."""

EVENT = [
    ("time", TIME_BITS),  # cycle in which it is due, low half of the cycle counter
    ("kind", KIND_BITS),  # a `Kind`
    ("value", VALUE_BITS),  # its meaning is that of the kind
]
"""What a channel is told, and when: the contract between sequencer and channels."""

ISSUED = [*EVENT, ("address", ADDRESS_BITS)]
"""An event on its way to a queue, with the instruction that it came from."""

RESULT = [
    ("valid", 1),  # one cycle
    ("bit", 1),
    ("leaked", 1),
    ("soft", (8, True)),  # quantised log-likelihood ratio, positive for 1
]
"""Result of a measurement, per slot; slot = line * tones per line + tone."""


class Kind(IntEnum):
    """Kinds of events."""

    PLAY = 0
    PHASE = 1
    FREQ = 2
    AMP = 3
    CAPTURE = 4
    SLOT = 5
    RESET = 6


KINDS = {
    Kind.PLAY: "play entry value[9:0] of the channel's pulse table",
    Kind.PHASE: "add a phase word (2**32 = one turn) to the frame of the selected frequency slot",
    Kind.FREQ: "set the frequency word of the selected slot, phase-continuous",
    Kind.AMP: "scale all following pulses by value[15:0], unsigned, 2**15 = 1",
    Kind.CAPTURE: "start entry value[9:0] of the readout line's window table",
    Kind.SLOT: "select the frequency slot value[2:0] that PHASE, FREQ and RESET mean",
    Kind.RESET: "set the phase of the selected slot to the value",
}
"""What an event of a kind does, at its time."""


OUTCOMES_UNDER_WAY = 4
"""Outcomes that may still come after whoever takes them has seen that there is no room."""


class Fault(IntEnum):
    """Why a program was stopped."""

    NONE = 0
    UNDERFLOW = 1
    OVERFLOW = 2
    COLLISION = 3
    ORDER = 4
    STALE = 5
    TIMEOUT = 6
    ILLEGAL = 7
    STACK = 8
    WATCHDOG = 9
    UNTRUSTED = 10
    EXTERNAL = 11
    BACKLOG = 12


FAULTS = {
    Fault.NONE: "No fault since the last clear.",
    Fault.UNDERFLOW: "An event reached its channel's queue when its time was past.",
    Fault.OVERFLOW: "An event reached a full queue.",
    Fault.COLLISION: "Two events of one kind for one channel at one time, an event at a time that a chain of events "
    "before it takes, or PLAY while a pulse plays.",
    Fault.ORDER: "An event is due before one that its channel was given earlier.",
    Fault.STALE: "A result was asked for that no measurement is on its way to give, or a frame that nothing expects.",
    Fault.TIMEOUT: "A wait reached its bound and has no fall-back address.",
    Fault.ILLEGAL: "The word is no instruction, or names a group or slot that was not built.",
    Fault.STACK: "A call with a full stack, or a return with an empty one.",
    Fault.WATCHDOG: "The program ran for as many cycles as the watchdog allows.",
    Fault.UNTRUSTED: "A program was started before all tables had passed their check, or one was written while it ran.",
    Fault.EXTERNAL: "Another part of the board has gone safe.",
    Fault.BACKLOG: "More measurements of one slot are on their way than can be counted.",
}
"""Fault -> meaning; the order is the order of the codes."""

QUEUE_FAULTS = (Fault.ORDER, Fault.COLLISION, Fault.UNDERFLOW, Fault.OVERFLOW)
"""Faults of a channel; where one event has several, the first is reported."""


class Outcome(IntEnum):
    """Kinds of trace records beyond those of events."""

    TAKEN = 8
    PASSED = 9
    TIMED_OUT = 10
    HALTED = 11


OUTCOMES = {
    Outcome.TAKEN: "a wait ended and its branch was taken",
    Outcome.PASSED: "a wait ended and the next instruction follows",
    Outcome.TIMED_OUT: "a wait reached its bound and went to its fall-back",
    Outcome.HALTED: "the program halted; value is its exit code",
}

TAG_KIND_OFFSET = 8
"""Lowest bit of the tag's kind; the group is below it."""

TRACE = Record(
    "trace",
    (
        Field("cycle", 32, "cycle counter, low half, when the instruction was executed, or the wait ended"),
        Field("address", 16, "address of the instruction"),
        Field("tag", 16, "bits 7..0: group of an event; bits 11..8: kind of the event, or outcome"),
        Field("time", 32, "time of the event; after a wait, the cursor that it left"),
        Field("value", 32, "value of the event; after a wait, the result: bit 0 bit, 1 leaked, 15..8 soft"),
    ),
)
"""What an instruction has done, as the trace port tells it."""

EXECUTE_TO_EVENT = 1
"""Cycles from an instruction being executed to its event leaving the dispatcher."""

EVENT_TO_RELEASE = 1
"""Cycles from an event leaving the dispatcher to the earliest release from a queue."""

RESULT_TO_EVENT = 3
"""Cycles from a result valid to the event of either branch leaving the dispatcher."""

LEAD = 3
"""Cycles from the end of a wait to the earliest time that the next instruction can give an event."""

START_LEAD = 16
"""Cycles from the start of a program to the time that its cursor starts with."""

START_TO_EXECUTE = 3
"""Cycles from the start of a program to its first instruction."""

BRANCH_CYCLES = 3
"""Cycles of an instruction that goes elsewhere than to the next."""

SAFE_CYCLES = 2
"""Cycles from a fault to the safe state."""
