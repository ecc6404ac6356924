# SPDX-License-Identifier: BSD-2-Clause
"""A variational loop on the simulated board: near the exact ground state, and the same over a kill in its middle."""

import subprocess
import sys
import time

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp
from scipy.optimize import minimize

from triplane.host.qiskit import EstimatorV2
from triplane.host.runtime.near_time import NearTime

# Electrons of the hydrogen molecule at 0.75 angstrom: O'Malley et al., Phys. Rev. X 6, 031007 (2016), table I
HYDROGEN = SparsePauliOp.from_list(
    [("II", -0.4804), ("IZ", 0.3435), ("ZI", -0.4347), ("ZZ", 0.5716), ("XX", 0.0910), ("YY", 0.0910)]
)

LOOP = """
import sys
from triplane.hal.device import load_device
from triplane.host.provenance import Store
from triplane.host.qiskit import TriplaneBackend
from triplane.sim.qpu.noiseless import noiseless
sys.path.insert(0, sys.argv[1])
from test_variational import on_board, optimised
store = Store(sys.argv[2])
with TriplaneBackend(noiseless(load_device("line5")), store=store) as backend:
    optimised(on_board(backend), store, "killed", seed=4)
"""


def ansatz():
    theta = Parameter("theta")
    circuit = QuantumCircuit(2)
    circuit.x(0)
    circuit.ry(theta, 1)
    circuit.cx(1, 0)
    return circuit


def on_board(backend):
    """Makes estimators of a seed."""
    return lambda seed: EstimatorV2(backend, options={"seed_simulator": seed, "adaptive": False})


def optimised(estimator_of, store, name, seed, evaluations=10, precision=0.25, **options):
    """The angle that gives the lowest energy, and the steps to it."""
    circuit = ansatz()

    def play(parameters, step_seed):
        return estimator_of(step_seed).run([(circuit, HYDROGEN, parameters)], precision=precision)

    def read(result):
        return {"energy": result[0].data.evs, "error": result[0].data.stds}

    about = {"hamiltonian": [[letters, weight.real] for letters, weight in HYDROGEN.to_list()]}
    with NearTime(name, play, read, seed=seed, about=about, store=store, **options) as run:
        found = minimize(
            lambda x: float(run.step(x).records["energy"]),
            [1.0],
            method="COBYLA",
            options={"maxiter": evaluations, "rhobeg": 0.8},
        )
        return found, list(run.steps), run.file({"angle": found.x.tolist(), "energy": found.fun})


def energy(angle):
    """Exact, of the ansatz."""
    state = np.array([0, np.cos(angle / 2), np.sin(angle / 2), 0])
    return float((state @ HYDROGEN.to_matrix() @ state).real)


@pytest.fixture(scope="module")
def whole(backend, kept_jobs):
    return optimised(on_board(backend), kept_jobs, "whole", seed=4)


def test_it_comes_near_the_ground_state(whole):
    """By less than the standard error of a step."""
    found, steps, _ = whole
    ground = np.linalg.eigvalsh(HYDROGEN.to_matrix())[0]
    error = max(float(step.records["error"]) for step in steps)
    assert energy(found.x[0]) - ground < error < energy(steps[0].parameters[0]) - ground
    off = [
        (float(step.records["energy"]) - energy(step.parameters[0])) / float(step.records["error"])
        for step in steps
    ]
    assert max(map(abs, off)) < 4.5
    assert 0.2 < np.std(off) < 2


def test_an_estimator_of_qiskit_takes_the_board_s_place(kept_jobs):
    """With exact energies the same loop ends in the ground state."""
    found, steps, _ = optimised(
        lambda seed: StatevectorEstimator(seed=seed),
        kept_jobs,
        "exact",
        seed=4,
        evaluations=60,
        precision=0.0,
    )
    assert found.fun == pytest.approx(np.linalg.eigvalsh(HYDROGEN.to_matrix())[0], abs=1e-6)
    assert {step.run for step in steps} == {None}


def test_every_step_names_the_run_of_its_job(whole, kept_jobs):
    _, steps, _ = whole
    assert all(step.run in kept_jobs for step in steps)


def test_after_a_kill_it_goes_on_to_the_same_results(whole, backend, kept_jobs, request):
    folder = kept_jobs.root / "near-time" / "killed"
    command = [sys.executable, "-c", LOOP, str(request.path.parent), str(kept_jobs.root)]
    with subprocess.Popen(command) as process:
        try:
            deadline = time.monotonic() + 240
            while not (folder / "step-1.npz").exists() and time.monotonic() < deadline:
                assert process.poll() is None
                time.sleep(0.02)
        finally:
            process.kill()
    kept = sorted(path.name for path in folder.glob("step-*.npz"))
    expected, steps, _ = whole
    assert 2 <= len(kept) < len(steps)
    written = {name: (folder / name).stat().st_mtime_ns for name in kept}
    found, again, _ = optimised(on_board(backend), kept_jobs, "killed", seed=4, resume=True)
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == written
    assert (found.x.tolist(), found.fun) == (expected.x.tolist(), expected.fun)
    for one, other in zip(again, steps, strict=True):
        assert (one.number, one.seed) == (other.number, other.seed)
        assert np.array_equal(one.parameters, other.parameters)
        assert one.records == other.records
