# SPDX-License-Identifier: BSD-2-Clause
"""Syndrome formation: no measurement is lost, counted twice or credited to another round on its way to the words."""

import os
from functools import reduce
from operator import or_

import pytest
from migen import Cat, If, Mux, Signal

from triplane.gateware.syndrome import collector as collector_module
from triplane.gateware.syndrome import former as former_module
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.sim.formal import MISSING, PROVER, SEARCHER, FormalBench, check, emit, installed
from triplane.sim.formal.mutate import mutant
from triplane.sim.formal.scoreboard import Scoreboard, keeps_stream

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)
long = pytest.mark.skipif(os.environ.get("FORMAL") != "all", reason="takes long; `make formal` runs it")

SLOTS = 2


class Formation(FormalBench):
    """Rounds that are armed as anybody likes, slots that come as they like, a decoder that takes words as it likes.

    Two kinds of rounds expect any slots, the same for all of a run. The table gives each slot its own event and the
    kind another, so that a word shows the bits of its round. Time-outs come as they like, too.
    """

    def __init__(self, module=former_module, *, ahead=2, queue_rounds=2):
        super().__init__()
        shape = SyndromeShape(slots=SLOTS, events=SLOTS + 1, known=1, observables=0, kinds=2)
        self.former = core = module.RoundFormer(shape, ahead=ahead, queue_rounds=queue_rounds)
        taker, source = core.collector, core.source
        kinds = [self.constant(f"slots_of_{k}", Signal(SLOTS)) for k in range(2)]
        arm, kind = self.free("arm", taker.arm), self.free("kind", core.kind)
        valid, bit = self.free("results", taker.valid), self.free("bits", taker.bit)
        self.free("ready", source.ready)
        self.free("timeout", taker.timeout)
        columns = [*range(SLOTS), shape.known_column(0)]
        stopped = Signal()
        self.comb += [
            taker.wanted.eq(Mux(kind, kinds[1], kinds[0])),
            taker.stop.eq(stopped),
            core.known.eq(kind),
            core.trusted.eq(1),
            *(row.eq(1 << column) for row, column in zip(core.event_rows, columns, strict=True)),
        ]
        # As `SyndromeFormation` has it: a fault stops the collector, and a kind without slots is not armed.
        self.sync += If(taker.doubled | taker.refused | taker.timed_out, stopped.eq(1))
        self.assume("kinds_have_slots", (kinds[0] != 0) & (kinds[1] != 0))

        # Rounds: as they are armed, and as their words leave
        armed, left, shown_kind = Signal(), Signal(), Signal()
        self.comb += [
            armed.eq(arm & ~stopped & ~taker.refused),
            left.eq(source.valid & source.ready),
            shown_kind.eq(source.data[SLOTS]),
        ]
        capacity = ahead + queue_rounds
        self.rounds = Scoreboard(self, armed, kind, left, shown_kind, capacity=capacity, prefix="rounds_")
        self.sent = Scoreboard(
            self, taker.leave, Cat(taker.bits & taker.expected, core.kind_open), left, source.data[: SLOTS + 1],
            capacity=queue_rounds, latency=1, open=source.ready, prefix="sent_",
        )  # fmt: skip
        self.always("open_kind", ~taker.open | (taker.expected == Mux(core.kind_open, kinds[1], kinds[0])))

        # Slots. A measurement counts if a round waits for it and the one before it has left with its round; else it
        # is double, or nobody's.
        got, doubles, strays = Signal(SLOTS), [], []
        for slot in range(SLOTS):
            pending, remaining = Signal(4), Signal(4)
            leaves, comes, held, counted = Signal(), Signal(), Signal(), Signal()
            expects, shown = armed & Mux(kind, kinds[1][slot], kinds[0][slot]), Signal()
            self.comb += [
                leaves.eq(taker.leave & taker.expected[slot]),
                remaining.eq(pending - leaves),
                held.eq(got[slot] & ~leaves),
                comes.eq(valid[slot] & ~stopped),
                counted.eq(comes & (remaining != 0) & ~held),
                shown.eq(left & Mux(shown_kind, kinds[1][slot], kinds[0][slot])),
            ]
            self.sync += [pending.eq(remaining + expects), got[slot].eq(held | counted)]
            doubles.append(comes & (remaining != 0) & held)
            strays.append(comes & (remaining == 0))
            self.submodules += Scoreboard(
                self, counted, bit[slot], shown, source.data[slot],
                capacity=queue_rounds + 1, prefix=f"slot{slot}_",
            )  # fmt: skip
            self.always(f"slot{slot}_of_its_rounds_only", ~left | shown | ~source.data[slot])
        self.always("complete", taker.complete == (taker.open & ((taker.expected & ~got) == 0)))
        self.always("doubled", taker.doubled == reduce(or_, doubles))
        self.always("stray", taker.stray == reduce(or_, strays))
        keeps_stream(self, source, "source")
        self.sometime("held_up", core.held_up)
        self.sometime("words_after_a_fault", stopped & left)
        for name in ("open", "complete", "leave", "doubled", "refused"):
            self.watch(f"collector_{name}", getattr(taker, name))
        self.watch("source_valid", source.valid)
        self.watch("source_data", source.data)


def test_nothing_is_lost_or_counted_twice():
    result = check(emit(Formation(queue_rounds=1)), "prove", depth=20, engine=PROVER)
    assert result, str(result)


@long
def test_nothing_is_lost_in_a_longer_queue():
    result = check(emit(Formation()), "prove", depth=20, engine=PROVER)
    assert result, str(result)


@long
def test_what_is_proven_is_not_empty():
    result = check(emit(Formation(queue_rounds=1)), "cover", depth=9)
    assert result, str(result)


DEFECTS = {
    "slots of other rounds are forgotten": (
        collector_module,
        "kept.eq(Mux(self.leave, got & ~self.expected, got))",
        "kept.eq(Mux(self.leave, 0, got))",
    ),
    "a slot counts for the next round, too": (
        collector_module,
        "kept.eq(Mux(self.leave, got & ~self.expected, got))",
        "kept.eq(got)",
    ),
    "a round leaves without a place": (
        collector_module,
        "self.leave.eq(self.complete & self.place)",
        "self.leave.eq(self.complete)",
    ),
    "a round is armed over another": (
        collector_module,
        "fills = accept & ~taken[k] & (taken[k - 1] if k else 1)",
        "fills = accept & (taken[k - 1] if k else 1)",
    ),
    "a round that has gone is sent again": (
        former_module,
        "fifo.sink.valid.eq(self.give & (waits | ~done))",
        "fifo.sink.valid.eq(self.give)",
    ),
    "slots of rounds to come are seen": (
        former_module,
        "values.eq(((collector.bits & ~dropped) | replaced) & collector.expected)",
        "values.eq((collector.bits & ~dropped) | replaced)",
    ),
    "a place is promised twice": (former_module, "self.level.eq(held + self.give)", "self.level.eq(held)"),
}


@long
@pytest.mark.parametrize("defect", list(DEFECTS))
def test_a_broken_formation_is_refuted(defect, monkeypatch):
    module, old, new = DEFECTS[defect]
    changed = mutant(module, old, new)
    if module is collector_module:
        monkeypatch.setattr(former_module, "RoundCollector", changed.RoundCollector)
        changed = former_module
    result = check(emit(Formation(changed)), depth=12, engine=SEARCHER)
    assert result.status == "FAIL", str(result)
    assert result.failed, str(result)
