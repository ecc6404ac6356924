# SPDX-License-Identifier: BSD-2-Clause
"""Qiskit's estimator on a board, to a precision: shots go where outcomes scatter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from qiskit.primitives import BaseEstimatorV2, DataBin, EstimatorPubLike, PrimitiveResult, PubResult
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.observables_array import ObservablesArray

from triplane.host.compiler.circuits import CircuitError, CompiledCircuit
from triplane.host.qiskit.archive import Piece, Request
from triplane.host.qiskit.arguments import checked_seed, options_of, pubs_of
from triplane.host.qiskit.backend import TriplaneBackend
from triplane.host.qiskit.estimation import Estimation
from triplane.host.qiskit.job import TriplaneJob
from triplane.host.qiskit.pubs import Array, kept, restored
from triplane.host.qiskit.task import about
from triplane.host.runtime.mitigation import ReadoutErrors


@dataclass
class EstimatorOptions:
    """Of an `EstimatorV2`.

    Attributes:
        default_precision: standard error, where neither a PUB nor `run` says one.
        adaptive: a pilot says how many shots the precision needs; else as many as any state could need.
        readout_errors: that are taken out of the results, of `TriplaneBackend.readout_errors`; None: none.
        seed_simulator: of the emulator behind a simulated board.
    """

    default_precision: float = 1 / 64
    adaptive: bool = True
    readout_errors: ReadoutErrors | None = None
    seed_simulator: int | None = None


class EstimatorV2(BaseEstimatorV2):  # type: ignore[misc]  # Qiskit ships no types
    """Expectation values of observables, for all values of parameters.

    The precision of a PUB is the standard error of each of its values, whatever the coefficients: it is what `stds`
    comes to, or less. Pilot shots decide how many are made, and are in no value, so that none has a bias from it.
    `metadata["shots"]` has all shots, those of pilots included.

    Args:
        backend: that runs them; its owner closes it.
        options: fields of `EstimatorOptions`.
    """

    def __init__(self, backend: TriplaneBackend, *, options: Mapping[str, Any] | None = None) -> None:
        self.backend = backend
        self.options = options_of(EstimatorOptions, options)

    def run(self, pubs: Iterable[EstimatorPubLike], *, precision: float | None = None) -> TriplaneJob:
        """Run PUBs: (circuit, observables, parameter values, precision) each, the last two if there are any.

        Args:
            pubs: any number; of none the result is empty. Circuits need not be transpiled, and may measure and decide.
            precision: where a PUB does not say; None: `options.default_precision`.

        Returns:
            a job, whose result is a `PrimitiveResult` of `PubResult` with `evs` and `stds`.

        Raises:
            CircuitError: a circuit cannot be played, a PUB is not one, or a precision is not above 0; nothing has
                started then.
        """
        wanted = self.options.default_precision if precision is None else precision
        coerced = pubs_of(EstimatorPub, pubs, wanted)
        for number, pub in enumerate(coerced):
            if not (math.isfinite(pub.precision) and pub.precision > 0):
                raise CircuitError(
                    f"the precision of PUB {number} is {pub.precision}; it is a standard error above 0"
                )
        return self.backend.submit(EstimatorTask(self.backend, coerced, self.options))


class EstimatorTask:
    """PUBs of one call.

    Args:
        backend: that plays them.
        pubs: with precisions.
        options: of the estimator, as they were at the call.
    """

    def __init__(
        self, backend: TriplaneBackend, pubs: Sequence[EstimatorPub], options: EstimatorOptions
    ) -> None:
        self.backend, self.pubs = backend, pubs
        self.options = replace(options, seed_simulator=checked_seed(options.seed_simulator))

    @property
    def parts(self) -> int:
        """How many PUBs."""
        return len(self.pubs)

    def check(self) -> dict[str, CompiledCircuit]:
        """Compile all, before the first one starts."""
        for pub in self.pubs:
            Estimation(self.backend, pub, self.options.readout_errors).check()
        return self.compiled()

    def request(self) -> Request:
        """All that is needed to make it anew."""
        names: list[list[list[str]]] = []
        arrays: dict[str, Array] = {}
        for number, pub in enumerate(self.pubs):
            keys, found = kept(number, pub.parameter_values)
            names.append(keys)
            arrays |= found
        options = asdict(self.options)
        errors = options.pop("readout_errors")
        if errors:
            arrays["flips"] = errors["flips"]
        settings = options | {
            "names": names,
            "flips_shots": errors and errors["shots"],
            "precisions": [pub.precision for pub in self.pubs],
            "observables": [pub.observables.tolist() for pub in self.pubs],
        }
        return Request("estimator", [pub.circuit for pub in self.pubs], settings, arrays)

    @classmethod
    def of(cls, backend: TriplaneBackend, request: Request) -> Self:
        """The task of a request."""
        settings = request.settings
        pubs = [
            EstimatorPub(
                circuit, ObservablesArray(observables), restored(number, names, request.arrays), precision
            )
            for number, (circuit, observables, names, precision) in enumerate(
                zip(
                    request.circuits,
                    settings["observables"],
                    settings["names"],
                    settings["precisions"],
                    strict=True,
                )
            )
        ]
        errors = (
            ReadoutErrors(request.arrays["flips"], settings["flips_shots"])
            if settings["flips_shots"]
            else None
        )
        options = EstimatorOptions(
            settings["default_precision"], settings["adaptive"], errors, settings["seed_simulator"]
        )
        return cls(backend, pubs, options)

    def compiled(self) -> dict[str, CompiledCircuit]:
        """What is played."""
        return {
            f"PUB {number}, {basis}: {pub.circuit.name}": compiled
            for number, pub in enumerate(self.pubs)
            for basis, compiled in Estimation(self.backend, pub, self.options.readout_errors)
            .compiled()
            .items()
        }

    def work(self, job: TriplaneJob, number: int) -> Piece:
        """Estimate the values of a PUB."""
        estimation = Estimation(self.backend, self.pubs[number], self.options.readout_errors)
        return estimation.run(job, number, adaptive=self.options.adaptive, seed=self.options.seed_simulator)

    def gather(self, job: TriplaneJob, pieces: Sequence[Piece]) -> PrimitiveResult[PubResult]:
        """Values and standard errors."""
        results = []
        for pub, piece in zip(self.pubs, pieces, strict=True):
            data: dict[str, npt.NDArray[np.float64]] = piece.arrays
            metadata = piece.metadata | {
                "target_precision": pub.precision,
                "circuit_metadata": pub.circuit.metadata,
            }
            results.append(PubResult(DataBin(evs=data["evs"], stds=data["stds"], shape=pub.shape), metadata))
        return PrimitiveResult(results, metadata={"version": 2, "triplane": about(self.backend, self, job)})
