# SPDX-License-Identifier: BSD-2-Clause
"""The queue before the window: no word is lost, repeated, altered or overtaken, restarts included."""

import os

import pytest
from migen import Cat, If, Signal

from triplane.gateware.decoder.window import queue as queue_module
from triplane.sim.formal import MISSING, PROVER, SEARCHER, FormalBench, check, emit, installed
from triplane.sim.formal.mutate import mutant
from triplane.sim.formal.scoreboard import Scoreboard

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)
long = pytest.mark.skipif(os.environ.get("FORMAL") != "all", reason="takes long; `make formal` runs it")


class Rounds(FormalBench):
    """The queue between a source that offers words and a window that takes them when it likes."""

    def __init__(self, words_per_round, rounds, module=queue_module):
        super().__init__()
        self.queue = queue = module.RoundQueue(words_per_round, rounds)
        sink, source, capacity = queue.sink, queue.source, max(words_per_round * rounds, 2)
        self.free("sink_valid", sink.valid)
        self.free("source_ready", source.ready)
        # Words are copied whole, so that a few bits of each stand for all.
        data, now = self.free("data", Signal(2)), self.free("now", Signal(2))
        self.comb += [sink.data.eq(data), queue.now.eq(now)]
        restart = self.free("restart", queue.restart)
        enters, leaves = sink.valid & sink.ready, source.valid & source.ready
        self.board = board = Scoreboard(
            self, enters, Cat(sink.data, queue.now[:32]), leaves, Cat(source.data, source.stamp),
            capacity=capacity, through=True, flush=restart, latency=1, open=source.ready & ~restart,
        )  # fmt: skip
        self.always("refuses_only_when_full", ~sink.valid | sink.ready | restart | (board.inside == capacity))
        self.always("empty", queue.empty == (board.inside == 0))
        self.always("no_word_during_restart", ~restart | ~(enters | leaves))
        # An offer stays until it is taken.
        waits, given, stamp = Signal(), Signal(32), Signal(32)
        self.sync += [
            waits.eq(source.valid & ~source.ready),
            given.eq(source.data),
            stamp.eq(source.stamp),
        ]
        same = source.valid & (source.data == given) & (source.stamp == stamp)
        self.always("offer_stays", restart | ~waits | same)

        # Rounds, counted word by word
        inside, entered, most = Signal.like(queue.level), Signal(32), Signal.like(queue.level)
        stalled, refused = Signal(), Signal(32)
        entering, leaving = Signal(max=max(words_per_round, 2)), Signal(max=max(words_per_round, 2))
        last_in, last_out = entering == words_per_round - 1, leaving == words_per_round - 1
        self.sync += [
            If(enters, entering.eq(entering + 1), If(last_in, entering.eq(0), entered.eq(entered + 1))),
            If(leaves, leaving.eq(leaving + 1), If(last_out, leaving.eq(0))),
            inside.eq(inside + (enters & last_in) - (leaves & last_out)),
            If(inside > most, most.eq(inside)),
            If(sink.valid & ~sink.ready & ~stalled, stalled.eq(1), refused.eq(entered)),
            If(restart, *(s.eq(0) for s in (inside, entered, most, stalled, refused, entering, leaving))),
        ]
        words = Signal(8)
        self.comb += words.eq(words_per_round * inside + entering - leaving)
        self.always("rounds_are_words", board.inside == words)
        self.always("level", queue.level == inside)
        self.always("level_max", queue.level_max == most)
        self.always("entered", queue.entered == entered)
        self.always("stalled", (queue.stalled == stalled) & (~stalled | (queue.stalled_round == refused)))
        self.sometime("a_word_is_refused", queue.stalled & (queue.entered > 2))
        self.sometime("a_word_passes", leaves & queue.empty & (queue.entered > 1))
        for name in ("level", "entered", "empty"):
            self.watch(f"queue_{name}", getattr(queue, name))


def test_rounds_wait_and_pass_in_order():
    result = check(emit(Rounds(1, 2)), "prove", depth=20, engine=PROVER)
    assert result, str(result)


@long
def test_rounds_of_two_words():
    """No invariant was found in time for these; all runs of 20 cycles, which fill the queue and empty it twice."""
    result = check(emit(Rounds(2, 2)), depth=20, engine=SEARCHER)
    assert result, str(result)


@long
def test_what_is_proven_happens():
    result = check(emit(Rounds(1, 2)), "cover", depth=12)
    assert result, str(result)


DEFECTS = {
    "a word that passes is kept as well": ("(waits | ~self.source.ready)", "1", {"tagged", "invented", "empty"}),
    "new words pass the ones that wait": (
        "Mux(waits, fifo.source.data, self.sink.data)", "self.sink.data", {"tagged", "offer_stays"},
    ),
    "the stamp is that of leaving": (
        "Mux(waits, fifo.source.stamp, self.now)", "self.now", {"tagged", "offer_stays"},
    ),
    "words come in during a restart": ("self.sink.ready.eq(~self.restart & ", "self.sink.ready.eq(", {
        "no_word_during_restart",
    }),
    "a restart drops one word": ("fifo.reset.eq(self.restart)", "fifo.reset.eq(0)", {
        "tagged", "invented", "empty", "offer_stays",
    }),
}  # fmt: skip


@pytest.mark.parametrize(
    "defect", [pytest.param(name, marks=long if k else ()) for k, name in enumerate(DEFECTS)]
)
def test_a_broken_queue_of_rounds_is_refuted(defect):
    old, new, claims = DEFECTS[defect]
    result = check(emit(Rounds(1, 2, mutant(queue_module, old, new))), depth=10, engine=SEARCHER)
    assert result.status == "FAIL", str(result)
    assert set(result.failed) & claims, str(result)
