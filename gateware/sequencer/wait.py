# SPDX-License-Identifier: BSD-2-Clause
"""Waits for a result or for the frame: how long, and what they end in."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import Case, Cat, Constant, If, Mux, Record, Signal

from triplane.gateware.sequencer.decode import DECODED, field
from triplane.gateware.sequencer.isa import BOUND, FALLBACK, READ_INTO, SLOT, THRESHOLD
from triplane.gateware.sequencer.layouts import ADDRESS_BITS
from triplane.gateware.sequencer.opcodes import OPCODE_OFFSET, WITH_FALLBACK, Condition, Unit


class WaitUnit(LiteXModule):
    r"""Looks at one slot, or at the frame, every cycle, until there is something or the bound is reached.

    The first look is in the cycle after `begins`, the last one `bound` cycles after that. What is seen is registered,
    and decided on in the cycle after.

    ```
    cycle     t-k  ...    t      t+1     t+2     t+3
    begins   _/-\_______________________________________
    valid    ___________/---\___________________________   input of the results
    seen     ___________________/-------\_______________
    ends     ___________________/---\___________________   and with it branches
    executed                            |either |          see fetch.py
    event    ___________________________________/---\___   RESULT_TO_EVENT = 3
    ```

    Attributes:
        instruction: input (`DECODED`), valid with `begins`; a wait.
        begins: input; wait from now on.
        slot: slot, or bit of the frame, that is looked at.
        found, nothing, bit, leaked, soft: inputs; what is known of that slot in this cycle (`ResultTable`).
        frame_found, frame_nothing, frame_bit: inputs; the same of the frame.
        ends: the wait ends with this cycle, and the next instruction is at the ready.
        branches: with `ends`; it is that of the branch.
        goes, target: the wait ends with this cycle, and the next instruction must be fetched: after a read, or at the
            fall-back.
        writes, into, value: with `goes`; a register is written, which, and the result.
        stale, timeout: the wait ends in that fault.
        timed_out: the wait ends at its bound.
        address: of the wait.
        active: since the cycle after `begins`, until and with its end.
        flush: input; end at once.
    """

    def __init__(self) -> None:
        self.instruction = Record(DECODED, name="waiting_instruction")
        self.begins = Signal()
        self.slot = Signal(8)
        self.found = Signal()
        self.nothing = Signal()
        self.bit = Signal()
        self.leaked = Signal()
        self.soft = Signal((8, True))
        self.frame_found = Signal()
        self.frame_nothing = Signal()
        self.frame_bit = Signal()
        self.ends = Signal()
        self.branches = Signal()
        self.goes = Signal()
        self.target = Signal(ADDRESS_BITS)
        self.writes = Signal()
        self.into = Signal(5)
        self.value = Signal(16)
        self.stale = Signal()
        self.timeout = Signal()
        self.timed_out = Signal()
        self.address = Signal(ADDRESS_BITS)
        self.active = active = Signal()
        self.flush = Signal()

        # # #

        word = self.instruction.word
        condition, catches, framed, syncs = Signal(3), Signal(), Signal(), Signal()
        threshold, fallback = Signal((8, True)), Signal(ADDRESS_BITS)
        left = Signal(BOUND.bits)
        seen, missing, last, looked = Signal(), Signal(), Signal(), Signal()
        bit, leaked, soft = Signal(), Signal(), Signal((8, True))
        holds, reads, decided, branches_on_frame = (Signal() for _ in range(4))
        self.sync += [
            If(self.begins,
                active.eq(1),
                self.address.eq(self.instruction.address),
                condition.eq(word[OPCODE_OFFSET:][:3]),
                catches.eq((word[OPCODE_OFFSET:] & WITH_FALLBACK) != 0),
                framed.eq(self.instruction.unit[Unit.FRAME]),
                syncs.eq(
                    self.instruction.unit[Unit.FRAME] & (word[OPCODE_OFFSET:][:3] == Condition.NONE)
                ),
                self.slot.eq(field(word, SLOT)),
                threshold.eq(field(word, THRESHOLD)),
                self.into.eq(field(word, READ_INTO)),
                fallback.eq(field(word, FALLBACK)),
                left.eq(field(word, BOUND)),
            ).Else(
                left.eq(left - 1),
            ),
            looked.eq(active),
            seen.eq(Mux(framed, self.frame_found | syncs, self.found)),
            missing.eq(Mux(framed, self.frame_nothing, self.nothing)),
            bit.eq(Mux(framed, self.frame_bit & branches_on_frame, self.bit)),
            leaked.eq(self.leaked & ~framed),
            soft.eq(Mux(framed, 0, self.soft)),
            last.eq(left == 0),
            If(decided | self.flush, active.eq(0), looked.eq(0)),
        ]  # fmt: skip
        # A barrier and `sync` name no bit of the frame.
        self.comb += branches_on_frame.eq((condition == Condition.ONE) | (condition == Condition.ZERO))
        self.comb += [
            Case(condition, {
                Condition.ONE: holds.eq(bit),
                Condition.ZERO: holds.eq(~bit),
                Condition.LEAKED: holds.eq(leaked),
                Condition.KEPT: holds.eq(~leaked),
                Condition.ATLEAST: holds.eq(soft >= threshold),
                Condition.BELOW: holds.eq(soft < threshold),
            }),
            reads.eq((condition == Condition.READ) & ~framed),
            self.branches.eq(holds),
            self.ends.eq(looked & seen & ~reads),
            self.stale.eq(looked & ~seen & missing),
            self.timed_out.eq(looked & ~seen & ~missing & last),
            self.timeout.eq(self.timed_out & ~catches),
            self.goes.eq(looked & ((seen & reads) | (self.timed_out & catches))),
            self.target.eq(Mux(seen, self.address + 1, fallback)),
            self.writes.eq(looked & seen & reads),
            self.value.eq(Cat(bit, leaked, Constant(0, 6), soft)),
            decided.eq(self.ends | self.goes | self.stale | self.timeout),
        ]  # fmt: skip
