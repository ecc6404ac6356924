# SPDX-License-Identifier: BSD-2-Clause
"""Qiskit's way to a board: circuits in, counts and memory out, every shot made by the sequencer."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from uuid import uuid4
from weakref import WeakSet

import numpy as np
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2
from qiskit.providers import Options as RunOptions
from qiskit.transpiler import Target

from triplane import hal
from triplane.gateware.shape import FabricShape
from triplane.hal.device import Device, load_device
from triplane.host.calibration.qubit.snapshot import Snapshot
from triplane.host.compiler.circuits import (
    CircuitError,
    CoherenceWarning,
    CompiledCircuit,
    Options,
    compile_circuit,
)
from triplane.host.compiler.circuits.compiled import Values, qpy_bytes
from triplane.host.compiler.circuits.target import device_target
from triplane.host.provenance import Store
from triplane.host.provenance.canonical import sha256
from triplane.host.qiskit.archive import Archive, Piece
from triplane.host.qiskit.arguments import checked_seed, checked_shots, circuits_of
from triplane.host.qiskit.connection import Connection
from triplane.host.qiskit.evidence import record
from triplane.host.qiskit.job import TriplaneJob
from triplane.host.qiskit.task import Circuits, Task, warnings_of
from triplane.host.runtime.circuits import Sweep, run_points
from triplane.host.runtime.leases import Leases
from triplane.host.runtime.mitigation import ReadoutErrors
from triplane.host.small import shape_of

SHOTS = 1_024

KEPT_CIRCUITS = 64
"""Compiled ones that are kept, for jobs that ask for one again with other values."""


class TriplaneBackend(BackendV2):  # type: ignore[misc]  # Qiskit ships no types
    """A board with a device behind it, as a backend of Qiskit. Use as a context manager, or `close` it.

    Args:
        device: a name of a shipped one, a YAML file, or the device as calibration knows it. The URL of a service of
            jobs, "nats://HOST:PORT", makes a `RemoteBackend`, which takes the arguments of that class.
        snapshot: what calibration has found since; programs are for the device as it was found. Where it is stale, a
            warning says so, now and when a job begins.
        board: "sim": a simulated one in this process, with the device emulated behind it, built when the first job
            needs it. Another address, as of `hal.connect`: connected by the first job, while it holds the device's
            qubits, since to connect ends what others do there. Or a board that is connected, with a fabric of `shape`:
            its owner closes it; the qubits are held while a job runs, if others can reach it.
        shape: of the board's fabric; None: that of `host.small.shape_of`.
        options: of the compiler.
        emulated: what is behind a simulated board, if that is not the device itself: what calibration has missed.
        seed: of the emulator.
        store: where jobs are kept, so that `job` finds them after a restart, and where they are filed as runs; None:
            the person's own.
        record_jobs: False: jobs are neither kept nor filed.
        progress: called with a line of text as a board is built.
    """

    def __new__(cls, device: Any = None, /, *_: Any, **__: Any) -> Self:
        """A backend of a service of jobs, where its URL is given; Python hands the arguments on to its `__init__`."""
        if (
            cls is TriplaneBackend
            and isinstance(device, str)
            and device.lower().startswith(("nats://", "tls://"))
        ):
            from triplane.host.scheduler.backend import RemoteBackend

            return object.__new__(cast(type[Self], RemoteBackend))
        return object.__new__(cls)

    def __init__(
        self,
        device: Device | Path | str = "line5",
        *,
        snapshot: Snapshot | None = None,
        board: hal.Board | str = "sim",
        shape: FabricShape | None = None,
        options: Options | None = None,
        emulated: Device | None = None,
        seed: int = 0,
        store: Store | None = None,
        record_jobs: bool = True,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        known = device if isinstance(device, Device) else load_device(str(device))
        self.snapshot = snapshot
        self.device = known if snapshot is None else snapshot.applied_to(known, stacklevel=2)
        super().__init__(
            name=f"triplane_{self.device.name}",
            description=self.device.description,
            backend_version=version("triplane"),
        )
        self.shape = shape or shape_of(self.device)
        self.compiler_options = options or Options()
        self._target = device_target(self.device)
        self._compiled: dict[str, CompiledCircuit] = {}
        self._store = store or Store()
        leases = Leases(self._store.root)
        self._connection = Connection(
            board,
            self.shape,
            emulated or known,
            seed=checked_seed(seed) or 0,
            leases=leases,
            progress=progress,
        )
        self._archive = Archive(self._store.root / "jobs") if record_jobs else None
        self._closed = False
        self._alive: WeakSet[TriplaneJob] = WeakSet()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self.name)

    @property
    def target(self) -> Target:
        """Gates, directions, durations and errors of the device."""
        return self._target

    @property
    def max_circuits(self) -> None:
        """No limit of a job's circuits."""
        return None

    @classmethod
    def _default_options(cls) -> RunOptions:
        return RunOptions(shots=SHOTS, memory=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            # Somebody has pressed Ctrl-C, or a job is of no use any more: nobody waits for the rest.
            for job in list(self._alive):
                job.cancel()
        self.close()

    def close(self) -> None:
        """Wait for what runs, give up what waits, and free a board of the backend's own.

        Where the block of a `with` ends by an exception, what runs is cancelled first.
        """
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._connection.close()

    def run(
        self,
        run_input: QuantumCircuit | Sequence[QuantumCircuit],
        *,
        shots: int | None = None,
        memory: bool | None = None,
        seed_simulator: int | None = None,
        **others: Any,
    ) -> TriplaneJob:
        """Run circuits; all are compiled before the first one starts.

        Args:
            run_input: circuits without free parameters.
            shots: of each; None: as in `options`.
            memory: also give every shot by itself.
            seed_simulator: of the emulator behind a simulated board, for this job.
            others: none; options of other backends are refused.

        Raises:
            CircuitError: a circuit cannot be played, a number is out of range, or there is no such option; nothing has
                started then.
        """
        if others:
            raise CircuitError(
                f"run() has no option {next(iter(others))!r}; there are shots, memory and seed_simulator, and those of "
                "the compiler are of the backend: TriplaneBackend(options=Options(...))"
            )
        circuits = circuits_of(run_input)
        count = checked_shots(self.options.shots if shots is None else shots)
        wanted = bool(self.options.memory if memory is None else memory)
        return self.submit(Circuits(self, circuits, count, memory=wanted, seed=seed_simulator))

    def submit(self, task: Task) -> TriplaneJob:
        """Check a task, keep what it was asked for, and let it wait for its turn.

        Raises:
            CircuitError: it cannot be played, or the backend is closed; nothing has started then.

        Warns:
            CoherenceWarning: a circuit takes more than the budgets of the compiler's options.
        """
        if self._closed:
            raise CircuitError("the backend is closed; make another one")
        self.checked(task)
        job_id = str(uuid4())
        if self._archive:
            self._archive.open(job_id, task.request())
        return self._started(job_id, task)

    def checked(self, task: Task) -> dict[str, CompiledCircuit]:
        """What a task plays; errors and warnings as of `submit`, by which it is called."""
        compiled = task.check()
        for text in warnings_of(compiled):
            # Of the line that has called `run` of this backend or of a primitive
            warnings.warn(text, CoherenceWarning, stacklevel=4)
        return compiled

    @property
    def emulated(self) -> Device | None:
        """The device behind a simulated board of the backend's own; None for others."""
        return self._connection.emulated

    def jobs(self) -> list[str]:
        """Names of the jobs that are kept, the newest first."""
        return self._archive.jobs() if self._archive else []

    def job(self, job_id: str) -> TriplaneJob:
        """A job of an earlier process: with its result, or, if it had not ended, with what is left of it to be done.

        Parts that had ended are kept as they were.

        Raises:
            UnknownJobError: there is none of that name.
        """
        from triplane.host.qiskit.estimator import EstimatorTask
        from triplane.host.qiskit.sampler import SamplerTask

        request = Archive(self._store.root / "jobs").request(job_id)
        kinds: dict[str, type[Task]] = {
            "circuits": Circuits,
            "sampler": SamplerTask,
            "estimator": EstimatorTask,
        }
        return self._started(job_id, kinds[request.kind].of(self, request))

    def compiled(self, circuit: QuantumCircuit) -> CompiledCircuit:
        """A circuit, compiled once.

        Raises:
            CircuitError: it cannot be played.
        """
        name = sha256(qpy_bytes(circuit))
        if name not in self._compiled:
            while len(self._compiled) >= KEPT_CIRCUITS:
                self._compiled.pop(next(iter(self._compiled)))
            self._compiled[name] = compile_circuit(circuit, self.device, self.shape, self.compiler_options)
        return self._compiled[name]

    def play(
        self,
        job: TriplaneJob,
        compiled: CompiledCircuit,
        shots: Sequence[int],
        values: Sequence[Values] | None = None,
        *,
        seed: int | None = None,
        part: Sequence[int] = (),
    ) -> Sweep:
        """Play points of a circuit for a job, in its thread; `seed` is an emulator's, `part` numbers what it is for."""
        board = self._connection.ready(seed, part)
        return run_points(board, compiled, shots, values, progress=job.count)

    def recalibrate(self, device: Device) -> None:
        """Compile from now on for the device as calibration has found it; what is behind the board stays."""
        self.device, self._target = device, device_target(device)
        self._compiled.clear()

    def leased(self, what: str) -> AbstractContextManager[Callable[[], None]]:
        """Hold the qubits of the device, of a board that others can reach, while a block runs.

        The context gives a function that raises LeaseLostError where they were lost.

        Args:
            what: needs them, for others to read.

        Raises:
            LeaseConflictError: others hold them.
        """
        return self._connection.leased(len(self.device.qubits), what)

    def stale(self) -> list[str]:
        """What is to be said of the snapshot, with its age, if it is stale; it is a warning as well."""
        return [] if self.snapshot is None else self.snapshot.warn_if_stale(stacklevel=2)

    @property
    def origin(self) -> dict[str, Any]:
        """What results say of the board: gateware, clock, device, whether it is simulated; empty before the first."""
        found = self._connection.origin
        return found | {"device": self.device.name} if found else {}

    def readout_errors(self, shots: int = 4_096, *, seed_simulator: int | None = None) -> ReadoutErrors:
        """Measure how often bits are wrong, all qubits at once: prepared in 0, and in 1.

        Raises:
            ValueError: a readout says nothing of its qubit.
        """
        circuits = []
        for flipped in (False, True):
            circuit = QuantumCircuit(len(self.device.qubits), len(self.device.qubits))
            if flipped:
                circuit.x(circuit.qubits)
            circuit.barrier()
            circuit.measure(circuit.qubits, circuit.clbits)
            circuits.append(circuit)
        result = self.run(circuits, shots=shots, memory=True, seed_simulator=seed_simulator).result()
        zeros, ones = (
            np.array([[bit == "1" for bit in row[::-1]] for row in result.get_memory(k)]) for k in range(2)
        )
        return ReadoutErrors.counted(zeros, ones)

    def _started(self, job_id: str, task: Task) -> TriplaneJob:
        def file(pieces: Sequence[Piece]) -> str:
            return record(self, job_id, task.request(), task.compiled(), pieces, self._store)

        job = TriplaneJob(self, job_id, task, self._archive, file if self._archive else None)
        self._alive.add(job)
        job.submit_to(self._pool)
        return job

    def board(self) -> hal.Board:
        """The board, connected; a simulated one is built now if it was not yet. Jobs that run use it too."""
        return self._connection.board()
