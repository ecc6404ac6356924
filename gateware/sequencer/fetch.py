# SPDX-License-Identifier: BSD-2-Clause
"""From program memory to the instruction that is executed, and both ways out of a wait at the ready."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import If, Record, Signal, bits_for

from triplane.gateware.sequencer.decode import DECODED, Decoder
from triplane.gateware.sequencer.isa import BRANCH_TO
from triplane.gateware.sequencer.layouts import ADDRESS_BITS
from triplane.gateware.sequencer.opcodes import WORD_BITS


class Fetch(LiteXModule):
    r"""Three stages: the address goes to the memory, its word is decoded, the instruction is executed.

    ```
    cycle      0    1    2    3    4    5
    address   |7   |8   |9   |20  |21  |22      7 branches to 20, decided while it is executed
    decoded        |7   |8   |9   |20  |21
    executed            |7   | -  | -  |20      BRANCH_CYCLES from 7 to 20
    ```

    A wait (`begins`) stands aside, since the instruction after it moves up at once; what it may branch to is fetched
    and decoded next, and put beside. So whichever way it ends, the next instruction is executed in the cycle after.

    ```
    cycle      0     1     2     3   ...   n    n+1   n+2
    executed  |wait |(8)  |(8)  |         |(8) |8 or 20    held, not executed
    decoded   |8    |20   |...                 |9 or 21|
    beside                |20   |         |20  |
    ends      ____________________________/--\________
    ```

    Args:
        depth: words of program memory, a power of two.
        decoder: reads the registers.

    Attributes:
        memory_address: word that program memory reads.
        memory_data: input; that word, a cycle later.
        executed: the instruction that is executed, if `valid`.
        valid: there is one, and no wait stands before it.
        takes: input; the instruction is executed in this cycle.
        goes, target: inputs; in the cycle after, `target` is fetched, and what has been fetched is dropped.
        begins: input, with `takes`; the instruction is a wait.
        ends, branches: inputs; the wait ends in this cycle, and goes to its branch.
        waiting: since the cycle after `begins`, until and with `ends` or `goes`.
        flush: input; drop everything.
    """

    def __init__(self, depth: int, decoder: Decoder) -> None:
        if depth & depth - 1 or not 4 <= depth <= 1 << ADDRESS_BITS:
            raise ValueError(
                f"program memory has a power of two from 4 to {1 << ADDRESS_BITS} words, not {depth}"
            )
        bits = bits_for(depth - 1)
        self.memory_address = Signal(bits)
        self.memory_data = Signal(WORD_BITS)
        self.executed = executed = Record(DECODED, name="executed")
        self.valid = Signal()
        self.takes = Signal()
        self.goes = Signal()
        self.target = Signal(bits)
        self.begins = Signal()
        self.ends = Signal()
        self.branches = Signal()
        self.waiting = waiting = Signal()
        self.flush = Signal()

        # # #

        beside = Record(DECODED, name="beside")
        following, beyond = Signal(bits), Signal(bits)  # address to fetch next; that after the branch's
        address, at_decoder = Signal(bits), Signal(bits)
        decoding, held, redirected, destination, ahead = Signal(), Signal(), Signal(), Signal(bits), Signal()
        branch_to = executed.word[BRANCH_TO.low : BRANCH_TO.low + bits]
        self.comb += [
            decoder.word.eq(self.memory_data),
            decoder.address.eq(at_decoder),
            self.memory_address.eq(address),
            self.valid.eq(held & ~waiting),
            If(redirected,
                address.eq(destination),
            ).Elif(self.begins,
                address.eq(branch_to),
            ).Elif(self.ends & self.branches,
                address.eq(beyond),
            ).Elif((held & ~self.takes & ~self.ends) | waiting,
                address.eq(at_decoder),
                If(self.ends, address.eq(following)),
            ).Else(
                address.eq(following),
            ),
        ]  # fmt: skip
        self.sync += [
            redirected.eq(self.goes),
            destination.eq(self.target),
            ahead.eq(self.begins),
            at_decoder.eq(address),
            If(redirected,
                decoding.eq(1),
                following.eq(address + 1),
            ).Elif(self.begins,
                executed.eq(decoder.decoded),
                waiting.eq(1),
            ).Elif(waiting,
                If(self.ends,
                    waiting.eq(0),
                    following.eq(address + 1),
                    If(self.branches, executed.eq(beside)),
                ),
                If(self.goes, waiting.eq(0)),
            ).Elif(~held | self.takes,
                executed.eq(decoder.decoded),
                held.eq(decoding),
                decoding.eq(1),
                following.eq(address + 1),
            ),
            If(self.goes, held.eq(0)),
            # The word that a wait may branch to is at the decoder.
            If(ahead, beside.eq(decoder.decoded), beyond.eq(at_decoder + 1)),
            If(self.flush, *(signal.eq(0) for signal in (waiting, held, decoding, redirected, ahead))),
        ]  # fmt: skip
