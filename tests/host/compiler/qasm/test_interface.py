# SPDX-License-Identifier: BSD-2-Clause
"""Inputs, outputs and notes of a program; what becomes of its loops."""

import math

import pytest
from qiskit.circuit import Parameter
from qiskit.circuit.classical import expr

from triplane.host.compiler.qasm import loads

TURN = 'OPENQASM 3.0; include "stdgates.inc"; input angle[20] theta; qubit q; bit c; rx(theta / 2) q; c = measure q;'


def test_an_angle_is_a_parameter_that_is_bound_later(distribution):
    program = loads(TURN)
    assert program.inputs["theta"].type == "angle[20]"
    symbol = program.inputs["theta"].symbol
    assert isinstance(symbol, Parameter)
    (found,) = program.circuit.parameters
    assert found == symbol
    bound = program.circuit.assign_parameters({symbol: 1.2})
    changed = type(program)(bound, {}, program.outputs, ())
    assert distribution(changed)["c=1"] == pytest.approx(math.sin(0.3) ** 2)


def test_an_input_given_when_loading_is_a_number(distribution):
    program = loads(TURN, inputs={"theta": 1.2})
    assert program.inputs["theta"].symbol is None
    assert not program.circuit.parameters
    # Quantised to 20 bits.
    assert distribution(program)["c=1"] == pytest.approx(math.sin(0.3) ** 2, abs=1e-5)


def test_an_integer_is_an_input_of_the_circuit(distribution):
    text = 'include "stdgates.inc"; input uint[4] n; qubit q; bit c; if (n > 5) { x q; } c = measure q;'
    program = loads(text)
    assert isinstance(program.inputs["n"].symbol, expr.Var)
    assert distribution(program, {"n": 6}) == pytest.approx({"c=1": 1})
    assert distribution(program, {"n": 5}) == pytest.approx({"c=0": 1})
    assert distribution(loads(text, inputs={"n": 6})) == pytest.approx({"c=1": 1})


def test_a_size_can_be_an_input_that_is_given(distribution):
    text = 'include "stdgates.inc"; input int n; qubit[n] q; bit[n] c; x q; c = measure q;'
    assert distribution(loads(text, inputs={"n": 3})) == pytest.approx({"c=111": 1})


def test_bits_are_given_as_text_highest_first(distribution):
    text = "input bit[3] word; output bit[3] c; c = word;"
    assert distribution(loads(text, inputs={"word": "110"})) == pytest.approx({"c=110": 1})


def test_outputs_are_those_declared_or_all_global_bits():
    assert loads("bit[2] a; bit b; int n = 1; { bit inner; }").outputs == ("a", "b")
    assert loads("bit[2] a; output uint[3] n; n = 1;").outputs == ("n",)


def test_notes_tell_what_was_ignored():
    notes = loads("pragma hello world\n@later now\nbit c;\nfloat f = 1 / 2;").notes
    assert notes == (
        "pragma hello world is ignored",
        "annotation @later is ignored",
        "line 4: 1/2 is a division of integers; write 1.0/2 for the ratio",
    )


def names(circuit):
    return [instruction.operation.name for instruction in circuit.data]


def test_a_loop_that_does_not_use_its_variable_stays_a_loop():
    circuit = loads('include "stdgates.inc"; qubit q; for int i in [0:99] { x q; }').circuit
    assert names(circuit) == ["for_loop"]
    assert len(circuit.data[0].operation.params[0]) == 100


def test_a_loop_whose_variable_is_an_index_is_unrolled():
    circuit = loads('include "stdgates.inc"; qubit[3] q; for int i in [0:2] { x q[i]; }').circuit
    assert names(circuit) == ["x", "x", "x"]


def test_what_follows_from_the_text_is_computed_when_compiling():
    circuit = loads(
        'include "stdgates.inc"; qubit q; int n = 3; if (n > 2) { rx(n * 0.5) q; } else { x q; }'
    ).circuit
    assert names(circuit) == ["rx"]
    assert circuit.data[0].operation.params == [1.5]
    assert circuit.num_vars == 0


def test_an_angle_of_the_run_turns_bit_by_bit(distribution):
    text = 'include "stdgates.inc"; input angle[5] a; qubit q; bit c; h q; p(a) q; inv @ rz(0.3) q; h q; c = measure q;'
    text = text.replace("input angle[5] a;", "input uint[5] n; angle[5] a = bit[5](n);")
    for units in (0, 1, 7, 16, 31):
        turned = 2 * math.pi * units / 32 - 0.3
        assert distribution(loads(text), {"n": units})["c=1"] == pytest.approx(math.sin(turned / 2) ** 2)


def test_a_global_register_keeps_its_name_whatever_comes_before_it(distribution):
    text = (
        "qubit q; def f(qubit q) -> bit { bit c = measure q; bit measured = 1; return c; }"
        "{ bit c = 1; } bit a = f(q); bit c = 0; "
        'bit[2] measured = "10";'
    )
    program = loads(text)
    assert program.outputs == ("a", "c", "measured")
    assert {register.name for register in program.circuit.cregs} >= {"a", "c", "measured"}
    assert distribution(program) == pytest.approx({"a=0 c=0 measured=10": 1})
