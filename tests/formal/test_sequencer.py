# SPDX-License-Identifier: BSD-2-Clause
"""The queue of a channel: no event is lost, repeated, altered or overtaken; each leaves in the cycle of its time."""

import pytest
from migen import Cat, If, Mux, Signal

from triplane.gateware.sequencer import queue as queue_module
from triplane.gateware.sequencer.layouts import Fault, Kind
from triplane.sim.formal import MISSING, SEARCHER, FormalBench, check, emit, installed
from triplane.sim.formal.scoreboard import Scoreboard

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)

DEPTH = 4
TIME_BITS = 4
CYCLES = 8
"""Of the runs that are looked at: they fill the queue and empty it."""


class Queue(FormalBench):
    """The queue between a sequencer that gives any event in any cycle, and a generator that is busy when it likes.

    What an event is due at is computed once more, from the events that were taken before it; the scoreboard carries it
    beside the event. Values are copied whole, so that two bits stand for all.
    """

    def __init__(self, module=queue_module):
        super().__init__()
        self.queue = queue = module.EventQueue(DEPTH, time_bits=TIME_BITS)
        sink, source = queue.sink, queue.source
        offered = self.free("offered", sink.valid)
        self.free("given_time", sink.time)
        self.free("given_kind", sink.kind)
        self.assume("kinds", sink.kind <= max(Kind))
        value = self.free("value", Signal(2))
        busy, flush = self.free("busy", queue.busy), self.free("flush", queue.flush)
        now = self.constant("start", Signal(TIME_BITS))
        clock = Signal(TIME_BITS)
        present = Signal(TIME_BITS)
        self.sync += clock.eq(clock + 1)
        self.comb += [
            present.eq(now + clock),
            sink.value.eq(value),
            sink.address.eq(value),
            queue.coming.eq(present + 1),
        ]

        # Rules, from what was taken
        time, leaves = Signal(TIME_BITS), Signal(TIME_BITS)
        kinds = Signal(len(Kind))
        chained, due = Signal(), Signal(TIME_BITS)
        inside, waiting = Signal(max=DEPTH + 2), Signal()

        def ahead(of, what):
            """Whether a time is before another, on the ring."""
            difference = Signal(TIME_BITS)
            self.comb += difference.eq(of - what)
            return difference[-1]

        refused, enters, left = Signal(), Signal(), Signal()
        late = ~chained & ahead(sink.time, (present + 1)[:TIME_BITS])
        early = waiting & ahead(sink.time, time)
        taken = waiting & ~chained & ahead(sink.time, (leaves + 1)[:TIME_BITS])
        again = chained & (kinds >> sink.kind)[0]
        self.comb += [
            waiting.eq(inside != 0),
            chained.eq(waiting & (sink.time == time)),
            due.eq(Mux(chained, leaves + 1, sink.time)),
            refused.eq(early | taken | again | late | (inside == DEPTH)),
            enters.eq(offered & ~flush & ~refused),
            left.eq(source.valid),
        ]
        self.sync += [
            inside.eq(inside + enters - left),
            If(enters,
                time.eq(sink.time), leaves.eq(due),
                kinds.eq(Mux(chained, kinds, 0) | (1 << sink.kind)),
            ),
            If(flush, inside.eq(0)),
        ]  # fmt: skip
        # Times of events inside are less than half a turn of the counter ahead, as the contract has it; a chain
        # leaves after its time.
        self.board = Scoreboard(
            self, enters, Cat(due, sink.kind, value), left, Cat(source.time, source.kind, source.value[:2]),
            capacity=DEPTH, flush=flush,
        )  # fmt: skip
        self.always("in_its_cycle", ~left | (source.time == present))
        self.always("nothing_in_a_flush", ~(left & flush))
        told, cut = Signal(), Signal()
        self.sync += [told.eq(offered & ~flush & refused), cut.eq(left & (source.kind == Kind.PLAY) & busy)]
        self.always("a_refused_event_is_a_fault", ~told | (queue.fault != Fault.NONE))
        self.always("a_cut_pulse_is_a_fault", ~cut | (queue.fault == Fault.COLLISION))
        self.always("no_other_fault", told | cut | (queue.fault == Fault.NONE) | self.first)
        self.always("empty", queue.empty == (inside == 0))
        # What waits is not past: else it would leave a turn of the counter later. Its time is less than half a turn
        # ahead; it leaves as many cycles after that as there are before it in its chain.
        left_until, behind = Signal(TIME_BITS), Signal(TIME_BITS)
        self.comb += [left_until.eq(leaves - present), behind.eq(leaves - time)]
        self.always("never_missed", (inside == 0) | (left_until < (1 << TIME_BITS - 1) + behind))
        self.always("a_chain_is_short", (inside == 0) | (behind < len(Kind)))
        self.sometime("full", inside == DEPTH)
        self.sometime("a_chain_leaves", left & (inside == 1) & (leaves != time))
        for name, signal in (("inside", inside), ("now", present), ("left", left), ("fault", queue.fault)):
            self.watch(f"queue_{name}", signal)


def test_events_leave_in_their_cycles_in_order():
    result = check(emit(Queue()), depth=CYCLES, engine=SEARCHER)
    assert result, str(result)
