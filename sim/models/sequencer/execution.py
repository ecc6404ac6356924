# SPDX-License-Identifier: BSD-2-Clause
"""One run of the golden model: instruction after instruction, each in its cycle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np

from triplane.gateware.sequencer.isa import (
    ADVANCE,
    BOUND,
    BRANCH_TO,
    FALLBACK,
    GROUP,
    RA,
    RB,
    RD,
    READ_INTO,
    SLOT,
    TARGET,
    THRESHOLD,
    forms,
)
from triplane.gateware.sequencer.layouts import (
    BRANCH_CYCLES,
    LEAD,
    START_LEAD,
    START_TO_EXECUTE,
    TAG_KIND_OFFSET,
    TRACE,
    Fault,
    Kind,
    Outcome,
)
from triplane.gateware.sequencer.opcodes import (
    BY_REGISTER,
    NUM_REGISTERS,
    OPCODE_OFFSET,
    WITH_FALLBACK,
    Alu,
    Branch,
    Condition,
    Control,
    Time,
    Unit,
)
from triplane.gateware.sequencer.program import Program
from triplane.sim.models.sequencer.queue import QueueModel
from triplane.sim.models.sequencer.results import Arrival, SlotModel
from triplane.sim.models.sequencer.run import FrameAnswer, Frames, Respond, Room, Run, Stop

_MASK = 0xFFFF_FFFF
(EMIT,) = forms("emit")


class Sizes(Protocol):
    """What an execution has to know of a sequencer, see `core.SequencerModel`."""

    program: Program
    num_channels: int
    num_slots: int
    num_groups: int
    program_depth: int
    queue_depth: int
    stack_depth: int
    pending_bits: int
    durations: Callable[[int], int] | None
    watchdog: int


class Execution:
    """One run: the state of the machine, and the cycle that it has got to."""

    def __init__(
        self,
        model: Sizes,
        start: int,
        respond: Respond,
        frames: Frames,
        room: Room,
        registers: Mapping[int, int],
        arrivals: Iterable[Arrival],
    ) -> None:
        self.model, self.start, self.respond, self.frames, self.room = model, start, respond, frames, room
        self.words = model.program.words.tolist()
        self.registers = [registers.get(k, 0) if k else 0 for k in range(NUM_REGISTERS)]
        self.cursor = start + START_LEAD
        self.address = 0
        self.cycle = start + START_TO_EXECUTE
        self.stack: list[int] = []
        self.queues = [QueueModel(model.queue_depth, model.durations, k) for k in range(model.num_channels)]
        self.slots = [SlotModel(model.pending_bits) for _ in range(model.num_slots)]
        self.answer: FrameAnswer | None = None
        self.asked = self.halted = False
        self.stops: list[tuple[int, int, Stop]] = []
        self.trace: list[tuple[int, ...]] = []
        self.last: list[tuple[int, int]] = []
        self.result = Run()
        for arrival in arrivals:
            self.slots[arrival.slot].add(arrival)

    def execute(self, limit: int) -> Run:
        """All of it, or so many instructions."""
        result = self.result
        while not self.halted:
            word = self.words[self.address] if self.address < len(self.words) else 0
            if EMIT.opcode == word >> OPCODE_OFFSET:
                self.cycle = self.room(self.cycle)
            if not self._may_execute(self.cycle):
                break
            if result.instructions == limit:
                result.exhausted = True
                break
            self.last.append((self.cycle, self.address))
            result.instructions += 1
            self._instruction(word)
        self._watch()
        stop = min(self.stops)[2] if self.stops else None
        end = self.last[-1][0] if stop is None else stop.time
        last_release = None if stop is None else stop.time + 1
        releases = [
            r for q in self.queues for r in q.releases if last_release is None or r.cycle <= last_release
        ]
        result.releases = sorted(releases, key=lambda r: (r.cycle, r.channel))
        records = [t for t in self.trace if stop is None or t[0] <= stop.time]
        result.trace = np.array([t[1:] for t in records], dtype=TRACE.dtype)
        result.stop, result.end = stop, end
        result.registers, result.cursor = list(self.registers), self.cursor & _MASK
        return result

    def _may_execute(self, cycle: int) -> bool:
        """A fault of a channel lets one more cycle of instructions pass, one of the core none."""
        self._watch(cycle)
        return all(cycle <= time + (priority > 0) for time, priority, _ in self.stops)

    def _watch(self, cycle: int | None = None) -> None:
        """The watchdog, if it strikes before that cycle, or at all before the end of the program."""
        model = self.model
        if (
            not model.watchdog
            or self.result.exhausted
            or any(stop.fault == Fault.WATCHDOG for *_, stop in self.stops)
        ):
            return
        time = self.start + 1 + model.watchdog
        # After the last instruction the program is over, unless what ended it was a fault, or it waits.
        over = self.halted and self.last and time > self.last[-1][0]
        if over or (cycle is not None and time >= cycle):
            return
        address = next((a for c, a in reversed(self.last) if c < time), 0)
        self._fail(Fault.WATCHDOG, time, address=address, priority=0)

    def _fail(
        self, fault: Fault, time: int, *, address: int | None = None, channel: int = 0, priority: int = -1
    ) -> None:
        """Priority: -1 the instruction itself, 0 the watchdog, 1 and on the channels, 1,000 the backlog."""
        place = self.address if address is None else address
        self.stops.append((time, priority, Stop(fault, channel, place, time)))

    # Instructions

    def _instruction(self, word: int) -> None:
        unit, does = word >> OPCODE_OFFSET + 4, word >> OPCODE_OFFSET & 15
        a = self.registers[RA.extract(word)]
        immediate = word & _MASK
        chosen = self.registers[RB.extract(word)] if does & BY_REGISTER else immediate
        known = {
            Unit.EVENT: (does & 7) in set(Kind) and GROUP.extract(word) < self.model.num_groups,
            Unit.TIME: (does & 7) in set(Time),
            Unit.RESULT: (does & 7) <= Condition.READ and SLOT.extract(word) < self.model.num_slots,
            Unit.FRAME: (does & 7) in (Condition.ONE, Condition.ZERO, Condition.READ)
            or does == Condition.NONE,
            Unit.ALU: does in set(Alu),
            Unit.ALU_BY_REGISTER: does <= Alu.PARITY,
            Unit.BRANCH: (does & 7) in set(Branch),
            Unit.CONTROL: does in set(Control)
            or does in (Control.HALT | BY_REGISTER, Control.EXPECT | BY_REGISTER),
        }
        if not known[Unit(unit)]:
            self._fail(Fault.ILLEGAL, self.cycle)
            self.cycle += 1
        elif unit == Unit.EVENT:
            self._event(Kind(does & 7), GROUP.extract(word), chosen, ADVANCE.extract(word))
        elif unit == Unit.TIME:
            moved = self.cursor + chosen if does & 7 == Time.WAIT else chosen
            self.cursor = moved & _MASK
            self._next()
        elif unit in (Unit.RESULT, Unit.FRAME):
            self._wait(Unit(unit), does, word)
        elif unit in (Unit.ALU, Unit.ALU_BY_REGISTER):
            b = self.registers[RB.extract(word)] if unit == Unit.ALU_BY_REGISTER else immediate
            if does == Alu.FRAME and not self._frame_at(self.cycle - 1):
                self._fail(Fault.STALE, self.cycle)
            self._write(RD.extract(word), self._computed(Alu(does), a, b))
            self._next()
        elif unit == Unit.BRANCH:
            self._go(TARGET.extract(word)) if _holds(Branch(does & 7), a, chosen) else self._next()
        else:
            self._control(Control(does if does in set(Control) else does & 7), word, a, chosen)

    def _next(self) -> None:
        self.address = (self.address + 1) % self.model.program_depth
        self.cycle += 1

    def _go(self, target: int, *, after: int | None = None) -> None:
        self.address = target % self.model.program_depth
        self.cycle = (self.cycle if after is None else after) + BRANCH_CYCLES

    def _write(self, register: int, value: int) -> None:
        if register:
            self.registers[register] = value & _MASK

    def _event(self, kind: Kind, group: int, value: int, advance: int) -> None:
        enters = self.cycle + 1
        self.result.events += 1
        self._record(kind << TAG_KIND_OFFSET | group, self.cursor, value)
        groups = self.model.program.groups
        members = groups[group] if group < len(groups) else None
        for channel in members.channels if members else ():
            release, faults = self.queues[channel].push(
                enters, self.cursor & _MASK, kind, value, self.address
            )
            for fault, time, address in faults:
                self._fail(fault, time, address=address, channel=channel, priority=1 + channel)
            if release is not None and kind == Kind.CAPTURE:
                for arrival in self.respond(release):
                    self.slots[arrival.slot].add(arrival)
        overruns = [
            self.slots[s].arm(enters) for s in (members.slots if members and kind == Kind.CAPTURE else ())
        ]
        if any(overruns):
            self._fail(Fault.BACKLOG, enters, priority=1000)
        self.cursor = self.cursor + advance & _MASK
        self._next()

    def _control(self, does: Control, word: int, a: int, b: int) -> None:
        if does == Control.JUMP:
            self._go(TARGET.extract(word))
        elif does == Control.LOOP:
            self._write(RA.extract(word), a - 1)
            self._go(TARGET.extract(word)) if a != 1 else self._next()
        elif does == Control.CALL and len(self.stack) < self.model.stack_depth:
            self.stack.append(self.address + 1)
            self._go(TARGET.extract(word))
        elif does == Control.RETURN and self.stack:
            self._go(self.stack.pop())
        elif does in (Control.CALL, Control.RETURN):
            self._fail(Fault.STACK, self.cycle)
            self._next()
        elif does == Control.EXPECT:
            self._expect(a, b)
        elif does == Control.EMIT:
            self.result.outcomes.append((self.cycle, a))
            self._next()
        elif does == Control.HALT:
            self._record(Outcome.HALTED << TAG_KIND_OFFSET, self.cursor, b)
            self.result.exit_code, self.halted = b, True
        else:
            self._next()

    def _computed(self, operation: Alu, a: int, b: int) -> int:
        signed = a - (1 << 32) if a >> 31 else a
        shift = b & 31
        return {
            Alu.SET: b, Alu.ADD: a + b, Alu.SUB: a - b, Alu.AND: a & b, Alu.OR: a | b, Alu.XOR: a ^ b,
            Alu.SHL: a << shift, Alu.SHR: a >> shift, Alu.SAR: signed >> shift,
            Alu.PARITY: (a & b).bit_count() & 1, Alu.CURSOR: self.cursor, Alu.NOW: self.cycle,
            Alu.FRAME: self.answer.frame if self.answer else 0,
        }[operation]  # fmt: skip

    # Waits

    def _expect(self, shot: int, rounds: int) -> None:
        if self.asked and not self._frame_at(self.cycle - 1):
            self._fail(Fault.STALE, self.cycle)
        else:
            self.asked = True
            self.result.expected.append((self.cycle + 1, shot, rounds))
            self.answer = self.frames(shot, rounds, self.cycle + 1)
        self._next()

    def _frame_at(self, cycle: int) -> bool:
        """Whether the frame that was asked for last is there in that cycle."""
        return self.answer is not None and self.answer.cycle <= cycle

    def _seen(self, unit: Unit, slot: int, condition: int) -> tuple[int | None, bool]:
        """First cycle from the next one on in which there is what is waited for, and whether it can come at all."""
        first = self.cycle + 1
        if unit == Unit.RESULT:
            return self.slots[slot].found(first)
        if condition == Condition.NONE:
            return first, True
        return (max(first, self.answer.cycle) if self.answer else None), self.asked

    def _wait(self, unit: Unit, does: int, word: int) -> None:
        condition, slot = Condition(does & 7), SLOT.extract(word)
        look, possible = self._seen(unit, slot, condition)
        last = self.cycle + 1 + (BOUND.extract(word) if condition != Condition.NONE else 0)
        if not possible:
            self._fail(Fault.STALE, self.cycle + 2)
            self.cycle += 3
            return
        timed_out = look is None or look > last
        end = (last if look is None or timed_out else look) + 1
        caught = bool(does & WITH_FALLBACK)
        if timed_out and not caught:
            self._record(Outcome.TIMED_OUT << TAG_KIND_OFFSET, self.cursor, 0, cycle=end)
            self._fail(Fault.TIMEOUT, end)
            self.cycle = end + 1
            return
        if (end + LEAD - self.cursor - 1) & _MASK < 1 << 31:
            self.cursor = end + LEAD & _MASK
        if timed_out:
            self._record(Outcome.TIMED_OUT << TAG_KIND_OFFSET, self.cursor, 0, cycle=end)
            self._go(FALLBACK.extract(word), after=end)
            return
        bit, leaked, soft = self._value(unit, slot, condition, end - 1)
        value = bit | leaked << 1 | (soft & 0xFF) << 8
        threshold = THRESHOLD.extract(word)
        taken = {
            Condition.ONE: bit == 1, Condition.ZERO: bit == 0, Condition.LEAKED: leaked == 1,
            Condition.KEPT: leaked == 0, Condition.ATLEAST: soft >= threshold, Condition.BELOW: soft < threshold,
        }.get(condition, False)  # fmt: skip
        outcome = Outcome.TAKEN if taken else Outcome.PASSED
        self._record(outcome << TAG_KIND_OFFSET, self.cursor, value, cycle=end)
        if unit == Unit.RESULT and condition == Condition.READ:
            # A program that is stopped by this very cycle still writes the register; a later one does not get so far.
            self._write(READ_INTO.extract(word), value)
            self._go(self.address + 1, after=end)
        else:
            self.address = BRANCH_TO.extract(word) if taken else self.address + 1
            self.address %= self.model.program_depth
            self.cycle = end + 1

    def _value(self, unit: Unit, slot: int, condition: Condition, cycle: int) -> tuple[int, int, int]:
        if unit == Unit.RESULT:
            self.slots[slot].advance(cycle)
            return self.slots[slot].value
        if condition in (Condition.READ, Condition.NONE) or self.answer is None:
            return 0, 0, 0
        return self.answer.frame >> (slot & 31) & 1, 0, 0

    def _record(self, tag: int, time: int, value: int, *, cycle: int | None = None) -> None:
        """A record, and the cycle by which it is known whether a fault comes before it."""
        at = self.cycle if cycle is None else cycle
        self.trace.append((at, at & _MASK, self.address, tag, time & _MASK, value & _MASK))


def _holds(branch: Branch, a: int, b: int) -> bool:
    signed = [x - (1 << 32) if x >> 31 else x for x in (a, b)]
    return {
        Branch.EQUAL: a == b, Branch.UNEQUAL: a != b, Branch.LESS: signed[0] < signed[1],
        Branch.NOT_LESS: signed[0] >= signed[1], Branch.BELOW: a < b, Branch.NOT_BELOW: a >= b,
    }[branch]  # fmt: skip
