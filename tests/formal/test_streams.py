# SPDX-License-Identifier: BSD-2-Clause
"""Queues of streams: nothing is lost, repeated or put in another order, for any words and any pauses."""

import os

import pytest
from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Cat, If, Mux, ResetInserter, Signal

from triplane.sim.formal import MISSING, PROVER, SEARCHER, FormalBench, check, emit, installed
from triplane.sim.formal.scoreboard import stream_scoreboard

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)
long = pytest.mark.skipif(os.environ.get("FORMAL") != "all", reason="takes long; `make formal` runs it")

LAYOUT = [("data", 32)]


class Queue(FormalBench):
    """A queue between an environment that offers and one that takes, and what it is expected to do.

    flushed: the queue is emptied whenever the environment likes, as the result queue and the event port are.
    """

    def __init__(self, queue, capacity, flushed=False, **expected):
        super().__init__()
        self.queue = ResetInserter()(queue) if flushed else queue
        flush = self.free("flush", self.queue.reset) if flushed else 0
        stream_scoreboard(self, queue.sink, queue.source, capacity=capacity, flush=flush, **expected)


def proven(queue):
    result = check(emit(queue), "prove", depth=30, engine=PROVER)
    assert result, str(result)
    return result


@long
@pytest.mark.parametrize("flushed", [False, True])
def test_the_queue_of_rounds_and_results(flushed):
    proven(Queue(stream.SyncFIFO(LAYOUT, 4), 4, flushed, latency=1))


def test_a_register_between_two_streams():
    proven(Queue(stream.Buffer(LAYOUT), 1, latency=2))


def test_words_that_pass_in_the_cycle_in_which_they_come():
    proven(Queue(PassThrough(), 1, through=True, latency=1))


class PassThrough(LiteXModule):
    """Waits for nothing, unless the far side does: then it keeps one word."""

    def __init__(self):
        self.sink, self.source = stream.Endpoint([("data", 4)]), stream.Endpoint([("data", 4)])
        kept, full = stream.Endpoint([("data", 4)]), Signal()
        self.comb += [
            self.sink.ready.eq(~full),
            self.source.valid.eq(self.sink.valid | full),
            self.sink.connect(self.source, omit={"valid", "ready"}),
            If(full, kept.connect(self.source, keep={"data", "first", "last"})),
        ]
        self.sync += [
            If(self.sink.ready & self.sink.valid & ~self.source.ready,
                full.eq(1), kept.data.eq(self.sink.data), kept.first.eq(self.sink.first), kept.last.eq(self.sink.last),
            ),
            If(self.source.ready, full.eq(0)),
        ]  # fmt: skip


class Overflows(LiteXModule):
    """A queue of two that takes words when it is full, and loses them."""

    def __init__(self):
        self.fifo = fifo = stream.SyncFIFO([("data", 4)], 2)
        self.sink, self.source = stream.Endpoint([("data", 4)]), fifo.source
        self.comb += [self.sink.connect(fifo.sink, omit={"ready"}), self.sink.ready.eq(1)]


class Repeats(LiteXModule):
    """A register that gives a word a second time if it was taken at once."""

    def __init__(self):
        self.buffer = buffer = stream.Buffer([("data", 4)])
        self.sink, self.source = buffer.sink, stream.Endpoint([("data", 4)])
        again = Signal()
        self.comb += [
            buffer.source.connect(self.source, omit={"ready"}),
            buffer.source.ready.eq(self.source.ready & again),
        ]
        self.sync += If(self.source.valid & self.source.ready, again.eq(~again))


class Stack(LiteXModule):
    """Two registers; the word that came last leaves first."""

    def __init__(self):
        self.sink, self.source = stream.Endpoint([("data", 4)]), stream.Endpoint([("data", 4)])
        names = ("data", "first", "last")
        word = Cat(*(getattr(self.sink, name) for name in names))
        below, above, depth = Signal(6), Signal(6), Signal(2)
        out = Cat(*(getattr(self.source, name) for name in names))
        self.comb += [
            self.sink.ready.eq((depth != 2) & ~self.source.ready),
            self.source.valid.eq((depth != 0) & self.source.ready),
            out.eq(Mux(depth == 2, above, below)),
        ]
        self.sync += [
            If(self.sink.valid & self.sink.ready,
                depth.eq(depth + 1),
                If(depth == 0, below.eq(word)).Else(above.eq(word)),
            ).Elif(self.source.valid, depth.eq(depth - 1)),
        ]  # fmt: skip


class Forgets(LiteXModule):
    """A register that never gives a word whose bits are all set."""

    def __init__(self):
        self.buffer = buffer = stream.Buffer([("data", 4)])
        self.sink, self.source = buffer.sink, stream.Endpoint([("data", 4)])
        self.comb += buffer.source.connect(self.source)
        self.comb += If(buffer.source.data == 15, self.source.valid.eq(0), buffer.source.ready.eq(1))


@pytest.mark.parametrize(
    ("broken", "capacity", "claims"),
    [
        (Stack, 2, {"tagged"}),
        pytest.param(Overflows, 2, {"crowded"}, marks=long),
        pytest.param(Repeats, 1, {"invented", "tagged"}, marks=long),
        pytest.param(Forgets, 1, {"crowded", "stuck", "tagged"}, marks=long),
    ],
)
def test_a_broken_queue_is_refuted(broken, capacity, claims):
    result = check(emit(Queue(broken(), capacity, latency=2)), depth=12, engine=SEARCHER)
    assert result.status == "FAIL", str(result)
    assert set(result.failed) & claims, str(result)
    cycles = result.table().splitlines()
    assert cycles[0].split()[0] == "cycle"
    assert len(cycles) > 2, "a queue breaks after it has taken something"


@long
def test_a_queue_of_other_depth_is_refuted():
    result = check(emit(Queue(stream.SyncFIFO(LAYOUT, 4), 3)), depth=12, engine=SEARCHER)
    assert (result.status, result.failed) == ("FAIL", ("crowded",))


def test_the_tagged_word_waits_and_leaves():
    result = check(emit(Queue(stream.SyncFIFO(LAYOUT, 4), 4, latency=1)), "cover", depth=12)
    assert result, str(result)
    assert set(result.reached) == {"tagged_leaves_last", "tagged_waits"}
