# SPDX-License-Identifier: BSD-2-Clause
"""Collects the measurements of a round, in any order, until all that belong to it have come."""

from __future__ import annotations

from functools import reduce
from operator import or_

from litex.gen import LiteXModule
from migen import If, Mux, Signal, bits_for

from triplane.gateware.decoder.unionfind.tree import OrTree, lowest

TIMEOUT_BITS = 24

DEFAULT_AHEAD = 4
"""Rounds that may be armed and not yet complete."""


class RoundCollector(LiteXModule):
    r"""Slots of the rounds that have been armed; the oldest one is open.

    A round is armed before its first slot comes. Rounds may be armed ahead, and a slot may come before the round before
    it is complete, as data qubits do that are read beside the last ancillas. What no armed round waits for is not a
    round's measurement (an active reset, a calibration) and is left alone.

    ```
    cycle       0      1      2      3      4
    arm      __/‾‾\________________________________
    valid[0] _________/‾‾\_________________________
    valid[1] _______________________/‾‾\___________    the round is complete with it
    bits                     | 0         | 0, 1
    complete ____________________________/‾‾\______
    leave    ____________________________/‾‾\______    if there is a place for it, else later
    ```

    A slot counts for the next round from the cycle in which its round leaves.

    Args:
        slots: measurement slots.
        tag_bits: width of what a round carries along.
        ahead: rounds that may be armed and not yet complete, at least 1.

    Attributes:
        valid, bit, leaked: inputs, one bit per slot; a result, its value, whether it was outside the qubit's states.
        arm: input; a round begins that expects the slots of `wanted` and carries `tag`.
        place: input; a complete round may leave.
        timeout: input; cycles in which the open round's slots may come, counted from its becoming the open one.
        stop: input; take no more slots and arm no more rounds. A complete round leaves all the same.
        clear: input; forget everything.
        open: a round is open.
        expected, tag_out: its slots and its tag.
        bits, leaks: values of slots that have come.
        complete, leave: all its slots have come; it leaves with this cycle.
        refused: 1 in a cycle in which a round was armed and `ahead` were open already.
        doubled: 1 in a cycle in which a slot came again before its round was complete.
        timed_out: 1 in a cycle in which the open round has waited too long.
        stray: 1 in a cycle in which a slot came that no round waits for.
        culprits: valid with `doubled` or `timed_out`: slots that came again, or that have not come.
    """

    LATENCY = 1
    """Cycles from the last slot to `complete`."""

    def __init__(self, slots: int, tag_bits: int, ahead: int = DEFAULT_AHEAD) -> None:
        if ahead < 1:
            raise ValueError(f"at least 1 round must be armed at a time, not {ahead}")
        self.valid, self.bit, self.leaked = Signal(slots), Signal(slots), Signal(slots)
        self.arm, self.wanted, self.tag = Signal(), Signal(slots), Signal(tag_bits)
        self.place, self.stop, self.clear = Signal(), Signal(), Signal()
        self.timeout = Signal(TIMEOUT_BITS)
        self.open, self.expected, self.tag_out = Signal(), Signal(slots), Signal(tag_bits)
        self.bits, self.leaks = Signal(slots), Signal(slots)
        self.complete, self.leave = Signal(), Signal()
        self.refused, self.doubled, self.timed_out, self.stray = (Signal() for _ in range(4))
        self.culprits = Signal(slots)

        # # #

        # Armed rounds, the open one first: a place is taken where all before it are.
        taken = Signal(ahead)
        wanted = [Signal(slots) for _ in range(ahead)]
        tags = [Signal(tag_bits) for _ in range(ahead)]
        accept = Signal()
        self.comb += [
            self.open.eq(taken[0]),
            self.expected.eq(wanted[0]),
            self.tag_out.eq(tags[0]),
            accept.eq(self.arm & ~self.stop & ~taken[-1]),
            self.refused.eq(self.arm & ~self.stop & taken[-1]),
        ]
        for k in range(ahead):
            follows = k + 1 < ahead
            fills = accept & ~taken[k] & (taken[k - 1] if k else 1)  # the new round's place, if none leaves
            moved = accept & taken[k] & (~taken[k + 1] if follows else 1)  # and if one does
            self.sync += [
                If(self.leave,
                    taken[k].eq((taken[k + 1] if follows else 0) | moved),
                    wanted[k].eq(Mux(moved, self.wanted, wanted[k + 1] if follows else 0)),
                    tags[k].eq(Mux(moved, self.tag, tags[k + 1] if follows else 0)),
                ).Elif(fills,
                    taken[k].eq(1),
                    wanted[k].eq(self.wanted),
                    tags[k].eq(self.tag),
                ),
            ]  # fmt: skip

        # Slots. What becomes of one depends on whether the open round leaves in this cycle, which is known late: both
        # answers are worked out, (if it stays, if it leaves).
        got, kept, take, missing = (Signal(slots) for _ in range(4))
        self.later_tree = later = OrTree([Mux(taken[k], wanted[k], 0) for k in range(1, ahead)], slots)
        self.missing_tree = any_missing = OrTree(list(missing))
        awaited = (later.output | Mux(self.open, self.expected, 0), later.output)
        here = (got, got & ~self.expected)
        takes, again, strays = ([Signal(slots) for _ in range(2)] for _ in range(3))
        for which in range(2):
            self.comb += [
                takes[which].eq(self.valid & awaited[which] & ~here[which]),
                again[which].eq(self.valid & awaited[which] & here[which]),
                strays[which].eq(self.valid & ~awaited[which]),
            ]
        any_again, any_stray = ([OrTree(list(bits)) for bits in both] for both in (again, strays))
        self.submodules += any_again, any_stray

        def chosen(both):
            return Mux(self.leave, both[1], both[0])

        self.comb += [
            missing.eq(self.expected & ~got),
            self.complete.eq(self.open & ~any_missing.output),
            self.leave.eq(self.complete & self.place),
            kept.eq(Mux(self.leave, got & ~self.expected, got)),
            take.eq(Mux(self.stop, 0, chosen(takes))),
            self.doubled.eq(~self.stop & chosen([tree.output for tree in any_again])),
            self.stray.eq(~self.stop & chosen([tree.output for tree in any_stray])),
            self.culprits.eq(Mux(self.doubled, chosen(again), missing)),
        ]
        self.sync += [
            got.eq(kept | take),
            self.bits.eq((self.bits & ~take) | (self.bit & take)),
            self.leaks.eq((self.leaks & ~take) | (self.leaked & take)),
        ]

        # Time
        age, late = Signal(TIMEOUT_BITS), Signal()
        self.comb += [
            late.eq(age >= self.timeout),
            self.timed_out.eq(self.open & ~self.stop & ~self.complete & late),
        ]
        self.sync += [
            If(~self.open | self.leave, age.eq(0)).Elif(age != 2**TIMEOUT_BITS - 1, age.eq(age + 1)),
            If(self.clear, taken.eq(0), got.eq(0), age.eq(0)),
        ]


class LowestSlot(LiteXModule):
    """Number of the lowest bit that is set.

    Attributes:
        bits: input.
        only: that bit alone, in the same cycle.
        number: one cycle later; 0 where none is set.
    """

    def __init__(self, width: int) -> None:
        self.bits = Signal(width)
        self.only = only = Signal(width)
        self.number = Signal(bits_for(max(width - 1, 1)))

        # # #

        self.comb += only.eq(lowest(self.bits))
        for k in range(len(self.number)):
            members = [only[s] for s in range(width) if s >> k & 1]
            self.sync += self.number[k].eq(reduce(or_, members, 0))
