# SPDX-License-Identifier: BSD-2-Clause
"""Circuits on the simulated board with emulated qubits behind it have the distributions that Aer gives them."""

import pytest

from triplane.host.bench.dynamic.suite import SUITE
from triplane.host.bench.dynamic.suite import outcomes as by_aer

REFERENCE_SHOTS = 100_000
SHOTS = 200


@pytest.mark.parametrize("name", SUITE)
def test_a_circuit_has_the_distribution_that_aer_gives_it(outcomes, agrees, name):
    assert agrees(outcomes(SUITE[name](), SHOTS), by_aer(SUITE[name](), REFERENCE_SHOTS))


@pytest.mark.parametrize("seed", [1, 3])
def test_random_circuits_have_the_distribution_that_aer_gives_them(outcomes, agrees, scrambled, seed):
    circuit = scrambled(seed, qubits=3, gates=14)
    assert agrees(outcomes(circuit, SHOTS), by_aer(circuit, REFERENCE_SHOTS))
