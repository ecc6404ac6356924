# SPDX-License-Identifier: BSD-2-Clause
"""A scheduled circuit: a tree of segments without decisions, and of decisions between them.

Times of a segment are cycles from its beginning. A segment begins where the cursor of the sequencer is then: decisions
take the time that they take, and all channels wait for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from triplane.host.compiler.circuits.expressions import Expression


@dataclass(frozen=True)
class Play:
    """A pulse of a drive channel: entry of its pulse table, and for whom."""

    time: int
    channel: int
    entry: int
    cycles: int
    gate: str
    qubits: tuple[int, ...]


@dataclass(frozen=True)
class Shift:
    """A phase that is added to a frequency slot: a word, or the number of an angle that is bound later."""

    time: int
    channel: int
    slot: int
    qubit: int
    word: int = 0
    angle: int | None = None


@dataclass(frozen=True)
class Capture:
    """Tones and window of a readout line, number `window` of both; the slots get results."""

    time: int
    line: int
    window: int
    slots: tuple[int, ...]
    qubits: tuple[int, ...]


Timed: TypeAlias = Play | Shift | Capture


@dataclass(frozen=True)
class Segment:
    """What is played without a decision, in the order of time; the next segment begins after `cycles`."""

    ops: tuple[Timed, ...]
    cycles: int


@dataclass(frozen=True)
class Read:
    """A result goes into a bit of a register; `clear`: the bit may have been 1."""

    slot: int
    bit: int
    clear: bool


@dataclass(frozen=True)
class Assign:
    """A variable gets a value."""

    variable: str
    value: Expression


@dataclass(frozen=True)
class Put:
    """Classical bits get those of a value; the first of them is the lowest."""

    bits: tuple[int, ...]
    value: Expression


@dataclass(frozen=True)
class Decide:
    """Branches on the result of a slot itself, as early as can be: `one` where it is 1, `zero` where it is 0."""

    slot: int
    one: tuple[Node, ...]
    zero: tuple[Node, ...]


@dataclass(frozen=True)
class If:
    """Branches on a condition of bits and variables."""

    condition: Expression
    then: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True)
class Switch:
    """The first case that has the value; one without values takes all that are left."""

    target: Expression
    cases: tuple[tuple[tuple[int, ...], tuple[Node, ...]], ...]


@dataclass(frozen=True)
class While:
    """As long as the condition holds."""

    condition: Expression
    body: tuple[Node, ...]


@dataclass(frozen=True)
class Repeat:
    """So many times; the variable, if there is one, starts at `first` and grows by `step`."""

    times: int
    body: tuple[Node, ...]
    variable: str | None = None
    first: int = 0
    step: int = 1


@dataclass(frozen=True)
class Unrolled:
    """Bodies one after the other, of a loop that is no hardware loop: `Leave` and `Again` mean it."""

    bodies: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True)
class Leave:
    """Out of the innermost loop."""


@dataclass(frozen=True)
class Again:
    """On to the next pass of the innermost loop."""


Node: TypeAlias = (
    Segment | Read | Assign | Put | Decide | If | Switch | While | Repeat | Unrolled | Leave | Again
)


def children(node: Node) -> tuple[tuple[Node, ...], ...]:
    """Bodies of a node."""
    match node:
        case Decide():
            return node.one, node.zero
        case If():
            return node.then, node.otherwise
        case Switch():
            return tuple(body for _, body in node.cases)
        case While() | Repeat():
            return (node.body,)
        case Unrolled():
            return node.bodies
        case _:
            return ()


def walk(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """All nodes, each before its bodies."""
    for node in nodes:
        yield node
        for body in children(node):
            yield from walk(body)


def as_json(value: Any) -> Any:
    """Nodes as what `json.dumps` takes: each with its kind."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: as_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"kind": type(value).__name__.lower(), **fields}
    if isinstance(value, tuple | list):
        return [as_json(each) for each in value]
    return value
