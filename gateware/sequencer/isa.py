# SPDX-License-Identifier: BSD-2-Clause
"""The instruction set: every instruction declared once, for gateware, assembler, disassembler and `docs/isa.md`.

An instruction is a word of 64 bits. Bits 63..57 are its opcode, of which the upper three name the unit that executes
it and the lower four what the unit does. Bits that no operand takes are 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from triplane.gateware.sequencer.layouts import ADDRESS_BITS, BRANCH_CYCLES, KINDS, LEAD, Fault, Kind
from triplane.gateware.sequencer.opcodes import (
    ADVANCE_BITS,
    BOUND_BITS,
    BY_REGISTER,
    DOES_BITS,
    GROUP_BITS,
    OPCODE_OFFSET,
    REGISTER_BITS,
    SLOT_BITS,
    SOFT_BITS,
    WITH_FALLBACK,
    Alu,
    Branch,
    Condition,
    Control,
    Time,
    Unit,
)


class Operands(IntEnum):
    """Kinds of operands."""

    REGISTER = 0
    NUMBER = 1
    SIGNED = 2
    GROUP = 3
    SLOT = 4
    ADDRESS = 5
    ADVANCE = 6


@dataclass(frozen=True)
class Operand:
    """One operand: its name, its kind, and the bits that it takes.

    NUMBER of 32 bits may be given from -2**31 to 2**32 - 1. ADVANCE is written with a plus and may be left out.
    """

    name: str
    kind: Operands
    low: int
    bits: int

    @property
    def range(self) -> tuple[int, int]:
        """Least and largest value that may be written."""
        if self.kind == Operands.SIGNED:
            return -(1 << self.bits - 1), (1 << self.bits - 1) - 1
        return -(1 << 31) if self.kind == Operands.NUMBER and self.bits == 32 else 0, (1 << self.bits) - 1

    def insert(self, value: int) -> int:
        """The value in its place of the word."""
        return (value & (1 << self.bits) - 1) << self.low

    def extract(self, word: int) -> int:
        """The value that a word holds."""
        value = word >> self.low & (1 << self.bits) - 1
        return value - (1 << self.bits) if self.kind == Operands.SIGNED and value >> self.bits - 1 else value


RD = Operand("rd", Operands.REGISTER, 52, REGISTER_BITS)
RA = Operand("ra", Operands.REGISTER, 47, REGISTER_BITS)
RB = Operand("b", Operands.REGISTER, 0, REGISTER_BITS)
IMMEDIATE = Operand("b", Operands.NUMBER, 0, 32)
GROUP = Operand("group", Operands.GROUP, 49, GROUP_BITS)
ADVANCE = Operand("advance", Operands.ADVANCE, 32, ADVANCE_BITS)
TARGET = Operand("target", Operands.ADDRESS, 32, ADDRESS_BITS)
BOUND = Operand("bound", Operands.NUMBER, 40, BOUND_BITS)
BRANCH_TO = Operand("target", Operands.ADDRESS, 28, ADDRESS_BITS)
READ_INTO = Operand("rd", Operands.REGISTER, 28, REGISTER_BITS)
FALLBACK = Operand("fallback", Operands.ADDRESS, 16, ADDRESS_BITS)
THRESHOLD = Operand("threshold", Operands.SIGNED, 8, SOFT_BITS)
SLOT = Operand("slot", Operands.SLOT, 0, SLOT_BITS)
FRAME_BIT = Operand("bit", Operands.NUMBER, 0, 5)


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        mnemonic: forms with other operands share it.
        unit, does: make the opcode.
        operands: in the order in which they are written.
        meaning: what it does.
        cycles: cycles until the next instruction is executed, in words.
        faults: that it can raise itself.
    """

    mnemonic: str
    unit: Unit
    does: int
    operands: tuple[Operand, ...]
    meaning: str
    cycles: str = "1"
    faults: tuple[Fault, ...] = ()

    @property
    def opcode(self) -> int:
        """Seven bits."""
        return self.unit << DOES_BITS | self.does

    @property
    def syntax(self) -> str:
        """How it is written."""
        named = [
            f"[+{o.name}]" if o.kind == Operands.ADVANCE else {RB: "rb", IMMEDIATE: "value"}.get(o, o.name)
            for o in self.operands
        ]
        return " ".join([self.mnemonic, ", ".join(named)]).strip()

    @cached_property
    def mask(self) -> int:
        """Bits of the word that it gives a meaning to."""
        return 0x7F << OPCODE_OFFSET | sum(o.insert(-1) for o in self.operands)

    def encode(self, values: Iterable[int]) -> int:
        """The word, from the operands' values in their order.

        Raises:
            ValueError: there are more or fewer values than operands, or one is out of range.
        """
        word = self.opcode << OPCODE_OFFSET
        for operand, value in zip(self.operands, values, strict=True):
            least, most = operand.range
            if not least <= value <= most:
                raise ValueError(f"{operand.name} of {self.mnemonic} must be {least} to {most}, not {value}")
            word |= operand.insert(value)
        return word


