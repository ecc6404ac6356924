# SPDX-License-Identifier: BSD-2-Clause
"""A transpiled circuit becomes a tree of scheduled segments.

Where paths of the program meet, all of them must have left the same behind: each ends with the frames that it began
with (what it has added, it gives to the hardware), and with the same results unread.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from qiskit.circuit import (
    BreakLoopOp,
    CircuitInstruction,
    Clbit,
    ContinueLoopOp,
    Delay,
    ForLoopOp,
    IfElseOp,
    Parameter,
    QuantumCircuit,
    Qubit,
    Store,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.controlflow import CASE_DEFAULT

from triplane.hal.device import ADC_HZ, Device
from triplane.host.compiler.carriers import Carriers, phase_word
from triplane.host.compiler.circuits.conditions import Conditions
from triplane.host.compiler.circuits.errors import CircuitError
from triplane.host.compiler.circuits.expressions import bits_of, single_bit
from triplane.host.compiler.circuits.options import Options
from triplane.host.compiler.circuits.schedule import Scheduler
from triplane.host.compiler.circuits.tables import Tables
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
    Shift,
    Switch,
    Unrolled,
    While,
)
from triplane.host.compiler.gates import MARGIN, stark_rad
from triplane.sim.qpu.gates import READOUT_SAMPLES, cross_pulse

SHIFT_CYCLES = 3
"""Of a shift on a slot that is not the channel's own: SLOT, PHASE, and SLOT back."""


@dataclass
class _State:
    """What the compiler knows at a point of the program.

    Attributes:
        frames: qubit -> known part of its frame, rad, which entries carry.
        unread: classical bit -> slot that has its result.
        zero: bits that are 0 in their registers for certain.
    """

    frames: dict[int, float]
    unread: dict[int, int] = field(default_factory=dict)
    zero: set[int] = field(default_factory=set)

    def copied(self) -> _State:
        return _State(dict(self.frames), dict(self.unread), set(self.zero))


@dataclass(frozen=True)
class _Scope:
    """Whose qubits and bits a block's are, and the frames that loops around it keep."""

    qubits: Mapping[Qubit, int]
    clbits: Mapping[Clbit, int]
    loop: Mapping[int, float] | None = None


class Lowering:
    """Of one circuit; its results are attributes.

    Args:
        device: what it is for.
        carriers: slots of its channels.
        tables: that are filled.
        options: of the compiler.

    Attributes:
        angles: expressions of parameters, as `Shift.angle` numbers them.
        variables: names, in the order of their appearance.
    """

    def __init__(self, device: Device, carriers: Carriers, tables: Tables, options: Options) -> None:
        self.device, self.carriers, self.tables, self.options = device, carriers, tables, options
        self.angles: list[Any] = []
        self.conditions = Conditions()

    @property
    def variables(self) -> list[str]:
        """Names of variables."""
        return self.conditions.variables

    def lower(self, circuit: QuantumCircuit, reset: Sequence[int] = ()) -> tuple[Node, ...]:
        """The tree of a circuit on the physical qubits, of which some are reset before.

        Raises:
            CircuitError: it has something that cannot be played.
        """
        for variable in circuit.iter_input_vars():
            raise CircuitError(
                f"input variable {variable.name!r} would come from the host while the program runs; store a value in it"
            )
        scope = _Scope(
            {bit: k for k, bit in enumerate(circuit.qubits)}, {bit: k for k, bit in enumerate(circuit.clbits)}
        )
        state = _State(dict.fromkeys(self.carriers.of, 0.0), zero=set(range(circuit.num_clbits)))
        body = _Body(self, scope, state)
        body.reset(reset)
        body.take(circuit.data)
        body.read(list(body.state.unread))
        body.close()
        return tuple(body.nodes)


