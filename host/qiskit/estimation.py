# SPDX-License-Identifier: BSD-2-Clause
"""The values of one PUB of an estimator: a program for each basis, a sweep of all points in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from triplane.host.compiler.circuits import CircuitError, CompiledCircuit
from triplane.host.qiskit.archive import Piece
from triplane.host.qiskit.job import TriplaneJob
from triplane.host.qiskit.observables import Basis, bases, constant, largest, numbers
from triplane.host.qiskit.pubs import points
from triplane.host.qiskit.task import origin
from triplane.host.runtime.adaptive import fixed_budget, main_budget, pilot_budget, upper_deviation
from triplane.host.runtime.circuits import Sweep
from triplane.host.runtime.mitigation import ReadoutErrors

if TYPE_CHECKING:
    from triplane.host.qiskit.backend import TriplaneBackend

Bits = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST_SHOTS = 100_000_000
"""Of a PUB: a precision that asks for more is a mistake."""


class Estimation:
    """Of one PUB.

    Args:
        backend: that plays it.
        pub: circuit, observables, values, precision.
        errors: of readout, that are taken out; None: none.
    """

    def __init__(self, backend: TriplaneBackend, pub: EstimatorPub, errors: ReadoutErrors | None) -> None:
        self.backend, self.pub, self.errors = backend, pub, errors
        self.points = points(pub.circuit, pub.parameter_values)
        places = np.arange(len(self.points)).reshape(pub.parameter_values.shape)
        observables = np.asarray(pub.observables)
        found = np.broadcast_arrays(places, observables)
        self._places: npt.NDArray[np.int64] = found[0]
        self._observables: Any = found[1]
        self.bases = bases(term for observable in observables.flat for term in observable)

    def check(self) -> None:
        """See that the precision can be had.

        Raises:
            CircuitError: it cannot be played, or would take too many shots.
        """
        for observable in self._observables.flat:
            for term, factor in observable.items():
                if not np.isfinite(factor):
                    raise CircuitError(
                        f"{term} has the factor {factor} in an observable; give it a finite number"
                    )
        shots = int(self._fixed().sum())
        if shots > MOST_SHOTS:
            raise CircuitError(
                f"a precision of {self.pub.precision:g} may take {shots:,} shots, {MOST_SHOTS:,} are the most; "
                "ask for less, or scale the observables"
            )

    def compiled(self) -> dict[str, CompiledCircuit]:
        """A circuit for each basis, by its Pauli."""
        return {basis.letters[::-1]: self._compiled(basis) for basis in self.bases}

    def run(self, job: TriplaneJob, number: int, *, adaptive: bool, seed: int | None) -> Piece:
        """All values, with the number of the PUB in its job."""
        fixed = self._fixed()
        sweeps: list[list[Sweep]] = [[] for _ in self.bases]

        def play(stage: int, shots: Counts) -> list[Sweep]:
            for k, basis in enumerate(self.bases):
                compiled = self._compiled(basis)
                counts = [int(count) for count in shots[:, k]]
                sweeps[k].append(
                    self.backend.play(job, compiled, counts, self.points, seed=seed, part=(number, stage, k))
                )
            return [each[-1] for each in sweeps]

        pilot = np.zeros_like(fixed)
        if adaptive:
            pilot = np.array([pilot_budget(row) for row in fixed]).reshape(fixed.shape)
        shots = fixed
        if pilot.any():
            shots = self._planned(pilot, fixed, play(0, pilot))
        evs, stds = self._values(play(1, shots))
        metadata = {
            "shots": int(pilot.sum() + shots.sum()),
            "pilot_shots": int(pilot.sum()),
            "fixed_shots": int(fixed.sum()),
            "bases": [basis.letters[::-1] for basis in self.bases],
            "triplane": [
                origin(self._compiled(basis), *each) for basis, each in zip(self.bases, sweeps, strict=True)
            ],
        }
        return Piece(metadata, {"evs": evs, "stds": stds})

    def _elements(self, point: int) -> Iterator[tuple[tuple[int, ...], Mapping[str, float]]]:
        """Places and observables of the values at a point."""
        for place in np.ndindex(self._places.shape):
            if self._places[place] == point:
                yield place, self._observables[place]

    def _table(self, point: int, number: Callable[[int, Basis, Mapping[str, float]], float]) -> Floats:
        """A number for each value at a point and each basis."""
        rows = [
            [number(k, basis, observable) for k, basis in enumerate(self.bases)]
            for _, observable in self._elements(point)
        ]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.bases))

    def _fixed(self) -> Counts:
        """Shots that are enough for any state, int (points, bases)."""
        rows = [
            fixed_budget(self._table(point, self._largest), self.pub.precision) for point in self._indices
        ]
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(self.bases))

    @property
    def _indices(self) -> range:
        return range(len(self.points))

    def _largest(self, _: int, basis: Basis, observable: Mapping[str, float]) -> float:
        return largest(basis, observable, self._physical(basis), self.errors)

    def _planned(self, pilot: Counts, fixed: Counts, sweeps: list[Sweep]) -> Counts:
        """Shots of the main run; the fixed budget where there was no pilot."""
        found = fixed.copy()
        for point in self._indices:
            if pilot[point].any():

                def deviation(
                    k: int, basis: Basis, observable: Mapping[str, float], point: int = point
                ) -> float:
                    return upper_deviation(
                        self._numbers(basis, observable, sweeps[k].bits[point]),
                        self._largest(k, basis, observable),
                    )

                found[point] = main_budget(self._table(point, deviation), self.pub.precision, fixed[point])
        return found

    def _values(self, sweeps: list[Sweep]) -> tuple[Floats, Floats]:
        """Means and their standard errors."""
        evs, variances = np.zeros(self._places.shape), np.zeros(self._places.shape)
        for point in self._indices:
            for place, observable in self._elements(point):
                evs[place] = constant(observable)
                for basis, sweep in zip(self.bases, sweeps, strict=True):
                    if basis.terms & observable.keys():
                        found = self._numbers(basis, observable, sweep.bits[point])
                        evs[place] += found.mean()
                        variances[place] += found.var(ddof=1) / len(found)
        return evs, np.sqrt(variances)

    def _compiled(self, basis: Basis) -> CompiledCircuit:
        return self.backend.compiled(basis.measured(self.pub.circuit))

    def _physical(self, basis: Basis) -> dict[int, int]:
        """Qubit of the circuit -> that of the device, at the end."""
        compiled = self._compiled(basis).transpiled
        first = self.pub.circuit.num_clbits
        found: dict[int, int] = {}
        for instruction in compiled.data:
            if instruction.operation.name == "measure":
                bit = compiled.find_bit(instruction.clbits[0]).index - first
                if bit >= 0:
                    found[basis.qubits[bit]] = compiled.find_bit(instruction.qubits[0]).index
        return found

    def _numbers(self, basis: Basis, observable: Mapping[str, Any], bits: Bits) -> Floats:
        first = self.pub.circuit.num_clbits
        return numbers(basis, observable, bits[:, first:], self._physical(basis), self.errors)
