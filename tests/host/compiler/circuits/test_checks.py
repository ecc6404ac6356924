# SPDX-License-Identifier: BSD-2-Clause
"""Circuits that Qiskit, NumPy or Python would fail on somewhere: refused by name, with what to do."""

import math

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Instruction, Parameter

from triplane.host.compiler.circuits import CircuitError, compile_circuit


def with_one(operation, qubit=1):
    circuit = QuantumCircuit(2, 1, name="odd")
    circuit.append(operation, [qubit])
    return circuit


def delayed(duration, unit="s", times=1):
    circuit = QuantumCircuit(2, 1)
    with circuit.if_test((circuit.clbits[0], 1)):
        for _ in range(times):
            circuit.delay(duration, 1, unit=unit)
            circuit.x(1)
    return circuit


@pytest.mark.parametrize("operation", [Gate("wobble", 1, []), Instruction("wobble", 1, 0, [])])
def test_a_gate_that_nobody_knows(line5, shape, operation):
    with pytest.raises(CircuitError, match="circuit 'odd' into gates of line5: .*wobble.*a definition"):
        compile_circuit(with_one(operation), line5, shape)


@pytest.mark.parametrize("angle", [math.nan, math.inf, -math.inf])
def test_an_angle_that_is_no_number(line5, shape, angle):
    circuit = QuantumCircuit(2, 1)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.rx(angle, 1)
    with pytest.raises(
        CircuitError, match=f"rx of qubit 1 has the parameter {angle}; give it a finite number"
    ):
        compile_circuit(circuit, line5, shape)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_of_a_parameter_that_is_no_number(line5, shape, value):
    circuit = QuantumCircuit(1, 1)
    circuit.rx(Parameter("theta"), 0)
    compiled = compile_circuit(circuit, line5, shape)
    with pytest.raises(CircuitError, match=f"parameter 'theta' is {value}; give it a finite number"):
        compiled.program(10, [{"theta": 0.1}, {"theta": value}])


@pytest.mark.parametrize(
    ("duration", "unit", "said"), [(1, "s", "1 s"), (1e30, "us", r"1e\+30 us"), (10**15, "dt", r"1e\+15 dt")]
)
def test_a_delay_that_is_too_long_for_any_program(line5, shape, duration, unit, said):
    message = (
        f"the delay of {said} on qubit 1 is too long: a program of 1024 instructions, .* 50 ms; shorten it"
    )
    with pytest.raises(CircuitError, match=message):
        compile_circuit(delayed(duration, unit), line5, shape)


def test_the_longest_delay_is_named_where_it_takes_most_of_a_program(line5, shape):
    with pytest.raises(
        CircuitError, match="the board has 1024.* the delay of 0.048 s on qubit 1 takes 985 of them"
    ):
        compile_circuit(delayed(0.048), line5, shape)
    with pytest.raises(CircuitError, match="the board has 1024") as several:
        compile_circuit(delayed(0.02, times=4), line5, shape)
    assert "the delay" not in str(several.value)
    assert compile_circuit(delayed(0.04), line5, shape).estimate.duration_us > 40_000


@pytest.mark.parametrize("duration", [math.nan, math.inf])
def test_a_delay_without_a_length(line5, shape, duration):
    with pytest.raises(CircuitError, match=f"a delay of {duration} s has no length that is known"):
        compile_circuit(delayed(duration), line5, shape)


@pytest.mark.parametrize("given", ["text", None, 3])
def test_what_is_no_circuit(line5, shape, given):
    with pytest.raises(CircuitError, match=f"is no QuantumCircuit: {given!r}"):
        compile_circuit(given, line5, shape)
