# SPDX-License-Identifier: BSD-2-Clause
"""What an agent runs jobs with: the golden model, or a board by hal, with the compiler and the runtime of Plane B."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from triplane import hal
from triplane.host.provenance import RunRecorder
from triplane.host.scheduler.contracts import Request
from triplane.host.scheduler.errors import ContractError
from triplane.host.scheduler.programs import alone, program_of, table_hashes

if TYPE_CHECKING:
    from triplane.hal.device import Device
    from triplane.host.qiskit import TriplaneBackend, TriplaneJob

CONTROL = ("control", "program")
"""Kinds of jobs that are programs of the sequencer."""

LIMIT_CYCLES = 1_000_000_000
"""Of a control program on a board: four seconds."""

MODEL_INSTRUCTIONS = 50_000
MODEL_DELAY_CYCLES = 100

Check = Callable[[], None]
"""Called now and then while a job runs; raises where the job is to end."""


@dataclass(frozen=True)
class Capability:
    """What an agent tells of its board besides its name: fields of `BoardState`."""

    fields: dict[str, Any]
    gateware: str


class Ran(NamedTuple):
    """How a job ended.

    Attributes:
        result: JSON.
        figures: for the run's manifest, as JSON takes them.
    """

    result: bytes
    figures: dict[str, Any] = {}


class Runner(Protocol):
    """Runs jobs one after the other, each in a thread of its own."""

    @property
    def capability(self) -> Capability:
        """What may be asked of it; asked again for every heartbeat, since calibration changes."""

    def run(self, request: Request, payload: bytes, check: Check, recorder: RunRecorder) -> Ran:
        """Run a job, and hand what it is made of to the recorder, besides request and payload.

        Raises what is wrong with the job, or with the board.
        """

    def close(self) -> None:
        """Free the board."""


class ModelRunner:
    """Control programs on the golden model of the sequencer; every measurement gives 0. For tests and rehearsals.

    Attributes:
        GATEWARE: what it says instead of a build's hash.
    """

    GATEWARE = "golden model"

    @property
    def capability(self) -> Capability:
        """Control programs, and some dozens of them at a time: they are over at once."""
        return Capability({"features": ("control",), "depth": 32}, self.GATEWARE)

    def run(self, request: Request, payload: bytes, check: Check, recorder: RunRecorder) -> Ran:
        """Run the program once; shots and seed are for the program to heed."""
        from triplane.host.programs import run_program

        if request.kind not in CONTROL:
            raise ContractError(f"the golden model runs control programs, not {request.kind}")
        check()
        done, _ = run_program(
            program_of(request.kind, payload).sequence,
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
    """A board with a device behind it: circuits, and control programs with their tables.

    Args:
        url: of the board, as `hal.connect` takes it.
        device: behind it.
        progress: called with a line of text as a simulated board is built.
        snapshot: file of the calibration, which is read again whenever it was written anew.

    Raises:
        SnapshotError: it is no snapshot, or one of another device.
        OSError: it cannot be read.
    """

    def __init__(
        self,
        url: str,
        device: Device,
        progress: Callable[[str], None] | None = None,
        snapshot: Path | None = None,
    ) -> None:
        from triplane.host.calibration.qubit.live import LiveDevice
        from triplane.host.qiskit import TriplaneBackend

        self._live = LiveDevice(device, snapshot)
        self._backend: TriplaneBackend = TriplaneBackend(
            device, board=url, record_jobs=False, progress=progress
        )
        self._backend.recalibrate(self._live.device)
        with self._backend.leased("an agent that begins"):
            self._gateware = self._backend.board().identify().build_hash
        self._rated, self._rating = self._live.device, _rating(self._live.device)

    @property
    def capability(self) -> Capability:
        """From the device as calibration has found it by now."""
        device = self._live.refreshed()
        if device is not self._rated:
            self._rated, self._rating = device, _rating(device)
        readout = self._live.readout_error
        rating = self._rating if readout is None else self._rating | {"readout_error": readout}
        return Capability({"features": ("control", "circuits"), **rating}, self._gateware)

    def run(self, request: Request, payload: bytes, check: Check, recorder: RunRecorder) -> Ran:
        """Run a circuit, or a program once."""
        if request.kind in CONTROL:
            return play_program(self._backend, request, payload, recorder)
        return self._circuits(request, payload, check, recorder)

    def close(self) -> None:
        """Free the board."""
        self._backend.close()

    def _circuits(self, request: Request, payload: bytes, check: Check, recorder: RunRecorder) -> Ran:
        from triplane.host.qiskit.calls import call_of
        from triplane.host.qiskit.evidence import collect
        from triplane.host.qiskit.task import Circuits, Task
        from triplane.host.scheduler.primitives import TASKS, packed_parts

        backend = self._backend
        if self._live.device is not backend.device:
            backend.recalibrate(self._live.device)
        task: Task
        if request.kind in TASKS:
            task = TASKS[request.kind].of(backend, call_of(payload))
        else:
            circuits = circuits_of(request.kind, payload)
            task = Circuits(backend, circuits, request.shots, memory=request.memory, seed=request.seed)
        job = backend.submit(task)
        result = _waited(job, check)
        figures = collect(recorder, backend, job.job_id(), task.request(), task.compiled(), job.pieces)
        figures["first_outcome"] = job.first_outcome
        if request.kind in TASKS:
            return Ran(packed_parts(job.pieces, result.metadata["triplane"]), figures)
        return Ran(json.dumps(result.to_dict(), default=str).encode(), figures)


def play_program(backend: TriplaneBackend, request: Request, payload: bytes, recorder: RunRecorder) -> Ran:
    """Run a control program once, with its tables; what it was run on goes to the recorder.

    Args:
        backend: whose board plays it.
        request: of kind "control" or "program"; its seed is that of an emulator behind a simulated board.
        payload: of the request.
        recorder: of the run.

    Raises:
        ContractError, AssemblyError: the payload is no such program, or has channels and no tables.
        ProgramError: it does not fit the board.
    """
    from triplane.host.qiskit.evidence import add_device

    program = program_of(request.kind, payload)
    if request.kind == "control" and program.sequence.groups:
        raise ContractError(
            f"the program has channels ({', '.join(program.sequence.channels)}), and a .tasm has no tables of pulses; "
            "submit a file .json with both, as triplane.host.scheduler.programs.packed_program makes it"
        )
    program = alone(program, backend.shape)
    with backend.leased("a control program"):
        board = backend.prepared(request.seed)
        board.load_control(program)
        done = board.execute(limit_cycles=LIMIT_CYCLES, records=True)
    add_device(recorder, backend)
    recorder.set(
        tables=table_hashes(program, backend.shape),
        seeds={} if request.seed is None else {"emulator": request.seed},
    )
    return _ended(done.exit_code, done.outcomes.tolist())


def _waited(job: TriplaneJob, check: Check) -> Any:
    while True:
        try:
            return job.result(timeout=0.25)
        except TimeoutError:
            try:
                check()
            except BaseException:
                job.cancel()
                raise


def _rating(device: Device) -> dict[str, Any]:
    from triplane.host.compiler.circuits.target import device_target

    target = device_target(device)

    def worst(name: str) -> float:
        found = [each.error or 0.0 for each in target[name].values() if each] if name in target else []
        return min(max(found, default=0.0), 1.0)

    return {
        "qubits": len(device.qubits),
        "device": device.name,
        "one_qubit_error": worst("sx"),
        "two_qubit_error": worst("cx"),
        "readout_error": worst("measure"),
        "coherence_us": min(each.t2_us for each in device.qubits),
    }


def circuits_of(kind: str, payload: bytes) -> list[Any]:
    """Circuits of a payload.

    Raises:
        ContractError: it is none, or QPY of a version that is not read from strangers.
    """
    from triplane.host.compiler.qasm import loads
    from triplane.host.qiskit.calls import CallError, read_qpy

    if kind == "qasm3":
        return [loads(payload.decode("utf-8", "replace")).circuit]
    try:
        return read_qpy(payload)
    except CallError as error:
        raise ContractError(str(error)) from error


def _ended(exit_code: int, outcomes: list[int]) -> Ran:
    return Ran(json.dumps({"exit_code": exit_code, "outcomes": outcomes}).encode())
