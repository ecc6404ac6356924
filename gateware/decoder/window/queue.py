# SPDX-License-Identifier: BSD-2-Clause
"""The queue before the window: rounds that have entered wait here until the window has room."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import If, Mux, ResetInserter, Signal, bits_for

DEFAULT_ROUNDS = 64
"""Rounds that a queue holds unless told otherwise."""

STAMP_BITS = 32
"""Bits of the cycle counter that travel with a word: enough for a wait of 17 seconds."""


class RoundQueue(LiteXModule):
    """A FIFO of words that a word passes in the very cycle in which it enters, where nothing waits and it is wanted.

    Nothing is lost: where the queue is full the source is stalled, and the number of the first round that had to wait
    is kept.

    Args:
        words_per_round: words that make one round.
        rounds: rounds that it holds, at least 1.

    Attributes:
        sink: words of rounds.
        source: the same words, each with `stamp`, the low half of the cycle counter when it entered.
        now: input; cycle counter.
        restart: input; empty the queue and forget everything.
        level: rounds that have entered and have not wholly left.
        level_max: most of them at any time since the restart.
        entered: rounds that have entered since the restart.
        stalled: a word has been refused since the restart.
        stalled_round: number of the first round of which a word was refused, from 0 since the restart.
        empty: nothing waits.
    """

    def __init__(self, words_per_round: int, rounds: int = DEFAULT_ROUNDS) -> None:
        if rounds < 1:
            raise ValueError(f"a queue holds at least 1 round, not {rounds}")
        self.rounds = rounds
        self.sink = stream.Endpoint([("data", 32)])
        self.source = stream.Endpoint([("data", 32), ("stamp", STAMP_BITS)])
        self.now = Signal(64)
        self.restart = Signal()
        self.level = Signal(bits_for(rounds + 1))
        self.level_max = Signal.like(self.level)
        self.entered = Signal(32)
        self.stalled = Signal()
        self.stalled_round = Signal(32)
        self.empty = Signal()

        # # #

        depth = max(rounds * words_per_round, 2)
        self.fifo = fifo = ResetInserter()(stream.SyncFIFO([("data", 32), ("stamp", STAMP_BITS)], depth))
        # At least one word is in the FIFO. A register of its own: a start follows from it in the same cycle.
        waits, enters, leaves = Signal(), Signal(), Signal()
        self.sync += If(enters, waits.eq(1)).Elif(leaves & (fifo.level == 1), waits.eq(0))
        self.sync += If(self.restart, waits.eq(0))
        self.comb += [
            enters.eq(fifo.sink.valid & fifo.sink.ready),
            leaves.eq(waits & self.source.ready),
            self.empty.eq(~waits),
            self.source.valid.eq(~self.restart & (waits | self.sink.valid)),
            self.source.data.eq(Mux(waits, fifo.source.data, self.sink.data)),
            self.source.stamp.eq(Mux(waits, fifo.source.stamp, self.now)),
            fifo.source.ready.eq(self.source.ready),
            fifo.reset.eq(self.restart),
            fifo.sink.data.eq(self.sink.data),
            fifo.sink.stamp.eq(self.now),
            fifo.sink.valid.eq(self.sink.valid & ~self.restart & (waits | ~self.source.ready)),
            self.sink.ready.eq(~self.restart & (fifo.sink.ready | (~waits & self.source.ready))),
        ]

        # Rounds, in and out
        entering, leaving = (_RoundEnd(words_per_round) for _ in range(2))
        self.submodules += entering, leaving
        self.comb += [
            entering.word.eq(self.sink.valid & self.sink.ready),
            leaving.word.eq(self.source.valid & self.source.ready),
            entering.restart.eq(self.restart),
            leaving.restart.eq(self.restart),
        ]
        self.sync += [
            self.level.eq(self.level + entering.end - leaving.end),
            If(entering.end, self.entered.eq(self.entered + 1)),
            If(self.level > self.level_max, self.level_max.eq(self.level)),
            If(self.sink.valid & ~self.sink.ready & ~self.stalled,
                self.stalled.eq(1),
                self.stalled_round.eq(self.entered),
            ),
            If(self.restart, *(
                signal.eq(0)
                for signal in (self.level, self.level_max, self.entered, self.stalled, self.stalled_round)
            )),
        ]  # fmt: skip


class _RoundEnd(LiteXModule):
    """`end` is high with every `words_per_round`-th `word`."""

    def __init__(self, words_per_round: int) -> None:
        self.word = Signal()
        self.end = Signal()
        self.restart = Signal()

        # # #

        count = Signal(max=max(words_per_round, 2))
        self.comb += self.end.eq(self.word & (count == words_per_round - 1))
        self.sync += [
            If(self.word, count.eq(count + 1)),
            If(self.end | self.restart, count.eq(0)),
        ]
