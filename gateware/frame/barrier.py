# SPDX-License-Identifier: BSD-2-Clause
"""The Pauli frame of the shot, and the barrier that waits for the rounds it depends on."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import Cat, If, Mux, Replicate, Signal

TIMEOUT_BITS = 24

BOUND_BITS = 32


class FrameBarrier(LiteXModule):
    r"""Collects the flips of a shot's windows, and says when those of a given round are all in.

    Which round is meant is said with the number of its shot: whoever waits need not know how far the decoder is
    behind.

    ```
    finish  ____/‾‾\______________________
    frame   ........| with this window
    wait    _/‾‾\_________________________   or at any time later
    ready   ________/‾‾\__________________   reaction: from the window's last round entering to here
    latency         | n |                     and one cycle more from `finish` to `ready`
    ```

    Where escalation is on, a shot with a hard window may be amended after its end: an outer decoder's flips are added
    to the frame, if they come in time. The barrier at the shot's end waits for them so long and no longer; what comes
    after that, or after the next shot's first result, is refused and counted.

    No barrier waits for ever. One that is not released within `bound` cycles is given up: `timed_out` comes in place of
    `ready`, the frame is as it is, and whoever waits takes its way out.

    ```
    wait       _/‾‾\______________ ... ________
    waiting    _____/‾‾‾‾‾‾‾‾‾‾‾‾ ... ‾‾‾\____   bound + 1 cycles at most
    timed_out  ___________________ ... /‾‾\____
    ```

    Attributes:
        finish, flips, last, hard: inputs; a window's result, whether it is the last of its shot, and flagged hard.
        rounds: input, valid with `finish`; rounds of the shot that are settled with it.
        latency: input, valid in the cycle after `finish`; cycles from the window's last round entering to `finish`.
        now: input; cycle counter.
        restart: input; count shots from 0.
        wait: input; start to wait for
        shot, round: inputs with it: so many rounds of that shot. `control.wait` does the same with the registers.
        ready: 1 for one cycle, when the frame holds all of them.
        timed_out: 1 for one cycle, when the barrier is given up.
        waiting: since `wait`.
        holding: somebody waits or is about to, or the reaction is not in its register yet: the clock must run.
        frame: of the present shot; of the last one until the next one's first window.
    """

    def __init__(self) -> None:
        self.finish = Signal()
        self.flips = Signal(32)
        self.last = Signal()
        self.hard = Signal()
        self.rounds = Signal(32)
        self.latency = Signal(32)
        self.now = Signal(64)
        self.restart = Signal()
        self.wait = Signal()
        self.shot = Signal(32)
        self.round = Signal(32)
        self.ready = Signal()
        self.timed_out = Signal()
        self.waiting = Signal()
        self.holding = Signal()
        self.frame = Signal(32)

        self._shot = CSRStorage(
            32, description="Shot that the barrier waits for, from 0 since the last restart."
        )
        self._round = CSRStorage(32, description="Rounds of that shot that must be in the frame.")
        self._control = CSRStorage(
            fields=[
                CSRField("wait", pulse=True, description="Wait for `shot` and `round`."),
                CSRField("escalate", description="Shots with a hard window may be amended after their end."),
            ],
            description="The barrier, and what it waits for.",
        )
        self._state = CSRStatus(
            fields=[
                CSRField("waiting", description="The rounds are not all in the frame yet."),
                CSRField("open", description="The last shot may be amended now."),
            ],
            description="State of the barrier.",
        )
        self._amend = CSRStorage(
            32, description="Flips to add to the frame of the last shot, if it is not too late."
        )
        self._timeout = CSRStorage(
            TIMEOUT_BITS, description="Cycles after the end of a shot in which it may be amended."
        )
        self._frame = CSRStatus(32, description="Flips of the present shot so far.")
        self._reaction = CSRStatus(
            32,
            description="Cycles from the last round that the last barrier waited for, entering, to its release.",
        )
        self._released = CSRStatus(32, description="Barriers released since the last restart.")
        self._amended = CSRStatus(32, description="Shots amended since the last restart.")
        self._expired = CSRStatus(
            32, description="Shots since the last restart that could have been, and were not."
        )
        self._refused = CSRStatus(32, description="Amendments since the last restart that came too late.")
        self._bound = CSRStorage(
            BOUND_BITS,
            reset=2**BOUND_BITS - 1,
            description="Cycles that a barrier waits at most after the first, from its request on.",
        )
        self._timed_out = CSRStatus(32, description="Barriers since the last restart that were given up.")

        # # #

        shots, framed = Signal(32), Signal(32)  # shots that are wholly in the frame; rounds of the next one
        fresh, hard, pending, closing = Signal(reset=1), Signal(), Signal(), Signal()
        ended, reaction = Signal(32), Signal(32)
        finished, counts, released = Signal(), Signal(), Signal()  # what the reaction follows a cycle later
        reached, amend, overdue = Signal(), Signal(), Signal()
        happened = Signal(5)
        request, awaited_shot, awaited_round, left = Signal(), Signal(32), Signal(32), Signal(BOUND_BITS)
        self.comb += [
            request.eq(self.wait | self._control.fields.wait),
            reached.eq((shots > awaited_shot) | ((shots == awaited_shot) & (framed >= awaited_round))),
            amend.eq(pending & self._amend.re & ~overdue & ~self.finish),
            closing.eq(pending & ~amend & (overdue | self.finish)),
            self.holding.eq(self.wait | self.waiting | released),
            self.ready.eq(self.waiting & reached & ~pending),
            self.timed_out.eq(self.waiting & (left == 0) & ~self.ready),
            self._state.fields.waiting.eq(self.waiting),
            self._state.fields.open.eq(pending & ~overdue),
            self._frame.status.eq(self.frame),
        ]
        self.sync += [
            If(request,
                self.waiting.eq(1),
                awaited_shot.eq(Mux(self.wait, self.shot, self._shot.storage)),
                awaited_round.eq(Mux(self.wait, self.round, self._round.storage)),
                left.eq(self._bound.storage),
            ).Else(
                If(self.ready | self.timed_out, self.waiting.eq(0)),
                If(left != 0, left.eq(left - 1)),
            ),
            If(finished, reaction.eq(self.latency + 1)).Elif(counts, reaction.eq(reaction + 1)),
            finished.eq(self.finish),
            counts.eq(pending),
            released.eq(self.ready),
            If(released, self._reaction.status.eq(reaction)),
            # A register, since the subtraction and the comparison take most of a cycle.
            overdue.eq(~self.finish & ((self.now[:32] - ended)[:32] >= self._timeout.storage)),
            If(amend, self.frame.eq(self.frame ^ self._amend.storage)),
            If(self.finish,
                self.frame.eq(self.flips ^ Mux(fresh, 0, self.frame)),
                fresh.eq(self.last),
                hard.eq((hard | self.hard) & ~self.last),
                framed.eq(Mux(self.last, 0, self.rounds)),
                If(self.last,
                    shots.eq(shots + 1),
                    ended.eq(self.now),
                ),
            ),
            # Amended, too late, or overtaken by the next shot; `finish` is late in its cycle and decides alone.
            If(self.finish,
                pending.eq(self.last & (hard | self.hard) & self._control.fields.escalate),
            ).Elif(self._amend.re | overdue,
                pending.eq(0),
            ),
        ]  # fmt: skip
        # Counted a cycle later: `finish`, on which most of these depend, is late in its cycle.
        events = Cat(self.ready, self.timed_out, amend, closing, self._amend.re & ~amend)
        self.sync += happened.eq(Replicate(~self.restart, len(happened)) & events)
        for number, counter in enumerate(
            (self._released, self._timed_out, self._amended, self._expired, self._refused)
        ):
            self.sync += [
                If(happened[number], counter.status.eq(counter.status + 1)),
                If(self.restart, counter.status.eq(0)),
            ]
        self.sync += If(self.restart, *(signal.eq(0) for signal in (
            shots, framed, hard, pending, self.waiting, self.frame, reaction,
        )), fresh.eq(1))  # fmt: skip
