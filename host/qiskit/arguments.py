# SPDX-License-Identifier: BSD-2-Clause
"""What people hand to backends and primitives, checked where it enters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Protocol, TypeVar

import numpy as np
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError

from triplane.host.compiler.circuits import CircuitError

MAX_SHOTS = 10_000_000

Pub = TypeVar("Pub", covariant=True)
Options = TypeVar("Options")


class PubType(Protocol[Pub]):
    """`SamplerPub` or `EstimatorPub`."""

    @classmethod
    def coerce(cls, pub: Any, default: Any, /) -> Pub:
        """A PUB of whatever Qiskit takes for one; the default is of its shots, or of its precision."""


def checked_shots(shots: Any) -> int:
    """Shots, if a job can have so many.

    Raises:
        CircuitError: it cannot.
    """
    if not _is_whole(shots) or not 1 <= shots <= MAX_SHOTS:
        raise CircuitError(f"shots must be a whole number from 1 to {MAX_SHOTS}, not {shots!r}")
    return int(shots)


def checked_seed(seed: Any) -> int | None:
    """Seed of an emulator; None: none is given.

    Raises:
        CircuitError: it is no seed.
    """
    if seed is None:
        return None
    if not _is_whole(seed) or seed < 0:
        raise CircuitError(f"a seed must be a whole number of 0 or more, not {seed!r}")
    return int(seed)


def _is_whole(number: Any) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def circuits_of(given: Any) -> list[QuantumCircuit]:
    """The circuits that a backend is to run: one by itself, or several.

    Raises:
        CircuitError: there is something else.
    """
    circuits = (
        [given] if isinstance(given, QuantumCircuit) else _listed(given, "a circuit or a list of circuits")
    )
    for number, circuit in enumerate(circuits):
        if not isinstance(circuit, QuantumCircuit):
            raise CircuitError(
                f"entry {number} of the circuits is {_said(circuit)}, not a QuantumCircuit; triplane.host.compiler."
                "qasm.loads makes one of OpenQASM"
            )
    return circuits


def pubs_of(kind: type[PubType[Pub]], given: Iterable[Any], default: Any) -> list[Pub]:
    """PUBs, as Qiskit takes them.

    Args:
        kind: of the PUBs.
        given: to a primitive.
        default: shots or precision, where a PUB has none.

    Raises:
        CircuitError: one of them is no PUB; the text has its number, and what Qiskit says of it.
    """
    found = []
    for number, pub in enumerate(_listed(given, "a list of PUBs")):
        try:
            found.append(kind.coerce(pub, default))
        except (TypeError, ValueError, QiskitError) as error:
            raise CircuitError(f"PUB {number}, {_said(pub)}, cannot be run: {error}") from error
    return found


def options_of(kind: type[Options], given: Mapping[str, Any] | None) -> Options:
    """Options of a primitive.

    Raises:
        CircuitError: there is none of that name.
    """
    names = [each.name for each in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    for name in given or {}:
        if name not in names:
            raise CircuitError(f"{kind.__name__} has no {name!r}; there are {', '.join(names)}")
    return kind(**(given or {}))


def _listed(given: Any, wanted: str) -> list[Any]:
    if isinstance(given, str | bytes | QuantumCircuit) or not isinstance(given, Iterable):
        raise CircuitError(f"run() takes {wanted}, such as run([circuit]), not {_said(given)}")
    return list(given)


def _said(given: Any) -> str:
    """A value for a message; its type where that says more."""
    text = repr(given)
    return text if len(text) <= 60 and " object at " not in text else f"a {type(given).__name__}"
