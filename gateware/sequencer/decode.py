# SPDX-License-Identifier: BSD-2-Clause
"""Words become instructions with operands, ready to be executed in the next cycle; the registers are here."""

from __future__ import annotations

from functools import reduce
from operator import or_

from litex.gen import LiteXModule
from migen import Array, If, Memory, Mux, Record, Replicate, Signal

from triplane.gateware.sequencer.isa import BY_OPCODE, GROUP, RA, RB, RD, SLOT, Operand
from triplane.gateware.sequencer.layouts import ADDRESS_BITS
from triplane.gateware.sequencer.opcodes import (
    BY_REGISTER,
    DOES_BITS,
    NUM_REGISTERS,
    OPCODE_OFFSET,
    REGISTER_BITS,
    WORD_BITS,
    Alu,
    Control,
    Unit,
)

DECODED = [
    ("address", ADDRESS_BITS),
    ("word", WORD_BITS),
    ("unit", len(Unit)),  # bit k: unit k executes it
    ("legal", 1),
    ("waits", 1),  # for a result, or for the frame
    ("emits", 1),  # it needs room for an outcome
    ("breaks", 1),  # a breakpoint is before it
    ("operation", DOES_BITS),  # of the ALU
    ("adds", 1),  # which is ADD
    ("subtracts", 1),  # which is SUB
    ("a", 32),  # register ra
    ("b", 32),  # register rb, or the immediate
    ("into", REGISTER_BITS),  # register that a result of the ALU goes to; 0 for none
]
"""An instruction with its operands."""


def field(word: Signal, operand: Operand) -> Signal:
    """The bits of an operand."""
    return word[operand.low : operand.low + operand.bits]


class Decoder(LiteXModule):
    r"""Reads the registers that an instruction names while it is decoded.

    What the instruction in front of it writes in the same cycle is taken on the way, so that an instruction can use
    the result of the one before.

    ```
    cycle         0         1         2
    word       |add r1   |add r2,r1|         decoded
    executed              |add r1   |add r2,r1|
    written               |r1       |r2       |    a of the second is taken from here
    ```

    Register 0 is always 0.

    Args:
        num_groups, num_slots: an instruction that names others is not legal.

    Attributes:
        word, address: inputs; the instruction.
        breaks: input; it has a breakpoint.
        decoded: it, decoded (`DECODED`), in the same cycle.
        writes, into, value, total: inputs; a register is written at the end of the cycle, which, and what: `value` or
            `total`, the other one being 0.
        executed_writes, executed_into, executed_value, executed_total: inputs; the same as far as the instruction that
            is executed does it.
        probe: input; register that `probed` is the content of.
    """

    def __init__(self, num_groups: int, num_slots: int) -> None:
        self.word = Signal(WORD_BITS)
        self.address = Signal(ADDRESS_BITS)
        self.breaks = Signal()
        self.decoded = decoded = Record(DECODED, name="decoded")
        self.writes = Signal()
        self.into = Signal(REGISTER_BITS)
        self.value = Signal(32)
        self.total = Signal(32)
        self.executed_writes = Signal()
        self.executed_into = Signal(REGISTER_BITS)
        self.executed_value = Signal(32)
        self.executed_total = Signal(32)
        self.probe = Signal(REGISTER_BITS)
        self.probed = Signal(32)

        # # #

        word = self.word
        opcode, unit, does = word[OPCODE_OFFSET:], word[OPCODE_OFFSET + 4 :], word[OPCODE_OFFSET:][:4]
        ra, rb = field(word, RA), field(word, RB)
        registers = Memory(32, NUM_REGISTERS)
        writer = registers.get_port(write_capable=True)
        self.specials += registers, writer
        self.comb += [
            writer.adr.eq(self.into),
            writer.dat_w.eq(self.value | self.total),
            writer.we.eq(self.writes & (self.into != 0)),
        ]

        def read(index: Signal) -> Signal:
            port = registers.get_port(async_read=True)
            self.specials += port
            self.comb += port.adr.eq(index)
            return port.dat_r

        def written(index: Signal) -> Signal:
            # Nothing is ever written to register 0, which is 0 from the start.
            return self.executed_writes & (self.executed_into == index) & (index != 0)

        def total(taken: Signal) -> Signal:
            return Replicate(taken, 32) & self.executed_total

        a_written, b_written = Signal(), Signal()
        choosing, by_register, in_range, loops = (Signal() for _ in range(4))
        classes = [Signal() for _ in Unit]
        self.comb += [
            *(signal.eq(unit == number) for number, signal in enumerate(classes)),
            choosing.eq(reduce(or_, (classes[u] for u in (Unit.CONTROL, Unit.BRANCH, Unit.EVENT, Unit.TIME)))),
            by_register.eq(classes[Unit.ALU_BY_REGISTER] | (choosing & ((does & BY_REGISTER) != 0))),
            If(classes[Unit.EVENT],
                in_range.eq(field(word, GROUP) < num_groups),
            ).Elif(classes[Unit.RESULT],
                in_range.eq(field(word, SLOT) < num_slots),
            ).Else(
                in_range.eq(1),
            ),
            loops.eq(classes[Unit.CONTROL] & (does == Control.LOOP)),
            decoded.address.eq(self.address),
            decoded.word.eq(word),
            *(decoded.unit[number].eq(signal) for number, signal in enumerate(classes)),
            decoded.legal.eq(Array(int(k in BY_OPCODE) for k in range(1 << 7))[opcode] & in_range),
            decoded.breaks.eq(self.breaks),
            decoded.emits.eq(classes[Unit.CONTROL] & (does == Control.EMIT)),
            decoded.waits.eq(classes[Unit.RESULT] | classes[Unit.FRAME]),
            a_written.eq(written(ra)),
            b_written.eq(by_register & ~loops & written(rb)),
            decoded.a.eq(Mux(a_written, self.executed_value, read(ra)) | total(a_written)),
            # A loop is a subtraction of 1.
            decoded.operation.eq(Mux(loops, Alu.SUB, does)),
            decoded.adds.eq(~loops & (does == Alu.ADD)),
            decoded.subtracts.eq(loops | (does == Alu.SUB)),
            decoded.b.eq(
                Mux(loops, 1, Mux(b_written, self.executed_value, Mux(by_register, read(rb), word[:32])))
                | total(b_written)
            ),
            If(loops,
                decoded.into.eq(ra),
            ).Elif(classes[Unit.ALU] | classes[Unit.ALU_BY_REGISTER],
                decoded.into.eq(field(word, RD)),
            ),
            self.probed.eq(read(self.probe)),
        ]  # fmt: skip
