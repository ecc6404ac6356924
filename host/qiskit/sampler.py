# SPDX-License-Identifier: BSD-2-Clause
"""Qiskit's sampler on a board: a PUB is a sweep, one upload and one start for as many points as a program holds."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from qiskit.primitives import (
    BaseSamplerV2,
    BitArray,
    DataBin,
    PrimitiveResult,
    SamplerPubLike,
    SamplerPubResult,
)
from qiskit.primitives.containers.sampler_pub import SamplerPub

from triplane.host.compiler.circuits import CompiledCircuit
from triplane.host.qiskit.archive import Piece, Request
from triplane.host.qiskit.arguments import checked_seed, checked_shots, options_of, pubs_of
from triplane.host.qiskit.backend import TriplaneBackend
from triplane.host.qiskit.job import TriplaneJob
from triplane.host.qiskit.pubs import Array, kept, points, restored, table
from triplane.host.qiskit.task import about, origin


@dataclass
class SamplerOptions:
    """Of a `SamplerV2`.

    Attributes:
        default_shots: where neither a PUB nor `run` says how many.
        seed_simulator: of the emulator behind a simulated board.
    """

    default_shots: int = 1_024
    seed_simulator: int | None = None


class SamplerV2(BaseSamplerV2):  # type: ignore[misc]  # Qiskit ships no types
    """Samples of circuits, for all values of their parameters.

    Circuits need not be transpiled: layout and routing are the backend's. A PUB's result has a `BitArray` for each
    classical register, and in `metadata["triplane"]` what the board did for it.

    Args:
        backend: that runs them; its owner closes it.
        options: fields of `SamplerOptions`.
    """

    def __init__(self, backend: TriplaneBackend, *, options: Mapping[str, Any] | None = None) -> None:
        self.backend = backend
        self.options = options_of(SamplerOptions, options)

    def run(self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None) -> TriplaneJob:
        """Run PUBs: (circuit, parameter values, shots) each, the last two if there are any.

        Args:
            pubs: any number; of none the result is empty.
            shots: of each point, where a PUB does not say; None: `options.default_shots`.

        Returns:
            a job, whose result is a `PrimitiveResult` of `SamplerPubResult`.

        Raises:
            CircuitError: a circuit cannot be played, a PUB is not one, or a number is out of range; nothing has started
                then.
        """
        wanted = checked_shots(self.options.default_shots if shots is None else shots)
        coerced = pubs_of(SamplerPub, pubs, wanted)
        for number, pub in enumerate(coerced):
            if not pub.circuit.cregs:
                warnings.warn(
                    f"circuit {number} has no classical registers, so that its result will be empty; measure something",
                    stacklevel=2,
                )
        return self.backend.submit(SamplerTask(self.backend, coerced, self.options.seed_simulator))


class SamplerTask:
    """PUBs of one call.

    Args:
        backend: that plays them.
        pubs: with shots.
        seed: of an emulator.
    """

    def __init__(self, backend: TriplaneBackend, pubs: Sequence[SamplerPub], seed: int | None) -> None:
        self.backend, self.pubs, self.seed = backend, pubs, checked_seed(seed)

    @property
    def parts(self) -> int:
        """How many PUBs."""
        return len(self.pubs)

    def check(self) -> dict[str, CompiledCircuit]:
        """Compile all, before the first one starts."""
        for pub in self.pubs:
            checked_shots(pub.shots)
            table(pub.circuit, pub.parameter_values)
        return self.compiled()

    def request(self) -> Request:
        """All that is needed to make it anew."""
        names: list[list[list[str]]] = []
        arrays: dict[str, Array] = {}
        for number, pub in enumerate(self.pubs):
            keys, found = kept(number, pub.parameter_values)
            names.append(keys)
            arrays |= found
        settings = {"shots": [int(pub.shots) for pub in self.pubs], "names": names, "seed": self.seed}
        return Request("sampler", [pub.circuit for pub in self.pubs], settings, arrays)

    @classmethod
    def of(cls, backend: TriplaneBackend, request: Request) -> Self:
        """The task of a request."""
        settings = request.settings
        pubs = [
            SamplerPub(circuit, restored(number, names, request.arrays), shots)
            for number, (circuit, names, shots) in enumerate(
                zip(request.circuits, settings["names"], settings["shots"], strict=True)
            )
        ]
        return cls(backend, pubs, settings["seed"])

    def compiled(self) -> dict[str, CompiledCircuit]:
        """What is played."""
        return {
            f"PUB {number}: {pub.circuit.name}": self.backend.compiled(pub.circuit)
            for number, pub in enumerate(self.pubs)
        }

    def work(self, job: TriplaneJob, number: int) -> Piece:
        """Play the points of a PUB."""
        pub = self.pubs[number]
        compiled = self.backend.compiled(pub.circuit)
        values = points(pub.circuit, pub.parameter_values)
        ran = self.backend.play(
            job, compiled, [pub.shots] * len(values), values, seed=self.seed, part=(number,)
        )
        empty = np.zeros((0, pub.shots, pub.circuit.num_clbits), np.bool_)
        return Piece(origin(compiled, ran), {"bits": np.stack(ran.bits) if ran.bits else empty})

    def gather(self, job: TriplaneJob, pieces: Sequence[Piece]) -> PrimitiveResult[SamplerPubResult]:
        """Bits by the names of registers."""
        results = []
        for pub, piece in zip(self.pubs, pieces, strict=True):
            bits = piece.arrays["bits"].reshape(*pub.shape, pub.shots, pub.circuit.num_clbits)
            registers = {}
            for register in pub.circuit.cregs:
                places = [pub.circuit.find_bit(bit).index for bit in register]
                registers[register.name] = BitArray.from_bool_array(bits[..., places], order="little")
            metadata = {
                "shots": pub.shots,
                "circuit_metadata": pub.circuit.metadata,
                "triplane": piece.metadata,
            }
            results.append(SamplerPubResult(DataBin(**registers, shape=pub.shape), metadata))
        return PrimitiveResult(results, metadata={"version": 2, "triplane": about(self.backend, self, job)})
