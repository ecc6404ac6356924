# SPDX-License-Identifier: BSD-2-Clause
"""Arithmetic and comparisons: two operands in, a result and a decision out, within the cycle."""

from __future__ import annotations

from functools import reduce
from operator import xor

from litex.gen import LiteXModule
from migen import Case, Cat, Mux, Replicate, Signal

from triplane.gateware.sequencer.opcodes import Alu, Branch


class ArithmeticUnit(LiteXModule):
    """Operations of the instructions of the units ALU and BRANCH.

    Attributes:
        operation: input; an `isa.Alu`.
        comparison: input; an `isa.Branch`.
        a, b: inputs; operands.
        cursor, now, frame: inputs; what the operations of these names give.
        result: of the operation.
        holds: the comparison holds.
    """

    LATENCY = 0

    def __init__(self) -> None:
        self.operation = Signal(4)
        self.comparison = Signal(3)
        self.a = a = Signal(32)
        self.b = b = Signal(32)
        self.cursor = Signal(32)
        self.now = Signal(32)
        self.frame = Signal(32)
        self.result = Signal(32)
        self.holds = Signal()

        # # #

        # One shifter for both ways: to shift left the bits are turned round before and after.
        turned, filled, shifted = Signal(32), Signal(), Signal(64)
        left, common = self.operation == Alu.SHL, Signal(32)
        self.comb += [
            turned.eq(Mux(left, a[::-1], a)),
            filled.eq((self.operation == Alu.SAR) & a[31]),
            shifted.eq(Cat(turned, Replicate(filled, 32)) >> b[:5]),
            common.eq(a & b),
        ]
        self.comb += Case(self.operation, {
            Alu.SET: self.result.eq(b),
            Alu.ADD: self.result.eq(a + b),
            Alu.SUB: self.result.eq(a - b),
            Alu.AND: self.result.eq(common),
            Alu.OR: self.result.eq(a | b),
            Alu.XOR: self.result.eq(a ^ b),
            Alu.SHL: self.result.eq(shifted[:32][::-1]),
            Alu.SHR: self.result.eq(shifted[:32]),
            Alu.SAR: self.result.eq(shifted[:32]),
            Alu.PARITY: self.result.eq(reduce(xor, common)),
            Alu.CURSOR: self.result.eq(self.cursor),
            Alu.NOW: self.result.eq(self.now),
            Alu.FRAME: self.result.eq(self.frame),
        })  # fmt: skip

        equal, below, less, holds = Signal(), Signal(), Signal(), Signal()
        self.comb += [
            equal.eq(a == b),
            below.eq(a < b),
            less.eq(Mux(a[31] == b[31], below, a[31])),
            Case(self.comparison[1:], {
                Branch.EQUAL >> 1: holds.eq(equal),
                Branch.LESS >> 1: holds.eq(less),
                Branch.BELOW >> 1: holds.eq(below),
            }),
            self.holds.eq(holds ^ self.comparison[0]),
        ]  # fmt: skip
