# SPDX-License-Identifier: BSD-2-Clause
"""The window: every event is where its round is, every round is settled once, every window has one record."""

import itertools
import os
from functools import reduce
from operator import or_

import numpy as np
import pytest
from litex.gen import LiteXModule
from migen import Array, If, Mux, Signal

from triplane.gateware.decoder import engine as engine_module
from triplane.gateware.decoder.graph import BOUNDARY
from triplane.gateware.decoder.layouts import LAST
from triplane.gateware.decoder.window import buffer as buffer_module
from triplane.gateware.decoder.window import control as control_module
from triplane.gateware.decoder.window import shot as shot_module
from triplane.gateware.decoder.window.plan import NOWHERE, WindowEdge, WindowPlan
from triplane.sim.formal import MISSING, PROVER, SEARCHER, FormalBench, check, emit, installed
from triplane.sim.formal.mutate import mutant
from triplane.sim.formal.scoreboard import drive_stream

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)
long = pytest.mark.skipif(os.environ.get("FORMAL") != "all", reason="takes long; `make formal` runs it")

QUICK = 16
THREE_WINDOWS = 40


def layers_in(buffer):
    """Layers that a window buffer holds, from its one-hot count."""
    return reduce(or_, [Mux(bit, count, 0) for count, bit in enumerate(buffer.filled)])


def only_one(value):
    """Exactly one bit is set."""
    return reduce(or_, [value == 1 << k for k in range(len(value))])


def tiny_plan(width=2, num_layers=3, commit=1, levels=0):
    """A repetition code of `width` checks: edges along the layers, to the boundary, and into the open future."""
    vertex = np.arange(width * num_layers).reshape(num_layers, width).tolist()
    edges = []
    for layer, row in enumerate(vertex):
        future = vertex[layer + 1] if layer + 1 < num_layers else [BOUNDARY] * width
        for slot, u in enumerate(row):
            newest = layer + 1 == num_layers
            outside, kinds = (width * num_layers + slot, (0, 0, NOWHERE)) if newest else (NOWHERE, (0, 0, 0))
            edges.append(WindowEdge(u, future[slot], 0, outside, kinds, layer))
        edges.append(WindowEdge(row[0], BOUNDARY, 1, NOWHERE, (0, 0, 0), layer))
        edges += [WindowEdge(u, v, 0, NOWHERE, (0, 0, 0), layer) for u, v in itertools.pairwise(row)]
    return WindowPlan(
        num_layers, commit, ("first", "middle", "last"), tuple(map(tuple, vertex)), (),
        tuple(edges), (tuple(range(width * num_layers)),), 2, levels,
        np.ones((1, 1 + levels), np.uint16), (((1, 0),) if levels else (), *((),) * (len(edges) - 1)), 1, 1.0,
    )  # fmt: skip


