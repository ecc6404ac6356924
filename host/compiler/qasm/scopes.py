# SPDX-License-Identifier: BSD-2-Clause
"""Names: what they stand for and where they can be seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from openqasm3 import ast
from qiskit.circuit import Qubit
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm.types import Data, Scalar, Value


@dataclass(eq=False)
class Variable:
    """A classical variable, or a cell of an array.

    Attributes:
        name: in the source.
        type: its type.
        depth: how many constructs, of which only the run knows whether they happen, surround its declaration.
        known: its value where it is known at this place of the program.
        storage: what holds it while running; None: nothing as yet.
        assigned: whether it has had a value.
        constant: why it cannot be assigned to; empty: it can.
    """

    name: str
    type: Scalar
    depth: int
    known: Data | None = None
    storage: expr.Var | None = None
    assigned: bool = False
    constant: str = ""

    @property
    def eager(self) -> bool:
        """Whether every assignment is stored at once: a register is seen from outside."""
        return self.storage is not None and not self.storage.standalone


@dataclass(frozen=True)
class Qubits:
    """A qubit, or a register of them."""

    qubits: tuple[Qubit, ...]
    register: bool


@dataclass(frozen=True)
class Bits:
    """Bits of variables, lowest first: a slice, a set, an alias."""

    bits: tuple[tuple[Variable, int], ...]
    register: bool


@dataclass(frozen=True)
class Array:
    """Cells of an array; slices share them.

    Attributes:
        cells: of type object, each a Variable.
        base: type of a cell.
        readonly: whether the cells can be read only, under this name.
    """

    cells: npt.NDArray[Any]
    base: Scalar
    readonly: bool = False

    def variables(self) -> Iterator[Variable]:
        """All cells."""
        return iter(np.ravel(self.cells))


@dataclass(frozen=True)
class GateDefinition:
    """A `gate` of the program."""

    node: ast.QuantumGateDefinition


@dataclass(frozen=True)
class Subroutine:
    """A `def` of the program."""

    node: ast.SubroutineDefinition


Place: TypeAlias = Variable | Bits | Array | Qubits
Symbol: TypeAlias = Variable | Bits | Array | Qubits | GateDefinition | Subroutine | Value


@dataclass
class Scope:
    """Names of a block.

    Attributes:
        parent: the scope around it.
        kind: "global", "block", "gate" or "def"; what is outside a gate or def can be read there, not changed.
        names: of this scope alone.
    """

    parent: Scope | None = None
    kind: str = "block"
    names: dict[str, Symbol] = field(default_factory=dict)

    def find(self, name: str) -> tuple[Symbol, bool] | None:
        """What a name stands for, and whether it lies outside the gate or def that looks for it."""
        outside = False
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name], outside
            outside = outside or scope.kind in ("gate", "def")
            scope = scope.parent
        return None

    @property
    def body_of(self) -> str:
        """Kind of the innermost scope that is no mere block."""
        scope: Scope = self
        while scope.kind == "block" and scope.parent is not None:
            scope = scope.parent
        return scope.kind
