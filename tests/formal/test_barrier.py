# SPDX-License-Identifier: BSD-2-Clause
"""The Pauli frame and its barrier: no release before the frame holds what it waits for, none later than that."""

import os

import pytest
from migen import If, Mux, Signal

from triplane.gateware.frame import barrier as barrier_module
from triplane.sim.formal import MISSING, PROVER, SEARCHER, FormalBench, check, emit, installed
from triplane.sim.formal.mutate import mutant

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)
long = pytest.mark.skipif(os.environ.get("FORMAL") != "all", reason="takes long; `make formal` runs it")


class Barrier(FormalBench):
    """The barrier, a decoder that finishes windows as it likes, and the host's registers, written as it likes.

    The decoder counts rounds up within a shot; the rest is free: requests, restarts, amendments, time-outs, the
    clock, and registers rewritten at any time. tagged: one round, any round of any shot, is followed into the frame.
    """

    def __init__(self, module=barrier_module, tagged=False):
        super().__init__()
        self.barrier = barrier = module.FrameBarrier()
        for name in (
            "finish",
            "flips",
            "last",
            "hard",
            "rounds",
            "latency",
            "now",
            "restart",
            "wait",
            "shot",
            "round",
        ):
            self.free(f"in_{name}", getattr(barrier, name))
        shot_register = self.free("shot", barrier._shot.storage)
        round_register = self.free("round", barrier._round.storage)
        bound = self.free("bound", barrier._bound.storage)
        amendment = self.free("amendment", barrier._amend.storage)
        amends = self.free("amends", barrier._amend.re)
        timeout = self.free("timeout", barrier._timeout.storage)
        asks = self.free("asks", barrier._control.fields.wait)
        escalate = self.free("escalate", barrier._control.fields.escalate)
        finish, last, restart, ready = barrier.finish, barrier.last, barrier.restart, barrier.ready

        # What has been said to the barrier so far
        shots, entered = (
            Signal(32),
            Signal(32),
        )  # whole shots; rounds of the next that its windows have brought
        self.sync += [
            If(finish, entered.eq(Mux(last, 0, barrier.rounds)), If(last, shots.eq(shots + 1))),
            If(restart, shots.eq(0), entered.eq(0)),
        ]
        self.assume("rounds_count_up", ~finish | (barrier.rounds > entered))
        self.assume("shots_do_not_wrap", ~finish | ~last | (shots != 2**32 - 1))
        # What is waited for, and how long it may take from now on
        waiting, shot, rounds, left = Signal(), Signal(32), Signal(32), Signal(32)
        self.sync += [
            If(left != 0, left.eq(left - 1)),
            If(barrier.wait | asks,
                waiting.eq(1),
                shot.eq(Mux(barrier.wait, barrier.shot, shot_register)),
                rounds.eq(Mux(barrier.wait, barrier.round, round_register)),
                left.eq(bound),
            ).Elif(ready | barrier.timed_out, waiting.eq(0)),
            If(restart, waiting.eq(0)),
        ]  # fmt: skip
        self.always("given_up_at_its_bound", barrier.timed_out == (waiting & ~ready & (left == 0)))
        self.always("clock_runs", ~(waiting | barrier.wait) | barrier.holding)

        if tagged:
            # One round: number `which` of shot `whose`, of the shots since the last restart
            whose, which = self.constant("whose", Signal(32)), self.constant("which", Signal(32))
            inside, needed = Signal(), Signal()
            self.sync += [
                If(finish & (shots == whose) & (last | (barrier.rounds > which)), inside.eq(1)),
                If(restart, inside.eq(0)),
            ]
            self.comb += needed.eq((whose < shot) | ((whose == shot) & (which < rounds)))
            self.always("tagged_inside", ~ready | ~needed | inside)
        self.always("only_on_request", ~ready | waiting)

        # An amendment may come from the end of a shot with a hard window to the time-out, the next window or itself.
        hard, amendable, ended = Signal(), Signal(), Signal(32)
        over = Signal()  # known a cycle late, and never in the cycle after a window
        self.sync += over.eq(~finish & ((barrier.now[:32] - ended)[:32] >= timeout))
        accepted = amendable & amends & ~over & ~finish
        self.sync += [
            If(accepted | over | finish, amendable.eq(0)),
            If(finish,
                hard.eq((hard | barrier.hard) & ~last),
                If(last, ended.eq(barrier.now), amendable.eq((hard | barrier.hard) & escalate)),
            ),
            If(restart, amendable.eq(0), hard.eq(0)),
        ]  # fmt: skip
        complete = (shots > shot) | ((shots == shot) & (entered >= rounds))
        self.always("not_early", ~ready | complete)
        self.always("at_once", ~(waiting & complete & ~amendable) | ready)
        # `amendable` is 0 from the cycle after the time-out, so that this is the bound on what escalation costs.
        self.always("not_while_amendable", ~ready | ~amendable)
        was_over = Signal()
        self.sync += was_over.eq(over | finish | restart)
        fresh = Signal()
        self.sync += fresh.eq(finish & last)
        self.always("escalation_ends", self.first | ~was_over | fresh | ~amendable)
        self.always("says_when_open", barrier._state.fields.open == (amendable & ~over))
        self.always("says_when_waiting", barrier._state.fields.waiting == waiting)

        # The frame: flips of the shot's windows and the amendment, from one shot's first window to the next one's
        frame, starts = Signal(32), Signal(reset=1)
        self.sync += [
            If(finish, frame.eq(Mux(starts, 0, frame) ^ barrier.flips), starts.eq(last)),
            If(accepted, frame.eq(frame ^ amendment)),
            If(restart, frame.eq(0), starts.eq(1)),
        ]
        self.always("frame", barrier.frame == frame)

        # Every amendment is counted as taken or refused, every shot that could have been amended as one or the other.
        counts = {
            "released": ready,
            "timed_out": barrier.timed_out,
            "amended": accepted,
            "expired": amendable & ~accepted & (over | finish),
            "refused": amends & ~accepted,
        }
        for name, event in counts.items():
            count, seen = Signal(32), Signal()  # a cycle late
            self.sync += [
                seen.eq(event & ~restart),
                If(seen, count.eq(count + 1)),
                If(restart, count.eq(0)),
            ]
            self.always(f"counts_{name}", getattr(barrier, f"_{name}").status == count)

        second = Signal(2)
        self.sync += If(ready & (second != 3), second.eq(second + 1))
        self.sometime("release_within_a_shot", ready & (entered != 0) & (shots == shot) & (rounds > 1))
        self.sometime("release_after_amendment", ready & (counts_of(barrier, "amended") != 0))
        self.sometime("release_after_time_out", ready & (counts_of(barrier, "expired") != 0) & ~starts)
        self.sometime("third_release", second == 3)
        for name in ("ready", "waiting", "holding", "frame"):
            self.watch(f"barrier_{name}", getattr(barrier, name))


