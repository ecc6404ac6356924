# SPDX-License-Identifier: BSD-2-Clause
"""One window from its last word to the frame: the passes of the arrays, the deadline, and what is settled."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import FSM, If, NextState, NextValue, Signal

MAX_PASSES = 3


class PassControl(LiteXModule):
    r"""Sequences the arrays through one window.

    ```
    two passes of a whole shot
    cycle     0      1    ...  n1   n1+1 ...  p     p+1  p+2  p+3   p+4  ...  n2
    state   IDLE  | GROW            | PEEL        | RELIEVE        | GROW        | IDLE
    arrays   load | first growth     | correction | 2   | 1  | 0    | no growth
    level     0                             | 3   | 2   | 1  | 0     (lengths follow one cycle later)
    load    _/‾‾\_______________________________________________/‾‾\______
    finish  ____________________________________________________________/‾‾\__   decode_cycles = n2

    one pass of a window that settles its oldest layers
    cycle     0      1    ...  n    n+1  ...  f    f+1  ...  p    p+1    p+2  ...
    state   IDLE  | GROW            | FLOOD       | PEEL_LAST    | SETTLE | SHIFT    | IDLE
    finish  ___________________________________/‾‾\____   decode_cycles = f
    ```

    An edge takes the alternatives that the last correction gives it, the least of them last, so that it stands. Where
    the correction relieves no edge a further pass would end like the one before, and is not started. A third pass is
    not started either where the second has left the observables as the first had them: it would rarely change them,
    and is known to be superfluous one cycle after the second has ended.

    From cycle `deadline` on nothing more is begun: a first pass is stopped where it is, a further pass is abandoned for
    the result of the one before, or not started at all. In a window that settles layers, and where corrections are
    asked for, what the pass before had found is gone: there a pass that has begun is stopped, and counts as it is.

    Args:
        levels: alternative weights per class, as many cycles of relief.
        sliding: whether windows settle layers before the end of their shot.

    Attributes:
        start: input; the window's events are at the arrays. Only while `idle`.
        passes: input; at most so many, 1 to 3.
        settles: input; the window is not the last of its shot.
        with_correction: input; the last pass must leave its correction.
        deadline: input; cycles from `start`, 0 for none.
        elapsed: input; cycles since `start`.
        count: input; layers that the window settles, 1 or more.
        all_done, all_peeled, all_flooded: inputs; the last of the arrays has come to its end.
        stopped: input, valid from `all_done` to the next load; an array was stopped.
        changed: input, valid from the cycle after `all_done`; this pass and the one before differ in the observables.
        relieves: input, valid with `all_peeled`; the correction, or what was committed before, relieves some edge.
        load, load_base, relieve, stop: to the arrays.
        peel, flood: to the arrays; each does it as soon as it is done itself.
        peel_all, flood_all: to the arrays; now.
        level, relieved_level: of the lengths, and of the edges that are relieved; both one cycle early, the latter a
            register.
        number: of the pass, from 0.
        finish: what this window settles is known.
        growing: this pass has not ended yet.
        keep: from `all_done` to the cycle after `finish`; the result is that of the pass before.
        late: from `finish` to the cycle after it; the deadline took effect.
        settle, shift: to the buffer.
        peeling: the correction is not complete yet.
        idle: nothing is being done; the arrays load base lengths.
    """

    def __init__(self, levels: int, sliding: bool) -> None:
        self.start = Signal()
        self.passes = Signal(2)
        self.settles = Signal()
        self.with_correction = Signal()
        self.deadline = Signal(16)
        self.elapsed = Signal(16)
        self.count = Signal(16)
        self.all_done = Signal()
        self.all_peeled = Signal()
        self.all_flooded = Signal()
        self.stopped = Signal()
        self.changed = Signal()
        self.relieves = Signal()
        self.load = Signal()
        self.load_base = Signal()
        self.relieve = Signal()
        self.flood = Signal()
        self.stop = Signal()
        self.peel = Signal()
        self.peel_all = Signal()
        self.flood_all = Signal()
        self.level = Signal(2)
        highest = max(levels - 1, 0)
        self.relieved_level = Signal(2, reset=highest)
        self.number = Signal(2)
        self.finish = Signal()
        self.growing = Signal()
        self.keep = Signal()
        self.late = Signal()
        self.settle = Signal()
        self.shift = Signal()
        self.peeling = Signal()
        self.idle = Signal()

        # # #

        passes = Signal(2)  # as they were at the start
        more, last = Signal(), Signal()  # a further pass is wanted; none is started after this one
        agreed = Signal()  # two passes have come to the same observables
        peeled = Signal()  # the correction of the pass that counts is there
        fresh = Signal()  # first cycle of a state
        late = Signal()
        overdue = Signal()  # elapsed >= deadline, known a cycle ahead
        keeps = Signal()  # a pass that is stopped leaves the result to the one before
        left = Signal.like(self.count)
        self.comb += [
            more.eq((self.number + 1 < passes) if levels else 0),
            agreed.eq((self.number != 0) & ~self.changed),
            self.stop.eq(overdue),
            self.keep.eq(self.stopped & keeps),
            self.late.eq(late | (self.all_done & self.stopped) | (last & overdue)),
        ]
        # Otherwise what the pass before has found is gone, and this pass counts as it is. A register: whether an array
        # was stopped is known late in a cycle, and this long before.
        self.sync += keeps.eq((self.number != 0) & ~self.settles & ~self.with_correction)
        self.sync += If(self.start, overdue.eq(self.deadline == 1)).Else(
            overdue.eq((self.deadline != 0) & (self.elapsed + 1 >= self.deadline))
        )
        finish = [
            self.finish.eq(1),
            If(self.settles & peeled, NextState("SETTLE"))
            .Elif((self.settles | self.with_correction) & ~peeled, NextState("PEEL_LAST"))
            .Else(NextState("IDLE")),
        ]
        self.fsm = fsm = FSM(reset_state="IDLE")
        fsm.act("IDLE",
            self.idle.eq(1),
            self.load_base.eq(1),
            NextValue(self.number, 0),
            NextValue(late, 0),
            NextValue(peeled, 0),
            NextValue(fresh, 0),
            NextValue(passes, self.passes),
            If(self.start, self.load.eq(1), NextState("GROW")),
        )  # fmt: skip
        # Every array goes on to what is asked for as soon as it is done itself; none is in the first cycle.
        self.comb += self.growing.eq(fsm.ongoing("GROW"))
        self.sync += [
            self.peel.eq(self.growing & (more | (self.with_correction & ~self.settles))),
            self.flood.eq(self.growing & ~more & self.settles),
        ]
        fsm.act("GROW",
            If(self.all_done,
                NextValue(late, self.late),
                If(more & ~(self.stopped & ~self.settles), NextState("PEEL"))
                .Elif(self.settles, NextState("FLOOD"))
                .Else(*finish),
            ),
        )  # fmt: skip
        fsm.act("PEEL",
            self.load_base.eq(1),
            If(self.all_peeled,
                NextValue(left, levels),
                # Where no relief follows, the base lengths are back before the next load.
                self.level.eq(levels),
                If(self.relieves & ~overdue & ~agreed,
                    NextValue(self.relieved_level, levels - 2 if levels > 1 else 0),
                    NextState("RELIEVE"),
                ).Else(
                    last.eq(self.relieves & ~agreed),
                    NextValue(late, self.late),
                    NextValue(peeled, 1),
                    If(self.settles, NextValue(fresh, 1), NextState("FLOOD"))
                    .Else(self.finish.eq(1), NextState("IDLE")),
                ),
            ).Elif((overdue | agreed) & ~self.settles,
                # Whatever the correction turns out to be, no pass will start from it.
                last.eq(~agreed),
                NextValue(late, self.late),
                *finish,
            ),
        )  # fmt: skip
        fsm.act("RELIEVE",
            self.relieve.eq(1),
            NextValue(self.relieved_level, self.relieved_level - 1),
            self.level.eq(left - 1),
            NextValue(left, left - 1),
            If(left[:2] == 1,
                self.load.eq(1),
                NextValue(self.number, self.number + 1),
                NextValue(self.relieved_level, highest),
                NextState("GROW"),
            ),
        )  # fmt: skip
        fsm.act("FLOOD",
            self.flood_all.eq(fresh),
            NextValue(fresh, 0),
            If(self.all_flooded, NextValue(fresh, 1), *finish),
        )  # fmt: skip
        fsm.act("PEEL_LAST",
            self.peel_all.eq(fresh),
            NextValue(fresh, 0),
            If(self.all_peeled, If(self.settles, NextState("SETTLE")).Else(NextState("IDLE"))),
        )  # fmt: skip
        fsm.act("SETTLE",
            self.settle.eq(1),
            NextValue(left, self.count),
            NextState("SHIFT"),
        )  # fmt: skip
        fsm.act("SHIFT",
            self.shift.eq(1),
            NextValue(left, left - 1),
            If(left == 1, NextState("IDLE")),
        )  # fmt: skip
        self.comb += self.peeling.eq(fsm.ongoing("PEEL_LAST"))
