# SPDX-License-Identifier: BSD-2-Clause
"""Widths and codes of the instruction set, for `isa.py` to give them operands and a meaning."""

from enum import IntEnum

WORD_BITS = 64
OPCODE_OFFSET = 57
DOES_BITS = 4
NUM_REGISTERS = 32
REGISTER_BITS = 5
GROUP_BITS = 8
SLOT_BITS = 8
ADVANCE_BITS = 17
BOUND_BITS = 17
SOFT_BITS = 8

BY_REGISTER = 8
"""Bit of what a unit does: operand b is a register, where both are possible."""

WITH_FALLBACK = 8
"""Bit of what a wait does: it has a fall-back address."""


class Unit(IntEnum):
    """Units, the upper three bits of an opcode."""

    CONTROL = 0
    BRANCH = 1
    ALU = 2
    ALU_BY_REGISTER = 3
    EVENT = 4
    TIME = 5
    RESULT = 6
    FRAME = 7


class Control(IntEnum):
    """What the control unit does; 0 is illegal, so that empty memory is."""

    NOP = 1
    HALT = 2
    EMIT = 3
    JUMP = 4
    CALL = 5
    RETURN = 6
    EXPECT = 7
    LOOP = 9


class Branch(IntEnum):
    """Comparisons."""

    EQUAL = 0
    UNEQUAL = 1
    LESS = 2
    NOT_LESS = 3
    BELOW = 4
    NOT_BELOW = 5


class Alu(IntEnum):
    """Operations; the last three read something else than registers."""

    SET = 0
    ADD = 1
    SUB = 2
    AND = 3
    OR = 4
    XOR = 5
    SHL = 6
    SHR = 7
    SAR = 8
    PARITY = 9
    CURSOR = 10
    NOW = 11
    FRAME = 12


class Time(IntEnum):
    """Movements of the cursor."""

    WAIT = 0
    UNTIL = 1


class Condition(IntEnum):
    """What a wait for a result or for the frame ends in."""

    ONE = 0
    ZERO = 1
    LEAKED = 2
    KEPT = 3
    ATLEAST = 4
    BELOW = 5
    READ = 6
    NONE = 7
