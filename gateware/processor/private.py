# SPDX-License-Identifier: BSD-2-Clause
"""The processor's own registers, decoded from their declaration."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Case, If, Signal, bits_for

from triplane.gateware.processor.layouts import REGISTERS, WORD_BITS


class PrivateRegisters(LiteXModule):
    """One word for each of `layouts.REGISTERS`, without storage: who owns a value drives it, or takes it when written.

    Attributes:
        access, write, address, write_data: inputs; `access` for one cycle.
        data: the register read, one cycle later.
        value: name -> input; what a readable register reads.
        reads: name -> high for the cycle in which a register is read whose reading is an event.
        writes: name -> high for the cycle in which a register is written, with `write_data`.
    """

    def __init__(self) -> None:
        self.access = Signal()
        self.write = Signal()
        self.address = Signal(bits_for(len(REGISTERS) - 1))
        self.write_data = Signal(WORD_BITS)
        self.data = Signal(WORD_BITS)
        self.value = {r.name: Signal(WORD_BITS, name=f"{r.name}_value") for r in REGISTERS if r.access != "w"}
        self.reads = {r.name: Signal(name=f"{r.name}_read") for r in REGISTERS if r.access == "rs"}
        self.writes = {r.name: Signal(name=f"{r.name}_write") for r in REGISTERS if r.access == "w"}

        # # #

        read = {
            number: self.data.eq(self.value[r.name]) for number, r in enumerate(REGISTERS) if r.access != "w"
        }
        self.sync += [self.data.eq(0), Case(self.address, read)]
        for number, register in enumerate(REGISTERS):
            here = self.access & (self.address == number)
            if register.name in self.reads:
                self.comb += self.reads[register.name].eq(here & ~self.write)
            if register.name in self.writes:
                self.comb += self.writes[register.name].eq(here & self.write)

    def field(self, name: str, field: str) -> Signal:
        """Slice of `value` of a readable register, or of `write_data` for one that is written."""
        register = next(r for r in REGISTERS if r.name == name)
        (found,) = (f for f in register.fields if f.name == field)
        word = self.write_data if name in self.writes else self.value[name]
        return word[found.offset : found.offset + found.bits]

    def bit(self, name: str, field: str) -> Signal:
        """High while 1 is written to a field of one bit."""
        return self.writes[name] & self.field(name, field)

    def held(self, name: str, width: int = WORD_BITS) -> Signal:
        """The value that was written last, from the cycle after on."""
        kept = Signal(width, name=f"{name}_held")
        self.sync += If(self.writes[name], kept.eq(self.write_data))
        return kept