class Follow(FormalBench):
    """One slot of one round, any slot of any round, is followed through the buffer.

    The environment does to the buffer what the engine may do: it gives words while there is room, and once the
    window is full it settles any vertices with any toggles beyond, and takes 1 to `commit` layers out; or clears it.
    """

    def __init__(self, plan, module=buffer_module):
        super().__init__()
        self.buffer = buffer = module.WindowBuffer(plan)
        words, layers, width = plan.words_per_round, plan.num_layers, plan.width
        self.free("data", buffer.data)
        for name in ("settled", "toggles"):
            self.free(name, getattr(buffer, name))
        clear = self.free("clear", buffer.clear)
        gives, settles, shifts, pick = (
            self.free(n, Signal()) for n in ("gives", "settles", "shifts", "pick")
        )
        ready = Signal()  # settled, layers may leave
        out = Signal(max=plan.commit + 1)
        filled, word = Signal(max=layers + 1), Signal(max=max(words, 2))
        full, last_word = filled == layers, word == words - 1
        self.comb += [
            buffer.take.eq(gives & ~full & ~ready),
            buffer.settle.eq(settles & full & ~ready),
            buffer.shift.eq(ready),
        ]
        take, shift = buffer.take, buffer.shift
        self.sync += [
            If(take, word.eq(word + 1), If(last_word, word.eq(0), filled.eq(filled + 1))),
            If(shift, filled.eq(filled - 1), out.eq(out - 1), If((out == 1) | ~shifts, ready.eq(0))),
            If(buffer.settle, ready.eq(1), out.eq(plan.commit)),
            If(clear, word.eq(0), filled.eq(0), ready.eq(0)),
        ]

        # Where the tagged round is: `at` counts layers from the oldest. `beyond`: it is the next to come in.
        slot = self.constant("slot", Signal(max=max(width, 2)))
        self.assume("slot_exists", slot < width)
        tagged, at, event = Signal(), Signal(max=layers), Signal()
        ahead, known = Signal(), Signal()  # toggled beyond the window before its word came
        bit, mine = Signal(), Signal()
        self.comb += [
            bit.eq(Array(buffer.data[k] for k in range(32))[slot[:5]]),
            mine.eq(take & (word == (slot >> 5))),
        ]
        settled_here = Array(buffer.settled[v] for row in plan.slots for v in row)[at * width + slot]
        toggled = Array(buffer.toggles[k] for k in range(width))[slot]
        now = Signal()
        self.comb += now.eq(event)
        self.sync += [
            # Toggles of the layer after the window: it becomes the first free layer as the window moves on.
            If(buffer.settle, ahead.eq(ahead ^ toggled)),
            If(tagged & buffer.settle & settled_here, event.eq(0)),
            If(tagged & shift, If(at == 0, tagged.eq(0)).Else(at.eq(at - 1))),
            If(mine & ~tagged & pick, tagged.eq(1), at.eq(filled), event.eq(bit ^ (known & ahead))),
            # Whatever round it is, the layer that was beyond the window is the one at `layers - shifts`.
            If(take & last_word, If(known, ahead.eq(0), known.eq(0))),
            If(buffer.shift, known.eq(1)),
            If(clear, tagged.eq(0), ahead.eq(0), known.eq(0)),
        ]
        held = Array(buffer.events[v] for row in plan.slots for v in row)[at * width + slot]
        self.always("event_is_where_its_round_is", ~tagged | (held == event))
        self.always("counts", (layers_in(buffer) == filled) & only_one(buffer.filled) & (buffer.full == full))
        self.always("empty", buffer.empty == ((filled == 0) & (word == 0)))
        self.always("fills", buffer.fills == (last_word & (filled == layers - 1)))
        # In the cycle in which the last word is taken, decoding sees it already.
        passing = take & buffer.fills & mine
        seen = Array(buffer.events[v] for v in plan.slots[-1])[slot]
        self.always("last_word_is_seen_at_once", ~passing | (seen == (bit ^ (known & ahead))))
        travelled = Signal()
        self.sync += If(tagged & (at == layers - 1) & event, travelled.eq(1)).Elif(~tagged, travelled.eq(0))
        self.sometime("through_all_layers", travelled & tagged & (at == 0) & shift & ~event)
        self.sometime("unsettled_arrives_at_layer_0", travelled & tagged & (at == 0) & event)
        self.sometime("toggled_beforehand", mine & known & ahead & pick & ~tagged)
        for name in ("take", "settle", "shift", "events", "filled"):
            self.watch(f"buffer_{name}", getattr(buffer, name))
        self.watch("at_layer", at)
        self.watch("is_tagged", tagged)


PLANS = {
    "two slots": {"width": 2},
    "one slot": {"width": 1},
    "34 slots": {"width": 34, "num_layers": 2},
}


@pytest.mark.parametrize(
    "plan", ["two slots", pytest.param("one slot", marks=long), pytest.param("34 slots", marks=long)]
)
def test_every_event_is_where_its_round_is(plan):
    result = check(emit(Follow(tiny_plan(**PLANS[plan]))), "prove", depth=20, engine=PROVER)
    assert result, str(result)


@long
def test_an_event_goes_through_the_window():
    result = check(emit(Follow(tiny_plan())), "cover", depth=12)
    assert result, str(result)


BUFFER_DEFECTS = {
    "settled events stay": ("events.eq(events & ~self.settled)", "events.eq(events)"),
    "toggles are lost": ("beyond.eq(beyond ^ self.toggles)", "beyond.eq(beyond)"),
    "words overwrite toggles": ("events[vertex] ^ (writes", "(writes"),
    "toggles stay after the shift": (
        "_moved(plan, events, beyond))), beyond.eq(nearer)",
        "_moved(plan, events, beyond)))",
    ),
}


@long
@pytest.mark.parametrize("defect", list(BUFFER_DEFECTS))
def test_a_broken_buffer_is_refuted(defect):
    bench = Follow(tiny_plan(), mutant(buffer_module, *BUFFER_DEFECTS[defect]))
    result = check(emit(bench), depth=14, engine=SEARCHER)
    assert result.status == "FAIL", str(result)
    assert set(result.failed) & {"event_is_where_its_round_is", "last_word_is_seen_at_once"}, str(result)


