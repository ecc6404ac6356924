# SPDX-License-Identifier: BSD-2-Clause
"""Where in its shot a window lies: its kind, how many layers it settles, and when the shot is over."""

from __future__ import annotations

from litex.gen import LiteXModule
from migen import If, Mux, Signal, bits_for

from triplane.gateware.decoder.window.plan import WindowPlan

FIRST, MIDDLE, LAST = range(3)
"""Kinds of a sliding plan, as it numbers them."""

ROUND_BITS = 32


class ShotWalk(LiteXModule):
    """Walks the windows of a shot of N layers.

    The first window settles ((N - W - 1) mod C) + 1 layers, all others C, so that the last begins exactly where the
    one before has ended: no layer is in it that was settled before. The remainder is found bit by bit when N is
    written, long before it is needed.

    Args:
        plan: the window; one of a whole shot has nothing to walk.

    Attributes:
        rounds, written: inputs; layers of a shot, and that this has changed. 0: no shot ever ends. It counts from the
            next shot on.
        begin: input; the first word of a shot is taken. Only while `ready`.
        finish: input; the result of the window is known.
        settle: input; its layers leave the buffer.
        idle: input; nothing is being decoded.
        restart: input; the next window is the first of a shot.
        ready: the remainder is known.
        kind: number of the window's kind.
        last: the window is the last of its shot.
        first: the window is the first of its shot.
        count: layers that it settles.
        settled: layers of the shot that were settled before this window.
        after: and with it; a register, which follows `begin`, `finish` and `settle` by two cycles.
    """

    def __init__(self, plan: WindowPlan) -> None:
        self.rounds = Signal(ROUND_BITS)
        self.written = Signal()
        self.begin = Signal()
        self.finish = Signal()
        self.settle = Signal()
        self.idle = Signal()
        self.restart = Signal()
        self.ready = Signal()
        self.kind = Signal(bits_for(max(len(plan.kinds) - 1, 1)))
        self.last = Signal()
        self.first = Signal()
        self.count = Signal(16)
        self.settled = Signal(ROUND_BITS)
        self.after = Signal(ROUND_BITS)

        # # #

        self.comb += self.first.eq(self.settled == 0)
        self.sync += [
            self.after.eq(self.settled + Mux(self.last, plan.num_layers, self.count)),
            If(self.finish, self.settled.eq(Mux(self.last, 0, self.after))),
        ]
        if plan.sliding:
            self._slide(plan)
        else:
            self.comb += [self.ready.eq(1), self.last.eq(1), self.count.eq(plan.num_layers)]
        self.sync += If(self.restart, self.settled.eq(0))

    def _slide(self, plan: WindowPlan) -> None:
        self.remainder = remainder = Remainder(ROUND_BITS, plan.commit)
        left, endless, closing = Signal(ROUND_BITS), Signal(), Signal()
        first_count = Signal.like(self.count)
        rest = Signal(ROUND_BITS)
        self.comb += [
            remainder.value.eq(self.rounds - (plan.num_layers + 1)),
            remainder.start.eq(self.written),
            self.ready.eq(~self.written & ~remainder.busy),
            self.last.eq(self.kind == LAST),
            self.count.eq(Mux((self.kind == FIRST) & ~endless, first_count, plan.commit)),
            rest.eq(left - self.count),
        ]
        self.sync += [
            If(self.begin,
                left.eq(self.rounds - plan.num_layers),
                endless.eq(self.rounds == 0),
                first_count.eq(remainder.result + 1),
            ),
            If(self.settle,
                left.eq(rest),
                self.kind.eq(Mux((rest == 0) & ~endless, LAST, MIDDLE)),
            ),
            # The last window's edges stay alive until its correction is complete.
            If(self.finish & self.last, closing.eq(1)),
            If(closing & self.idle, closing.eq(0), self.kind.eq(FIRST)),
            If(self.restart, closing.eq(0), self.kind.eq(FIRST)),
        ]  # fmt: skip


class Remainder(LiteXModule):
    """`value` modulo a constant, one bit a cycle.

    Attributes:
        start, value: inputs; the value counts in the cycle after `start`, and must stay while `busy`.
        busy: not known yet.
        result: the remainder; of 0 before the first start.
    """

    def __init__(self, bits: int, divisor: int) -> None:
        if divisor < 1:
            raise ValueError(f"a divisor is at least 1, not {divisor}")
        self.value = Signal(bits)
        self.start = Signal()
        self.busy = Signal()
        self.result = Signal(max=max(divisor, 2))

        # # #

        left, value = Signal(max=bits + 2), Signal(bits)
        doubled = Signal(max=2 * divisor + 1)
        self.comb += doubled.eq(2 * self.result + value[-1])
        self.sync += [
            If(left == bits + 1,
                value.eq(self.value),
                self.result.eq(0),
            ).Elif(left != 0,
                value.eq(value << 1),
                self.result.eq(Mux(doubled >= divisor, doubled - divisor, doubled)),
            ),
            If(left != 0, left.eq(left - 1)),
            If(left == 1, self.busy.eq(0)),
            If(self.start, left.eq(bits + 1), self.busy.eq(1)),
        ]  # fmt: skip
