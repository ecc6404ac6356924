# SPDX-License-Identifier: BSD-2-Clause
"""The union-find array of one connected component: vertices, edges, and the two-beat controller."""

from __future__ import annotations

from collections.abc import Sequence

from litex.gen import LiteXModule
from migen import FSM, Cat, Constant, If, NextState, NextValue, Replicate, Signal, bits_for

from triplane.gateware.decoder.graph import BOUNDARY
from triplane.gateware.decoder.unionfind.edge import EdgeCell, WeightClass
from triplane.gateware.decoder.unionfind.peel import Peeler
from triplane.gateware.decoder.unionfind.plan import ArrayPlan
from triplane.gateware.decoder.unionfind.tree import FirstTree, OrTree, XorTree, bits
from triplane.gateware.decoder.unionfind.vertex import Act, Link, Vertex

COUNTER_BITS = 16
"""Width of the step counters, as in the result record."""


class UnionFindArray(LiteXModule):
    """Decodes one connected component.

    Args:
        plan: the component.
        num_observables: width of `observables`, at least 1.
        weights: the weight registers, by class; they must not change while the array is busy.

    Attributes:
        events, load: detection events, bit k = vertex k, taken in a cycle in which `load` and `idle` are both 1.
        peel: after the observables, work out the correction.
        idle: ready to load.
        done: 1 for the one cycle in which `observables`, `unmatched` and the counters become valid; they hold until
            the next load.
        observables: predicted flips.
        unmatched: detection events are left that nothing explains.
        correction: bit k = edge k of the plan; valid from the cycle in which the array is idle again.
        grow_steps, merge_steps: acts of growth, and merges through the arbiter.
        bound: worst-case cycles from `load` to `done`.
    """

    LATENCY_EMPTY = 2  # cycles from load to done when there is nothing to decode

    def __init__(self, plan: ArrayPlan, num_observables: int, weights: Sequence[WeightClass]) -> None:
        count = len(plan.vertices)
        self.events = Signal(count)
        self.load = Signal()
        self.peel = Signal()
        self.idle = Signal()
        self.done = Signal()
        self.observables = Signal(num_observables)
        self.unmatched = Signal()
        self.correction = Signal(max(len(plan.edges), 1))
        self.grow_steps = Signal(COUNTER_BITS)
        self.merge_steps = Signal(COUNTER_BITS)
        self.bound = plan.bound

        # # #

        id_bits = bits_for(count)  # vertex numbers below, all ones for the boundary
        self.act = act = Act(id_bits, num_observables)
        self.vertices = vertices = [
            Vertex(number, len(incident), id_bits, num_observables, act)
            for number, incident in enumerate(plan.incident)
        ]
        self.submodules += vertices

        # Edges
        grow, delta = Signal(), Signal(plan.slack_bits)
        cells = []
        differs: list[Signal | int] = []
        for edge in plan.edges:
            cell = EdgeCell(weights[edge.weight_class], plan.steps, plan.slack_bits)
            u = vertices[edge.u]
            self.comb += [
                cell.load.eq(act.load),
                cell.grow.eq(grow),
                cell.delta.eq(delta),
                cell.u_active.eq(u.active),
            ]
            if edge.v == BOUNDARY:
                self.comb += cell.rate_at_load.eq(u.event)
                differs.append(1)
            else:
                v, apart = vertices[edge.v], Signal()
                self.comb += [
                    apart.eq(u.ident != v.ident),
                    cell.inside.eq(~apart),
                    cell.v_active.eq(v.active),
                    cell.rate_at_load.eq(u.event + v.event),
                ]
                differs.append(apart)
            cells.append(cell)
        self.submodules += cells

        # Vertices
        slot = [{e: k for k, e in enumerate(incident)} for incident in plan.incident]
        for number, (vertex, incident) in enumerate(zip(vertices, plan.incident, strict=True)):
            links = []
            for position in incident:
                edge = plan.edges[position]
                if edge.v == BOUNDARY:
                    links.append(Link(cells[position].full, edge.observables, None, 1, 1))
                    continue
                other = edge.v if edge.u == number else edge.u
                far = vertices[other]
                mutual = far.choice[slot[other][position]]
                links.append(Link(cells[position].full, edge.observables, far, differs[position], mutual))
            vertex.connect(links)
            self.comb += vertex.event.eq(self.events[number])

        # Arbiter: the first vertex that wishes to merge has its way, and all vertices hear of it.
        chosen = Signal(bits_for(max(count - 1, 1)))
        fields = Cat(act.winner, act.loser, act.offset, act.still, chosen)
        self.arbiter = FirstTree(
            [
                (v.wants_merge, Cat(v.to, v.ident, v.offset, v.still, Constant(v.number, len(chosen))))
                for v in vertices
            ],
            len(fields),
        )
        self.comb += fields.eq(self.arbiter.payload)

        # Forest
        self.peeler = peeler = Peeler(plan)
        self.comb += [
            peeler.load.eq(act.load),
            peeler.events.eq(self.events),
            self.correction.eq(peeler.correction),
        ]
        joined = []
        for position, edge in enumerate(plan.edges):
            ends = [edge.u] if edge.v == BOUNDARY else [edge.u, edge.v]
            joins: Signal | int = 0
            paired: Signal | int = 1
            for end in ends:
                vertex, picked = vertices[end], vertices[end].pick[slot[end][position]]
                paired &= vertex.wants_pair & picked
                wish = (act.adopt & vertex.wants_adopt) | (act.merge & (chosen == end))
                joins |= picked & wish
            join = Signal()  # one line of Verilog for each edge: tools limit the length of a line
            self.comb += join.eq(joins | (act.pair & paired))
            joined.append(join)
        self.comb += peeler.grow.eq(bits(joined))

        # What the look has shown, over the whole array
        self.pairing = OrTree([v.wants_pair for v in vertices])
        self.adopting = OrTree([v.wants_adopt for v in vertices])
        self.activity = OrTree([v.active for v in vertices])
        self.growth = OrTree([cell.growing for cell in cells])
        self.limits = OrTree([cell.blocks for cell in cells], len(plan.steps))
        self.flips = XorTree(
            [_masked(peeler.defects[v.number], v.potential) for v in vertices],
            num_observables,
        )
        active, growable, blocked = Signal(), Signal(), Signal(len(plan.steps))
        self.sync += If(act.look,
            active.eq(self.activity.output),
            growable.eq(self.growth.output),
            self.observables.eq(self.flips.output),
            blocked.eq(self.limits.output),
        )  # fmt: skip
        self.comb += delta.eq(_largest_step(plan.steps, blocked))

        # Controller: a look, then the most local act that anybody wishes for.
        #
        #   cycle     0     1     2    3     4    5    ...
        #   state   IDLE  LOOK   ACT  LOOK  ACT  LOOK  ACT
        #   load   __/--\________________________________
        #   done   ________________________________________/--\   in the ACT after a look that found nothing to do
        wishes, finished = Signal(), Signal()
        self.comb += [
            wishes.eq(self.pairing.output | self.adopting.output | self.arbiter.valid),
            finished.eq(~active | (~wishes & ~growable)),
        ]
        self.fsm = fsm = FSM(reset_state="IDLE")
        fsm.act("IDLE",
            self.idle.eq(1),
            If(self.load,
                act.load.eq(1),
                NextValue(self.grow_steps, 0),
                NextValue(self.merge_steps, 0),
                NextState("LOOK"),
            ),
        )  # fmt: skip
        fsm.act("LOOK", act.look.eq(1), NextState("ACT"))
        fsm.act("ACT",
            NextState("LOOK"),
            If(finished,
                self.done.eq(1),
                If(self.peel, NextState("PEEL")).Else(NextState("IDLE")),
            ).Elif(self.pairing.output, act.pair.eq(1),
            ).Elif(self.adopting.output, act.adopt.eq(1),
            ).Elif(self.arbiter.valid,
                act.merge.eq(1),
                NextValue(self.merge_steps, self.merge_steps + 1),
            ).Else(
                grow.eq(1),
                NextValue(self.grow_steps, self.grow_steps + 1),
            ),
        )  # fmt: skip
        fsm.act("PEEL", peeler.step.eq(1), If(peeler.empty, NextState("IDLE")))
        self.comb += self.unmatched.eq(active)


def _masked(bit: Signal, value: Signal) -> Signal:
    return value & Replicate(bit, len(value))


def _largest_step(steps: Sequence[int], blocked: Signal):
    """The largest step that is not blocked: where a step is, all larger ones are, so one bit in all is 1 and the next
    one is not. The first step is 1 and never blocked: an edge that grows has at least one half-unit left.
    """
    result = 0
    for k, step in enumerate(steps):
        allowed = ~blocked[k] if k else 1
        last = blocked[k + 1] if k + 1 < len(steps) else 1
        result = result | (Replicate(allowed & last, bits_for(step)) & step)
    return result
