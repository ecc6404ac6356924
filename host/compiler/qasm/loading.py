# SPDX-License-Identifier: BSD-2-Clause
"""From source to `Program`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from openqasm3 import ast
from qiskit.circuit import Parameter, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import blocks, control, indices
from triplane.host.compiler.qasm.errors import NotKnownError, QasmError
from triplane.host.compiler.qasm.expressions import evaluate
from triplane.host.compiler.qasm.lowering import Lowering
from triplane.host.compiler.qasm.parsing import parse, walk
from triplane.host.compiler.qasm.scopes import Variable
from triplane.host.compiler.qasm.statements import STATEMENTS
from triplane.host.compiler.qasm.types import Bit

Given: TypeAlias = bool | int | float | complex | str


@dataclass(frozen=True)
class Input:
    """An `input` of a program.

    Attributes:
        type: as it is declared, e.g. "angle[20]".
        symbol: a Parameter, for `assign_parameters`, of floats and angles; an input variable of the circuit of
            bits, bools and integers; None: its value was given to `loads`.
    """

    type: str
    symbol: Parameter | expr.Var | None


@dataclass(frozen=True)
class Program:
    """A lowered program.

    Attributes:
        circuit: what is left to be done while running.
        inputs: by name.
        outputs: classical registers of the circuit that are the program's result: those declared `output`, or all
            global bits and registers if none is.
        notes: what was ignored, and what is likely not meant.
    """

    circuit: QuantumCircuit
    inputs: Mapping[str, Input]
    outputs: tuple[str, ...]
    notes: tuple[str, ...]


def loads(source: str, *, inputs: Mapping[str, Given] | None = None, name: str = "program") -> Program:
    """Lower an OpenQASM 3 program to a circuit.

    Args:
        source: the program's text.
        inputs: values of `input` variables that are known already; bits as strings of 0 and 1, the highest first.
        name: of the circuit.

    Returns:
        The circuit, with its inputs and outputs.

    Raises:
        QasmError: the program is malformed, uses what is not supported, or is no text; the message shows the place.
    """
    _check_text(source)
    try:
        return _lowered(parse(source), dict(inputs or {}), name)
    except QasmError as error:
        raise error.within(source) from error.__cause__
    except RecursionError:
        raise QasmError("the program is nested too deeply") from None


def _check_text(source: object) -> None:
    if not isinstance(source, str):
        remedy = "; decode it: source.decode()" if isinstance(source, bytes) else ""
        raise QasmError(f"a program is a str, not a {type(source).__name__}{remedy}")


def _lowered(tree: ast.Program, given: dict[str, Given], name: str) -> Program:
    try:
        return _once(tree, given, name, rolled=True)
    except NotKnownError:
        # A loop of the run may hide a value that unrolling shows.
        return _once(tree, given, name, rolled=False)


def _once(tree: ast.Program, given: dict[str, Given], name: str, *, rolled: bool) -> Program:
    low = Lowering(STATEMENTS, evaluate, rolled=rolled, given=given, globals=_globals(tree))
    _physical(low, tree)
    low.end.slot = low.slot()
    control.sequence(low, tree.statements)
    if unknown := sorted(set(given) - set(low.inputs)):
        raise QasmError(f"the program has no input '{unknown[0]}'; it has {', '.join(low.inputs) or 'none'}")
    circuit = blocks.assemble(low.resources, low.block, name)
    declared = {key: Input(str(kind), symbol) for key, (kind, symbol) in low.inputs.items()}
    return Program(circuit, declared, tuple(low.outputs) or _bits(low), tuple(dict.fromkeys(low.notes)))


def _globals(tree: ast.Program) -> frozenset[str]:
    """Names that are declared outside all blocks and that the circuit knows as well."""
    kinds = (ast.ClassicalDeclaration, ast.IODeclaration, ast.QubitDeclaration)
    found = [statement for statement in tree.statements if isinstance(statement, kinds)]
    return frozenset(
        (item.qubit if isinstance(item, ast.QubitDeclaration) else item.identifier).name for item in found
    )


def _bits(low: Lowering) -> tuple[str, ...]:
    """Names of registers of global bits, in order of declaration."""
    variables = [symbol for symbol in low.scope.names.values() if isinstance(symbol, Variable)]
    return tuple(variable.name for variable in variables if isinstance(variable.type, Bit))


def _physical(low: Lowering, tree: ast.Program) -> None:
    """A register of as many qubits as the physical ones that the program names."""
    names = [part.name for part in walk(tree) if isinstance(part, ast.Identifier)]
    numbers = [int(name[1:]) for name in names if name.startswith("$") and name[1:].isdigit()]
    if not numbers:
        return
    low.physical = max(numbers) + 1
    if low.physical > indices.LARGEST:
        raise QasmError(f"there is no physical qubit ${max(numbers)}")
    low.resources.qubits.append(QuantumRegister(low.physical, low.unique("q")))
