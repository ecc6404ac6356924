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
        total: result of ADD and SUB, else 0; it is known last, and should be taken in last.
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
        # In two halves side by side, the upper one for both carries; no multiplexer, Yosys would share an adder.
        low, high = (a[:16], b[:16]), (a[16:], b[16:])
        inverted = [Signal(16, name=f"inverted{half}") for half in range(2)]
        sums, carries = [Signal(16, name="sum"), Signal(16, name="difference")], [Signal() for _ in range(2)]
        uppers = [[Signal(16, name=f"upper{k}_{carry}") for carry in range(2)] for k in range(2)]
        self.comb += [
            inverted[0].eq(~low[1]),
            inverted[1].eq(~high[1]),
            sums[0].eq(low[0] + low[1]),
            sums[1].eq(low[0] - low[1]),
            # By comparison: a sum of one bit more would be a carry block more.
            carries[0].eq(inverted[0] < low[0]),
            carries[1].eq(low[0] < low[1]),
            uppers[0][0].eq(high[0] + high[1]),
            uppers[0][1].eq(high[0] - inverted[1]),  # one more, by the carry that a subtraction begins with
            uppers[1][0].eq(high[0] - high[1]),
            uppers[1][1].eq(high[0] + inverted[1]),
        ]
        parts = []
        for k, selected in enumerate((self.adds, self.subtracts)):
            carried, plain = Replicate(selected & carries[k], 16), Replicate(selected & ~carries[k], 16)
            upper = (carried & uppers[k][1]) | (plain & uppers[k][0])
            parts.append(Cat(Replicate(selected, 16) & sums[k], upper))
        self.comb += self.total.eq(parts[0] | parts[1])

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
