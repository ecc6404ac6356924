# SPDX-License-Identifier: BSD-2-Clause
"""RV32I instructions, as far as the flow of a program follows from them (RISC-V unprivileged ISA, chapter 2)."""

from __future__ import annotations

from dataclasses import dataclass

BYTES = 4
RA, SP = 1, 2

_LUI, _AUIPC, _JAL, _JALR, _BRANCH = 0x37, 0x17, 0x6F, 0x67, 0x63
_LOAD, _STORE, _OP_IMM, _OP, _FENCE, _SYSTEM = 0x03, 0x23, 0x13, 0x33, 0x0F, 0x73
_LOADS, _STORES, _BRANCHES = (0, 1, 2, 4, 5), (0, 1, 2), (0, 1, 4, 5, 6, 7)
_SHIFT_LEFT, _SHIFT_RIGHT, _ADD = 1, 5, 0
_CSR_ACCESSES = (1, 2, 3, 5, 6, 7)


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        address: of it.
        word: itself.
    """

    address: int
    word: int

    @property
    def opcode(self) -> int:
        """Bits 6..0."""
        return self.word & 0x7F

    @property
    def rd(self) -> int:
        """Register that is written."""
        return self.word >> 7 & 0x1F

    @property
    def rs1(self) -> int:
        """First register that is read."""
        return self.word >> 15 & 0x1F

    @property
    def funct3(self) -> int:
        """Bits 14..12."""
        return self.word >> 12 & 7

    @property
    def funct7(self) -> int:
        """Bits 31..25."""
        return self.word >> 25

    @property
    def immediate(self) -> int:
        """Of an I-type instruction, signed."""
        return _signed(self.word >> 20, 12)

    @property
    def valid(self) -> bool:
        """Whether RV32I has it, or Zicsr: no multiplication, no compressed and no atomic instruction."""
        three, seven = self.funct3, self.funct7
        match self.opcode:
            case 0x37 | 0x17 | 0x6F:
                return True
            case 0x67:
                return three == 0
            case 0x63:
                return three in _BRANCHES
            case 0x03:
                return three in _LOADS
            case 0x23:
                return three in _STORES
            case 0x13:
                return three not in (_SHIFT_LEFT, _SHIFT_RIGHT) or seven in (
                    0,
                    0x20 * (three == _SHIFT_RIGHT),
                )
            case 0x33:
                return seven == 0 or (seven == 0x20 and three in (_ADD, _SHIFT_RIGHT))
            case 0x73:
                return three in _CSR_ACCESSES
        return False

    @property
    def branches(self) -> bool:
        """A conditional branch."""
        return self.opcode == _BRANCH

    @property
    def jumps(self) -> bool:
        """`jal`, with or without a link."""
        return self.opcode == _JAL

    @property
    def jumps_to_register(self) -> bool:
        """`jalr`, with or without a link."""
        return self.opcode == _JALR

    @property
    def returns(self) -> bool:
        """`ret`."""
        return self.jumps_to_register and self.rd == 0 and self.rs1 == RA and self.immediate == 0

    @property
    def target(self) -> int:
        """Of a branch or `jal`."""
        word = self.word
        if self.branches:
            bits = (
                (word >> 31 << 12)
                | ((word >> 7 & 1) << 11)
                | ((word >> 25 & 0x3F) << 5)
                | ((word >> 8 & 0xF) << 1)
            )
            return self.address + _signed(bits, 13)
        bits = (
            (word >> 31 << 20)
            | ((word >> 12 & 0xFF) << 12)
            | ((word >> 20 & 1) << 11)
            | ((word >> 21 & 0x3FF) << 1)
        )
        return self.address + _signed(bits, 21)

    @property
    def upper(self) -> int | None:
        """Address that `auipc` makes, None for another instruction."""
        return (self.address + (self.word & 0xFFFFF000)) & 0xFFFFFFFF if self.opcode == _AUIPC else None

    @property
    def stack_change(self) -> int | None:
        """Bytes that are added to the stack pointer; None where it is set in another way."""
        writes = self.opcode not in (_BRANCH, _STORE, _FENCE)
        if not writes or self.rd != SP:
            return 0
        if self.opcode == _OP_IMM and self.funct3 == _ADD and self.rs1 == SP:
            return self.immediate
        return None


def decode(content: bytes, address: int) -> list[Instruction]:
    """The instructions of a piece of code that begins at `address`."""
    return [
        Instruction(address + k, int.from_bytes(content[k : k + BYTES], "little"))
        for k in range(0, len(content), BYTES)
    ]


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value
