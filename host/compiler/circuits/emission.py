# SPDX-License-Identifier: BSD-2-Clause
"""A tree of segments becomes a program of the sequencer."""

from __future__ import annotations

from collections.abc import Sequence

from triplane.gateware.dsp.layouts import NUM_TONES
from triplane.gateware.sequencer.layouts import BRANCH_CYCLES
from triplane.host.compiler.carriers import Carriers
from triplane.host.compiler.circuits.arithmetic import Arithmetic
from triplane.host.compiler.circuits.expressions import inverted
from triplane.host.compiler.circuits.groups import Groups
from triplane.host.compiler.circuits.lateness import Lateness
from triplane.host.compiler.circuits.pacing import Event, planned
from triplane.host.compiler.circuits.registers import RESULT, SHOTS, Registers
from triplane.host.compiler.circuits.timing import result_cycles
from triplane.host.compiler.circuits.tree import (
    Again,
    Assign,
    Capture,
    Decide,
    If,
    Leave,
    Node,
    Play,
    Put,
    Read,
    Repeat,
    Segment,
    Shift,
    Switch,
    Timed,
    Unrolled,
    While,
)
from triplane.host.compiler.circuits.writer import (
    AFTER_DECISION,
    AFTER_READ,
    LONG_HELD,
    MOST_AHEAD,
    PATIENCE,
    Writer,
)

BEGINNING = 40
"""Slack that the first shot of a point begins with, at least."""

PATCH = "angle"
"""Labels of instructions whose number is an angle that is bound later: `angle_NUMBER_n`."""

POINTS = "points"
"""Label of what comes behind the loop over shots: for each point its angles and its shots, and a call of the loop."""

LOOP = "shots"


