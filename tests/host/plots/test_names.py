# SPDX-License-Identifier: BSD-2-Clause
"""What parts of a compiled circuit are called in figures."""

import dataclasses

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr

from triplane.gateware.sequencer.layouts import Kind
from triplane.hal.device import load_device
from triplane.host.compiler.circuits import Options, compile_circuit
from triplane.host.plots import names_of
from triplane.host.small import shape_of


@pytest.fixture(scope="module")
def line5():
    return load_device("line5")


def compiled(circuit, device):
    """On the first qubits, in their order."""
    options = Options(initial_layout=tuple(range(circuit.num_qubits)))
    return compile_circuit(circuit, device, shape_of(device), options)


def test_qubits_lines_and_gates(line5):
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    names = names_of(compiled(circuit, line5))
    assert names.channels == {0: "q0", 1: "q1", 2: "q2", 3: "q3", 4: "q4", 5: "readout"}
    assert names.slots == {k: f"q{k}" for k in range(5)}
    assert {"x", "sx", "cx\N{RIGHTWARDS ARROW}1"} <= set(names.pulses.values())
    assert names.cycles[5, 0, Kind.CAPTURE] == 120
    assert names.conditions == {}


def test_conditions_in_the_words_of_the_circuit(line5):
    circuit = QuantumCircuit(3, 3)
    circuit.measure([0, 1, 2], [0, 1, 2])
    with circuit.switch(circuit.cregs[0]) as case:
        with case(1):
            circuit.x(2)
        with case(2, 3):
            circuit.x(1)
        with case(case.DEFAULT):
            circuit.x(0)
    with circuit.if_test((circuit.cregs[0], 3)) as otherwise:
        circuit.x(1)
        both = expr.logic_and(circuit.clbits[0], circuit.clbits[1])
        with circuit.if_test(both):
            circuit.x(2)
        with circuit.while_loop(expr.less(circuit.cregs[0], 5)):
            circuit.x(1)
            circuit.measure(1, 1)
    with otherwise:
        circuit.x(0)
    said = list(names_of(compiled(circuit, line5)).conditions.values())
    assert said == [
        ("c = 1", "c != 1"),
        ("c = 2", "c != 2"),
        ("c = 3", "c != 3"),
        ("c != 3", "c = 3"),
        ("not (c[0] and c[1])", "c[0] and c[1]"),
        ("not (c[0] and c[1])", "c[0] and c[1]"),
        ("not (c < 5)", "c < 5"),
    ]


def test_a_notebook_shows_what_a_circuit_takes(line5):
    circuit = QuantumCircuit(2, 2, name="one <and> two")
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    made = compiled(circuit, line5)
    html = made._repr_html_()
    assert "one &lt;and&gt; two" in html
    assert f"{made.estimate.duration_us:.2f} µs" in html
    assert "<td>slot 0</td><td>x 1</td><td>4</td>" in html
    assert f"<td>program words</td><td>{len(made.template.sequence.words)}</td><td>1024</td>" in html


def test_conditions_that_cannot_be_told_apart_have_no_names(line5):
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, 0)
    circuit.measure(0, 1)
    with circuit.if_test((circuit.cregs[0], 3)):
        circuit.x(0)
    made = compiled(circuit, line5)
    assert list(names_of(made).conditions.values()) == [("c != 3", "c = 3")]
    twice = dataclasses.replace(made, source=made.source + "otherwise_999:\n")
    assert names_of(twice).conditions == {}
