# SPDX-License-Identifier: BSD-2-Clause
"""What a file or circuits ask for: kind, payload, and the needs that a board is chosen by."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from triplane.host.scheduler.contracts import Kind, Needs
from triplane.host.scheduler.errors import ContractError
from triplane.host.scheduler.runners import circuits_of

KINDS: dict[str, Kind] = {".qasm": "qasm3", ".qpy": "qpy", ".tasm": "control"}

NO_GATE = {"barrier", "delay", "store", "break_loop", "continue_loop"}


def read_job(file: Path) -> tuple[Kind, bytes, Needs]:
    """Kind, payload and needs of a file: OpenQASM 3, QPY, or a program of the sequencer, by its suffix.

    Raises:
        ContractError: it is none of these.
        ValueError: there is an error in it; the text has line and column.
    """
    kind = KINDS.get(file.suffix)
    if kind is None:
        raise ContractError(f"{file}: jobs are files {', '.join(KINDS)}; rename it, or convert it")
    payload = file.read_bytes()
    if kind == "control":
        from triplane.host.programs import read_program

        read_program(file)
        return kind, payload, Needs()
    return kind, payload, needs_of(circuits_of(kind, payload))


def needs_of(circuits: Iterable[Any]) -> Needs:
    """Of circuits of Qiskit: of each figure the largest. Bodies of loops and branches are counted once."""
    found: dict[str, int] = {}
    for circuit in circuits:
        counts = dict.fromkeys(("one_qubit_gates", "two_qubit_gates", "readouts"), 0)
        _count(circuit, counts)
        for name, count in {**counts, "qubits": circuit.num_qubits}.items():
            found[name] = max(found.get(name, 0), count)
    return Needs(**found)


def _count(circuit: Any, counts: dict[str, int]) -> None:
    for item in circuit.data:
        blocks = getattr(item.operation, "blocks", ())
        for block in blocks:
            _count(block, counts)
        name = item.operation.name
        if name == "measure":
            counts["readouts"] += 1
        elif not blocks and name not in NO_GATE:
            counts["one_qubit_gates" if len(item.qubits) == 1 else "two_qubit_gates"] += 1


def this_user() -> str:
    """The person's name, as contracts take it."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", getpass.getuser())[:64] or "nobody"