def _both(
    mnemonic: str,
    unit: Unit,
    does: int,
    before: tuple[Operand, ...],
    meaning: str,
    *,
    after: tuple[Operand, ...] = (),
    cycles: str = "1",
    faults: tuple[Fault, ...] = (),
) -> list[Instruction]:
    """Operand b as a value, and as a register."""
    by_register = (Unit.ALU_BY_REGISTER, does) if unit == Unit.ALU else (unit, does | BY_REGISTER)
    return [
        Instruction(mnemonic, unit, does, (*before, IMMEDIATE, *after), meaning, cycles, faults),
        Instruction(mnemonic, *by_register, (*before, RB, *after), meaning, cycles, faults),
    ]


def _waits(
    mnemonic: str, unit: Unit, condition: Condition, operands: tuple[Operand, ...], meaning: str, cycles: str
) -> list[Instruction]:
    """Without a fall-back, and with one."""
    faults = (Fault.STALE, Fault.ILLEGAL) if unit == Unit.RESULT else (Fault.STALE,)
    return [
        Instruction(mnemonic, unit, condition, operands, meaning, cycles, (*faults, Fault.TIMEOUT)),
        Instruction(
            mnemonic, unit, condition | WITH_FALLBACK, (*operands, FALLBACK), meaning, cycles, faults
        ),
    ]


_TAKEN = f"1; {BRANCH_CYCLES} if taken"
_GOES = str(BRANCH_CYCLES)
_WAIT = "3 or more; either way, 2 from the result; fall-back 4 from the bound"
_READ = "5 or more: 4 from the result"
_EVENT_FAULTS = (Fault.UNDERFLOW, Fault.OVERFLOW, Fault.COLLISION, Fault.ORDER, Fault.ILLEGAL)
_ALU_MEANINGS = {
    Alu.ADD: "rd = ra + b, modulo 2**32",
    Alu.SUB: "rd = ra - b, modulo 2**32",
    Alu.AND: "rd = ra and b, bit by bit",
    Alu.OR: "rd = ra or b, bit by bit",
    Alu.XOR: "rd = ra exclusive or b, bit by bit",
    Alu.SHL: "rd = ra shifted left by b[4:0]",
    Alu.SHR: "rd = ra shifted right by b[4:0], zeros in",
    Alu.SAR: "rd = ra shifted right by b[4:0], sign in",
    Alu.PARITY: "rd = 1 if ra and b have an odd number of ones in common, else 0",
}
_BRANCH_MEANINGS = {
    Branch.EQUAL: ("beq", "ra = b"),
    Branch.UNEQUAL: ("bne", "ra is not b"),
    Branch.LESS: ("blt", "ra < b, signed"),
    Branch.NOT_LESS: ("bge", "ra >= b, signed"),
    Branch.BELOW: ("bltu", "ra < b, unsigned"),
    Branch.NOT_BELOW: ("bgeu", "ra >= b, unsigned"),
}
_RESULT_MEANINGS = {
    Condition.ONE: ("on.one", (), "its bit is 1"),
    Condition.ZERO: ("on.zero", (), "its bit is 0"),
    Condition.LEAKED: ("on.leaked", (), "it is leaked"),
    Condition.KEPT: ("on.kept", (), "it is not leaked"),
    Condition.ATLEAST: ("on.atleast", (THRESHOLD,), "its soft value is the threshold or more"),
    Condition.BELOW: ("on.below", (THRESHOLD,), "its soft value is below the threshold"),
}


