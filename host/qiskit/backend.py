# SPDX-License-Identifier: BSD-2-Clause
"""Qiskit's way to a board: circuits in, counts and memory out, every shot made by the sequencer."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2
from qiskit.providers import Options as RunOptions
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData
from qiskit.transpiler import Target

from triplane import hal
from triplane.gateware.shape import FabricShape
from triplane.hal.device import Device, load_device
from triplane.host.compiler.circuits import CircuitError, CompiledCircuit, Options, compile_circuit
from triplane.host.compiler.circuits.target import device_target
from triplane.host.provenance.canonical import sha256
from triplane.host.qiskit.job import TriplaneJob
from triplane.host.runtime.circuits import run_points
from triplane.host.small import shape_of, small_target

SHOTS, MAX_SHOTS = 1_024, 10_000_000

Bits = npt.NDArray[np.bool_]


class TriplaneBackend(BackendV2):  # type: ignore[misc]  # Qiskit ships no types
    """A board with a device behind it, as a backend of Qiskit. Use as a context manager, or `close` it.

    Args:
        device: a name of a shipped one, or the device as calibration knows it.
        board: connected, with a fabric of `shape`; its owner closes it. None: a simulated one in this process, with the
            device emulated behind it, built when the first job needs it.
        shape: of the board's fabric; None: that of `host.small.shape_of`.
        options: of the compiler.
        emulated: what is behind a simulated board, if that is not the device itself: what calibration has missed.
        seed: of the emulator.
        progress: called with a line of text as a board is built.
    """

    def __init__(
        self,
        device: Device | str = "line5",
        *,
        board: hal.Board | None = None,
        shape: FabricShape | None = None,
        options: Options | None = None,
        emulated: Device | None = None,
        seed: int = 0,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.device = load_device(device) if isinstance(device, str) else device
        super().__init__(
            name=f"triplane_{self.device.name}",
            description=self.device.description,
            backend_version=version("triplane"),
        )
        self.shape = shape or shape_of(self.device)
        self.compiler_options = options or Options()
        self._board, self._owned = board, board is None
        self._emulated, self._seed, self._progress = emulated or self.device, seed, progress
        self._target = device_target(self.device)
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
        self.close()

    def close(self) -> None:
        """End what runs, and free a board of the backend's own."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._owned and self._board is not None:
            self._board.close()
            self._board = None

    def run(
        self,
        run_input: QuantumCircuit | Sequence[QuantumCircuit],
        *,
        shots: int | None = None,
        memory: bool | None = None,
        seed_simulator: int | None = None,
        **_: Any,
    ) -> TriplaneJob:
        """Run circuits; all are compiled before the first one starts.

        Args:
            run_input: circuits without free parameters.
            shots: of each; None: as in `options`.
            memory: also give every shot by itself.
            seed_simulator: of the emulator behind a simulated board, for this job.

        Raises:
            CircuitError: a circuit cannot be played, or a number is out of range; nothing has started then.
        """
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else list(run_input)
        count = self.options.shots if shots is None else shots
        if not isinstance(count, int) or not 1 <= count <= MAX_SHOTS:
            raise CircuitError(f"shots must be a whole number from 1 to {MAX_SHOTS}, not {count!r}")
        wanted = self.options.memory if memory is None else memory
        compiled = [
            compile_circuit(circuit, self.device, self.shape, self.compiler_options) for circuit in circuits
        ]
        for each in compiled:
            each.program(count)  # refuses free parameters
        job = TriplaneJob(
            self, lambda job: self._result(job, compiled, count, wanted, seed_simulator), len(circuits)
        )
        job.submit_to(self._pool)
        return job

    def _connected(self, seed: int | None) -> hal.Board:
        if self._board is None:
            target = small_target()
            self._board = hal.connect(
                "sim", graph=target.graph, table=target.shape, fabric=self.shape, progress=self._progress
            )
            seed = self._seed if seed is None else seed
        if self._owned and seed is not None:
            from triplane.hal.drivers.sim import SimBoard
            from triplane.sim.qpu import Processor

            assert isinstance(self._board, SimBoard)
            self._board.attach(Processor(self._emulated, seed=seed))
        return self._board

    def _result(
        self,
        job: TriplaneJob,
        compiled: Sequence[CompiledCircuit],
        shots: int,
        memory: bool,
        seed: int | None,
    ) -> Result:
        began = time.monotonic()
        board = self._connected(seed)
        identity = board.identify()
        experiments = [self._experiment(job, board, each, shots, memory) for each in compiled]
        return Result(
            backend_name=self.name,
            backend_version=self.backend_version,
            job_id=job.job_id(),
            success=True,
            results=experiments,
            time_taken=time.monotonic() - began,
            triplane={
                "gateware": identity.build_hash,
                "clock_hz": identity.clock_hz,
                "device": self.device.name,
                "simulated": board.descriptor.modality.simulated,
            },
        )

    def _experiment(
        self, job: TriplaneJob, board: hal.Board, compiled: CompiledCircuit, shots: int, memory: bool
    ) -> ExperimentResult:
        """One circuit on the board: one upload, one start, outcomes as they come."""
        job.check_cancelled()

        def done(new: int) -> None:
            job.done_shots += new
            job.check_cancelled()

        ran = run_points(board, compiled, [shots], progress=done)
        values = hexadecimal(ran.bits[0])
        circuit = compiled.circuit
        data = ExperimentResultData(counts=dict(Counter(values)), **({"memory": values} if memory else {}))
        return ExperimentResult(
            shots=shots,
            success=True,
            data=data,
            header={
                "name": circuit.name,
                "memory_slots": circuit.num_clbits,
                "creg_sizes": [[register.name, register.size] for register in circuit.cregs],
                "metadata": circuit.metadata or {},
            },
            triplane={
                "cycles": ran.cycles,
                "waited_cycles": ran.waited_cycles,
                "shot_us": compiled.estimate.duration_us,
                "feed_forward": [dataclasses.asdict(entry) for entry in compiled.estimate.feed_forward],
                "levels": {name: sha256(content) for name, content in compiled.levels().items()},
            },
        )


def hexadecimal(bits: Bits) -> list[str]:
    """Classical bits of shots, bool (shots, bits), as Qiskit writes them: bit 0 is the least significant."""
    if not bits.shape[1]:
        return ["0x0"] * len(bits)
    packed = np.packbits(bits, axis=1, bitorder="little")
    return [hex(int.from_bytes(row.tobytes(), "little")) for row in packed]
