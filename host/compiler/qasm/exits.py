# SPDX-License-Identifier: BSD-2-Clause
"""Ways that control takes other than to the next statement."""

from __future__ import annotations

from dataclasses import dataclass

from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import blocks
from triplane.host.compiler.qasm.scopes import Variable
from triplane.host.compiler.qasm.types import Scalar, Value


@dataclass(eq=False)
class Exit:
    """A place that control can leave for: the end of a call, a loop, an iteration, the program.

    Attributes:
        depth: run-time constructs around it.
        loops: loops of the run around it.
        slot: where the flag is cleared, if there is one.
        flag: whether control has left for it; None: nothing that only the run decides has.
        native: whether it is a loop of the run, which has its own `break` and `continue`.
        word: "break" or "continue" of a native loop.
    """

    depth: int
    loops: int
    slot: blocks.Block
    flag: expr.Var | None = None
    native: bool = False
    word: str = ""


@dataclass
class Frame:
    """A call that is being inlined; its result is known, or held by a variable."""

    name: str
    type: Scalar | None
    exit: Exit
    value: Value | None = None
    result: Variable | None = None


@dataclass(frozen=True)
class Outcome:
    """How a statement ends.

    Attributes:
        dead: control never comes to what follows.
        pending: places that control may have left for.
    """

    dead: bool = False
    pending: frozenset[Exit] = frozenset()

    def landed(self, exit_: Exit) -> Outcome:
        """Behind the place that control may have left for."""
        return Outcome(self.dead and exit_ not in self.pending, self.pending - {exit_})


PLAIN = Outcome()