class FreeArrays(LiteXModule):
    """Arrays that answer when and what the solver likes, in the order that `ArrayBank` keeps."""

    ANSWERS = (
        "stopped", "observables", "settled_observables", "settled", "unmatched", "grow_steps", "merge_steps",
        "correction",
    )  # fmt: skip

    def __init__(self, plan, lengths):
        edges = len(plan.edges)
        inputs = ("load", "load_base", "relieve", "stop", "peel", "flood", "peel_all", "flood_all")
        for name in inputs:
            setattr(self, name, Signal())
        self.events, self.held, self.seeds, self.settled = (Signal(plan.num_vertices) for _ in range(4))
        self.alive, self.relieved, self.correction = (Signal(edges) for _ in range(3))
        self.first_growth = Signal(plan.weight_bits)
        self.observables, self.settled_observables = Signal(), Signal()
        self.stopped, self.unmatched = Signal(), Signal()
        self.grow_steps, self.merge_steps = Signal(16), Signal(16)
        self.idle, self.all_done, self.all_peeled, self.all_flooded = (Signal() for _ in range(4))
        self.answers = Signal()  # what is being done ends in this cycle

        # # #

        growing, peeling, flooding = Signal(), Signal(), Signal()
        self.comb += [
            self.idle.eq(~(growing | peeling | flooding)),
            self.all_done.eq(growing & self.answers),
            self.all_peeled.eq(peeling & self.answers),
        ]
        self.sync += [
            self.all_flooded.eq(flooding & self.answers),
            If(self.answers, growing.eq(0), peeling.eq(0), flooding.eq(0)),
            If(self.load, growing.eq(1)),
            If((self.peel & self.all_done) | self.peel_all, peeling.eq(1)),
            If((self.flood & self.all_done) | self.flood_all, flooding.eq(1)),
        ]


class FreeTable(LiteXModule):
    """A table that is trusted, wanted and taken over as the solver likes."""

    def __init__(self, num_classes, levels, weight_bits):
        self.write, self.check, self.activate, self.between_shots = (Signal() for _ in range(4))
        self.write_index, self.write_data, self.expected = Signal(8), Signal(32), Signal(32)
        self.state, self.found, self.crc = Signal(2), Signal(32), Signal(32)
        self.pending, self.busy, self.trusted = (Signal() for _ in range(3))
        self.first_growth = Signal(weight_bits)
        self.weights = [[Signal(weight_bits) for _ in range(1 + levels)] for _ in range(num_classes)]


class Engine(FormalBench):
    """The engine around arrays and a table that do what they like, for shots of 4 to 6 rounds in windows of 3, one
    layer settled at a time: window k of a shot holds rounds k to k + 2.
    """

    def __init__(self, passes=1, module=engine_module):
        super().__init__()
        plan = tiny_plan(width=1, levels=passes - 1)
        layers = plan.num_layers
        self.engine = engine = module.DecodeEngine(plan, queue_rounds=2)
        buffer, arrays, table = engine.buffer, engine.arrays, engine.loader
        drive_stream(self, engine.sink, "sink")
        self.free("source_ready", engine.source.ready)
        self.free("answers", arrays.answers)
        for name in FreeArrays.ANSWERS:
            self.free(f"array_{name}", getattr(arrays, name))
        for name in ("pending", "busy", "trusted"):
            self.free(f"table_{name}", getattr(table, name))
        rounds = self.constant("rounds", engine._rounds.storage)
        self.constant("correction", engine._control.fields.correction)
        self.constant("deadline", engine._deadline.storage)
        self.comb += engine._control.fields.passes.eq(passes)
        self.assume("rounds_of_a_shot", (rounds > layers) & (rounds <= layers + 3))

        # Rounds into the window
        drawn, gone, settled = (
            Signal(4),
            Signal(4),
            Signal(4),
        )  # of the shot: taken, out of the buffer, in records
        number, decoding = Signal(4), Signal()  # of the window that is decoded next, or now
        final = rounds[:4] == number + layers
        finished, fields = engine.sender.finished, engine.sender.fields
        made = engine.sender.made  # the record is taken, one cycle after the window has ended
        self.sync += [
            If(buffer.take, drawn.eq(Mux(drawn + 1 == rounds, 0, drawn + 1))),
            If(arrays.load, decoding.eq(1)),
            If(buffer.shift, gone.eq(gone + 1)),
            If(buffer.clear, gone.eq(0)),
            If(finished,
                decoding.eq(0),
                number.eq(Mux(final, 0, number + 1)),
                settled.eq(Mux(final, 0, number + 1)),
            ),
        ]  # fmt: skip
        starts = buffer.take & buffer.fills
        self.always("lands_where_the_schedule_says", ~buffer.take | (layers_in(buffer) == drawn - gone))
        self.always("window_of_the_schedule", ~starts | (gone == number))
        self.always("a_window_is_complete", ~starts | (drawn == number + layers - 1))
        self.always("one_window_at_a_time", ~starts | ~decoding)
        self.always("one_record_a_window", ~finished | decoding)
        self.always(
            "taken_from_the_queue", buffer.take == (engine.queue.source.valid & engine.queue.source.ready)
        )
        # Rounds out of the window
        self.always("leaves_when_settled", ~buffer.shift | (gone < settled))
        self.always("leaves_once", ~buffer.shift | ~buffer.take)
        was_final = Signal()
        self.sync += If(finished, was_final.eq(final))
        self.always("clears_at_the_end", ~buffer.clear | (final & starts) | (made & was_final))
        self.always(
            "holds_what_is_not_settled",
            buffer.clear | (drawn == 0) | (gone + layers_in(buffer) == drawn) | final,
        )
        # Records: window k settles round k; the last window all that are left
        after, flips = Signal(4), engine.barrier.flips
        self.sync += If(finished, after.eq(Mux(final, rounds[:4], number + 1)))
        last = fields["flags"][LAST.bit_length() - 1]
        self.always("rounds_count_each_once", ~made | (fields["rounds"] == after))
        self.always("last_is_last", ~made | (last == was_final))
        frame = Signal()
        self.sync += If(finished, frame.eq(flips[0] ^ Mux(number == 0, 0, frame)))
        self.always("frame_of_the_shot", ~made | (fields["frame"] == frame))
        self.always("untrusted_flips_nothing", ~finished | table.trusted | (flips == 0))
        # What arrays and table say holds till the record is taken, and the record says what the frame was told.
        for name, signal in {
            "stopped": arrays.stopped,
            "observables": arrays.observables,
            "settled_observables": arrays.settled_observables,
            "trusted": table.trusted,
        }.items():
            before = Signal()
            self.sync += before.eq(signal)
            self.assume(f"{name}_holds", ~made | (signal == before))
        told = Signal()
        self.sync += told.eq(flips[0])
        self.always("record_of_the_frame", ~made | (fields["observables"] == told))
        # Every pass sees the same events
        events = Signal(plan.num_vertices)
        self.sync += If(starts, events.eq(arrays.events))
        self.always("passes_see_the_same", ~(arrays.load & ~starts) | (arrays.events == events))
        windows = Signal(4)
        self.sync += If(finished, windows.eq(windows + 1))
        self.sometime("three_windows", finished & final & (number == 2))
        self.sometime("a_second_shot", finished & (number == 0) & (windows == 2))
        for name in ("take", "fills", "filled", "settle", "shift", "clear"):
            self.watch(f"buffer_{name}", getattr(buffer, name))
        self.watch("finished", finished)
        self.watch("is_drawn", drawn)
        self.watch("is_gone", gone)
        self.watch("window", number)


