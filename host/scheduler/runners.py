# SPDX-License-Identifier: BSD-2-Clause
"""What an agent runs jobs with: the golden model, or a board by hal, with the compiler and the runtime of Plane B."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from triplane import hal
from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.program import Program
from triplane.host.scheduler.contracts import Request
from triplane.host.scheduler.errors import ContractError

if TYPE_CHECKING:
    from triplane.hal.device import Device
    from triplane.host.qiskit import TriplaneBackend

LIMIT_CYCLES = 1_000_000_000
"""Of a control program on a board: four seconds."""

MODEL_INSTRUCTIONS = 50_000
MODEL_DELAY_CYCLES = 100

MIN_QPY_VERSION = 13
"""The first that holds expressions as data; earlier ones are read by a parser that evaluates them."""

Check = Callable[[], None]
"""Called now and then while a job runs; raises where the job is to end."""


@dataclass(frozen=True)
class Capability:
    """What an agent tells of its board besides its name: fields of `BoardState`."""

    fields: dict[str, Any]
    gateware: str


class Runner(Protocol):
    """Runs jobs one after the other, each in a thread of its own."""

    @property
    def capability(self) -> Capability:
        """What may be asked of it; asked again for every heartbeat, since calibration changes."""

    def run(self, request: Request, payload: bytes, check: Check) -> bytes:
        """The result, JSON. Raises what is wrong with the job, or with the board."""

    def close(self) -> None:
        """Free the board."""


class ModelRunner:
    """Control programs on the golden model of the sequencer; every measurement gives 0. For tests and rehearsals."""

    @property
    def capability(self) -> Capability:
        """Control programs, and some dozens of them at a time: they are over at once."""
        return Capability({"features": ("control",), "depth": 32}, "golden model")

    def run(self, request: Request, payload: bytes, check: Check) -> bytes:
        """Run the program once; shots and seed are for the program to heed."""
        from triplane.host.programs import run_program

        if request.kind != "control":
            raise ContractError(f"the golden model runs control programs, not {request.kind}")
        check()
        done, _ = run_program(
            _assembled(payload),
            registers={},
            results={},
            delay=MODEL_DELAY_CYCLES,
            frame=0,
            most=MODEL_INSTRUCTIONS,
        )
        if done.stop is not None or done.exit_code is None:
            raise hal.errors.SafeStateError(
                done.stop.fault.name.lower()
                if done.stop
                else f"it did not end in {MODEL_INSTRUCTIONS} instructions"
            )
        return _ended(done.exit_code, [word for _, word in done.outcomes])

    def close(self) -> None:
        """There is nothing to free."""


class BoardRunner:
    """A board with a device behind it: circuits, and control programs that play no pulses.

    Args:
        url: of the board, as `hal.connect` takes it.
        device: behind it, as calibration knows it.
        progress: called with a line of text as a simulated board is built.
    """

    def __init__(self, url: str, device: Device, progress: Callable[[str], None] | None = None) -> None:
        from triplane.host.qiskit import TriplaneBackend

        self.device = device
        self._backend: TriplaneBackend = TriplaneBackend(
            device, board=url, record_jobs=False, progress=progress
        )
        with self._backend.leased("an agent that begins"):
            self._gateware = self._backend.board().identify().build_hash

    @property
    def capability(self) -> Capability:
        """From the target that the device's calibration gives."""
        target, qubits = self._backend.target, self.device.qubits

        def worst(name: str) -> float:
            found = [each.error or 0.0 for each in target[name].values() if each] if name in target else []
            return min(max(found, default=0.0), 1.0)

        return Capability(
            {
                "features": ("control", "circuits"),
                "qubits": len(qubits),
                "device": self.device.name,
                "one_qubit_error": worst("sx"),
                "two_qubit_error": worst("cx"),
                "readout_error": worst("measure"),
                "coherence_us": min(each.t2_us for each in qubits),
            },
            self._gateware,
        )

    def run(self, request: Request, payload: bytes, check: Check) -> bytes:
        """Run a circuit, or a program once."""
        return (
            self._program(payload) if request.kind == "control" else self._circuits(request, payload, check)
        )

    def close(self) -> None:
        """Free the board."""
        self._backend.close()

    def _program(self, payload: bytes) -> bytes:
        program = _assembled(payload)
        if program.groups:
            raise ContractError(
                f"the program has channels ({', '.join(program.channels)}): a job cannot carry the tables of "
                "their pulses yet; submit a circuit"
            )
        with self._backend.leased("a control program"):
            board = self._backend.board()
            board.load_control(hal.ControlProgram(program))
            done = board.execute(limit_cycles=LIMIT_CYCLES, records=True)
        return _ended(done.exit_code, done.outcomes.tolist())

    def _circuits(self, request: Request, payload: bytes, check: Check) -> bytes:
        job = self._backend.run(
            circuits_of(request.kind, payload),
            shots=request.shots,
            memory=request.memory,
            seed_simulator=request.seed,
        )
        while True:
            try:
                return json.dumps(job.result(timeout=0.25).to_dict(), default=str).encode()
            except TimeoutError:
                try:
                    check()
                except BaseException:
                    job.cancel()
                    raise


def circuits_of(kind: str, payload: bytes) -> list[Any]:
    """Circuits of a payload.

    Raises:
        ContractError: it is none, or QPY of a version that is not read from strangers.
    """
    import io

    from qiskit import qpy

    from triplane.host.compiler.qasm import loads

    if kind == "qasm3":
        return [loads(payload.decode("utf-8", "replace")).circuit]
    if payload[:6] != b"QISKIT" or len(payload) < 7:
        raise ContractError("the payload is no QPY")
    if payload[6] < MIN_QPY_VERSION:
        raise ContractError(
            f"QPY version {payload[6]}; versions before {MIN_QPY_VERSION} are not read: "
            "save the circuit with Qiskit 1.3 or later"
        )
    return list(qpy.load(io.BytesIO(payload)))


def _assembled(payload: bytes) -> Program:
    return assemble(payload.decode("utf-8", "replace"), file="program")


def _ended(exit_code: int, outcomes: list[int]) -> bytes:
    return json.dumps({"exit_code": exit_code, "outcomes": outcomes}).encode()
