# SPDX-License-Identifier: BSD-2-Clause
"""The union-find array of one connected component: vertices, edges, and the controller of its beats."""

from __future__ import annotations

from collections.abc import Sequence

from litex.gen import LiteXModule
from migen import FSM, Cat, If, NextState, NextValue, Signal, bits_for

from triplane.gateware.decoder.graph import BOUNDARY
from triplane.gateware.decoder.unionfind.commit import CommitFlood
from triplane.gateware.decoder.unionfind.edge import EdgeCell
from triplane.gateware.decoder.unionfind.peel import Peeler
from triplane.gateware.decoder.unionfind.plan import ArrayPlan
from triplane.gateware.decoder.unionfind.tree import First, MaskTree, OrTree, XorTree, bits, masked
from triplane.gateware.decoder.unionfind.vertex import Act, Link, Vertex

COUNTER_BITS = 16
"""Width of the step counters, as in the result record."""


class UnionFindArray(LiteXModule):
    """Decodes one connected component.

    The owner sequences passes: `load_base` at any time while the array does not grow, `load`, wait for `done`; then
    `flood` and `peel`, each where wanted and one after the other, the first of them with `done` or later; for a further
    pass `relieve` once per level, the weakest relief first, and `load` again with the same events.

    Args:
        plan: the component.
        num_observables: width of `observables`, at least 1.
        weights: by weight class, the weight that its edges take when they load; any weight from 1, driven by the
            owner.
        with_commit: build the commit flood.

    Attributes:
        events, load: detection events, bit k = vertex k, taken in a cycle in which `load` and `idle` are both 1.
        load_base: all edges load their weight, at the latest in the cycle of `load`; not while the array grows.
        relieve, relieved: the edges whose bit is set (bit k = edge k of the plan) load their weight; only while
            `idle`.
        first_growth: half-units to grow by before anything is looked at; at most the least weight that is loaded, or
            an edge could be filled past its end. Held for the two cycles after `load`; 0 saves the second of them.
        alive: bit k = edge k; an edge whose bit is 0 acts as if it were not there. Constant while the array is busy;
            read for edges that the plan calls switchable only.
        stop, stopped: from now on no look is followed by an act: the array is done in the cycle after the next look, as
            it is. 1 with `done` where clusters were still active then.
        peel, peeled: work out the correction; 1 for one cycle when it is there. With `done` or while `idle`, once
            after each.
        flood, seeds, flooded: commit the clusters that contain a seed, bit k = vertex k; 1 for one cycle when
            `committed` is valid. With `done` or while `idle` after it, before or after `peel`.
        held: the detection events of the load, as long as a flood goes on. An input of its own, from registers:
            `events` may come through whatever lets the last of them be decoded in the cycle in which it enters.
        idle: ready for any of these.
        done: 1 for the one cycle in which `observables`, `unmatched` and the counters become valid; they hold until
            the next load.
        observables: predicted flips.
        unmatched: detection events are left that nothing explains.
        correction: bit k = edge k of the plan; valid from `peeled` to the next load.
        committed: vertices of committed clusters, bit k = vertex k; holds until the next flood.
        committed_observables: flips predicted for the detection events in `committed`; valid from the cycle after
            `flooded`.
        grow_steps, merge_steps: acts of growth, and merges through the arbiter.
        bound: worst-case cycles from `load` to `done`.
    """

    LATENCY_EMPTY = 2  # cycles from load to done when there is nothing to decode

    def __init__(
        self,
        plan: ArrayPlan,
        num_observables: int,
        weights: Sequence[Signal],
        with_commit: bool = False,
    ) -> None:
        count, edges = len(plan.vertices), max(len(plan.edges), 1)
        self.events = Signal(count)
        self.load = Signal()
        self.load_base = Signal()
        self.relieve = Signal()
        self.relieved = Signal(edges)
        self.stop = Signal()
        self.stopped = Signal()
        self.first_growth = Signal(plan.slack_bits)
        self.alive = Signal(edges, reset=2**edges - 1)
        self.peel = Signal()
        self.peeled = Signal()
        self.flood = Signal()
        self.seeds = Signal(count)
        self.held = Signal(count)
        self.flooded = Signal()
        self.idle = Signal()
        self.done = Signal()
        self.observables = Signal(num_observables)
        self.unmatched = Signal()
        self.correction = Signal(edges)
        self.committed = Signal(count)
        self.committed_observables = Signal(num_observables)
        self.grow_steps = Signal(COUNTER_BITS)
        self.merge_steps = Signal(COUNTER_BITS)
        self.bound = plan.bound

        # # #

        id_bits = bits_for(max(count - 1, 1))
        self.act = act = Act(id_bits, num_observables)
        self.vertices = vertices = [
            Vertex(number, len(incident), id_bits, num_observables, act)
            for number, incident in enumerate(plan.incident)
        ]
        self.submodules += vertices
        self.peeler = peeler = Peeler(plan)
        self.comb += [
            peeler.load.eq(act.load),
            peeler.events.eq(self.events),
            self.correction.eq(peeler.correction),
        ]

        # Edges
        delta = Signal(plan.slack_bits)
        lengths = _delayed(self, [weights[edge.weight_class] for edge in plan.edges])
        slot = [{e: k for k, e in enumerate(incident)} for incident in plan.incident]
        cells, meetings, joined = [], [], []
        for position, edge in enumerate(plan.edges):
            cell = EdgeCell(plan.steps, plan.slack_bits)
            u, picked_u = vertices[edge.u], slot[edge.u][position]
            alive = self.alive[position] if edge.switchable else 1
            meeting, meets, join = Signal(), Signal(), Signal()
            self.comb += [
                cell.weight.eq(lengths[weights[edge.weight_class]]),
                cell.load.eq(self.load_base | (self.relieve & self.relieved[position])),
                cell.delta.eq(delta),
                cell.u_active.eq(u.active),
            ]
            asked = (u.granted | u.adopted) & u.pick[picked_u]
            if edge.v == BOUNDARY:
                self.comb += [cell.open.eq(alive), meeting.eq(u.choice[picked_u] & u.single)]
            else:
                # Whether two vertices are in different clusters is kept, not compared: it ends when they join.
                v, picked_v, apart = vertices[edge.v], slot[edge.v][position], Signal()
                self.comb += [
                    cell.v_active.eq(v.active),
                    cell.open.eq(apart & alive),
                    meeting.eq(u.choice[picked_u] & v.choice[picked_v] & u.single & v.single),
                ]
                self.sync += If(act.load, apart.eq(1)).Elif(meets | (u.united & v.united), apart.eq(0))
                asked = asked | ((v.granted | v.adopted) & v.pick[picked_v])
            self.comb += join.eq(meets | asked)
            self.sync += meets.eq(act.look & meeting)
            cells.append(cell)
            meetings.append((meeting, meets))
            joined.append(join)
        self.submodules += cells
        self.comb += peeler.grow.eq(bits(joined))

        # Vertices
        for number, (vertex, incident) in enumerate(zip(vertices, plan.incident, strict=True)):
            links = []
            for position in incident:
                edge = plan.edges[position]
                meeting, meets = meetings[position]
                far, far_slot = None, 0
                if edge.v != BOUNDARY:
                    other = edge.v if edge.u == number else edge.u
                    far, far_slot = vertices[other], slot[other][position]
                links.append(Link(cells[position].hot, meeting, meets, edge.observables, far, far_slot))
            vertex.connect(links)
            self.comb += [vertex.event.eq(self.events[number]), vertex.single.eq(peeler.bare[number])]

        # Arbiter: the first vertex that asks has its way. Its cluster and that at the other end of the edge become one.
        looking, calling, asked, hears, adopting = (Signal() for _ in range(5))
        self.asking = OrTree([v.asks for v in vertices])
        self.arbiter = First([v.asks for v in vertices])
        self.losers = MaskTree([(v.granted, v.ident) for v in vertices], id_bits)
        self.winners = MaskTree([(v.reached, v.ident) for v in vertices], id_bits)
        self.offsets = XorTree(
            [masked(v.granted, v.potential ^ v.carried, num_observables) for v in vertices], num_observables
        )
        self.far_active = MaskTree([(v.reached, v.active) for v in vertices], 1)
        self.far_grounded = MaskTree([(v.reached, v.grounded) for v in vertices], 1)
        self.grounding = MaskTree([(v.granted, v.grounding) for v in vertices], 1)
        # Free vertices go first: after an adoption nobody is heard, and whoever asked looks again.
        self.adoptions = OrTree([v.adopted for v in vertices])
        self.comb += [hears.eq(looking & ~adopting & ~self.stop), asked.eq(self.asking.output & ~adopting)]
        self.sync += [
            act.join.eq(act.look),
            act.merge.eq(calling),
            adopting.eq(self.adoptions.output),
            Cat(*(v.granted for v in vertices)).eq(masked(hears, self.arbiter.output, len(vertices))),
            If(calling,
                act.loser.eq(self.losers.output),
                act.winner.eq(self.winners.output | masked(self.grounding.output, self.losers.output, id_bits)),
            ),
            act.offset.eq(self.offsets.output),
            act.grounds.eq(self.grounding.output | self.far_grounded.output),
            act.still.eq(~self.far_active.output & ~self.grounding.output & ~self.far_grounded.output),
        ]  # fmt: skip

        # What the look has shown, over the whole array
        flips = [masked(peeler.defects[v.number], v.potential, num_observables) for v in vertices]
        self.wishing = OrTree([cell.hot for cell in cells])
        self.activity = OrTree([v.active for v in vertices])
        self.growth = OrTree([cell.growing for cell in cells])
        self.limits = OrTree([cell.blocks for cell in cells], len(plan.steps))
        self.flips = XorTree(flips, num_observables)
        filling, first, active, wishes, growable = (Signal() for _ in range(5))
        step, blocked = Signal(plan.slack_bits), Signal(len(plan.steps))
        self.sync += If(looking | filling,
            active.eq(self.activity.output),
            wishes.eq(self.wishing.output),
            growable.eq(self.growth.output),
            blocked.eq(self.limits.output),
            self.observables.eq(self.flips.output),
        )  # fmt: skip
        # By how much to grow reaches every edge: it follows from registers, not from the controller's state.
        grow = Signal()
        self.comb += [
            step.eq(_largest_step(plan.steps, blocked)),
            grow.eq(act.join & ~wishes & growable),
            If(first, delta.eq(self.first_growth)).Elif(grow, delta.eq(step)),
        ]
        self.sync += first.eq(filling & (self.first_growth != 0))

        # Controller: a look, then an act: all meetings, with adoptions; or growth. Who asks in an act is heard in the
        # cycle of the next look, which is then given up for the merge.
        #
        #   cycle     0     1      2     3    4     5    6     7     8     9     10   11
        #   state   IDLE  FILL  FIRST  LOOK  ACT  LOOK  ACT  LOOK  CALL  MERGE  LOOK  ACT
        #   load   __/--\________________________________________________________________
        #   look   _____________________/--\_______/--\___________________/--\__________
        #   asks   _________________________________________/--\_________________________
        #   done   _______________________________________________________________/--\___   nothing was left to do
        flooding = Signal()
        rest = [
            NextState("IDLE"),
            If(self.peel, NextState("PEEL")),
            *([If(self.flood, flooding.eq(1), NextState("FLOOD"))] if with_commit else []),
        ]
        self.fsm = fsm = FSM(reset_state="IDLE")
        fsm.act("IDLE",
            self.idle.eq(1),
            If(self.load,
                act.load.eq(1),
                NextValue(self.grow_steps, 0),
                NextValue(self.merge_steps, 0),
                NextState("FILL"),
            ).Elif(self.peel, NextState("PEEL")),
        )  # fmt: skip
        fsm.act("FILL", filling.eq(1), NextState("LOOK"), If(self.first_growth != 0, NextState("FIRST")))
        fsm.act("FIRST", NextState("LOOK"), If(~active, self.done.eq(1), *rest))
        fsm.act("LOOK",
            looking.eq(1),
            act.look.eq(~asked & ~self.stop),
            NextState("ACT"),
            # Whatever was active before an act has been seen to be; only in the first look this can be news.
            If(~active,
                self.done.eq(1),
                *rest,
            ).Elif(self.stop,
                NextState("STOP"),
            ).Elif(asked,
                NextState("CALL"),
            ),
        )  # fmt: skip
        fsm.act("ACT",
            NextState("LOOK"),
            # An edge that grows has an active end.
            If(~wishes,
                If(growable,
                    NextValue(self.grow_steps, self.grow_steps + 1),
                ).Else(
                    self.done.eq(1),
                    *rest,
                ),
            ),
        )  # fmt: skip
        fsm.act("STOP", self.done.eq(1), self.stopped.eq(active), *rest)
        fsm.act("CALL", calling.eq(1), NextState("MERGE"))
        fsm.act("MERGE", NextValue(self.merge_steps, self.merge_steps + 1), NextState("LOOK"))
        fsm.act("PEEL", peeler.step.eq(1), If(peeler.empty, self.peeled.eq(1), NextState("IDLE")))
        self.comb += self.unmatched.eq(active)

        if with_commit:
            # Peeling takes the forest and the events apart; what is committed may be asked for afterwards.
            tree = Signal(edges)
            self.sync += If(act.load, tree.eq(0)).Else(tree.eq(tree | peeler.grow))
            kept = [masked(self.held[v.number], v.potential, num_observables) for v in vertices]
            self.commit = commit = CommitFlood(plan, tree, kept, num_observables)
            fsm.act("IDLE", If(self.flood, flooding.eq(1), NextState("FLOOD")))
            fsm.act("FLOOD", commit.step.eq(1), If(commit.settled, self.flooded.eq(1), NextState("IDLE")))
            self.comb += [
                commit.start.eq(flooding),
                commit.seeds.eq(self.seeds),
                self.committed.eq(commit.committed),
                self.committed_observables.eq(commit.observables),
            ]


def _delayed(module: LiteXModule, buses: Sequence[Signal]) -> dict[Signal, Signal]:
    """Each of `buses` -> a register that holds what it carried a cycle ago."""
    registers = {
        bus: Signal.like(bus, reset=0, reset_less=True) for bus in sorted(set(buses), key=lambda s: s.duid)
    }
    module.sync += [register.eq(bus) for bus, register in registers.items()]
    return registers


def _largest_step(steps: Sequence[int], blocked: Signal):
    """The largest step that is not blocked: where a step is, all larger ones are, so one bit in all is 1 and the next
    one is not. The first step is 1 and never blocked: an edge that grows has at least one half-unit left.
    """
    result = 0
    for k, step in enumerate(steps):
        allowed = ~blocked[k] if k else 1
        last = blocked[k + 1] if k + 1 < len(steps) else 1
        result = result | masked(allowed & last, step, bits_for(step))
    return result
