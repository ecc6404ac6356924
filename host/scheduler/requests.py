# SPDX-License-Identifier: BSD-2-Clause
"""What a file or circuits ask for: kind, payload, and the needs that a board is chosen by."""

from __future__ import annotations

import getpass
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triplane.host.scheduler.contracts import MAX_PAYLOAD_BYTES, Kind, Needs
from triplane.host.scheduler.errors import ContractError
from triplane.host.scheduler.programs import program_of
from triplane.host.scheduler.runners import circuits_of

if TYPE_CHECKING:
    from triplane.host.compiler.circuits import CompiledCircuit

logger = logging.getLogger(__name__)

KINDS: dict[str, Kind] = {".qasm": "qasm3", ".qpy": "qpy", ".tasm": "control", ".json": "program"}

NO_GATE = {"barrier", "delay", "store", "break_loop", "continue_loop"}


def read_job(file: Path, device: str = "line5") -> tuple[Kind, bytes, Needs]:
    """Kind, payload and needs of a file by its suffix: OpenQASM 3, QPY, or a program of the sequencer.

    Args:
        file: to submit.
        device: by whose times a shot's duration is estimated, a name or a YAML file.

    Raises:
        ContractError: it is none of these, or larger than a payload may be.
        ValueError: there is an error in it; the text has line and column.
    """
    kind = KINDS.get(file.suffix)
    if kind is None:
        raise ContractError(f"{file}: jobs are files {', '.join(KINDS)}; rename it, or convert it")
    with file.open("rb") as opened:  # no more is read of what is too large, or has no end
        payload = opened.read(MAX_PAYLOAD_BYTES + 1)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ContractError(
            f"{file}: {MAX_PAYLOAD_BYTES} bytes are the most of a payload; make several jobs of it"
        )
    if kind == "control":
        from triplane.host.programs import read_program

        read_program(file)
        return kind, payload, Needs()
    if kind == "qasm3":
        try:
            payload.decode()
        except UnicodeDecodeError as error:
            raise ContractError(f"{file}: byte {error.start} is no UTF-8; OpenQASM 3 is a text") from error
    if kind == "program":
        program_of(kind, payload)
        return kind, payload, Needs()
    circuits = circuits_of(kind, payload)
    return (
        kind,
        payload,
        needs_of(circuits).model_copy(update={"duration_us": _estimated_us(circuits, device)}),
    )


def _estimated_us(circuits: Iterable[Any], device: str) -> float:
    from triplane.hal.device import load_device
    from triplane.host.compiler.circuits import CircuitError, compile_circuit
    from triplane.host.small import shape_of

    known = load_device(device)
    try:
        return duration_us(compile_circuit(circuit, known, shape_of(known)) for circuit in circuits)
    except CircuitError as error:
        # A board with another device may play it.
        logger.warning("device %s cannot play it, so that a shot's duration stays unknown: %s", device, error)
        return 0.0


def duration_us(compiled: Iterable[CompiledCircuit]) -> float:
    """Of the longest shot, as the compiler estimates it, to two digits: equal needs are one class of the queue."""
    return float(f"{max((each.estimate.duration_us for each in compiled), default=0.0):.2g}")


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
