# SPDX-License-Identifier: BSD-2-Clause
"""A transpiled circuit becomes a tree of scheduled segments.

Where paths of the program meet, all of them must have left the same behind: each ends with the frames that it began
with (what it has added, it gives to the hardware), and with the same results unread.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from qiskit.circuit import (
    BreakLoopOp,
    CircuitInstruction,
    Clbit,
    ContinueLoopOp,
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

from triplane.host.compiler.circuits.errors import CircuitError
from triplane.host.compiler.circuits.expressions import bits_of, single_bit
from triplane.host.compiler.circuits.straight import Context, State, Straight, delay_cycles
from triplane.host.compiler.circuits.tree import (
    Again,
    Assign,
    Decide,
    If,
    Leave,
    Node,
    Put,
    Repeat,
    Switch,
    Unrolled,
    While,
)


@dataclass(frozen=True)
class _Scope:
    """Whose qubits and bits a block's are, and the frames that loops around it keep."""

    qubits: Mapping[Qubit, int]
    clbits: Mapping[Clbit, int]
    loop: Mapping[int, float] | None = None


class Lowering(Context):
    """Of one circuit."""

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
        state = State(dict.fromkeys(self.carriers.of, 0.0), zero=set(range(circuit.num_clbits)))
        body = _Body(self, scope, state)
        body.reset(reset)
        body.take(circuit.data)
        body.read(list(body.state.unread))
        body.close()
        return tuple(body.nodes)


class _Body(Straight):
    """A path with the decisions in it."""

    def __init__(self, owner: Context, scope: _Scope, state: State) -> None:
        super().__init__(owner, state)
        self.scope = scope

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
                self.rz(qubits[0], operation.params[0])
            case "sx" | "x":
                self.turn(name, qubits[0])
            case "id":
                pass
            case "cx":
                self.cx(*qubits)
            case "measure":
                self.measure(qubits[0], self.scope.clbits[instruction.clbits[0]])
            case "delay":
                self.scheduler.idle(qubits[0], delay_cycles(operation))
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

    def reset(self, qubits: Sequence[int]) -> None:
        """Measure, and turn back those that are found in 1; as often as the options say."""
        if not qubits:
            return
        for _ in range(self.owner.options.reset_rounds):
            slots = [self.measure(qubit, None) for qubit in qubits]
            self.close(slots)
            for qubit, slot in zip(qubits, slots, strict=True):
                turned = self._inner(self.scope, self.state.copied())
                turned.turn("x", qubit)
                turned.keep_frames(self.state.frames)
                turned.close()
                self.nodes.append(Decide(slot, tuple(turned.nodes), ()))

    # Control flow

    def _inner(self, scope: _Scope, state: State) -> _Body:
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
            body.keep_frames(self.state.frames)
            bodies.append(body)
        unread = dict(set.intersection(*(set(body.state.unread.items()) for body in bodies)))
        for body in bodies:
            body.read([bit for bit in body.state.unread if bit not in unread])
            body.close()
        self.state.unread = unread
        self.state.zero = set.intersection(*(body.state.zero for body in bodies))
        return [tuple(body.nodes) for body in bodies]

    def _looped(self, instruction: CircuitInstruction, block: QuantumCircuit) -> tuple[Node, ...]:
        """A body that ends as it began: frames kept, nothing unread, and no bit known."""
        state = self.state.copied()
        state.zero.clear()
        body = self._inner(self._scope(instruction, block, in_loop=True), state)
        body.take(block.data)
        body.keep_frames(self.state.frames)
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
        self.keep_frames(self.scope.loop)
        self.read(list(self.state.unread))
        self.close()
        self.nodes.append(node)
