# SPDX-License-Identifier: BSD-2-Clause
"""The Pauli frame of the shot, and the barrier that waits for the rounds it depends on."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRField, CSRStatus, CSRStorage
from migen import If, Mux, Signal

TIMEOUT_BITS = 24


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

    Attributes:
        finish, flips, last, hard: inputs; a window's result, whether it is the last of its shot, and flagged hard.
        rounds: input, valid with `finish`; rounds of the shot that are settled with it.
        latency: input, valid in the cycle after `finish`; cycles from the window's last round entering to `finish`.
        now: input; cycle counter.
        restart: input; count shots from 0.
        wait: input; start to wait for `shot` and `round`. `control.wait` does the same.
        ready: 1 for one cycle, when the frame holds all of them.
        waiting: since `wait`.
        holding: the barrier is about to be released, or will be when no amendment comes, or its reaction is not in
            its register yet: the clock must run.
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
        self.ready = Signal()
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

        # # #

        shots, framed = Signal(32), Signal(32)  # shots that are wholly in the frame; rounds of the next one
        fresh, hard, pending, closing = Signal(reset=1), Signal(), Signal(), Signal()
        ended, reaction = Signal(32), Signal(32)
        finished, counts, released = Signal(), Signal(), Signal()  # what the reaction follows a cycle later
        reached, was_reached, amend, overdue = Signal(), Signal(), Signal(), Signal()
        self.comb += [
            reached.eq(
                (shots > self._shot.storage)
                | ((shots == self._shot.storage) & (framed >= self._round.storage))
            ),
            amend.eq(pending & self._amend.re & ~overdue & ~self.finish),
            closing.eq(pending & ~amend & (overdue | self.finish)),
            self.holding.eq((self.waiting & (pending | was_reached)) | released),
            self.ready.eq(self.waiting & reached & ~pending),
            self._state.fields.waiting.eq(self.waiting),
            self._state.fields.open.eq(pending & ~overdue),
            self._frame.status.eq(self.frame),
        ]
        self.sync += [
            If(self.wait | self._control.fields.wait, self.waiting.eq(1)).Elif(self.ready, self.waiting.eq(0)),
            If(finished, reaction.eq(self.latency + 1)).Elif(counts, reaction.eq(reaction + 1)),
            finished.eq(self.finish),
            counts.eq(pending),
            released.eq(self.ready),
            # What makes it reached, a window or a register written, keeps the clock running itself.
            was_reached.eq(reached),
            If(released, self._reaction.status.eq(reaction)),
            # A register, since the subtraction and the comparison take most of a cycle.
            overdue.eq(~self.finish & ((self.now[:32] - ended)[:32] >= self._timeout.storage)),
            If(amend, self.frame.eq(self.frame ^ self._amend.storage)),
            If(amend | closing, pending.eq(0)),
            If(self.finish,
                self.frame.eq(self.flips ^ Mux(fresh, 0, self.frame)),
                fresh.eq(self.last),
                hard.eq((hard | self.hard) & ~self.last),
                framed.eq(Mux(self.last, 0, self.rounds)),
                If(self.last,
                    shots.eq(shots + 1),
                    ended.eq(self.now),
                    pending.eq((hard | self.hard) & self._control.fields.escalate),
                ),
            ),
        ]  # fmt: skip
        for counter, event in (
            (self._released, self.ready),
            (self._amended, amend),
            (self._expired, closing),
            (self._refused, self._amend.re & ~amend),
        ):
            self.sync += [
                If(event, counter.status.eq(counter.status + 1)),
                If(self.restart, counter.status.eq(0)),
            ]
        self.sync += If(self.restart, *(signal.eq(0) for signal in (
            shots, framed, hard, pending, self.waiting, self.frame, reaction,
        )), fresh.eq(1))  # fmt: skip