class Emission:
    """Writes the program of a tree.

    Args:
        carriers: slots of the channels.
        registers: of the circuit.
        queue_events: that the queue of a channel holds.
        rest_cycles: between shots.
    """

    def __init__(
        self, carriers: Carriers, registers: Registers, queue_events: int, rest_cycles: int = 0
    ) -> None:
        self._rest_cycles = rest_cycles
        self.carriers, self.registers = carriers, registers
        self.groups = Groups()
        self.lateness = Lateness(lambda slot: result_cycles(carriers.device, slot // NUM_TONES))
        self.writer = Writer(queue_events, BEGINNING, self.lateness)
        self.arithmetic = Arithmetic(self.writer, registers)
        self._loops: list[tuple[str, str]] = []
        self._channels = tuple(range(carriers.first_line + len(carriers.device.lines)))

    def program(self, nodes: Sequence[Node]) -> str:
        """Source of the loop over shots and of one point, without the alignment, which is to be put before it.

        The point comes last, so that others can be put behind it.

        Raises:
            CircuitError: registers are too few.
        """
        writer = self.writer
        writer.do(f"jump {POINTS}")
        writer.lines.append(f"{LOOP}:")
        writer.do("sync", BRANCH_CYCLES)
        writer.waited(AFTER_DECISION)
        writer.advance(BEGINNING)
        head = writer.begin_loop("shot", self._channels)
        for register in range(1, 1 + self.registers.words + len(self.registers.variables)):
            writer.do(f"set r{register}, 0")
        self._nodes(nodes)
        self._epilogue(head)
        return "\n".join([*self.groups.directives, *writer.lines])

    def _epilogue(self, head: tuple[str, int]) -> None:
        """What a shot gives out, word by word; then the next one, or the end.

        Giving out waits while the host has not made room, so that the cursor is taken anew behind it.
        """
        writer = self.writer
        for word in range(self.registers.words):
            writer.do(f"emit r{1 + word}")
        writer.do("sync", BRANCH_CYCLES)
        writer.waited(AFTER_DECISION)
        writer.advance(self._rest_cycles)
        writer.end_loop(head, f"loop r{SHOTS}")
        writer.do("return")
        writer.lines.append(f"{POINTS}:")
        for register in (*self.registers.angles, SHOTS):
            writer.do(f"set r{register}, 0")
        writer.do(f"call {LOOP}")
        writer.do("halt 0")

    def _nodes(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            match node:
                case Segment():
                    self._segment(node)
                case Read():
                    self._read(node)
                case Assign():
                    self.arithmetic.into(self.registers.variables[node.variable], node.value)
                case Put():
                    self.arithmetic.put(node.bits, node.value)
                case Decide():
                    self._decide(node)
                case If():
                    self._if(node)
                case Switch():
                    self._switch(node)
                case While():
                    self._while(node)
                case Repeat():
                    self._repeat(node)
                case Unrolled():
                    self._unrolled(node)
                case Leave():
                    self._leave(self._loops[-1][1])
                case Again():
                    self._leave(self._loops[-1][0])

    # Decisions

    def _read(self, node: Read) -> None:
        register, place = self.registers.bit(node.bit)
        writer = self.writer
        writer.wait(f"read r{RESULT}, {node.slot}, {PATIENCE}", node.slot, AFTER_READ)
        writer.do(f"and r{RESULT}, r{RESULT}, 1")
        if place:
            writer.do(f"shl r{RESULT}, r{RESULT}, {place}")
        if node.clear:
            writer.do(f"and r{register}, r{register}, {2**32 - 1 - 2**place}")
        writer.do(f"or r{register}, r{register}, r{RESULT}")

    def _decide(self, node: Decide) -> None:
        """Both branches begin right behind the result."""
        first, second, condition = (node.one, node.zero, "zero") if node.one else (node.zero, node.one, "one")
        target = self.writer.label("found")
        self.writer.wait(
            f"on.{condition} {node.slot}, {target}, {PATIENCE}", node.slot, AFTER_DECISION, target
        )
        self._either(node, first, second, target)

    def _if(self, node: If) -> None:
        first, second, condition = node.then, node.otherwise, node.condition
        if not first:
            first, second, condition = second, first, inverted(condition)
        target = self.writer.label("otherwise")
        self.arithmetic.unless(condition, target)
        self._either(node, first, second, target)

    def _either(self, node: Node, first: Sequence[Node], second: Sequence[Node], target: str) -> None:
        """The first way follows, the second is at the target."""
        writer = self.writer
        self._decided(node, first)
        if not second:
            writer.here(target)
            return
        end = writer.label("end")
        writer.jump(end)
        writer.here(target, falls=False)
        self._decided(node, second)
        writer.here(end)

    def _decided(self, node: Node, body: Sequence[Node]) -> None:
        with self.lateness.deciding(node):
            self._nodes(body)

    def _switch(self, node: Switch) -> None:
        writer = self.writer
        end = writer.label("end")
        labels = [writer.label("case") for _ in node.cases]
        with self.registers.temporary("a switch") as register:
            self.arithmetic.into(register, node.target)
            default = end
            for label, (values, _) in zip(labels, node.cases, strict=True):
                for value in values:
                    writer.branch(f"beq r{register}, {value}, {label}", label)
                if not values:
                    default = label
            writer.jump(default)
        for label, (_, body) in zip(labels, node.cases, strict=True):
            writer.here(label, falls=False)
            self._decided(node, body)
            writer.jump(end)
        writer.here(end, falls=False)

    # Loops

    def _while(self, node: While) -> None:
        writer = self.writer
        again, end = writer.label("again"), writer.label("end")
        head = writer.begin_loop("while", self._channels)
        with self.lateness.loop(node):
            self.arithmetic.unless(node.condition, end)
            with self.lateness.deciding(node):
                self._body(node.body, again, end)
            writer.here(again)
            writer.end_loop(head, "jump")
        writer.here(end, falls=False)

    def _repeat(self, node: Repeat) -> None:
        writer = self.writer
        again, end = writer.label("again"), writer.label("end")
        variable = None if node.variable is None else self.registers.variables[node.variable]
        with self.registers.temporary("a loop") as counter:
            writer.do(f"set r{counter}, {node.times}")
            if variable is not None:
                writer.do(f"set r{variable}, {node.first}")
            head = writer.begin_loop("for", self._channels)
            self._body(node.body, again, end)
            writer.here(again)
            if variable is not None:
                # After the last pass it keeps its last value, as in Python.
                done = writer.label("last")
                writer.branch(f"beq r{counter}, 1, {done}", done)
                writer.do(f"add r{variable}, r{variable}, {node.step}")
                writer.here(done)
            writer.end_loop(head, f"loop r{counter}")
            writer.here(end)

    def _unrolled(self, node: Unrolled) -> None:
        end = self.writer.label("end")
        for body in node.bodies:
            again = self.writer.label("again")
            self._body(body, again, end)
            self.writer.here(again)
        self.writer.here(end)

    def _body(self, body: Sequence[Node], again: str, end: str) -> None:
        self._loops.append((again, end))
        self._nodes(body)
        self._loops.pop()

    def _leave(self, target: str) -> None:
        self.writer.jump(target)

    # Events

    def _segment(self, segment: Segment) -> None:
        """All events in order; the cursor moves on where the first would be late, and nowhere else."""
        writer = self.writer
        events = sorted((e for op in segment.ops for e in self._events(op)), key=lambda e: e.time)
        if not events:
            self.lateness.acted()
            writer.advance(segment.cycles)
            self.lateness.played(segment.cycles, ())
            return
        plan = planned(events, writer.queued, writer.queue_events)
        writer.need(plan.needs[0] - max(events[0].time - 1, 0))
        self.lateness.acted()
        writer.advance(events[0].time)
        ends = [event.time for event in events[1:]] + [segment.cycles]
        for number, (event, end) in enumerate(zip(events, ends, strict=True)):
            if number in plan.holds:
                writer.hold(plan.bound)
                writer.queued.update(plan.holds[number])
            label = "" if event.patch is None else f"{PATCH}_{event.patch}"
            writer.event(event.text, event.channels, end - event.time, label)
        captures = [op for op in segment.ops if isinstance(op, Capture)]
        self.lateness.played(
            segment.cycles, [(slot, segment.cycles - op.time) for op in captures for slot in op.slots]
        )
        # Here and not behind a decision, where it would cost time
        if writer.ahead > MOST_AHEAD:
            writer.hold(LONG_HELD)

    def _events(self, op: Timed) -> list[Event]:
        match op:
            case Play():
                group = self.groups.drive(op.channel)
                return [Event(op.time, f"play {group}, {op.entry}", (op.channel,))]
            case Capture():
                channel = self.carriers.first_line + op.line
                group = self.groups.line(channel, op.slots)
                return [
                    Event(op.time, f"play {group}, {op.window}", (channel,)),
                    Event(op.time, f"capture {group}, {op.window}", (channel,)),
                ]
            case Shift():
                group = self.groups.drive(op.channel)
                channels = (op.channel,)
                word, patch = str(op.word), op.angle
                if op.angle is not None and self.registers.angles:
                    word, patch = f"r{self.registers.angles[op.angle]}", None
                phase = f"phase {group}, {word}"
                if op.slot == 0:
                    return [Event(op.time, phase, channels, patch)]
                return [
                    Event(op.time, f"slot {group}, {op.slot}", channels),
                    Event(op.time + 1, phase, channels, patch),
                    Event(op.time + 2, f"slot {group}, 0", channels),
                ]
