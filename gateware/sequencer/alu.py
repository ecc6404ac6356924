# SPDX-License-Identifier: BSD-2-Clause
"""Arithmetic and comparisons: two operands in, a result and a decision out, within the cycle."""

from __future__ import annotations

from functools import reduce
from operator import xor

from litex.gen import LiteXModule
from migen import Case, Cat, If, Mux, Replicate, Signal

from triplane.gateware.sequencer.opcodes import Alu, Branch


class ArithmeticUnit(LiteXModule):
    """Operations of the instructions of the units ALU and BRANCH.

    Attributes:
        operation: input; an `isa.Alu`.
        adds, subtracts: inputs; the operation is ADD, or SUB.
        comparison: input; an `isa.Branch`.
        a, b: inputs; operands.
        cursor, now, frame: inputs; what the operations of these names give.
        added, taken_off: a + b and a - b, whatever the operation is. They are known last, and should be taken in last,
            by a gate that knows already whether and which.
        total: result of ADD and SUB, else 0.
        result: of the other operations, else 0.
        holds: the comparison holds.
    """

    LATENCY = 0

    def __init__(self) -> None:
        self.operation = Signal(4)
        self.adds = Signal()
        self.subtracts = Signal()
        self.comparison = Signal(3)
        self.a = a = Signal(32)
        self.b = b = Signal(32)
        self.cursor = Signal(32)
        self.now = Signal(32)
        self.frame = Signal(32)
        self.added = Signal(32)
        self.taken_off = Signal(32)
        self.total = Signal(32)
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
        # Two adders and no multiplexer: Yosys would put one adder behind a negation of b.
        self.comb += [
            self.added.eq(a + b),
            self.taken_off.eq(a - b),
            self.total.eq(
                (Replicate(self.adds, 32) & self.added) | (Replicate(self.subtracts, 32) & self.taken_off)
            ),
        ]

        # Below, in two halves side by side; of signed numbers the highest bits are turned round.
        signed = self.comparison[1:] == Branch.LESS >> 1
        equal, below = [Signal() for _ in range(2)], [Signal() for _ in range(2)]
        for k, (x, y) in enumerate((
            (a[:16], b[:16]), (Cat(a[16:31], a[31] ^ signed), Cat(b[16:31], b[31] ^ signed)),
        )):  # fmt: skip
            self.comb += [equal[k].eq(x == y), below[k].eq(x < y)]
        self.comb += [
            If(self.comparison[1:] == Branch.EQUAL >> 1,
                self.holds.eq((equal[0] & equal[1]) ^ self.comparison[0]),
            ).Else(
                self.holds.eq((below[1] | (equal[1] & below[0])) ^ self.comparison[0]),
            ),
        ]  # fmt: skip
