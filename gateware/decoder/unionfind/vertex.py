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

    @property
    def parity(self) -> Signal | int:
        """Observables on the way to the far vertex's root."""
        if self.far is None:
            return self.observables
        return self.far.potential ^ self.observables


class Act(LiteXModule):
    """What all vertices are told, broadcast by the controller.

    Attributes:
        load: start over with the detection events.
        look: register what the vertices choose.
        join: what has been chosen takes place: clusters of one meet, free vertices join the cluster that merged last,
            whose number is still `winner`, and other active vertices ask.
        merge: cluster `loser` becomes part of `winner`, at parity `offset`; what results is active where `still`,
            grounded where `grounds`. Where the loser reaches the boundary itself it is its own winner.
    """

    def __init__(self, id_bits: int, num_observables: int) -> None:
        self.load = Signal()
        self.look = Signal()
        self.join = Signal()
        self.merge = Signal()
        self.winner = Signal(id_bits)
        self.loser = Signal(id_bits)
        self.offset = Signal(num_observables)
        self.still = Signal()
        self.grounds = Signal()


class Vertex(LiteXModule):
    """State of one detector.

    From the start every vertex is a cluster: active where it holds a detection event. A cluster's number is that of
    one of its vertices. Each vertex keeps the parity of the observables on its way to the cluster's root
    (`potential`, 0 in a cluster of one): the logical flip is then an XOR over the detection events, with no walk
    through the tree.

    A vertex chooses the first of its hot links. Where two clusters of one have chosen each other they join at once;
    of two active ones that of the lower number is the root, else the active one. Other active vertices ask. Free
    vertices (clusters of one at rest) that have chosen a member of the cluster that merged last join it, all at once.

    Attributes:
        number, event: this vertex's number; its detection event at `load`.
        single: the vertex is a cluster of one and not grounded.
        choice: one bit per link: the link that is chosen now.
        pick: `choice` of the last look.
        active, grounded, ident, potential: the state.
        asks: registered by an act, the vertex asks for a merge through the picked link.
        granted: registered by the arbiter a cycle later, the vertex has been heard: its cluster is the loser.
        reached: the vertex is at the other end of the link that the heard one has picked.
        carried: the potential that this vertex has once it has joined the far end of the picked link.
        grounding: the picked link leads to the boundary.
        current: the vertex is in the cluster that merged last.
        adopted: the vertex joins that cluster now.
        united: the vertex is in the cluster that a merge or an adoption makes now.
    """

    def __init__(self, number: int, degree: int, id_bits: int, num_observables: int, act: Act) -> None:
        self.number = number
        self.event = Signal()
        self.single = Signal()
        self.choice = Signal(max(degree, 1))
        self.pick = Signal(max(degree, 1), reset_less=True)
        self.active = Signal()
        self.grounded = Signal()
        self.ident = Signal(id_bits, reset=number)
        self.potential = Signal(num_observables)
        self.asks = Signal()
        self.granted = Signal()
        self.reached = Signal()
        self.carried = Signal(num_observables)
        self.grounding = Signal()
        self.current = Signal()
        self.adopted = Signal()
        self.united = Signal()
        self._act = act

    def connect(self, links: list[Link]) -> None:
        """Builds the logic, once all vertices exist; `links` in order of preference."""
        act = self._act

        # Look. Signals of one bit per link are assigned whole: Migen's Verilog back end takes time quadratic in the
        # number of statements that share a target.
        hot = Signal.like(self.choice)
        self.comb += [hot.eq(bits([link.hot for link in links])), self.choice.eq(lowest(hot))]
        self.sync += If(act.look, self.pick.eq(self.choice))

        # Act: a meeting concerns this vertex in so far as the other end is active, or the boundary. An active vertex
        # then comes to rest, a resting one becomes active and joins.
        inner = [(k, link, link.far) for k, link in enumerate(links) if link.far is not None]
        ends = [(k, link) for k, link in enumerate(links) if link.far is None]
        met, turns, grounds, joins = (Signal() for _ in range(4))
        lower = _any(self.pick[k] for k, _, far in inner if far.number < self.number)
        self.comb += [
            grounds.eq(_any(link.meets for _, link in ends)),
            turns.eq(_any(link.meets & far.active for _, link, far in inner)),
            joins.eq(turns & (~self.active | lower)),
            self.carried.eq(
                reduce(
                    or_,
                    [masked(self.pick[k], link.parity, len(self.carried)) for k, link in enumerate(links)],
                    0,
                )
            ),
            self.adopted.eq(
                self.single
                & ~self.active
                & act.join
                & _any(self.pick[k] & far.current for k, _, far in inner)
            ),
            self.grounding.eq(_any(self.pick[k] for k, _ in ends)),
            met.eq(_any(link.meets for link in links)),
        ]
        self.sync += self.asks.eq(act.join & self.active & (self.pick != 0) & ~met)
        to = [
            _any(self.pick[k] for k, _, far in inner if far.number >> bit & 1)
            for bit in range(len(self.ident))
        ]
        self.comb += self.reached.eq(_any(far.granted & far.pick[link.slot] for _, link, far in inner))

        # Merge
        lost, member, moved = Signal(), Signal(), Signal(len(self.potential))
        self.comb += [
            lost.eq(act.merge & (self.ident == act.loser)),
            member.eq(lost | (act.merge & (self.ident == act.winner))),
            self.united.eq(member | self.adopted | (self.current & act.join)),
            moved.eq(
                masked(lost, act.offset, len(moved))
                | masked(joins | grounds | self.adopted, self.carried, len(moved))
            ),
        ]
        self.sync += [
            If(act.load,
                self.active.eq(self.event),
                self.grounded.eq(0),
                self.current.eq(0),
                self.ident.eq(self.number),
                self.potential.eq(0),
            ).Else(
                If(member, self.active.eq(act.still)).Else(
                    self.active.eq(self.active ^ (turns | grounds | self.adopted))
                ),
                self.grounded.eq(self.grounded | grounds | (lost & act.grounds)),
                self.current.eq(member | self.adopted | (self.current & ~act.merge)),
                If(lost | self.adopted, self.ident.eq(act.winner)).Elif(joins, self.ident.eq(bits(to))),
                self.potential.eq(self.potential ^ moved),
            ),
        ]  # fmt: skip


def _any(parts) -> Signal | int:
    return reduce(or_, parts, 0)
