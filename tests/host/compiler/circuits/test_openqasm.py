# SPDX-License-Identifier: BSD-2-Clause
"""OpenQASM programs on the sequencer: what they compute is what was worked out by hand."""

from collections import Counter

import pytest

from triplane.host.bench.dynamic.corpus import counted, examples
from triplane.host.compiler.circuits import CircuitError, compile_circuit
from triplane.host.compiler.qasm import loads

RUN = [example for example in examples() if example.refusal is None]
SHOTS = 80


@pytest.mark.filterwarnings("ignore:Duration is rounded")  # a delay of 200ns is no whole number of dt
def test_all_programs_that_fit_the_device_are_compiled(line5, shape):
    """`bench circuits` runs them all on the board."""
    refused = {}
    for example in RUN:
        try:
            compile_circuit(loads(example.source).circuit, line5, shape)
        except CircuitError as error:
            refused[example.name] = str(error)
    assert list(refused) == ["alias"]
    assert "6 qubits, line5 has 5" in refused["alias"]


@pytest.mark.parametrize(
    "name",
    ["comparisons-run", "bit-operators-run", "signed-run", "while-counter", "run-index", "swapped-bits"],
)
def test_a_program_has_its_distribution_on_the_board(outcome_bits, agrees, name):
    (example,) = (each for each in RUN if each.name == name)
    program = loads(example.source)
    found = counted(program, outcome_bits(program.circuit, SHOTS))
    numbers = {key: number for number, key in enumerate({*found, *example.expected})}
    assert agrees(
        Counter({numbers[key]: count for key, count in found.items()}),
        Counter({numbers[key]: round(1e6 * share) for key, share in example.expected.items()}),
    )
