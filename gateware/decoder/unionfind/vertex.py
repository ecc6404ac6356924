# SPDX-License-Identifier: BSD-2-Clause
"""One detector of the union-find array: which cluster it is in, and what it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_

from litex.gen import LiteXModule
from migen import If, Mux, Replicate, Signal

from triplane.gateware.decoder.unionfind.tree import below, bits, lowest


@dataclass(frozen=True)
class Link:
    """An edge as one of its ends sees it.

    Attributes:
        full: the edge has been grown over.
        observables: constant, bit k is set when the edge crosses observable k.
        far: the vertex at the other end, None for the boundary.
        differs: the two ends are in different clusters (boundary: constant 1).
        mutual: the other end has picked this edge too (boundary: constant 1).
    """

    full: Signal
    observables: int
    far: Vertex | None
    differs: Signal | int
    mutual: Signal | int


class Act(LiteXModule):
    """What all vertices are told to do, broadcast by the controller; at most one of the first five is set.

    Attributes:
        load: start over with the detection events.
        look: register the wishes computed from the present state.
        pair: clusters of one vertex join each other, or the boundary, where both sides wish it.
        adopt: free vertices join the cluster that has reached them.
        merge: cluster `loser` becomes part of `winner`, at parity `offset`; what results is active where `still`.
    """

    def __init__(self, id_bits: int, num_observables: int) -> None:
        self.load = Signal()
        self.look = Signal()
        self.pair = Signal()
        self.adopt = Signal()
        self.merge = Signal()
        self.winner = Signal(id_bits)
        self.loser = Signal(id_bits)
        self.offset = Signal(num_observables)
        self.still = Signal()


class Vertex(LiteXModule):
    """State of one detector.

    A cluster's number is a vertex number; all ones is the boundary, so that reaching it is an ordinary merge. Each
    vertex keeps the parity of the observables on its way to the cluster's root (`potential`): the logical flip is
    then an XOR over the detection events, with no walk through the tree.

    A vertex looks at its links in a fixed order and picks the first that is full and leads somewhere new. A free
    vertex wishes to be adopted, a vertex of an active cluster wishes to merge.

    Attributes:
        number, event: this vertex's number; its detection event at `load`.
        choice: one bit per link: the link that would be picked now.
        taken, active, single, grounded, ident, potential: the state.
        pick: `choice` as it was at the last look.
        wants_pair, wants_adopt, wants_merge: registered wishes.
        to, offset, still: registered, the cluster at the other end of the picked link, the parity that joining it
            would add to this cluster, and whether the union would be active.
    """

    def __init__(self, number: int, degree: int, id_bits: int, num_observables: int, act: Act) -> None:
        self.number = number
        self.event = Signal()
        self.taken = Signal()
        self.active = Signal()
        self.single = Signal()
        self.grounded = Signal()
        self.ident = Signal(id_bits, reset=number)
        self.potential = Signal(num_observables)
        self.choice = Signal(max(degree, 1))
        self.pick = Signal(max(degree, 1))
        self.wants_pair = Signal()
        self.wants_adopt = Signal()
        self.wants_merge = Signal()
        self.to = Signal(id_bits)
        self.offset = Signal(num_observables)
        self.still = Signal()
        self._act = act

    def connect(self, links: list[Link]) -> None:
        """Builds the logic, once all vertices exist; `links` in order of preference."""
        act = self._act
        boundary = 2 ** len(self.ident) - 1

        # Signals of one bit per link are each assigned whole: Migen's Verilog back end takes time quadratic in the
        # number of statements that share a target.
        leads, paired, touched = (Signal.like(self.choice) for _ in range(3))
        to, offset, still = Signal.like(self.to), Signal.like(self.offset), Signal()
        news, mutuals, frees, idents, potentials, stills = [], [], [], [], [], []
        for k, link in enumerate(links):
            far = link.far
            if far is None:
                new, ident, potential = self.active, boundary, link.observables
                mutuals.append(self.choice[k])
            else:
                new = Mux(self.taken, self.active & far.taken & link.differs, far.active)
                ident, potential = far.ident, far.potential ^ link.observables
                mutuals.append(self.choice[k] & link.mutual & far.single)
                frees.append(link.full & ~far.taken)
                stills.append(self.choice[k] & ~far.active & ~far.grounded)
            news.append(link.full & new)
            idents.append(_masked(self.choice[k], ident, len(to)))
            potentials.append(_masked(self.choice[k], potential, len(offset)))
        self.comb += [
            leads.eq(bits(news)),
            self.choice.eq(lowest(leads)),
            paired.eq(bits(mutuals)),
            touched.eq(bits(frees)),
            to.eq(reduce(or_, idents, 0)),
            offset.eq(self.potential ^ reduce(or_, potentials, 0)),
            still.eq(reduce(or_, stills, 0)),
        ]
        reached = Signal()
        self.sync += If(act.look,
            self.pick.eq(self.choice),
            self.wants_adopt.eq(~self.taken & (leads != 0)),
            self.wants_merge.eq(self.taken & (leads != 0)),
            self.wants_pair.eq(self.single & (paired != 0)),
            reached.eq(touched != 0),
            self.to.eq(to),
            self.offset.eq(offset),
            self.still.eq(still),
        )  # fmt: skip

        # Of a pair the lower number is the root. `to` of a picked neighbour is that neighbour's own number, since
        # it is a cluster of one; for the boundary it is all ones, and there the potential is taken over as well.
        is_root = Signal()
        self.comb += is_root.eq(~below(self.to, self.number + 1))
        lost, joined = Signal(), Signal()
        self.comb += [
            lost.eq(act.merge & (self.ident == act.loser)),
            joined.eq(act.merge & ((self.ident == act.loser) | (self.ident == act.winner))),
        ]
        self.sync += [
            If(act.load,
                self.taken.eq(self.event),
                self.active.eq(self.event),
                self.single.eq(self.event),
                self.grounded.eq(0),
                self.ident.eq(self.number),
                self.potential.eq(0),
            ),
            If(act.pair & self.wants_pair,
                self.active.eq(0),
                self.single.eq(0),
                If(~is_root | (self.to == boundary),
                    self.ident.eq(self.to),
                    self.grounded.eq(self.to == boundary),
                    self.potential.eq(self.offset),
                ),
            ),
            If(act.adopt & self.wants_adopt,
                self.taken.eq(1),
                self.active.eq(1),
                self.ident.eq(self.to),
                self.potential.eq(self.offset),
            ),
            If(act.adopt & reached, self.single.eq(0)),
            If(lost,
                self.ident.eq(act.winner),
                self.grounded.eq(act.winner == boundary),
                self.potential.eq(self.potential ^ act.offset),
            ),
            If(joined, self.active.eq(act.still), self.single.eq(0)),
        ]  # fmt: skip


def _masked(bit: Signal, value: Signal | int, width: int) -> Signal:
    return Replicate(bit, width) & value
