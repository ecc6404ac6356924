# SPDX-License-Identifier: BSD-2-Clause
"""Exact distribution of a circuit with control flow: a state vector that branches at every measurement.

Qiskit Aer 0.18 neither adds nor shifts nor casts in expressions (some it refuses, some abort the process), so most
programs need this; where Aer runs a circuit as well, the tests compare the two.
"""

from __future__ import annotations

import copy
import operator
from collections import defaultdict

import numpy as np
import pytest
from qiskit import transpile
from qiskit.circuit import CASE_DEFAULT, Clbit
from qiskit.circuit.classical import expr, types
from qiskit.quantum_info import Operator
from qiskit_aer import AerSimulator

STEPS = 20_000
NEGLIGIBLE = 1e-12


class Left(Exception):  # noqa: N818 (no error, but `break` and `continue`)
    def __init__(self, word):
        super().__init__(word)
        self.word = word


BINARY = {
    expr.Binary.Op.BIT_AND: operator.and_,
    expr.Binary.Op.BIT_OR: operator.or_,
    expr.Binary.Op.BIT_XOR: operator.xor,
    expr.Binary.Op.LOGIC_AND: lambda a, b: bool(a and b),
    expr.Binary.Op.LOGIC_OR: lambda a, b: bool(a or b),
    expr.Binary.Op.EQUAL: operator.eq,
    expr.Binary.Op.NOT_EQUAL: operator.ne,
    expr.Binary.Op.LESS: operator.lt,
    expr.Binary.Op.LESS_EQUAL: operator.le,
    expr.Binary.Op.GREATER: operator.gt,
    expr.Binary.Op.GREATER_EQUAL: operator.ge,
    expr.Binary.Op.SHIFT_LEFT: lambda a, b: a << b,
    expr.Binary.Op.SHIFT_RIGHT: lambda a, b: a >> b,
    expr.Binary.Op.ADD: operator.add,
    expr.Binary.Op.SUB: operator.sub,
    expr.Binary.Op.MUL: operator.mul,
}


def cut(number, kind):
    return bool(number) if isinstance(kind, types.Bool) else int(number) & ((1 << kind.width) - 1)


class Run:
    """One path of a program: amplitudes (not normalised), bits and variables."""

    def __init__(self, circuit, bits=None, inputs=None):
        self.circuit = circuit
        self.qubits = {qubit: number for number, qubit in enumerate(circuit.qubits)}
        self.state = np.zeros((2,) * len(self.qubits), complex)
        self.state[(0,) * len(self.qubits)] = 1
        self.bits = dict.fromkeys(circuit.clbits, False)
        self.variables = {}
        for variable in circuit.iter_input_vars():
            self.variables[variable] = inputs[variable.name]

    def fork(self, qubit, outcome):
        other = copy.copy(self)
        other.bits, other.variables = dict(self.bits), dict(self.variables)
        other.state = self.state.copy()
        index = [slice(None)] * self.state.ndim
        index[qubit] = 1 - outcome
        other.state[tuple(index)] = 0
        return other

    @property
    def weight(self):
        return float((np.abs(self.state) ** 2).sum())

    def value(self, e):
        if isinstance(e, expr.Var):
            if isinstance(e.var, Clbit):
                return self.bits[e.var]
            if e.standalone:
                return self.variables[e]
            return sum(self.bits[bit] << place for place, bit in enumerate(e.var))
        if isinstance(e, expr.Value):
            return e.value
        if isinstance(e, expr.Cast):
            return cut(self.value(e.operand), e.type)
        if isinstance(e, expr.Index):
            return bool(self.value(e.target) >> self.value(e.index) & 1)
        if isinstance(e, expr.Unary):
            inner = self.value(e.operand)
            if e.op is expr.Unary.Op.BIT_NOT:
                return cut(~int(inner), e.type)
            assert e.op is expr.Unary.Op.LOGIC_NOT
            return not inner
        assert isinstance(e, expr.Binary)
        return cut(BINARY[e.op](self.value(e.left), self.value(e.right)), e.type)

    def store(self, target, value):
        assert isinstance(target, expr.Var)
        if isinstance(target.var, Clbit):
            self.bits[target.var] = value
        elif target.standalone:
            self.variables[target] = value
        else:
            for place, bit in enumerate(target.var):
                self.bits[bit] = bool(value >> place & 1)

    def gate(self, matrix, numbers):
        n = len(numbers)
        tensor = matrix.reshape((2,) * (2 * n))
        # Qiskit's first qubit is the lowest bit, so the last axis.
        moved = np.tensordot(tensor, self.state, axes=(range(n, 2 * n), list(reversed(numbers))))
        self.state = np.moveaxis(moved, range(n), list(reversed(numbers)))


def walk(run, instructions, qubits, clbits):
    """All ways through a list of instructions, each as (run, word that it left with)."""
    paths = [(run, None)]
    for instruction in instructions:
        following = []
        for path, word in paths:
            if word is not None:
                following.append((path, word))
            else:
                following += step(path, instruction, qubits, clbits)
        paths = following
    return paths