@pytest.fixture
def stubs(monkeypatch):
    stub_into(engine_module, monkeypatch)


def stub_into(module, monkeypatch):
    monkeypatch.setattr(module, "ArrayBank", FreeArrays)
    monkeypatch.setattr(module, "TableLoader", FreeTable)


def test_every_round_is_settled_once_and_every_window_has_one_record(stubs):
    result = check(emit(Engine()), depth=QUICK, engine=SEARCHER)
    assert result, str(result)


@long
@pytest.mark.parametrize("passes", [1, 2])
def test_over_two_windows_and_the_last(stubs, passes):
    result = check(emit(Engine(passes)), depth=THREE_WINDOWS, engine=SEARCHER)
    assert result, str(result)


@long
@pytest.mark.parametrize("event", ["three_windows", "a_second_shot"])
def test_what_is_looked_at_happens(event, stubs):
    """Looked for as the counterexample of a claim: covers take the other solver more than minutes here."""
    bench = Engine()
    bench.claims["assert"].clear()
    bench.always("never", ~bench.claims["cover"][event])
    result = check(emit(bench), depth=THREE_WINDOWS + 8, engine=SEARCHER)
    assert (result.status, result.failed) == ("FAIL", ("never",)), str(result)


ENGINE_DEFECTS = {
    "rounds count the window before": (
        engine_module, 'fields["rounds"].eq(walk.after)', 'fields["rounds"].eq(walk.settled)'
    ),
    "a window starts while another is sent": (
        engine_module, "control.idle & sender.receiving & arrays.idle", "control.idle & arrays.idle"
    ),
    "the last window is one too late": (shot_module, "(rest == 0) & ~endless", "(left == 0) & ~endless"),
    "a layer too many leaves": (
        control_module, 'If(left == 1, NextState("IDLE"))', 'If(left == 0, NextState("IDLE"))'
    ),
}  # fmt: skip


@long
@pytest.mark.parametrize("defect", list(ENGINE_DEFECTS))
def test_a_broken_engine_is_refuted(defect, stubs, monkeypatch):
    module, old, new = ENGINE_DEFECTS[defect]
    broken = mutant(module, old, new)
    engine = engine_module
    if module is engine_module:
        engine = broken
        stub_into(engine, monkeypatch)
    else:
        name = {shot_module: "ShotWalk", control_module: "PassControl"}[module]
        monkeypatch.setattr(engine_module, name, getattr(broken, name))
    result = check(emit(Engine(module=engine)), depth=THREE_WINDOWS, engine=SEARCHER)
    assert result.status == "FAIL", str(result)
    assert result.failed, str(result)
