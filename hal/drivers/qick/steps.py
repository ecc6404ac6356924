# SPDX-License-Identifier: BSD-2-Clause
"""A program's words as instructions again, and how one that QICK cannot do is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from triplane.gateware.sequencer.disassembler import instruction_text
from triplane.gateware.sequencer.isa import RB, find
from triplane.gateware.sequencer.opcodes import NUM_REGISTERS
from triplane.gateware.sequencer.program import Program
from triplane.hal.errors import ProgramError

TO_TARGET = ("beq", "bne", "blt", "bge", "bltu", "bgeu", "loop", "jump", "call")
"""Instructions with an address to go to, waits aside."""

EPOCH_IDIOM = ("now", "sub", "bge", "until")
"""What `host.compiler.aligned` waits for the beginning of a program's time with."""


@dataclass(frozen=True)
class Step:
    """An instruction with its operands by name; `b` is the number of a register where `by_register`."""

    address: int
    mnemonic: str
    values: dict[str, int]
    by_register: bool

    def __getitem__(self, name: str) -> int:
        return self.values[name]

    @property
    def signed(self) -> int:
        """Operand b as a signed number."""
        return (self["b"] + 2**31) % 2**32 - 2**31


class Steps:
    """A program's instructions.

    Args:
        program: as it would be loaded into a sequencer.
        epoch_register: of the control program.

    Attributes:
        steps: by address.
        epoch: address of the instructions that wait for the epoch, None where there are none.
        joins: addresses that are gone to from elsewhere.

    Raises:
        ProgramError: a word is no instruction.
    """

    def __init__(self, program: Program, epoch_register: int | None) -> None:
        self.program = program
        self.steps: list[Step] = []
        for address, word in enumerate(program.words.tolist()):
            form = find(word)
            if form is None:
                raise ProgramError(f"{program.place(address)}: {word:#018x} is no instruction")
            values = {operand.name: operand.extract(word) for operand in form.operands}
            self.steps.append(Step(address, form.mnemonic, values, RB in form.operands))
        self.epoch = self._epoch(epoch_register)
        hidden = range(self.epoch, self.epoch + len(EPOCH_IDIOM)) if self.epoch is not None else ()
        self.joins = {
            step["target"] for step in self.steps if "target" in step.values and step.address not in hidden
        } | {step.address + 1 for step in self.steps if step.mnemonic == "call"}

    def _epoch(self, register: int | None) -> int | None:
        if register is None:
            return None
        for first in range(len(self.steps) - len(EPOCH_IDIOM) + 1):
            now, sub, bge, until = self.steps[first : first + len(EPOCH_IDIOM)]
            if (now.mnemonic, sub.mnemonic, bge.mnemonic, until.mnemonic) != EPOCH_IDIOM:
                continue
            scratch = now["rd"]
            if (
                (sub["rd"], sub["ra"], sub["b"], sub.by_register) == (scratch, register, scratch, True)
                and (bge["ra"], bge["target"], bge.by_register) == (scratch, first, False)
                and (until["b"], until.by_register) == (register, True)
            ):
                return first
        return None

    def at(self, address: int) -> Step:
        """The instruction at an address; raises ProgramError behind the last."""
        if address >= len(self.steps):
            raise ProgramError(
                f"the program runs on to address {address}, where it has no instruction; end it with halt"
            )
        return self.steps[address]

    def refuse(self, address: int, reason: str) -> NoReturn:
        """Raise ProgramError: where, which instruction, and why QICK's firmware cannot do it."""
        text = instruction_text(int(self.program.words[address]), self.program, address)
        raise ProgramError(f"{self.program.place(address)}: QICK cannot do '{text}': {reason}")


def check_registers(registers: dict[int, int]) -> None:
    """Raise ProgramError where one of them is none, or does not hold its value."""
    for number, value in registers.items():
        if not 1 <= number < NUM_REGISTERS or not -(2**31) <= value < 2**32:
            raise ProgramError(
                f"register {number} cannot be {value}: there are 1 to {NUM_REGISTERS - 1}, of 32 bits"
            )