class _Body:
    """Nodes of one block, as they are made."""

    def __init__(self, owner: Lowering, scope: _Scope, state: _State) -> None:
        self.owner, self.scope, self.state = owner, scope, state
        self.nodes: list[Node] = []
        self.scheduler = Scheduler(owner.options.alignment)

    def take(self, instructions: Iterable[CircuitInstruction]) -> None:
        """Lower instructions, one after the other; resets that follow each other together."""
        resets: list[int] = []
        for instruction in instructions:
            qubits = [self.scope.qubits[bit] for bit in instruction.qubits]
            name = instruction.operation.name
            if name == "reset" and qubits[0] not in resets:
                resets += qubits
                continue
            self.reset(resets)
            resets = []
            if name == "reset":
                resets = qubits
            else:
                self._one(instruction, name, qubits)
        self.reset(resets)

    def _one(self, instruction: CircuitInstruction, name: str, qubits: list[int]) -> None:
        operation = instruction.operation
        match name:
            case "rz":
                self._rz(qubits[0], operation.params[0])
            case "sx" | "x":
                self._turn(name, qubits[0])
            case "id":
                pass
            case "cx":
                self._cx(*qubits)
            case "measure":
                self._measure(qubits[0], self.scope.clbits[instruction.clbits[0]])
            case "delay":
                self.scheduler.idle(qubits[0], self._cycles(operation))
            case "barrier":
                self.scheduler.barrier(qubits)
            case "global_phase":
                pass
            case _:
                self._control(instruction)

    def _control(self, instruction: CircuitInstruction) -> None:
        match instruction.operation:
            case IfElseOp():
                self._if(instruction)
            case SwitchCaseOp():
                self._switch(instruction)
            case WhileLoopOp():
                self._while(instruction)
            case ForLoopOp():
                self._for(instruction)
            case BreakLoopOp():
                self._leave(Leave())
            case ContinueLoopOp():
                self._leave(Again())
            case Store() as store:
                self._store(store)
            case other:
                raise CircuitError(
                    f"the board has no instruction {other.name!r}; transpile the circuit for the target of the device"
                )

    def _store(self, store: Store) -> None:
        value = self._expression(store.rvalue)
        node = self.owner.conditions.stored(store.lvalue, value, self.scope.clbits)
        into = node.bits if isinstance(node, Put) else ()
        self.read([*bits_of(node.value), *into])
        self.close()
        self.state.zero.difference_update(into)
        self.nodes.append(node)

    # Gates

    def _rz(self, qubit: int, angle: Any) -> None:
        if getattr(angle, "parameters", None):
            angles = self.owner.angles
            number = next((k for k, known in enumerate(angles) if known == angle), len(angles))
            if number == len(angles):
                angles.append(angle)
            self._shift(qubit, angle=number)
            return
        self._turn_frame(qubit, float(angle))

    def _turn_frame(self, qubit: int, angle_rad: float) -> None:
        self.state.frames[qubit] = math.remainder(self.state.frames[qubit] + angle_rad, 2 * math.pi)

    def _shift(self, qubit: int, word: int = 0, angle: int | None = None) -> None:
        """Give a phase to all slots that turn the qubit."""
        for channel, slot in self.owner.carriers.of[qubit]:
            cycles = SHIFT_CYCLES if slot else 1
            self.scheduler.add(Shift(0, channel, slot, qubit, word, angle), {("c", channel): cycles})

    def _give(self, qubit: int, keep_rad: float = 0.0) -> None:
        """Give the known part of a frame to the hardware, but for what is to be kept."""
        word = phase_word(self.state.frames[qubit] - keep_rad)
        if word:
            self._shift(qubit, word)
        self.state.frames[qubit] = keep_rad

    def _entry(self, gate: str, channel: int, target: int) -> tuple[int, int]:
        found = self.owner.tables.entry(gate, channel, target, self.state.frames[target])
        if found is None:
            self._give(target)
            found = self.owner.tables.entry(gate, channel, target, 0.0)
        assert found is not None, "entries without a phase are reserved"
        return found

    def _turn(self, gate: str, qubit: int) -> None:
        entry, cycles = self._entry(gate, qubit, qubit)
        busy = cycles + MARGIN
        self.scheduler.add(
            Play(0, qubit, entry, cycles, gate, (qubit,)), {("q", qubit): busy, ("c", qubit): busy}
        )

    def _cx(self, control: int, target: int) -> None:
        """Cross-resonance, a quarter turn of the target, a virtual one of the control, as `GateSet` has it."""
        coupling = self.owner.carriers.coupling(control, target)
        entry, cycles = self._entry("cross", control, target)
        uses = dict.fromkeys((("q", control), ("q", target), ("c", control)), cycles + MARGIN)
        self.scheduler.add(Play(0, control, entry, cycles, "cross", (control, target)), uses)
        self._turn("sx", target)
        self._turn_frame(control, math.pi / 2 + stark_rad(coupling, cross_pulse(coupling)))

    def _cycles(self, delay: Delay) -> int:
        units = {"dt": 1 / ADC_HZ, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}
        if delay.unit not in units or getattr(delay.duration, "parameters", None):
            raise CircuitError(
                f"a delay of {delay.duration} {delay.unit} has no length that is known; give it a number of ns or dt"
            )
        return round(float(delay.duration) * units[delay.unit] * ADC_HZ)

    # Measurements

    def _measure(self, qubit: int, bit: int | None) -> int:
        """Read a qubit out; returns the slot."""
        try:
            line, tone = self.owner.device.place(qubit)
        except ValueError as error:
            raise CircuitError(f"measure of qubit {qubit}: {error}") from error
        (slot,) = self.owner.tables.slots(line, [tone])
        self.read([old for old, where in self.state.unread.items() if where == slot])
        described = self.owner.device.lines[line]
        late = math.ceil(described.delay_ns * 0.5e-9 * ADC_HZ)
        self.scheduler.capture(line, qubit, READOUT_SAMPLES // 2 + late + MARGIN, self._captures)
        if bit is not None:
            self.state.unread[bit] = slot
        return slot

    def _captures(self, qubits: tuple[int, ...], instead_of: int | None) -> Capture | None:
        places = sorted(self.owner.device.place(qubit) for qubit in qubits)
        line = places[0][0]
        tones = [tone for _, tone in places]
        tables = self.owner.tables
        window = tables.window(line, tones, instead_of)
        if window is None:
            return None
        return Capture(0, line, window, tables.slots(line, tones), qubits)

    def read(self, bits: Iterable[int]) -> None:
        """Bring results into the registers, of those bits that wait for theirs."""
        wanted = [bit for bit in dict.fromkeys(bits) if bit in self.state.unread]
        if wanted:
            self.close([self.state.unread[bit] for bit in wanted])
        for bit in wanted:
            self.nodes.append(Read(self.state.unread.pop(bit), bit, bit not in self.state.zero))
            self.state.zero.discard(bit)

    def close(self, waited: Iterable[int] = ()) -> None:
        """End the segment."""
        if self.scheduler:
            self.nodes.append(self.scheduler.finish(tuple(waited)))

    def reset(self, qubits: Sequence[int]) -> None:
        """Measure, and turn back those that are found in 1; as often as the options say."""
        if not qubits:
            return
        for _ in range(self.owner.options.reset_rounds):
            slots = [self._measure(qubit, None) for qubit in qubits]
            self.close(slots)
            for qubit, slot in zip(qubits, slots, strict=True):
                turned = self._inner(self.scope, self.state.copied())
                turned._turn("x", qubit)
                turned._keep_frames(self.state.frames)
                turned.close()
                self.nodes.append(Decide(slot, tuple(turned.nodes), ()))

    # Control flow

    def _inner(self, scope: _Scope, state: _State) -> _Body:
        return _Body(self.owner, scope, state)

    def _scope(self, instruction: CircuitInstruction, block: QuantumCircuit, in_loop: bool = False) -> _Scope:
        qubits = {
            inner: self.scope.qubits[outer]
            for inner, outer in zip(block.qubits, instruction.qubits, strict=True)
        }
        clbits = {
            inner: self.scope.clbits[outer]
            for inner, outer in zip(block.clbits, instruction.clbits, strict=True)
        }
        loop = dict(self.state.frames) if in_loop else self.scope.loop
        return _Scope(qubits, {**self.scope.clbits, **clbits}, loop)

    def _expression(self, given: Any) -> Any:
        return self.owner.conditions.expression(given, self.scope.clbits)

    def _if(self, instruction: CircuitInstruction) -> None:
        operation = instruction.operation
        condition = self._expression(operation.condition)
        single = single_bit(condition)
        slot = self.state.unread.get(single[0]) if single is not None else None
        if slot is None:
            self.read(bits_of(condition))
            self.close()
        else:
            self.close([slot])
        bodies = self._paths(instruction, [*operation.blocks, None][:2])
        if slot is not None and single is not None:
            zero, one = bodies if single[1] == 0 else bodies[::-1]
            self.nodes.append(Decide(slot, one, zero))
        else:
            self.nodes.append(If(condition, bodies[0], bodies[1]))

    def _switch(self, instruction: CircuitInstruction) -> None:
        operation = instruction.operation
        target = self._expression(operation.target)
        self.read(bits_of(target))
        self.close()
        specified = list(operation.cases_specifier())
        blocks: list[QuantumCircuit | None] = [block for _, block in specified]
        values = [
            () if CASE_DEFAULT in labels else tuple(int(label) for label in labels) for labels, _ in specified
        ]
        if () not in values:
            blocks.append(None)
            values.append(())
        bodies = self._paths(instruction, blocks)
        self.nodes.append(Switch(target, tuple(zip(values, bodies, strict=True))))

    def _paths(
        self, instruction: CircuitInstruction, blocks: Iterable[QuantumCircuit | None]
    ) -> list[tuple[Node, ...]]:
        """Bodies of which one is taken; afterwards the state is the same whichever it was."""
        bodies = []
        for block in blocks:
            scope = self.scope if block is None else self._scope(instruction, block)
            body = self._inner(scope, self.state.copied())
            if block is not None:
                body.take(block.data)
            body._keep_frames(self.state.frames)
            bodies.append(body)
        unread = dict(set.intersection(*(set(body.state.unread.items()) for body in bodies)))
        for body in bodies:
            body.read([bit for bit in body.state.unread if bit not in unread])
            body.close()
        self.state.unread = unread
        self.state.zero = set.intersection(*(body.state.zero for body in bodies))
        return [tuple(body.nodes) for body in bodies]

    def _keep_frames(self, frames: Mapping[int, float]) -> None:
        for qubit, keep_rad in frames.items():
            self._give(qubit, keep_rad)

    def _looped(self, instruction: CircuitInstruction, block: QuantumCircuit) -> tuple[Node, ...]:
        """A body that ends as it began: frames kept, nothing unread, and no bit known."""
        state = self.state.copied()
        state.zero.clear()
        body = self._inner(self._scope(instruction, block, in_loop=True), state)
        body.take(block.data)
        body._keep_frames(self.state.frames)
        body.read(list(body.state.unread))
        body.close()
        return tuple(body.nodes)

    def _begin_loop(self) -> None:
        self.read(list(self.state.unread))
        self.close()
        self.state.zero.clear()

    def _while(self, instruction: CircuitInstruction) -> None:
        condition = self._expression(instruction.operation.condition)
        self._begin_loop()
        self.nodes.append(While(condition, self._looped(instruction, instruction.operation.blocks[0])))

    def _for(self, instruction: CircuitInstruction) -> None:
        indices, parameter, block = instruction.operation.params
        values = list(indices)
        if isinstance(parameter, Parameter) and parameter not in block.parameters:
            parameter = None
        self._begin_loop()
        name = None if parameter is None else self.owner.conditions.loop_variable(parameter)
        steps = {after - before for before, after in itertools.pairwise(values)}
        if (parameter is None or name is not None) and len(steps) <= 1:
            body = self._looped(instruction, block)
            step = steps.pop() if steps else 1
            if values:
                self.nodes.append(Repeat(len(values), body, name, values[0], step))
            return
        bodies = []
        for value in values:
            bound = (
                copy(block)
                if name is not None
                else block.assign_parameters({parameter: value}, inplace=False)
            )
            body = self._looped(instruction, bound)
            first: tuple[Node, ...] = () if name is None else (Assign(name, ("const", value)),)
            bodies.append((*first, *body))
        self.nodes.append(Unrolled(tuple(bodies)))

    def _leave(self, node: Leave | Again) -> None:
        assert self.scope.loop is not None, "Qiskit has loops only around break and continue"
        self._keep_frames(self.scope.loop)
        self.read(list(self.state.unread))
        self.close()
        self.nodes.append(node)
