# SPDX-License-Identifier: BSD-2-Clause
"""Conditions, such as faults, become records the moment they arise."""

from __future__ import annotations

from collections.abc import Mapping

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Case, Cat, Constant, If, Mux, Signal

from triplane.gateware.faults import CONDITIONS
from triplane.gateware.link.records.layouts import EVENT, WORD_BITS

MAX_ARGUMENT_BITS = 32
COUNT_MAX = 2**16 - 1


class EventSource(LiteXModule):
    r"""A record (`layouts.EVENT`) for each condition that arises: for its edge, however long it lasts.

    Every condition has a place of its own, so that no burst of one can push another out. What arises again while its
    record waits is counted in that record, which keeps the first time and the first argument.

    ```
    cycle      0     1     2     3     4     5
    condition  /‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾
    waiting          /‾‾‾\__________________
    source                 word0 word1 word2 word3
    ```

    Args:
        conditions: name -> bits of its argument, 0 to 32; the order is that of the codes. Left out: the board's
            faults in their order, without arguments.

    Attributes:
        conditions: inputs by name, high while the condition holds.
        arguments: inputs by name, of those that have one; taken in the cycle of the edge.
        now: input; cycle counter.
        source: words of records, `first` and `last` on the ends of a record.
        pending: bit k: condition k has a record that is not on its way yet.
    """

    LATENCY = 2
    """Cycles from an edge to the first word of its record, where no other is on its way."""

    def __init__(self, conditions: Mapping[str, int] | None = None) -> None:
        declared = dict.fromkeys(CONDITIONS, 0) if conditions is None else dict(conditions)
        if not 1 <= len(declared) <= 1 << 16:
            raise ValueError(f"there must be 1 to 65536 conditions, not {len(declared)}")
        for name, bits in declared.items():
            if not 0 <= bits <= MAX_ARGUMENT_BITS:
                raise ValueError(f"an argument has 0 to {MAX_ARGUMENT_BITS} bits, that of {name} not {bits}")
        self.conditions = {name: Signal(name=f"condition_{name}") for name in declared}
        self.arguments = {
            name: Signal(bits, name=f"argument_{name}") for name, bits in declared.items() if bits
        }
        self.now = Signal(64)
        self.source = source = stream.Endpoint([("data", WORD_BITS)])
        self.pending = waiting = Signal(len(declared))

        # # #

        # What waits, by condition
        take, chosen = Signal(), Signal(len(declared))
        places = []
        for k, name in enumerate(declared):
            condition, before, edge = self.conditions[name], Signal(), Signal()
            time, count = Signal(64), Signal(16)
            argument = Signal(MAX_ARGUMENT_BITS)
            going = Signal()
            self.comb += [edge.eq(condition & ~before), going.eq(take & chosen[k])]
            self.sync += [
                before.eq(condition),
                If(edge & (~waiting[k] | going),
                    waiting[k].eq(1),
                    time.eq(self.now),
                    count.eq(1),
                    argument.eq(self.arguments.get(name, 0)),
                ).Elif(going,
                    waiting[k].eq(0),
                ).Elif(edge & (count != COUNT_MAX), count.eq(count + 1)),
            ]  # fmt: skip
            places.append(Cat(time, Constant(k, 16), count, argument))

        # The lowest number goes first; one that comes back is behind it at once.
        record, word, sending = Signal(WORD_BITS * EVENT.words), Signal(max=EVENT.words), Signal()
        self.comb += [
            chosen.eq(waiting & (~waiting + 1)),
            take.eq((waiting != 0) & (~sending | (source.ready & source.last))),
            source.valid.eq(sending),
            Case(
                word,
                {k: source.data.eq(record[WORD_BITS * k : WORD_BITS * (k + 1)]) for k in range(EVENT.words)},
            ),
            source.first.eq(word == 0),
            source.last.eq(word == EVENT.words - 1),
        ]
        selected: Signal | Mux = Constant(0, WORD_BITS * EVENT.words)
        for k, place in reversed(list(enumerate(places))):
            selected = Mux(waiting[k], place, selected)
        self.sync += [
            If(source.valid & source.ready,
                word.eq(word + 1),
                If(source.last, sending.eq(0)),
            ),
            If(take, sending.eq(1), record.eq(selected)),
        ]  # fmt: skip
