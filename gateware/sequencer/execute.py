# SPDX-License-Identifier: BSD-2-Clause
"""What an instruction does in the cycle in which it is executed: cursor, registers, branches, calls, the frame."""

from __future__ import annotations

from functools import reduce
from operator import or_

from litex.gen import LiteXModule
from migen import Array, If, Memory, Mux, Record, Signal, bits_for

from triplane.gateware.sequencer.alu import ArithmeticUnit
from triplane.gateware.sequencer.decode import DECODED, field
from triplane.gateware.sequencer.isa import ADVANCE, GROUP, TARGET
from triplane.gateware.sequencer.layouts import ADDRESS_BITS, TIME_BITS, Fault
from triplane.gateware.sequencer.opcodes import (
    BY_REGISTER,
    GROUP_BITS,
    OPCODE_OFFSET,
    Alu,
    Control,
    Time,
    Unit,
)
from triplane.gateware.sequencer.stop import FAULT_BITS

WATCHDOG_BITS = 32


class ExecutionUnit(LiteXModule):
    """Everything but waits and events, which others do when they see the instruction.

    Args:
        stack_depth: calls inside each other, at least 1.

    Attributes:
        instruction, live: inputs; the instruction (`DECODED`) that is executed, in cycles in which `live` is 1.
        begin, start_time: inputs; a program begins, and its cursor starts with this time.
        moves: input; the cursor moves with time, as nothing is executed.
        catches_up, lead: inputs; a wait ends behind the cursor's time, and sets it to `lead`.
        now: input; low half of the cycle counter.
        cursor: time of the next event.
        group, does: of the instruction.
        writes, into, value, total: it writes a register, which, and what: `value`, or `total`, with the other one 0.
        goes, target: it goes elsewhere than to the next.
        halts: the program ends.
        emits, outcome: a cycle after it, that an outcome was given out, and which.
        frame, frame_ready: inputs; see `Sequencer`.
        frame_wait, frame_shot, frame_round: outputs; the same.
        frame_index: input; bit of the frame that a wait means.
        frame_found, frame_nothing, frame_bit: whether the frame is there; with what comes in this cycle.
        counts, limit: inputs; the watchdog runs, and the cycles that it allows; 0: any number.
        external: input; another part of the board has gone safe.
        untrusted, stale_wait, timeout, waited_for: inputs; faults that others have found, and the wait's address.
        fault, fault_address, faulty: the fault of the cycle before, else NONE; whether there was one.
    """

    def __init__(self, stack_depth: int) -> None:
        if stack_depth < 1:
            raise ValueError(f"a stack holds at least 1 call, not {stack_depth}")
        self.instruction = instruction = Record(DECODED, name="executing")
        self.live = live = Signal()
        self.begin = Signal()
        self.start_time = Signal(TIME_BITS)
        self.moves = Signal()
        self.catches_up = Signal()
        self.lead = Signal(TIME_BITS)
        self.now = Signal(TIME_BITS)
        self.cursor = cursor = Signal(TIME_BITS)
        self.group = Signal(GROUP_BITS)
        self.does = does = Signal(4)
        self.writes = Signal()
        self.into = Signal(5)
        self.value = Signal(32)
        self.total = Signal(32)
        self.goes = Signal()
        self.target = Signal(ADDRESS_BITS)
        self.halts = Signal()
        self.emits = Signal()
        self.outcome = Signal(32)
        self.frame = Signal(32)
        self.frame_ready = Signal()
        self.frame_wait = Signal()
        self.frame_shot = Signal(32)
        self.frame_round = Signal(32)
        self.frame_index = Signal(5)
        self.frame_found = Signal()
        self.frame_nothing = Signal()
        self.frame_bit = Signal()
        self.counts = Signal()
        self.limit = Signal(WATCHDOG_BITS)
        self.external = Signal()
        self.untrusted = Signal()
        self.stale_wait = Signal()
        self.timeout = Signal()
        self.waited_for = Signal(ADDRESS_BITS)
        self.fault = Signal(FAULT_BITS)
        self.fault_address = Signal(ADDRESS_BITS)
        self.faulty = Signal()

        # # #

        word, unit, a, b = instruction.word, instruction.unit, instruction.a, instruction.b
        legal, does_control = Signal(), {control: Signal() for control in Control}
        self.comb += [
            does.eq(word[OPCODE_OFFSET:][:4]),
            self.group.eq(field(word, GROUP)),
            legal.eq(live & instruction.legal),
        ]
        for control, signal in does_control.items():
            # Of CONTROL only HALT and EXPECT have a form with a register, whose code is 8 more; LOOP is 9 itself.
            same = does == control.value
            if control in (Control.HALT, Control.EXPECT):
                same |= does == (control | BY_REGISTER)
            self.comb += signal.eq(legal & unit[Unit.CONTROL] & same)

        # Registers
        self.alu = alu = ArithmeticUnit()
        loops = does_control[Control.LOOP]
        self.comb += [
            alu.operation.eq(instruction.operation),
            alu.adds.eq(instruction.adds),
            alu.subtracts.eq(instruction.subtracts),
            alu.comparison.eq(does[:3]),
            alu.a.eq(a),
            alu.b.eq(b),
            alu.cursor.eq(cursor),
            alu.now.eq(self.now),
            self.writes.eq(legal),
            self.into.eq(instruction.into),
            self.value.eq(alu.result),
            self.total.eq(alu.total),
        ]

        # Time
        step = Signal(TIME_BITS)
        self.comb += step.eq(Mux(unit[Unit.EVENT], field(word, ADVANCE), b))
        self.sync += [
            If(legal & (unit[Unit.EVENT] | (unit[Unit.TIME] & (does[:3] == Time.WAIT))),
                cursor.eq(cursor + step),
            ).Elif(legal & unit[Unit.TIME],
                cursor.eq(b),
            ),
            If(self.catches_up, cursor.eq(self.lead)),
            If(self.moves, cursor.eq(cursor + 1)),
            If(self.begin, cursor.eq(self.start_time)),
        ]  # fmt: skip

        # Branches and calls
        stack = Memory(ADDRESS_BITS, stack_depth)
        push, top = stack.get_port(write_capable=True), stack.get_port(async_read=True)
        self.specials += stack, push, top
        level, returns, calls = (
            Signal(bits_for(stack_depth)),
            does_control[Control.RETURN],
            does_control[Control.CALL],
        )
        empty, full, compared = Signal(), Signal(), Signal()
        self.comb += [
            empty.eq(level == 0),
            full.eq(level == stack_depth),
            push.adr.eq(level),
            push.dat_w.eq(instruction.address + 1),
            push.we.eq(calls & ~full),
            top.adr.eq(level - 1),
            compared.eq(legal & unit[Unit.BRANCH] & alu.holds),
            self.goes.eq(
                compared
                | (loops & (a != 1))
                | does_control[Control.JUMP]
                | (calls & ~full)
                | (returns & ~empty)
            ),
            self.target.eq(Mux(returns, top.dat_r, field(word, TARGET))),
            self.halts.eq(does_control[Control.HALT]),
        ]
        self.sync += [
            If(calls & ~full, level.eq(level + 1)),
            If(returns & ~empty, level.eq(level - 1)),
            If(self.begin, level.eq(0)),
        ]

        # Outcomes
        self.sync += [self.emits.eq(does_control[Control.EMIT]), self.outcome.eq(a)]

        # The frame
        expected, here, kept = Signal(), Signal(), Signal(32)
        comes, view = Signal(), Signal(32)
        expects = does_control[Control.EXPECT]
        self.comb += [
            comes.eq(expected & self.frame_ready),
            view.eq(Mux(comes, self.frame, kept)),
            self.frame_found.eq(comes | here),
            self.frame_nothing.eq(~expected & ~here),
            self.frame_bit.eq(Array(view)[self.frame_index]),
            alu.frame.eq(kept),
        ]
        self.sync += [
            self.frame_wait.eq(expects & ~expected),
            If(expects & ~expected,
                self.frame_shot.eq(a),
                self.frame_round.eq(b),
                expected.eq(1),
                here.eq(0),
            ).Elif(comes,
                expected.eq(0),
                here.eq(1),
                kept.eq(self.frame),
            ),
            If(self.begin, expected.eq(0), here.eq(0), kept.eq(0)),
        ]  # fmt: skip

        # Faults
        ran, last, overdue = Signal(WATCHDOG_BITS), Signal(ADDRESS_BITS), Signal()
        reads_frame = unit[Unit.ALU] & (does == Alu.FRAME)
        self.comb += overdue.eq(self.counts & (self.limit != 0) & (ran == self.limit))
        found = (
            (live & ~instruction.legal, Fault.ILLEGAL, instruction.address),
            ((calls & full) | (returns & empty), Fault.STACK, instruction.address),
            ((expects & expected) | (legal & reads_frame & ~here), Fault.STALE, instruction.address),
            (self.stale_wait, Fault.STALE, self.waited_for),
            (self.timeout, Fault.TIMEOUT, self.waited_for),
            (overdue, Fault.WATCHDOG, last),
            (self.external & self.counts, Fault.EXTERNAL, last),
            (self.untrusted, Fault.UNTRUSTED, Mux(self.counts, last, 0)),
        )
        self.sync += [
            If(self.counts, ran.eq(ran + 1)),
            If(live, last.eq(instruction.address)),
            If(self.begin, ran.eq(0), last.eq(0)),
            self.fault.eq(Fault.NONE),
            # The first of several is told, and is written last.
            *(
                If(condition, self.fault.eq(fault), self.fault_address.eq(address))
                for condition, fault, address in reversed(found)
            ),
            self.faulty.eq(reduce(or_, (condition for condition, *_ in found))),
        ]
