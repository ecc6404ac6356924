# SPDX-License-Identifier: BSD-2-Clause
"""Lowered programs go through Qiskit's transpiler, onto a line of six qubits, and remain what they were."""

import pytest
from qiskit import transpile
from qiskit.circuit import BreakLoopOp, ContinueLoopOp
from qiskit.providers.fake_provider import GenericBackendV2

from triplane.host.bench.dynamic.corpus import examples
from triplane.host.compiler.qasm import Program, loads

PROGRAMS = [example for example in examples() if example.refusal is None]


@pytest.fixture(scope="module")
def target():
    line = [pair for q in range(5) for pair in ([q, q + 1], [q + 1, q])]
    basis = ["rz", "sx", "x", "cx"]
    target = GenericBackendV2(6, basis_gates=basis, control_flow=True, seed=1, coupling_map=line).target
    target.add_instruction(BreakLoopOp, name="break_loop")
    target.add_instruction(ContinueLoopOp, name="continue_loop")
    return target


@pytest.mark.filterwarnings(
    "ignore:Duration is rounded"
)  # a delay of 200ns is no whole number of this device's dt
@pytest.mark.parametrize("example", PROGRAMS, ids=lambda example: example.name)
def test_a_transpiled_program_has_the_same_distribution(example, target, distribution):
    program = loads(example.source)
    circuit = transpile(program.circuit, target=target, optimization_level=2, seed_transpiler=3)
    found = distribution(Program(circuit, {}, program.outputs, ()))
    for key, probability in distribution(program).items():
        assert found.get(key, 0) == pytest.approx(probability, abs=1e-7)