def _instructions() -> Iterable[Instruction]:
    control = Unit.CONTROL
    for kind in Kind:
        arms = "; the slots that the group arms have no result from now on" if kind == Kind.CAPTURE else ""
        faults = (*_EVENT_FAULTS, Fault.BACKLOG) if kind == Kind.CAPTURE else _EVENT_FAULTS
        yield from _both(
            kind.name.lower(), Unit.EVENT, kind, (GROUP,),
            f"at the cursor, every channel of the group: {KINDS[kind]}{arms}; then the cursor advances",
            after=(ADVANCE,), faults=faults,
        )  # fmt: skip
    yield from _both("wait", Unit.TIME, Time.WAIT, (), "the cursor advances by b")
    yield from _both(
        "until", Unit.TIME, Time.UNTIL, (), "the cursor moves to the time whose low half is b, either way"
    )
    yield Instruction(
        "sync", Unit.FRAME, Condition.NONE, (), f"the cursor moves to now + {LEAD}, unless it is later", "3"
    )
    for condition, (mnemonic, more, meaning) in _RESULT_MEANINGS.items():
        yield from _waits(
            mnemonic, Unit.RESULT, condition, (SLOT, *more, BRANCH_TO, BOUND),
            f"wait for the slot's result; branch if {meaning}", _WAIT,
        )  # fmt: skip
    yield from _waits(
        "read", Unit.RESULT, Condition.READ, (READ_INTO, SLOT, BOUND),
        "wait for the slot's result; rd = its bit, leaked in bit 1, soft value in bits 15..8", _READ,
    )  # fmt: skip
    yield from _both(
        "expect", control, Control.EXPECT, (RA,),
        "ask for the frame of shot ra that holds b rounds of it", faults=(Fault.STALE,),
    )  # fmt: skip
    yield from _waits(
        "frame.one", Unit.FRAME, Condition.ONE, (FRAME_BIT, BRANCH_TO, BOUND),
        "wait for the frame; branch if the bit is 1", _WAIT,
    )  # fmt: skip
    yield from _waits(
        "frame.zero", Unit.FRAME, Condition.ZERO, (FRAME_BIT, BRANCH_TO, BOUND),
        "wait for the frame; branch if the bit is 0", _WAIT,
    )  # fmt: skip
    yield from _waits(
        "barrier", Unit.FRAME, Condition.READ, (BOUND,), "wait for the frame", "3 or more: 2 from the frame"
    )
    yield from _both("set", Unit.ALU, Alu.SET, (RD,), "rd = b")
    for alu, meaning in _ALU_MEANINGS.items():
        yield from _both(alu.name.lower(), Unit.ALU, alu, (RD, RA), meaning)
    yield Instruction("cursor", Unit.ALU, Alu.CURSOR, (RD,), "rd = low half of the cursor")
    yield Instruction("now", Unit.ALU, Alu.NOW, (RD,), "rd = low half of the cycle counter")
    yield Instruction("frame", Unit.ALU, Alu.FRAME, (RD,), "rd = the frame that the last barrier gave")
    for branch, (mnemonic, meaning) in _BRANCH_MEANINGS.items():
        yield from _both(
            mnemonic, Unit.BRANCH, branch, (RA,), f"branch if {meaning}", after=(TARGET,), cycles=_TAKEN
        )
    yield Instruction(
        "loop", control, Control.LOOP, (RA, TARGET), "ra = ra - 1; branch if it is not 0 now", _TAKEN
    )
    yield Instruction("jump", control, Control.JUMP, (TARGET,), "go to the target", _GOES)
    yield Instruction(
        "call", control, Control.CALL, (TARGET,), "go to the target, and back with `return`", _GOES, (Fault.STACK,)
    )  # fmt: skip
    yield Instruction(
        "return", control, Control.RETURN, (), "go to the instruction after the last call", _GOES, (Fault.STACK,)
    )  # fmt: skip
    yield from _both(
        "halt", control, Control.HALT, (), "end with exit code b; queued events are still played"
    )
    yield Instruction(
        "emit", control, Control.EMIT, (RA,), "give ra out to the host, which takes it while the program runs",
        "1; more while there is no room",
    )  # fmt: skip
    yield Instruction("nop", control, Control.NOP, (), "nothing")


INSTRUCTIONS = tuple(_instructions())
"""All instructions, in the order of the specification."""

BY_OPCODE = {instruction.opcode: instruction for instruction in INSTRUCTIONS}
"""Opcode -> instruction."""

MNEMONICS = tuple(dict.fromkeys(instruction.mnemonic for instruction in INSTRUCTIONS))


def forms(mnemonic: str) -> list[Instruction]:
    """Instructions of that mnemonic; empty where there is none."""
    return [instruction for instruction in INSTRUCTIONS if instruction.mnemonic == mnemonic]


def find(word: int) -> Instruction | None:
    """The instruction that a word is; None for one that no instruction encodes to."""
    instruction = BY_OPCODE.get(word >> OPCODE_OFFSET)
    return None if instruction is None or word & ~instruction.mask else instruction
