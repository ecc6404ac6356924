# SPDX-License-Identifier: BSD-2-Clause
"""The decode engine: rounds of detection events in, a record of every window out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from migen import Cat, If, Mux, Signal

from triplane.gateware.decoder.engine_registers import EngineRegisters
from triplane.gateware.decoder.layouts import (
    HARD,
    LAST,
    LATE,
    RESULT,
    UNMATCHED,
    UNTRUSTED,
    correction_words,
)
from triplane.gateware.decoder.memory import CHECKING
from triplane.gateware.decoder.sender import RecordSender
from triplane.gateware.decoder.unionfind.tree import XorTree
from triplane.gateware.decoder.window.arrays import ArrayBank
from triplane.gateware.decoder.window.bound import window_bound
from triplane.gateware.decoder.window.buffer import WindowBuffer
from triplane.gateware.decoder.window.control import MAX_PASSES, PassControl
from triplane.gateware.decoder.window.past import PastEdges
from triplane.gateware.decoder.window.plan import NOWHERE, WindowPlan
from triplane.gateware.decoder.window.queue import DEFAULT_ROUNDS, RoundQueue
from triplane.gateware.decoder.window.relief import ReliefTree
from triplane.gateware.decoder.window.shot import ShotWalk
from triplane.gateware.decoder.window.weights import LengthBuses, TableLoader, share_buses
from triplane.gateware.frame.barrier import FrameBarrier

MAX_CYCLES = 2**16 - 1
"""Largest latency that a result record can hold."""

CHANGED = 1 << 15
"""Bit of the hardness: the last pass changed the observables."""


class DecodeEngine(EngineRegisters):
    r"""Decodes windows of rounds, one after another.

    ```
    sink -> queue -> window buffer -> arrays, in passes -> frame -> record -> source
                         ^                   |
                         '-- settled layers leave, toggled events stay
    ```

    The word that completes a window starts the arrays in the cycle in which it enters, where nothing is in its way.
    Words that come in while the window is being decoded wait in the queue; where that is full the source waits. No
    round is ever lost.

    Args:
        plan: the window; it shapes the hardware, its weights are loaded over the bus.
        queue_rounds: rounds that the queue holds.

    Attributes:
        sink: words of rounds, `words_per_round` per round, least significant first.
        source: words of result records (`layouts.RESULT`, then the correction where it is asked for).
        now: cycle counter of the system, for time stamps.
        table_changed: 1 in a cycle in which the bus writes a word of the next table or its CRC.
        unmatched: 1 in the cycle after a window has ended with detection events that nothing explains.
        barrier: frame of the shot, and who waits for it.
        bound: worst-case cycles from the last word of a window being taken to the frame valid.
    """

    def __init__(self, plan: WindowPlan, *, queue_rounds: int = DEFAULT_ROUNDS) -> None:
        self.plan = plan
        self.num_layers = plan.num_layers
        self.words_per_round = plan.words_per_round
        self.correction_words = correction_words(len(plan.edges))
        self.result_words = RESULT.words
        self.passes = MAX_PASSES if plan.levels else 1
        self.bound = window_bound(plan, self.passes)
        if self.bound > MAX_CYCLES:
            raise ValueError(
                f"the worst case of {self.bound} cycles does not fit the result record's {MAX_CYCLES}; "
                "decode fewer rounds at a time"
            )
        self.queue = queue = RoundQueue(plan.words_per_round, queue_rounds)
        self.buffer = buffer = WindowBuffer(plan)
        self.loader = loader = TableLoader(plan.num_classes, plan.levels, plan.weight_bits)
        tuples, bus_of = share_buses(plan)
        self.buses = buses = LengthBuses(loader.weights, tuples, plan.weight_bits)
        self.arrays = arrays = ArrayBank(plan, [buses.lengths[bus] for bus in bus_of])
        self.relief = relief = ReliefTree(plan)
        self.past = past = PastEdges(plan)
        self.walk = walk = ShotWalk(plan)
        self.control = control = PassControl(plan.levels, plan.sliding)
        self.sender = sender = RecordSender(len(plan.edges))
        self.sink = queue.sink
        self.source = sender.source
        self.now = Signal(64)
        self.table_changed = Signal()
        self.unmatched = Signal()
        self.barrier = barrier = FrameBarrier()
        self._add_registers()

        # # #

        mode = self._control.fields
        restart = mode.restart
        self.comb += [
            *(core.now.eq(self.now) for core in (queue, sender, barrier)),
            *(core.restart.eq(restart) for core in (queue, walk, sender, barrier)),
        ]

        # A word is drawn where the window has room; the one that fills it, where decoding can start with it. The
        # first of a shot waits for a table that wants to take its place, and until the number of rounds is digested.
        start, draw, may_start, may_begin = Signal(), Signal(), Signal(), Signal()
        may_fill, ended, held = Signal(), Signal(), Signal()
        several = (mode.passes > 1) if plan.levels else 0
        one_word = plan.num_layers * plan.words_per_round == 1
        self.comb += [
            may_begin.eq(walk.ready & ~loader.pending & ~loader.busy),
            # While a start is possible nothing is held, and a window that lacks a word is neither full nor empty.
            may_fill.eq(may_start & (may_begin if one_word else 1)),
            queue.source.ready.eq(
                (buffer.fills & may_fill)
                | (~buffer.fills & ~buffer.full & (control.idle | ~held) & (may_begin | ~buffer.empty))
            ),
            draw.eq(queue.source.valid & queue.source.ready),
            start.eq(queue.source.valid & buffer.fills & may_fill),
            buffer.data.eq(queue.source.data),
            buffer.take.eq(draw),
            walk.begin.eq(draw & buffer.empty),
            # The next shot may come in as soon as this one's events are in the arrays, if they stay there; otherwise
            # when the window has ended. Until it is cleared the window is full.
            buffer.clear.eq((start & ~control.settles & ~several) | ended | restart),
        ]
        self.sync += [
            # Only a start ends this. A register: from here to the arrays' load it is far.
            may_start.eq(control.idle & sender.receiving & arrays.idle & ~start),
            ended.eq(control.finish & ~control.settles & held),
            If(start, held.eq(control.settles | several)),
            If(restart | (held & control.idle) | (control.finish & ~control.settles), held.eq(0)),
        ]

        # Weights
        kinds = self._in_kinds(walk.kind)
        alive = [
            kinds(kind for kind, c in enumerate(edge.classes) if c != NOWHERE)
            if NOWHERE in edge.classes
            else 1
            for edge in plan.edges
        ]
        self.sync += [
            If(self._table_data.re, loader.write_index.eq(loader.write_index + 1)),
            If(self._table_index.re, loader.write_index.eq(self._table_index.storage)),
        ]
        self.comb += [
            loader.write.eq(self._table_data.re),
            loader.write_data.eq(self._table_data.storage),
            loader.check.eq(self._table_crc.re),
            loader.expected.eq(self._table_crc.storage),
            loader.activate.eq(mode.activate),
            loader.between_shots.eq(may_start & buffer.empty & walk.first),
            self.table_changed.eq(self._table_data.re | self._table_crc.re),
            buses.kind.eq(walk.kind),
            buses.level.eq(control.level),
            arrays.alive.eq(Cat(*alive)),
        ]
        # Of the first pass only, and held.
        self.sync += If(control.idle, arrays.first_growth.eq(loader.first_growth)).Elif(
            control.relieve, arrays.first_growth.eq(0)
        )

        # Events where this kind of window has no detector are none.
        there = []
        for v in range(plan.num_vertices):
            without = [kind for kind, absent in enumerate(plan.absent) if v in absent]
            there.append(~kinds(without) if without else 1)
        seen, stored = Signal(plan.num_vertices), Signal(plan.num_vertices)
        self.comb += [
            seen.eq(Cat(*(buffer.events[v] & here for v, here in enumerate(there)))),
            stored.eq(Cat(*(buffer.held[v] & here for v, here in enumerate(there)))),
        ]

        # Passes
        changed = Signal()  # the last pass differs from the one before in the observables
        settling = [
            Signal() for _ in range(plan.commit)
        ]  # of the oldest layers, those that this window settles
        self.sync += [layer.eq(walk.count > number) for number, layer in enumerate(settling)]
        self.comb += [
            control.start.eq(start),
            control.passes.eq(mode.passes),
            control.settles.eq(~walk.last),
            control.with_correction.eq(mode.correction),
            control.deadline.eq(self._deadline.storage),
            control.elapsed.eq(sender.elapsed),
            control.count.eq(walk.count),
            control.all_done.eq(arrays.all_done),
            control.all_peeled.eq(arrays.all_peeled),
            control.all_flooded.eq(arrays.all_flooded),
            control.stopped.eq(arrays.stopped),
            control.changed.eq(changed),
            control.relieves.eq(relief.any),
            *(
                getattr(arrays, name).eq(getattr(control, name))
                for name in (
                    "load", "load_base", "relieve", "stop", "peel", "peel_all", "flood", "flood_all",
                )
            ),
            arrays.events.eq(seen),
            arrays.held.eq(stored),
            arrays.seeds.eq(
                Cat(*(
                    stored[vertex] & settling[layer] if layer < plan.commit and plan.sliding else 0
                    for vertex, layer in enumerate(plan.layer_of)
                ))
            ),
            relief.correction.eq(arrays.correction | past.edges),
            relief.level.eq(control.relieved_level),
            arrays.relieved.eq(relief.relieved),
        ]  # fmt: skip

        # What is settled leaves the window; where its correction leads out of it, it changes the layers beyond.
        # The last window settles all that it holds, and nothing follows from that.
        used, counted, final = Signal(max(len(plan.edges), 1)), Signal(max(len(plan.edges), 1)), Signal()
        self.sync += If(
            start, final.eq(walk.last)
        )  # by the time the correction is sent the walk has moved on
        settles = [arrays.settled[edge.u] if plan.sliding else 1 for edge in plan.edges]
        counts = [arrays.settled[v] | final if plan.sliding else 1 for v in range(plan.num_vertices)]
        self.comb += [
            used.eq(Cat(*(arrays.correction[k] & settled for k, settled in enumerate(settles)))),
            counted.eq(Cat(*(counts[edge.u] for edge in plan.edges))),
        ]
        toggles = []
        for slot in range(plan.width * max(plan.reach, 1)):
            leading = [used[k] for k, e in enumerate(plan.edges) if e.outside == plan.num_vertices + slot]
            tree = XorTree(leading)
            self.submodules += tree
            toggles.append(tree.output)
        self.comb += [
            buffer.settle.eq(control.settle),
            buffer.settled.eq(arrays.settled),
            buffer.toggles.eq(Cat(*toggles)),
            buffer.shift.eq(control.shift),
            past.used.eq(used),
            past.settle.eq(control.settle),
            past.shift.eq(control.shift),
            past.clear.eq(buffer.clear),
            walk.finish.eq(sender.finished),
            walk.settle.eq(control.settle),
            walk.idle.eq(control.idle),
            walk.rounds.eq(self._rounds.storage),
            walk.written.eq(self._rounds.re),
        ]

        # Steps of all passes, and how hard the last of them was. An array's counters hold from the end of a pass to the
        # load of the next. So do what a pass has found, and what is kept of the one before where that counts.
        grown, merged, all_grown, all_merged = (Signal(16) for _ in range(4))
        kept, kept_unmatched, turned = Signal(len(arrays.observables)), Signal(), Signal()
        self.comb += [
            all_grown.eq(grown + arrays.grow_steps),
            all_merged.eq(merged + arrays.merge_steps),
            turned.eq(
                Mux(
                    control.growing,
                    (control.number != 0) & (arrays.observables != kept) & ~control.keep,
                    changed,
                )
            ),
        ]
        self.sync += [
            If(arrays.all_done, changed.eq(turned)),
            If(arrays.all_done & ~control.keep, kept.eq(arrays.observables), kept_unmatched.eq(arrays.unmatched)),
            If(start, grown.eq(0), merged.eq(0)).Elif(control.load, grown.eq(all_grown), merged.eq(all_merged)),
        ]  # fmt: skip

        # Result: the frame, and whether the window was hard, in the cycle in which it ends; its record in the next one.
        #
        #   cycle         n-1    n    n+1    n+2
        #   grow_steps    | e         |
        #   effort        ......| e   |            above the threshold, too
        #   finish        _____/‾‾\_________
        #   flips, turned ......|     |
        #   frame         ............| with this window
        #   fields        ............| as they are taken
        fields = sender.fields
        flips, unmatched, hard = Signal(32), Signal(), Signal()
        effort, above = Signal(15), Signal()
        threshold = self._hard_above.storage
        self.sync += [
            effort.eq(Mux(arrays.grow_steps[15], CHANGED - 1, arrays.grow_steps[:15])),
            above.eq(Mux(arrays.grow_steps[15], CHANGED - 1, arrays.grow_steps[:15]) > threshold[:15]),
        ]
        self.comb += [
            If(loader.trusted,
                If(control.settles, flips.eq(arrays.settled_observables))
                .Elif(control.keep, flips.eq(kept))
                .Else(flips.eq(arrays.observables))
            ),
            unmatched.eq(Mux(control.keep, kept_unmatched, arrays.unmatched)),
            hard.eq((turned & ~threshold[15]) | (above & (turned | ~threshold[15]))),
            sender.start.eq(start),
            sender.entered.eq(queue.source.stamp),
            sender.finish.eq(control.finish),
            fields["flags"].eq(
                _flags({
                    UNMATCHED: unmatched, UNTRUSTED: ~loader.trusted, LAST: walk.last,
                    LATE: control.late, HARD: hard,
                })
            ),
            fields["observables"].eq(flips),
            fields["frame"].eq(barrier.frame),
            barrier.finish.eq(control.finish),
            barrier.flips.eq(flips),
            barrier.last.eq(walk.last),
            barrier.hard.eq(hard),
            barrier.rounds.eq(walk.after),
            barrier.latency.eq(sender.wait + sender.cycles),
            fields["grow_steps"].eq(all_grown),
            fields["merge_steps"].eq(all_merged),
            fields["hardness"].eq(Cat(effort, turned)),
            fields["rounds"].eq(walk.after),
            fields["tables"].eq(loader.crc),
            sender.correction.eq(arrays.correction),
            sender.counted.eq(counted),
            sender.with_correction.eq(mode.correction),
            sender.settled.eq(~control.peeling),
            self.unmatched.eq(sender.made & unmatched),
        ]  # fmt: skip

        # Counters
        for counter, event in (
            (self._windows, 1),
            (self._late_windows, control.late),
            (self._hard_windows, hard),
        ):
            self.sync += [
                If(sender.made & event, counter.status.eq(counter.status + 1)),
                If(restart, counter.status.eq(0)),
            ]
        status = self._status.fields
        self.comb += [
            status.busy.eq(
                ~may_start
                | ~queue.empty
                | (loader.state == CHECKING)
                | loader.busy
                | (loader.pending & loader.between_shots)
                | ~walk.ready
                | barrier.holding
            ),
            status.table.eq(loader.state),
            status.pending.eq(loader.pending | loader.busy),
            status.trusted.eq(loader.trusted),
            status.stalled.eq(queue.stalled),
            status.bound.eq(self.bound),
            self._table_found.status.eq(loader.found),
            self._table_active.status.eq(loader.crc),
            self._rounds_in.status.eq(queue.entered),
            self._backlog.status.eq(queue.level),
            self._backlog_max.status.eq(queue.level_max),
            self._stalled_round.status.eq(queue.stalled_round),
        ]

    def _in_kinds(self, kind: Signal) -> Callable[[Iterable[int]], Signal]:
        """Whether a window's kind is one of those given, a register for each set of kinds that is asked for.

        The kind changes while layers leave the window or a record is sent, long before the next window starts.
        """
        known: dict[frozenset[int], Signal] = {}

        def is_one_of(kinds: Iterable[int]) -> Signal:
            chosen = frozenset(kinds)
            if chosen not in known:
                known[chosen] = Signal()
                self.sync += known[chosen].eq(_any(kind == k for k in chosen))
            return known[chosen]

        return is_one_of


def _any(bits):
    result = 0
    for bit in bits:
        result = result | bit
    return result


def _flags(bits: dict) -> Cat:
    """The flags' low byte from each flag's bit."""
    positions = {mask.bit_length() - 1: bit for mask, bit in bits.items()}
    return Cat(*(positions[k] for k in range(len(positions))))