def step(run, instruction, qubits, clbits):
    run.steps = getattr(run, "steps", 0) + 1
    if run.steps > STEPS:
        raise RuntimeError("the program does not end")
    operation = instruction.operation
    numbers = [run.qubits[qubits[qubit]] for qubit in instruction.qubits]
    bits = [clbits[bit] for bit in instruction.clbits]
    name = operation.name
    if name in ("barrier", "delay"):
        return [(run, None)]
    if name in ("measure", "reset"):
        paths = []
        for outcome in (0, 1):
            path = run.fork(numbers[0], outcome)
            if path.weight < NEGLIGIBLE:
                continue
            if name == "measure":
                path.bits[bits[0]] = bool(outcome)
            elif outcome:
                path.gate(np.array([[0, 1], [1, 0]]), numbers)
            paths.append((path, None))
        return paths
    if name == "store":
        run.store(operation.lvalue, run.value(operation.rvalue))
        return [(run, None)]
    if name in ("break_loop", "continue_loop"):
        return [(run, name)]
    if hasattr(operation, "blocks"):
        return control(run, operation, instruction, qubits, clbits)
    run.gate(Operator(operation).data, numbers)
    return [(run, None)]


def inside(run, block, instruction, qubits, clbits):
    inner = {own: qubits[outer] for own, outer in zip(block.qubits, instruction.qubits, strict=True)}
    bits = {own: clbits[outer] for own, outer in zip(block.clbits, instruction.clbits, strict=True)}
    return walk(run, block.data, inner, bits)


def control(run, operation, instruction, qubits, clbits):
    def body(path, block):
        return inside(path, block, instruction, qubits, clbits)

    if operation.name == "if_else":
        chosen = operation.blocks[0 if run.value(operation.condition) else 1 :][:1]
        return body(run, chosen[0]) if chosen else [(run, None)]
    if operation.name == "switch_case":
        value = run.value(operation.target)
        for labels, block in operation.cases_specifier():
            if value in labels or CASE_DEFAULT in labels:
                return body(run, block)
        return [(run, None)]
    done, going = [], [run]
    if operation.name == "for_loop":
        rounds = [None] * len(operation.params[0])
    else:
        assert operation.name == "while_loop"
        rounds = iter(int, 1)
    for _ in rounds:
        following = []
        for path in going:
            if operation.name == "while_loop" and not path.value(operation.condition):
                done.append((path, None))
                continue
            if path.weight < NEGLIGIBLE:
                continue
            for after, word in body(path, operation.blocks[0]):
                if word == "break_loop":
                    done.append((after, None))
                else:
                    following.append(after)
        going = following
        if not going:
            break
    return done + [(path, None) for path in going]


def exact(program, inputs=None):
    """Probability of each outcome, a string such as "c=01 d=1": registers in order, highest bit first."""
    circuit = program.circuit
    run = Run(circuit, inputs=inputs)
    same = {bit: bit for bit in circuit.clbits}
    registers = {register.name: register for register in circuit.cregs}
    found = defaultdict(float)
    for path, word in walk(run, circuit.data, {qubit: qubit for qubit in circuit.qubits}, same):
        assert word is None
        key = " ".join(
            f"{name}={''.join(str(int(path.bits[bit])) for bit in reversed(registers[name]))}"
            for name in program.outputs
        )
        found[key] += path.weight
    return dict(found)


LOGICAL = {expr.Binary.Op.LOGIC_AND, expr.Binary.Op.LOGIC_OR, expr.Binary.Op.EQUAL, expr.Binary.Op.NOT_EQUAL}


def plain(e):
    """Whether Aer computes an expression."""
    if isinstance(e, expr.Unary):
        return e.op is expr.Unary.Op.LOGIC_NOT and plain(e.operand)
    if isinstance(e, expr.Binary):
        return e.op in LOGICAL and plain(e.left) and plain(e.right)
    return isinstance(e, expr.Var | expr.Value)


def for_aer(circuit):
    """Whether Aer runs a circuit."""
    for instruction in circuit.data:
        operation = instruction.operation
        used = [getattr(operation, name, None) for name in ("lvalue", "rvalue", "condition", "target")]
        if not all(plain(e) for e in used if isinstance(e, expr.Expr)):
            return False
        if operation.name == "while_loop" or not all(map(for_aer, getattr(operation, "blocks", ()))):
            return False  # its jumps out of `while` go nowhere: "Invalid jump destination"
    held = [var for var in circuit.iter_vars() if isinstance(var.type, types.Bool)]
    return circuit.num_qubits > 0 and not held


def counted(program, shots, seed):
    """Counts by Qiskit Aer, with the same keys; None where it does not run the circuit."""
    circuit = program.circuit
    if not for_aer(circuit):
        return None
    simulator = AerSimulator()
    lowered = transpile(circuit, simulator, optimization_level=0)
    counts = defaultdict(int)
    for key, count in simulator.run(lowered, shots=shots, seed_simulator=seed).result().get_counts().items():
        words = dict(zip((r.name for r in circuit.cregs), reversed(key.split(" ")), strict=True))
        counts[" ".join(f"{name}={words[name]}" for name in program.outputs)] += count
    return dict(counts)


@pytest.fixture(scope="session")
def distribution():
    return exact


@pytest.fixture(scope="session")
def sampled():
    return counted
