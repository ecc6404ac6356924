# SPDX-License-Identifier: BSD-2-Clause
"""Lowered programs go through Qiskit's transpiler, onto a line of six qubits, and remain what they were."""

from pathlib import Path

import pytest
from qiskit import transpile
from qiskit.circuit import BreakLoopOp, ContinueLoopOp
from qiskit.providers.fake_provider import GenericBackendV2

from triplane.host.compiler.qasm import Program, loads

PROGRAMS = [
    path
    for path in sorted((Path(__file__).parent / "programs").glob("*.qasm"))
    if "// refused: " not in path.read_text()
]


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
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_transpiled_program_has_the_same_distribution(path, target, distribution):
    program = loads(path.read_text())
    circuit = transpile(program.circuit, target=target, optimization_level=2, seed_transpiler=3)
    found = distribution(Program(circuit, {}, program.outputs, ()))
    for key, probability in distribution(program).items():
        assert found.get(key, 0) == pytest.approx(probability, abs=1e-7)
