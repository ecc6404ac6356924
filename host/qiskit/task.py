# SPDX-License-Identifier: BSD-2-Clause
"""What a job does: circuits by themselves here; samplers and estimators have tasks of their own."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.result import Result
from qiskit.result.models import ExperimentResult, ExperimentResultData

from triplane.host.compiler.circuits import CompiledCircuit
from triplane.host.provenance.canonical import sha256
from triplane.host.qiskit.archive import Piece, Request
from triplane.host.qiskit.arguments import checked_seed
from triplane.host.qiskit.evidence import latencies
from triplane.host.qiskit.job import TriplaneJob
from triplane.host.runtime.circuits import Sweep

if TYPE_CHECKING:
    from triplane.host.qiskit.backend import TriplaneBackend

Bits = npt.NDArray[np.bool_]


class Task(Protocol):
    """Parts that are played one after the other, and what they make together."""

    @property
    def parts(self) -> int:
        """How many there are."""

    def check(self) -> dict[str, CompiledCircuit]:
        """What is played, as of `compiled`. Raises CircuitError or ValueError for what cannot be."""

    def request(self) -> Request:
        """All that is needed to make it anew."""

    @classmethod
    def of(cls, backend: TriplaneBackend, request: Request) -> Self:
        """The task of a request."""

    def compiled(self) -> dict[str, CompiledCircuit]:
        """What is played, by names that are told in reports."""

    def work(self, job: TriplaneJob, number: int) -> Piece:
        """Play a part."""

    def gather(self, job: TriplaneJob, pieces: Sequence[Piece]) -> Any:
        """The result of all parts."""


class Circuits:
    """Circuits without parameters, each with the same number of shots: `TriplaneBackend.run`.

    Args:
        backend: that plays them.
        circuits: of the parts.
        shots: of each.
        memory: also give every shot by itself.
        seed: of an emulator.
    """

    def __init__(
        self,
        backend: TriplaneBackend,
        circuits: Sequence[QuantumCircuit],
        shots: int,
        *,
        memory: bool = False,
        seed: int | None = None,
    ) -> None:
        self.backend, self.circuits, self.shots, self.memory, self.seed = (
            backend,
            circuits,
            shots,
            memory,
            checked_seed(seed),
        )
        self._began = time.monotonic()

    @property
    def parts(self) -> int:
        """How many circuits."""
        return len(self.circuits)

    def check(self) -> dict[str, CompiledCircuit]:
        """Compile all, before the first one starts."""
        found = self.compiled()
        for compiled in found.values():
            compiled.program(self.shots)  # refuses free parameters
        return found

    def request(self) -> Request:
        """All that is needed to make it anew."""
        settings = {"shots": self.shots, "memory": self.memory, "seed": self.seed}
        return Request("circuits", self.circuits, settings)

    @classmethod
    def of(cls, backend: TriplaneBackend, request: Request) -> Self:
        """The task of a request."""
        return cls(backend, request.circuits, **request.settings)

    def compiled(self) -> dict[str, CompiledCircuit]:
        """All circuits."""
        return {
            f"circuit {number}: {circuit.name}": self.backend.compiled(circuit)
            for number, circuit in enumerate(self.circuits)
        }

    def work(self, job: TriplaneJob, number: int) -> Piece:
        """One circuit: one upload, one start, outcomes as they come."""
        compiled = self.backend.compiled(self.circuits[number])
        ran = self.backend.play(job, compiled, [self.shots], seed=self.seed, part=(number,))
        return Piece(origin(compiled, ran), {"bits": ran.bits[0]})

    def gather(self, job: TriplaneJob, pieces: Sequence[Piece]) -> Result:
        """Counts, and memory if it is wanted."""
        return Result(
            backend_name=self.backend.name,
            backend_version=self.backend.backend_version,
            job_id=job.job_id(),
            success=True,
            results=[self._experiment(*each) for each in zip(self.circuits, pieces, strict=True)],
            time_taken=time.monotonic() - self._began,
            triplane=about(self.backend, self, job),
        )

    def _experiment(self, circuit: QuantumCircuit, piece: Piece) -> ExperimentResult:
        values = hexadecimal(piece.arrays["bits"])
        memory = {"memory": values} if self.memory else {}
        return ExperimentResult(
            shots=self.shots,
            success=True,
            data=ExperimentResultData(counts=dict(Counter(values)), **memory),
            header={
                "name": circuit.name,
                "memory_slots": circuit.num_clbits,
                "creg_sizes": [[register.name, register.size] for register in circuit.cregs],
                "metadata": circuit.metadata or {},
            },
            triplane=piece.metadata,
        )


def about(backend: TriplaneBackend, task: Task, job: TriplaneJob) -> dict[str, Any]:
    """What a result says of itself: board, job, manifest, latency ledger of its slowest decision, and warnings."""
    compiled = task.compiled()
    return backend.origin | {
        "job_id": job.job_id(),
        "manifest": job.manifest,
        "latency_ledger": latencies(compiled.values()),
        "warnings": [*warnings_of(compiled), *job.warnings],
    }


def warnings_of(compiled: Mapping[str, CompiledCircuit]) -> list[str]:
    """What goes beyond budgets, each once, with the circuit's name."""
    return [f"{name}: {text}" for name, each in compiled.items() for text in each.warnings]


def origin(compiled: CompiledCircuit, *sweeps: Sweep) -> dict[str, Any]:
    """What a result says of the programs that it comes from, as JSON takes it."""
    return {
        "starts": sum(each.starts for each in sweeps),
        "cycles": sum(each.cycles for each in sweeps),
        "waited_cycles": sum(each.waited_cycles for each in sweeps),
        "shot_us": compiled.estimate.duration_us,
        "feed_forward": [dataclasses.asdict(entry) for entry in compiled.estimate.feed_forward],
        "levels": {name: sha256(content) for name, content in compiled.levels().items()},
    }


def hexadecimal(bits: Bits) -> list[str]:
    """Classical bits of shots, bool (shots, bits), as Qiskit writes them: bit 0 is the least significant."""
    if not bits.shape[1]:
        return ["0x0"] * len(bits)
    packed = np.packbits(bits, axis=1, bitorder="little")
    return [hex(int.from_bytes(row.tobytes(), "little")) for row in packed]
