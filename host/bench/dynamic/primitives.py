# SPDX-License-Identifier: BSD-2-Clause
"""Rows of `bench circuits` on the primitives: against Qiskit's of state vectors, round trips, shots that are saved."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.random import random_circuit
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.quantum_info import SparsePauliOp, random_pauli_list
from scipy.stats import chisquare

from triplane import hal
from triplane.host.bench.registry import BenchContext
from triplane.host.qiskit import EstimatorV2, SamplerV2, TriplaneBackend
from triplane.host.replay.progress import ProgressView

SEED = 2026
CIRCUITS, QUICK_CIRCUITS = 50, 6
SHOTS = 400
REFERENCE_SHOTS = 200_000
QUBITS, DEPTH = 3, 3
PRECISION = 0.08
FEWEST = 5
"""Expected outcomes of a cell, below which cells are taken together."""

POINTS = 50
SWEEP_SHOTS, QUICK_SWEEP_SHOTS = 10_000, 20
SAVED_PRECISION, QUICK_SAVED_PRECISION = 0.02, 0.04

H2 = SparsePauliOp(["II", "IZ", "ZI", "ZZ", "XX"], [-1.0524, 0.3979, -0.3979, -0.0113, 0.1809])
"""Molecular hydrogen at 73.5 pm in the basis STO-3G, parity mapping, two qubits; hartree."""


def primitives(ctx: BenchContext, backend: TriplaneBackend, view: ProgressView, command: str) -> None:
    """All rows, on a backend whose qubits are noiseless."""
    count = QUICK_CIRCUITS if ctx.quick else CIRCUITS
    _sampler(ctx, backend, view, count, command)
    _estimator(ctx, backend, view, count, command)
    _adaptive(ctx, backend, view, command)
    _round_trips(ctx, backend, view, command)


def _random(seed: int) -> QuantumCircuit:
    return random_circuit(QUBITS, DEPTH, max_operands=2, seed=seed)


def _sampler(
    ctx: BenchContext, backend: TriplaneBackend, view: ProgressView, count: int, command: str
) -> None:
    counter = view.count("SamplerV2, random circuits", count, unit="circuits")
    smallest = 1.0
    for seed in range(count):
        circuit = _random(seed)
        circuit.measure_all()
        sampler = SamplerV2(backend, options={"seed_simulator": SEED + seed})
        found = sampler.run([circuit], shots=SHOTS).result()[0].data.meas.get_int_counts()
        reference = StatevectorSampler(seed=SEED + seed).run([circuit], shots=REFERENCE_SHOTS).result()
        expected = reference[0].data.meas.get_int_counts()
        smallest = min(smallest, agreement(found, expected))
        counter.to(seed + 1)
    ctx.row(
        work=f"SamplerV2, {count} random circuits of {QUBITS} qubits, {SHOTS} shots, against StatevectorSampler",
        measure="smallest chi-square p of all",
        value=smallest,
        unit="",
        goal=f">= {0.001 / count:g}",
        command=command,
    )


def agreement(found: dict[int, int], expected: dict[int, int]) -> float:
    """Chi-square p of outcomes that have a distribution, given as many more outcomes."""
    shots, total = sum(found.values()), sum(expected.values())
    cells = [(found.get(value, 0), many / total * shots) for value, many in expected.items()]
    cells.append((sum(many for value, many in found.items() if value not in expected), 0.0))
    often = [cell for cell in cells if cell[1] >= FEWEST]
    rest = [cell for cell in cells if cell[1] < FEWEST]
    pooled = (sum(cell[0] for cell in rest), sum(cell[1] for cell in rest))
    if pooled[1] >= FEWEST:
        often.append(pooled)
    elif len(often) > 1:
        often[-1] = (often[-1][0] + pooled[0], often[-1][1] + pooled[1])
    if len(often) == 1:
        # One outcome alone: others are as rare as the reference says, or not.
        return 1.0 if pooled[0] <= pooled[1] + 4 * np.sqrt(pooled[1]) + 1 else 0.0
    observed, means = np.array(often).T
    return float(chisquare(observed, means * observed.sum() / means.sum()).pvalue)


def _estimator(
    ctx: BenchContext, backend: TriplaneBackend, view: ProgressView, count: int, command: str
) -> None:
    counter = view.count("EstimatorV2, random circuits", count, unit="circuits")
    apart, errors = [], []
    for seed in range(count):
        terms = random_pauli_list(QUBITS, 4, seed=seed, phase=False)
        observable = SparsePauliOp(terms, np.random.default_rng(seed).normal(0, 0.5, 4))
        estimator = EstimatorV2(backend, options={"seed_simulator": SEED + seed})
        found = estimator.run([(_random(seed), observable)], precision=PRECISION).result()[0].data
        exact = StatevectorEstimator().run([(_random(seed), observable)]).result()[0].data.evs
        apart.append(float(found.evs - exact) / PRECISION)
        errors.append(float(found.stds))
        counter.to(seed + 1)
    work = f"EstimatorV2, {count} random circuits and observables of {QUBITS} qubits, against StatevectorEstimator"
    row = functools.partial(ctx.row, work=work, command=command)
    row(measure="furthest from it", value=max(map(abs, apart)), unit="precisions", goal="<= 4")
    row(
        measure="mean square",
        value=float(np.mean(np.square(apart))),
        unit="precisions squared",
        goal="<= 1.5",
    )
    row(measure="largest standard error", value=max(errors) / PRECISION, unit="precisions", goal=None)


def spread() -> dict[str, tuple[QuantumCircuit, Any]]:
    """Circuits and observables as people use them: from eigenstates to states of which nothing is known."""
    theta = 0.1119  # of hydrogen's ground state
    hydrogen = QuantumCircuit(2)
    hydrogen.x(0)
    hydrogen.ry(2 * theta, 1)
    hydrogen.cx(1, 0)
    ghz = QuantumCircuit(4)
    ghz.h(0)
    for target in range(1, 4):
        ghz.cx(target - 1, target)
    ising = QuantumCircuit(4)
    for qubit in range(4):
        ising.ry(0.5, qubit)
    for qubit in range(3):
        ising.cz(qubit, qubit + 1)
    field = [("ZZ", [k, k + 1], -1.0) for k in range(3)] + [("X", [k], -0.5) for k in range(4)]
    chain = [(pauli * 2, [k, k + 1], 1.0) for pauli in "XYZ" for k in range(3)]
    neel = QuantumCircuit(4)
    neel.x([0, 2])
    neel.ry(0.3, range(4))
    parity = QuantumCircuit(3)
    parity.ry(0.4, range(3))
    return {
        "hydrogen, ground state": (hydrogen, H2),
        "GHZ state of 4, its stabilizers": (ghz, SparsePauliOp(["XXXX", "IIZZ", "IZZI", "ZZII"], [0.25] * 4)),
        "Ising chain of 4 in a field": (ising, SparsePauliOp.from_sparse_list(field, 4)),
        "Heisenberg chain of 4, near Neel": (neel, SparsePauliOp.from_sparse_list(chain, 4)),
        "parity of 3 qubits": (parity, SparsePauliOp("ZZZ")),
        "random circuit, random observable": (
            _random(SEED),
            SparsePauliOp(random_pauli_list(3, 4, seed=1, phase=False), [0.5, -0.4, 0.3, 0.2]),
        ),
    }


def _adaptive(ctx: BenchContext, backend: TriplaneBackend, view: ProgressView, command: str) -> None:
    share = QUICK_SAVED_PRECISION if ctx.quick else SAVED_PRECISION
    shots, fixed, apart = 0, 0, []
    for number, (name, (circuit, observable)) in enumerate(spread().items()):
        view.step(f"adaptive shots: {name}")
        # Relative: an energy of several terms is not wanted as precisely as one Pauli.
        precision = share * float(np.sqrt(np.sum(np.abs(observable.coeffs) ** 2)))
        estimator = EstimatorV2(backend, options={"seed_simulator": SEED + number})
        found = estimator.run([(circuit, observable)], precision=precision).result()[0]
        exact = StatevectorEstimator().run([(circuit, observable)]).result()[0].data.evs
        apart.append(float(found.data.evs - exact) / precision)
        shots += found.metadata["shots"]
        fixed += found.metadata["fixed_shots"]
        work = f"adaptive shots: {name}, standard error {precision:.3g}"
        row = functools.partial(ctx.row, work=work, command=command)
        row(
            measure="shots, of the fixed budget's",
            value=found.metadata["shots"] / found.metadata["fixed_shots"],
            unit="",
            goal=None,
        )
        row(measure="standard error", value=float(found.data.stds) / precision, unit="precisions", goal=None)
        row(measure="from the exact value", value=abs(apart[-1]), unit="precisions", goal="<= 4")
    row = functools.partial(ctx.row, work=f"adaptive shots: all {len(spread())} together", command=command)
    row(measure="shots, of the fixed budgets'", value=shots / fixed, unit="", goal="<= 0.5")


class CountedCalls(dict[str, int]):
    """Counts calls of a board's methods, by whoever they are made, as long as it is entered."""

    def __init__(self, board: hal.Board, names: tuple[str, ...]) -> None:
        super().__init__(dict.fromkeys(names, 0))
        self._board = board

    def __enter__(self) -> Self:
        for name in self:
            setattr(self._board, name, self._counting(name, getattr(self._board, name)))
        return self

    def __exit__(self, *_: object) -> None:
        for name in self:
            delattr(self._board, name)

    def _counting(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def counted(*arguments: Any, **named: Any) -> Any:
            self[name] += 1
            return method(*arguments, **named)

        return counted


def _round_trips(ctx: BenchContext, backend: TriplaneBackend, view: ProgressView, command: str) -> None:
    """What a sweep asks of the board, counted at its interface."""
    shots = QUICK_SWEEP_SHOTS if ctx.quick else SWEEP_SHOTS
    theta = Parameter("theta")
    circuit = QuantumCircuit(1)
    circuit.ry(theta, 0)
    circuit.measure_all()
    angles = np.linspace(0, np.pi, POINTS)
    counter = view.count(f"a sweep of {POINTS} points", POINTS * shots)
    with CountedCalls(backend.board(), ("load_control", "execute")) as calls:
        job = SamplerV2(backend, options={"seed_simulator": SEED}).run([(circuit, angles)], shots=shots)
        job.wait_for_final_state(wait=0.2, callback=lambda *_: counter.to(job.done_shots))
        result = job.result()[0]
    work = f"a sweep of {POINTS} points, {shots:,} shots each"
    row = functools.partial(ctx.row, work=work, command=command)
    row(measure="uploads", value=calls["load_control"], unit="", goal="<= 1")
    row(measure="starts", value=calls["execute"], unit="", goal="<= 1")
    ones = np.array([result.data.meas[k].get_int_counts().get(1, 0) for k in range(POINTS)]) / shots
    exact = np.sin(angles / 2) ** 2
    deviation = np.sqrt(np.maximum(exact * (1 - exact), 1 / shots) / shots)
    row(
        measure="points, mean square from the exact value",
        value=float(np.mean(((ones - exact) / deviation) ** 2)),
        unit="variances",
        goal="<= 1.6",
    )
    cycles = result.metadata["triplane"]["cycles"]
    row(measure="a shot, with reset", value=cycles / (POINTS * shots), unit="cycles", goal=None)
    waited = result.metadata["triplane"]["waited_cycles"]
    row(measure="of these, waiting for results", value=waited / (POINTS * shots), unit="cycles", goal=None)
