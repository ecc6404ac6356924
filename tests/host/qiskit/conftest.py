# SPDX-License-Identifier: BSD-2-Clause
"""A backend of five noiseless qubits, whose jobs are kept in a folder of the tests."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from scipy.stats import chisquare

from triplane.hal.device import load_device
from triplane.host.provenance import Store
from triplane.host.qiskit import TriplaneBackend
from triplane.sim.qpu.noiseless import noiseless


@pytest.fixture(scope="session")
def ideal():
    return noiseless(load_device("line5"))


@pytest.fixture(scope="session")
def kept_jobs(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def backend(ideal, kept_jobs):
    with TriplaneBackend(ideal, seed=3, store=kept_jobs) as backend:
        yield backend


@pytest.fixture
def decided():
    """A circuit with feed-forward."""
    circuit = QuantumCircuit(2, 2, name="decided")
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    return circuit


@pytest.fixture
def agree():
    """Whether counts of equal shots have one distribution."""

    def same(found, expected):
        names = sorted(set(found) | set(expected))
        table = np.array([[counts.get(name, 0) for name in names] for counts in (found, expected)], float)
        often = table.sum(axis=0) >= 10
        table = np.concatenate([table[:, often], table[:, ~often].sum(axis=1, keepdims=True)], axis=1)
        table = table[:, table.sum(axis=0) > 0]
        if table.shape[1] == 1:
            return True
        mean = table.sum(axis=0) / 2
        return chisquare(table.ravel(), np.tile(mean, 2), ddof=table.shape[1]).pvalue > 0.001

    return same
