# SPDX-License-Identifier: BSD-2-Clause
"""State of a lowering: scopes, variables and the block that is being filled.

A variable is *known* as long as its value follows from the program alone; then nothing is stored and its value can be
an angle, an index, a size. Where a branch or loop is entered that only the run decides, every variable assigned in it
is stored first and known no longer. A later assignment of a known value makes it known again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from openqasm3 import ast
from qiskit.circuit import ClassicalRegister
from qiskit.circuit.classical import expr, types
from qiskit.circuit.exceptions import CircuitError

from triplane.host.compiler.qasm import blocks, runtime, wide
from triplane.host.compiler.qasm.casts import cast
from triplane.host.compiler.qasm.errors import not_known, wrong
from triplane.host.compiler.qasm.exits import Exit, Frame, Outcome
from triplane.host.compiler.qasm.scopes import Scope, Symbol, Variable
from triplane.host.compiler.qasm.types import Bit, Bool, Scalar, Value, machine_type, with_article

LONGEST = 200_000
"""Operations: a program that unrolls to more is refused."""

RESERVED = frozenset({"U", "gphase"})


@dataclass(eq=False)
class Lowering:
    """See the module. Handlers are given, so that statements and expressions need not import each other."""

    statements: Mapping[type, Callable[[Lowering, Any], Outcome]]
    evaluate: Callable[[Lowering, Any], Value]
    rolled: bool = True
    given: Mapping[str, Any] = field(default_factory=dict)
    resources: blocks.Resources = field(default_factory=blocks.Resources)
    block: blocks.Block = field(default_factory=list)
    scope: Scope = field(default_factory=lambda: Scope(kind="global"))
    depth: int = 0
    loops: int = 0
    variables: list[Variable] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    breaks: list[Exit] = field(default_factory=list)
    continues: list[Exit] = field(default_factory=list)
    end: Exit = field(default_factory=lambda: Exit(0, 0, []))
    expanding: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    globals: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    physical: int = 0
    written: int = 0
    standard: bool = False

    def run(self, node: ast.Statement) -> Outcome:
        """Lower a statement."""
        handler = self.statements.get(type(node))
        if handler is None:
            raise wrong(node, f"{type(node).__name__} is not supported")
        for annotation in getattr(node, "annotations", ()):
            self.notes.append(f"annotation @{annotation.keyword} is ignored")
        try:
            return handler(self, node)
        except CircuitError as error:
            raise wrong(node, str(error.message)) from error

    @property
    def outermost(self) -> Scope:
        """The global scope."""
        scope = self.scope
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def emit(self, node: blocks.Node, place: ast.QASMNode) -> None:
        """Append to the current block."""
        self.written += 1
        if self.written > LONGEST:
            raise wrong(place, f"the program unrolls to more than {LONGEST} operations")
        self.block.append(node)

    @contextmanager
    def collecting(self) -> Iterator[blocks.Block]:
        """A new block, which is filled inside."""
        outer, self.block = self.block, []
        try:
            yield self.block
        finally:
            self.block = outer

    @contextmanager
    def running(self, *, loop: bool = False) -> Iterator[blocks.Block]:
        """A body of which only the run knows whether it happens."""
        with self.collecting() as block:
            self.depth += 1
            self.loops += loop
            try:
                yield block
            finally:
                self.depth -= 1
                self.loops -= loop

    @contextmanager
    def scoped(self, kind: str = "block", parent: Scope | None = None) -> Iterator[None]:
        """A scope of its own."""
        outer, visible = self.scope, len(self.variables)
        self.scope = Scope(parent or outer, kind)
        try:
            yield
        finally:
            self.scope = outer
            del self.variables[visible:]  # nobody can name them any more

    def declare(self, name: str, symbol: Symbol, node: ast.QASMNode) -> None:
        """A name of the current scope."""
        if name in self.scope.names:
            raise wrong(node, f"'{name}' is declared twice")
        if name in RESERVED:
            raise wrong(node, f"'{name}' is built in and cannot be declared")
        self.scope.names[name] = symbol

    def unique(self, name: str, *, owner: bool = False) -> str:
        """A name for the circuit that no register or variable has yet.

        Args:
            name: what it should be called.
            owner: whether it is the global of that name; nothing else gets that, even before the global is declared.
        """
        candidate, number = name, 0
        while candidate in self.names or (candidate in self.globals and not (owner and candidate == name)):
            number += 1
            candidate = f"{name}_{number}"
        self.names.add(candidate)
        return candidate

    def register(self, name: str, width: int, *, owner: bool = False) -> ClassicalRegister:
        """A new classical register of the circuit."""
        created = ClassicalRegister(width, self.unique(name, owner=owner))
        self.resources.bits.append(created)
        return created

    def temporary(self, name: str, kind: types.Type, *, owner: bool = False) -> expr.Var:
        """A new variable of the circuit."""
        created = expr.Var.new(self.unique(name, owner=owner), kind)
        self.resources.variables.append(created)
        return created

    def variable(self, name: str, kind: Scalar, *, register: bool = True) -> Variable:
        """A new variable; bits are in a register of the circuit, since measurements write there."""
        created = Variable(name, kind, self.depth)
        if isinstance(kind, Bit) and register:
            self.keep(created)
        self.variables.append(created)
        return created

    def keep(self, variable: Variable) -> None:
        """Hold a variable in a register of the circuit."""
        kind = variable.type
        single = isinstance(kind, Bool) or kind == Bit()
        width = 1 if single else getattr(kind, "width", 1)
        created = self.register(variable.name, width, owner=self.scope.kind == "global")
        held = expr.lift(created[0] if single else created)
        assert isinstance(held, expr.Var)
        variable.storage = held

    def storage(self, variable: Variable, node: ast.QASMNode) -> expr.Var:
        """What holds a variable while running."""
        if variable.storage is None:
            kind = machine_type(variable.type)
            if kind is None:
                raise not_known(
                    node,
                    f"'{variable.name}' would depend on the run here, and the sequencer cannot hold "
                    f"{with_article(variable.type)}",
                )
            owner = self.outermost.names.get(variable.name) is variable
            variable.storage = self.temporary(variable.name, kind, owner=owner)
        return variable.storage

    def flag(self, exit_: Exit, node: ast.QASMNode) -> expr.Var:
        """The variable that tells whether control has left for there; it is clear when its place is entered."""
        if exit_.flag is None:
            exit_.flag = self.temporary("left", types.Bool())
            exit_.slot.append(blocks.Assign(exit_.flag, expr.lift(False)))
        return exit_.flag

    def slot(self) -> blocks.Block:
        """A place in the current block that may be filled later."""
        reserved: blocks.Block = []
        self.block.append(reserved)
        return reserved

    def store(self, variable: Variable, value: Value, node: ast.QASMNode) -> None:
        """Assign to a variable as a whole."""
        if variable.constant:
            raise wrong(node, f"'{variable.name}' cannot be assigned to: {variable.constant}")
        value = cast(value, variable.type, node)
        variable.assigned = True
        if self.depth > variable.depth and variable.known is not None:
            raise not_known(
                node,
                f"'{variable.name}' would depend on the run here, and the sequencer cannot hold "
                f"{with_article(variable.type)}",
            )
        if value.runtime or self.depth > variable.depth:
            target = self.storage(variable, node)
            variable.known = None
            self.write(target, value, node)
            return
        variable.known = value.data
        if variable.storage is not None and variable.eager:
            self.write(variable.storage, value, node)

    def write(self, target: expr.Var, value: Value, node: ast.QASMNode) -> None:
        """Emit an assignment."""
        if wide.is_wide(target):
            for part in wide.assignments(target, value, node):
                self.emit(part, node)
        else:
            self.emit(blocks.Assign(target, runtime.as_expr(value, node)), node)

    def held(self, value: Value, node: ast.QASMNode) -> Value:
        """A value as it is now: one of the run is copied, since what it is computed of is about to change."""
        if not isinstance(value.data, expr.Expr):
            return value
        copy = self.temporary("held", value.data.type)
        self.emit(blocks.Assign(copy, value.data), node)
        return Value(value.type, copy)

    def load(self, variable: Variable, node: ast.QASMNode) -> Value:
        """The value of a variable at this place."""
        if variable.known is not None:
            return Value(variable.type, variable.known)
        if not variable.assigned and not variable.eager:
            raise wrong(node, f"'{variable.name}' is read before it has a value")
        return Value(variable.type, self.storage(variable, node))

    def forget(self, variables: Iterable[Variable], node: ast.QASMNode) -> None:
        """Before a construct that only the run decides: store what it may change, and know it no longer."""
        for variable in variables:
            holds = variable.eager or machine_type(variable.type) is not None
            if variable.known is None or variable.constant or not holds:
                continue
            value = Value(variable.type, variable.known)
            if value.symbolic:
                continue
            target = self.storage(variable, node)
            if not variable.eager:
                self.write(target, value, node)
            variable.known = None