def counts_of(barrier, name):
    return getattr(barrier, f"_{name}").status


def test_no_barrier_is_released_early_or_late():
    result = check(emit(Barrier()), "prove", depth=20, engine=PROVER)
    assert result, str(result)


@long
def test_every_round_that_is_named_is_in_the_frame_at_the_release():
    result = check(emit(Barrier(tagged=True)), depth=16, engine=SEARCHER)
    assert result, str(result)


@long
def test_every_way_of_release_is_taken():
    result = check(emit(Barrier()), "cover", depth=10)
    assert result, str(result)


DEFECTS = {
    "a round too early": ("framed >= awaited_round", "framed + 1 >= awaited_round"),
    "a shot too early": ("(shots > awaited_shot", "(shots >= awaited_shot"),
    "no bound": ("self.waiting & (left == 0) & ~self.ready", "0"),
    "no end of escalation": ("Elif(self._amend.re | overdue,", "Elif(self._amend.re,"),
    "released while it may be amended": ("& reached & ~pending", "& reached"),
    "late amendments are taken": ("self._amend.re & ~overdue", "self._amend.re"),
    "shots share a frame": ("fresh.eq(self.last)", "fresh.eq(0)"),
    "only the last window is asked": ("hard.eq((hard | self.hard) & ~self.last)", "hard.eq(0)"),
}


@long
@pytest.mark.parametrize("defect", list(DEFECTS))
def test_a_broken_barrier_is_refuted(defect):
    old, new = DEFECTS[defect]
    result = check(emit(Barrier(mutant(barrier_module, old, new))), depth=8, engine=SEARCHER)
    assert result.status == "FAIL", str(result)
    assert result.failed, str(result)
