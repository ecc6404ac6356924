# SPDX-License-Identifier: BSD-2-Clause
"""One detector of the union-find array: which cluster it is in, and where that cluster could join another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_

from litex.gen import LiteXModule
from migen import If, Signal

from triplane.gateware.decoder.unionfind.tree import bits, lowest, masked


@dataclass(frozen=True)
class Link:
    """An edge as one of its ends sees it.

    Attributes:
        hot: clusters can join here.
        meeting: both ends have chosen the edge in this look and are clusters of one (boundary: this end has and is).
        meets: `meeting` of the last look.
        observables: constant, bit k is set when the edge crosses observable k.
        far: the vertex at the other end, None for the boundary.
        slot: position of the edge among the far vertex's links.
    """

    hot: Signal
    meeting: Signal
    meets: Signal
    observables: int
    far: Vertex | None
    slot: int


class Act(LiteXModule):
    """What all vertices are told, broadcast by the controller.

    Attributes:
        load: start over with the detection events.
        look: register what the vertices choose.
        merge: cluster `loser` becomes part of `winner`, at parity `offset`; what results is active where `still`,
            grounded where `grounds`. Where the loser reaches the boundary itself (`alone`) there is no winner.
    """

    def __init__(self, id_bits: int, num_observables: int) -> None:
        self.load = Signal()
        self.look = Signal()
        self.merge = Signal()
        self.winner = Signal(id_bits)
        self.loser = Signal(id_bits)
        self.offset = Signal(num_observables)
        self.still = Signal()
        self.grounds = Signal()
        self.alone = Signal()


class Vertex(LiteXModule):
    """State of one detector.

    From the start every vertex is a cluster: active where it holds a detection event. A cluster's number is that of
    one of its vertices. Each vertex keeps the parity of the observables on its way to the cluster's root
    (`potential`, 0 in a cluster of one): the logical flip is then an XOR over the detection events, with no walk
    through the tree.

    A vertex chooses the first of its hot links. Where two clusters of one have chosen each other they join at once;
    of two active ones that of the lower number is the root, else the active one. Other active vertices ask.

    Attributes:
        number, event: this vertex's number; its detection event at `load`.
        single: the vertex is a cluster of one and not grounded.
        choice, wishes: one bit per link: the link that is chosen now; whether there is one.
        pick: `choice` of the last look.
        active, grounded, ident, potential: the state.
        asks: registered, the vertex asks for a merge through the picked link.
        grant: the vertex that asks is heard.
        granted, reached: registered, the vertex whose cluster is the loser, and the one at the other end of its pick.
        crossed: observables of the picked link.
        grounding: the picked link leads to the boundary.
        member: the vertex is in one of the two clusters that merge now.
    """

    def __init__(self, number: int, degree: int, id_bits: int, num_observables: int, act: Act) -> None:
        self.number = number
        self.event = Signal()
        self.single = Signal()
        self.choice = Signal(max(degree, 1))
        self.wishes = Signal()
        self.pick = Signal(max(degree, 1), reset_less=True)
        self.active = Signal()
        self.grounded = Signal()
        self.ident = Signal(id_bits, reset=number)
        self.potential = Signal(num_observables)
        self.asks = Signal()
        self.grant = Signal()
        self.granted = Signal()
        self.reached = Signal()
        self.crossed = Signal(num_observables)
        self.grounding = Signal()
        self.member = Signal()
        self._act = act

    def connect(self, links: list[Link]) -> None:
        """Builds the logic, once all vertices exist; `links` in order of preference."""
        act = self._act

        # Look. Signals of one bit per link are assigned whole: Migen's Verilog back end takes time quadratic in the
        # number of statements that share a target.
        hot, meeting = Signal.like(self.choice), Signal()
        self.comb += [
            hot.eq(bits([link.hot for link in links])),
            self.choice.eq(lowest(hot)),
            self.wishes.eq(hot != 0),
            meeting.eq(_any(link.meeting for link in links)),
        ]
        self.sync += [
            If(act.look, self.pick.eq(self.choice)),
            self.asks.eq(act.look & self.active & self.wishes & ~meeting),
        ]

        # Act: a meeting concerns this vertex in so far as the other end is active, or the boundary. An active vertex
        # then comes to rest, a resting one becomes active and joins.
        inner = [(k, link, link.far) for k, link in enumerate(links) if link.far is not None]
        ends = [(k, link) for k, link in enumerate(links) if link.far is None]
        turns, grounds, joins = Signal(), Signal(), Signal()
        lower = _any(self.pick[k] for k, _, far in inner if far.number < self.number)
        self.comb += [
            grounds.eq(_any(link.meets for _, link in ends)),
            turns.eq(_any(link.meets & far.active for _, link, far in inner)),
            joins.eq(turns & (~self.active | lower)),
            self.crossed.eq(
                reduce(
                    or_,
                    [
                        masked(self.pick[k], link.observables, len(self.crossed))
                        for k, link in enumerate(links)
                    ],
                    0,
                )
            ),
            self.grounding.eq(_any(self.pick[k] for k, _ in ends)),
        ]
        to = [
            _any(self.pick[k] for k, _, far in inner if far.number >> bit & 1)
            for bit in range(len(self.ident))
        ]
        self.sync += [
            self.granted.eq(self.grant),
            self.reached.eq(_any(far.grant & far.pick[link.slot] for _, link, far in inner)),
        ]

        # Merge
        lost, kept, moved = Signal(), Signal(), Signal(len(self.potential))
        self.comb += [
            lost.eq(act.merge & (self.ident == act.loser)),
            kept.eq(act.merge & (self.ident == act.winner) & ~act.alone),
            self.member.eq(lost | kept),
            moved.eq(
                masked(lost, act.offset, len(moved)) | masked(joins | grounds, self.crossed, len(moved))
            ),
        ]
        self.sync += [
            If(act.load,
                self.active.eq(self.event),
                self.grounded.eq(0),
                self.ident.eq(self.number),
                self.potential.eq(0),
            ).Else(
                If(self.member, self.active.eq(act.still)).Else(self.active.eq(self.active ^ (turns | grounds))),
                self.grounded.eq(self.grounded | grounds | (lost & act.grounds)),
                If(lost & ~act.alone, self.ident.eq(act.winner)).Elif(joins, self.ident.eq(bits(to))),
                self.potential.eq(self.potential ^ moved),
            ),
        ]  # fmt: skip


def _any(parts) -> Signal | int:
    return reduce(or_, parts, 0)
