# SPDX-License-Identifier: BSD-2-Clause
"""From the measurements of a round to its detection events: the matrix, the history, and the way out."""

from __future__ import annotations

from functools import reduce
from operator import xor

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Cat, If, Mux, ResetInserter, Signal, bits_for

from triplane.gateware.decoder.unionfind.tree import XorTree
from triplane.gateware.syndrome.collector import DEFAULT_AHEAD, RoundCollector
from triplane.gateware.syndrome.layouts import EVENT_LAYOUT
from triplane.gateware.syndrome.shape import WORD_BITS, SyndromeShape

DEFAULT_QUEUE = 8
"""Rounds that wait for the decoder unless told otherwise."""


class RoundSender(LiteXModule):
    r"""Hands a round to the decoder word by word; rounds that come meanwhile wait.

    ```
    give     __/‾‾\______________
    source      [w0][w1]              where the decoder is ready; the FIFO then never holds the round's first word
    ```

    Args:
        events: detection events of a round.
        rounds: rounds that it holds, at least 1.

    Attributes:
        give, data: inputs; a round.
        place: at least one more round may be given, beside one that is being given now.
        source: its words, least significant first; `first` and `last` mark those of a round.
        level: rounds inside, one being given included.
        clear: input; forget everything.
    """

    def __init__(self, events: int, rounds: int = DEFAULT_QUEUE) -> None:
        if rounds < 1:
            raise ValueError(f"at least 1 round must have a place, not {rounds}")
        words = -(-events // WORD_BITS)
        self.give, self.data = Signal(), Signal(events)
        self.place, self.clear = Signal(), Signal()
        self.source = source = stream.Endpoint(EVENT_LAYOUT)
        self.level = Signal(bits_for(rounds))

        # # #

        self.fifo = fifo = ResetInserter()(stream.SyncFIFO([("data", events)], max(rounds, 2)))
        padded, word = Signal(words * WORD_BITS), Signal(max=max(words, 2))
        waits, passes, done = Signal(), Signal(), Signal()
        held = Signal.like(self.level)  # rounds inside, one being given not included
        self.comb += [
            waits.eq(fifo.source.valid),
            padded.eq(Mux(waits, fifo.source.data, self.data)),
            source.valid.eq((waits | self.give) & ~self.clear),
            source.data.eq(padded if words == 1 else self._select(padded, word, words)),
            source.first.eq(word == 0),
            source.last.eq(word == words - 1),
            passes.eq(source.valid & source.ready),
            done.eq(passes & source.last),
            fifo.reset.eq(self.clear),
            fifo.source.ready.eq(done),
            fifo.sink.data.eq(self.data),
            fifo.sink.valid.eq(self.give & (waits | ~done)),
            self.level.eq(held + self.give),
            self.place.eq(self.level != rounds),
        ]
        self.sync += [
            If(passes, word.eq(word + 1)),
            If(done, word.eq(0)),
            held.eq(self.level - done),
            If(self.clear, word.eq(0), held.eq(0)),
        ]

    @staticmethod
    def _select(padded: Signal, word: Signal, words: int):
        chosen = 0
        for k in range(words):
            chosen = Mux(word == k, padded[WORD_BITS * k : WORD_BITS * (k + 1)], chosen)
        return chosen


class RoundFormer(LiteXModule):
    r"""Detection events of the rounds that a collector hands over.

    ```
    cycle       0          1          2
    valid    __/‾‾\__________________________   the round's last slot
    bits                | complete: matrix x (bits, history, known)
    given                          | events, record; `source` offers the first word: LATENCY
    history                        | with this round
    ```

    Args:
        shape: what is built.
        ahead: rounds that may be armed and not yet complete.
        queue_rounds: rounds that wait for the decoder.

    Attributes:
        collector: takes the slots.
        sender: hands the rounds on.
        source: event words for the decoder.
        kind, last, known, hold: inputs with `collector.arm`; hold: slots that give their last value where they leak.
        kind_open: kind of the open round; asks for:
        event_rows, observable_rows: inputs; the rows of that kind, in the same cycle.
        trusted: input; they are right. No round leaves otherwise.
        clear: input; forget everything.
        formed: 1 in a cycle in which a round's events are there; these are valid with it:
        events, observables, bits, leaks, kind_out, last_out, known_out: of that round; observables of its shot so far.
        round, shot: its numbers, from 0 since the shot's start and since the last clear.
        rounds_formed: rounds since the last clear, that one not included.
        held_up: 1 in the first cycle in which a complete round has no place.
        round_open, shot_open: numbers of the open round.
    """

    LATENCY = RoundCollector.LATENCY + 1
    """Cycles from the last slot of a round to its first word."""

    def __init__(
        self, shape: SyndromeShape, *, ahead: int = DEFAULT_AHEAD, queue_rounds: int = DEFAULT_QUEUE
    ) -> None:
        kind_bits = bits_for(shape.kinds - 1)
        known_bits = max(shape.known, 1)
        self.kind, self.last, self.known = Signal(kind_bits), Signal(), Signal(known_bits)
        self.kind_open = Signal(kind_bits)
        self.hold = Signal(shape.slots)
        self.trusted = Signal()
        self.event_rows = [Signal(shape.columns) for _ in range(shape.events)]
        self.observable_rows = [Signal(shape.columns) for _ in range(shape.observables)]
        self.clear, self.formed, self.held_up = Signal(), Signal(), Signal()
        self.events, self.observables = Signal(shape.events), Signal(max(shape.observables, 1))
        self.bits, self.leaks = Signal(shape.slots), Signal(shape.slots)
        self.kind_out, self.last_out, self.known_out = Signal(kind_bits), Signal(), Signal(known_bits)
        self.round, self.shot, self.rounds_formed = Signal(32), Signal(32), Signal(32)
        self.round_open, self.shot_open = Signal(32), Signal(32)
        tag = Cat(self.kind, self.last, self.known, self.hold)
        self.collector = collector = RoundCollector(shape.slots, len(tag), ahead)
        self.sender = sender = RoundSender(shape.events, queue_rounds)
        self.source = sender.source

        # # #

        last, known, hold = Signal(), Signal(known_bits), Signal(shape.slots)
        self.comb += [
            collector.tag.eq(tag),
            Cat(self.kind_open, last, known, hold).eq(collector.tag_out),
            collector.place.eq(sender.place & self.trusted),
            collector.clear.eq(self.clear),
            sender.clear.eq(self.clear),
        ]

        # The matrix
        leave = collector.leave
        values, history = Signal(shape.slots), [Signal(max(shape.kept, 1)) for _ in range(shape.history)]
        dropped = collector.leaks & hold
        replaced = dropped & history[0][: shape.kept] if shape.history and shape.kept else 0
        columns = Signal(shape.columns)
        self.comb += [
            # Slots of rounds to come may be there already.
            values.eq(((collector.bits & ~dropped) | replaced) & collector.expected),
            columns.eq(
                Cat(
                    values,
                    *(ages[: shape.kept] for ages in history if shape.kept),
                    *([known] if shape.known else []),
                    1,
                )
            ),
        ]
        events = Cat(*(self._parity(columns, row) for row in self.event_rows))
        observed = Cat(*(self._parity(columns, row) for row in self.observable_rows), 0)

        # What is kept of a round; nothing of a shot after its last one
        fresh = Signal(reset=1)
        if shape.kept:
            for newer, older in zip([values, *history], history, strict=False):
                mask = collector.expected[: shape.kept]
                self.sync += [
                    If(leave, older.eq(Mux(last, 0, (older & ~mask) | (newer & mask)))),
                    If(self.clear, older.eq(0)),
                ]
        self.sync += [
            self.formed.eq(leave & ~self.clear),
            If(leave,
                self.events.eq(events),
                self.observables.eq(Mux(fresh, 0, self.observables) ^ observed),
                self.bits.eq(collector.bits & collector.expected),
                self.leaks.eq(collector.leaks & collector.expected),
                self.kind_out.eq(self.kind_open),
                self.last_out.eq(last),
                self.known_out.eq(known),
                self.round.eq(self.round_open),
                self.shot.eq(self.shot_open),
                fresh.eq(last),
                self.round_open.eq(Mux(last, 0, self.round_open + 1)),
                self.shot_open.eq(self.shot_open + last),
            ),
            If(self.formed, self.rounds_formed.eq(self.rounds_formed + 1)),
            If(self.clear,
                fresh.eq(1),
                *(s.eq(0) for s in (self.round_open, self.shot_open, self.rounds_formed, self.observables)),
            ),
        ]  # fmt: skip
        waited = Signal()
        self.sync += waited.eq(collector.complete & ~sender.place)
        self.comb += [
            sender.give.eq(self.formed),
            sender.data.eq(self.events),
            self.held_up.eq(collector.complete & ~sender.place & ~waited),
        ]

    def _parity(self, columns: Signal, row: Signal) -> Signal:
        """XOR of the columns that a row names: three of them fill one LUT6."""
        products = Signal(len(row))
        self.comb += products.eq(columns & row)
        triples = []
        for start in range(0, len(row), 3):
            triple = Signal()
            self.comb += triple.eq(reduce(xor, [products[k] for k in range(start, min(start + 3, len(row)))]))
            triples.append(triple)
        tree = XorTree(triples)
        self.submodules += tree
        return tree.output
