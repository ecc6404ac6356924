# SPDX-License-Identifier: BSD-2-Clause
"""Classical expressions on the golden model have the values that NumPy's unsigned integers have."""

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import BreakLoopOp, Clbit, ContinueLoopOp, ForLoopOp
from qiskit.circuit.classical import expr, types

from triplane.gateware.sequencer.layouts import Kind
from triplane.host.compiler.circuits import CircuitError, Options, compile_circuit

VALUES = [(0, 0), (1, 1), (3, 250), (200, 100), (255, 255), (17, 3)]


@pytest.fixture
def computed(rehearsed, line5, shape):
    """Value of an expression of two 8-bit variables, as its register has it at the end."""

    def run(make, first, second):
        circuit = QuantumCircuit(1)
        a = circuit.add_var("a", expr.lift(first, types.Uint(8)))
        b = circuit.add_var("b", expr.lift(second, types.Uint(8)))
        circuit.store(a, make(a, b))
        compiled = compile_circuit(circuit, line5, shape)
        return rehearsed(compiled).done.registers[1]

    return run


@pytest.mark.parametrize(("first", "second"), VALUES)
@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (expr.add, np.add),
        (expr.sub, np.subtract),
        (expr.bit_and, np.bitwise_and),
        (expr.bit_or, np.bitwise_or),
        (expr.bit_xor, np.bitwise_xor),
        (lambda a, b: expr.bit_not(a), lambda a, b: ~a),
        (lambda a, b: expr.mul(a, 13), lambda a, b: a * np.uint8(13)),
        (lambda a, b: expr.shift_left(a, 3), lambda a, b: a << np.uint8(3)),
        (lambda a, b: expr.shift_right(a, 2), lambda a, b: a >> np.uint8(2)),
        (lambda a, b: expr.add(expr.mul(b, 5), expr.bit_xor(a, expr.sub(b, 1))),
         lambda a, b: b * np.uint8(5) + (a ^ (b - np.uint8(1)))),
    ],
)  # fmt: skip
def test_arithmetic(computed, make, wanted, first, second):
    with np.errstate(over="ignore"):
        expected = int(wanted(np.array([first], np.uint8), np.array([second], np.uint8))[0])
    assert computed(make, first, second) == expected


@pytest.mark.parametrize(("first", "second"), VALUES)
@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (expr.equal, np.equal),
        (expr.not_equal, np.not_equal),
        (expr.less, np.less),
        (expr.less_equal, np.less_equal),
        (expr.greater, np.greater),
        (expr.greater_equal, np.greater_equal),
        (lambda a, b: expr.logic_and(expr.less(a, 100), expr.greater(b, 2)), lambda a, b: (a < 100) & (b > 2)),
        (lambda a, b: expr.logic_or(expr.less(a, b), expr.equal(b, 3)), lambda a, b: (a < b) | (b == 3)),
        (lambda a, b: expr.logic_not(expr.logic_or(expr.less(a, b), expr.equal(b, 3))),
         lambda a, b: ~((a < b) | (b == 3))),
        (lambda a, b: expr.logic_not(expr.logic_and(expr.less(a, 100), expr.greater(b, 2))),
         lambda a, b: ~((a < 100) & (b > 2))),
        (lambda a, b: expr.index(a, 3), lambda a, b: a >> np.uint8(3) & np.uint8(1)),
        (lambda a, b: expr.cast(a, types.Bool()), lambda a, b: a != 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stored", [True, False])
def test_choices(rehearsed, line5, shape, make, wanted, first, second, stored):
    """As a value, and as a condition."""
    circuit = QuantumCircuit(1)
    a = circuit.add_var("a", expr.lift(first, types.Uint(8)))
    b = circuit.add_var("b", expr.lift(second, types.Uint(8)))
    found = circuit.add_var("found", expr.lift(False))
    if stored:
        circuit.store(found, make(a, b))
    else:
        with circuit.if_test(make(a, b)):
            circuit.store(found, True)
    run = rehearsed(compile_circuit(circuit, line5, shape))
    expected = bool(wanted(np.array([first], np.uint8), np.array([second], np.uint8))[0])
    assert run.done.registers[3] == expected


@pytest.mark.parametrize("by", [0, 5, 31, 32, 200])
@pytest.mark.parametrize(("shift", "direction"), [(expr.shift_left, 1), (expr.shift_right, -1)])
def test_a_shift_by_a_variable_goes_as_far_as_it_says(rehearsed, line5, shape, by, shift, direction):
    circuit = QuantumCircuit(1)
    a = circuit.add_var("a", expr.lift(0x80000001, types.Uint(32)))
    b = circuit.add_var("b", expr.lift(by, types.Uint(32)))
    circuit.store(a, shift(a, b))
    found = rehearsed(compile_circuit(circuit, line5, shape)).done.registers[1]
    assert found == (0x80000001 << by if direction > 0 else 0x80000001 >> by) % 2**32


@pytest.mark.parametrize("bits", [[0, 1, 2], [2, 0], [1, 3, 4]])
def test_a_register_of_any_bits_is_put_together(rehearsed, line5, shape, bits):
    """Bits 0, 2 and 3 are measured as 1."""
    cells = [Clbit() for _ in range(5)]
    circuit = QuantumCircuit(5)
    circuit.add_bits(cells)
    view = ClassicalRegister(bits=[cells[bit] for bit in bits], name="view")
    circuit.add_register(view)
    circuit.measure(range(5), cells)
    value = circuit.add_var("value", expr.lift(0, types.Uint(len(bits))))
    circuit.store(value, view)
    compiled = compile_circuit(circuit, line5, shape)
    qubit_of = {
        circuit_bit: physical
        for physical, circuit_bit in (
            (
                compiled.transpiled.find_bit(each.qubits[0]).index,
                compiled.transpiled.find_bit(each.clbits[0]).index,
            )
            for each in compiled.transpiled.data
            if each.operation.name == "measure"
        )
    }
    ones = {qubit_of[bit] for bit in (0, 2, 3)}
    run = rehearsed(compiled, lambda slot, number: int(slot in ones))
    assert run.done.registers[2] == sum((bit in (0, 2, 3)) << place for place, bit in enumerate(bits))


def test_a_loop_counts_its_variable(rehearsed, line5, shape):
    """A pulse in every pass but those that `continue` or `break`."""
    i = expr.Var.new("i", types.Uint(16))
    body = QuantumCircuit(1, inputs=[i])
    for value, leave in ((15, ContinueLoopOp(1, 0)), (27, BreakLoopOp(1, 0))):
        taken = QuantumCircuit(1, captures=[i])
        taken.append(leave, [0])
        body.if_test(expr.equal(i, value), taken, [0], [])
    body.x(0)
    circuit = QuantumCircuit(1)
    circuit.append(ForLoopOp(range(3, 30, 4), i, body), [0])
    run = rehearsed(compile_circuit(circuit, line5, shape, Options(reset_first=False)))
    played = [r for r in run.done.releases if r.kind == Kind.PLAY and r.channel < 5]
    assert len(played) == sum(k != 15 for k in range(3, 27, 4))
    assert run.done.registers[1] == 27


def test_variables_that_a_host_would_give_are_refused(line5, shape):
    circuit = QuantumCircuit(1, inputs=[expr.Var.new("a", types.Uint(8))])
    with pytest.raises(CircuitError, match="input variable 'a'"):
        compile_circuit(circuit, line5, shape)


def test_products_of_variables_are_refused(line5, shape):
    circuit = QuantumCircuit(1)
    a = circuit.add_var("a", expr.lift(2, types.Uint(8)))
    circuit.store(a, expr.mul(a, a))
    with pytest.raises(CircuitError, match="multiplies by constants only"):
        compile_circuit(circuit, line5, shape)


def test_quotients_are_refused(line5, shape):
    circuit = QuantumCircuit(1)
    a = circuit.add_var("a", expr.lift(2, types.Uint(8)))
    circuit.store(a, expr.div(a, a))
    with pytest.raises(CircuitError, match="has no div"):
        compile_circuit(circuit, line5, shape)


def test_stores_to_bits_and_registers(rehearsed, line5, shape):
    """Bits of a register that are not neighbours of each other, a register over two words, and what stays as it was."""
    circuit = QuantumCircuit(1)
    before, low, high = (
        ClassicalRegister(29, "before"),
        ClassicalRegister(8, "low"),
        ClassicalRegister(3, "high"),
    )
    mixed = ClassicalRegister(bits=[high[2], low[0], low[1], before[0]], name="mixed")
    for register in (before, low, high, mixed):
        circuit.add_register(register)
    value = circuit.add_var("value", expr.lift(0b1011_0110, types.Uint(8)))
    circuit.store(low, value)
    circuit.store(expr.lift(before), expr.lift(2**29 - 1, types.Uint(29)))
    circuit.store(high[0], expr.less(value, 200))
    circuit.store(before[3], False)
    circuit.store(mixed, expr.bit_not(mixed))
    run = rehearsed(compile_circuit(circuit, line5, shape))
    whole = run.done.registers[1] | run.done.registers[2] << 32
    expected_low = 0b1011_0110 ^ 0b11
    assert whole == ((2**29 - 1) ^ 0b1000 ^ 1) | expected_low << 29 | 0b101 << 37


@pytest.mark.parametrize("place", range(8))
def test_stores_to_a_bit_of_a_variable(rehearsed, line5, shape, place):
    circuit = QuantumCircuit(1)
    found = circuit.add_var("found", expr.lift(0b0101_1010, types.Uint(8)))
    where = circuit.add_var("where", expr.lift(place, types.Uint(8)))
    circuit.store(expr.index(found, where), expr.lift(place % 3 == 0))
    assert rehearsed(compile_circuit(circuit, line5, shape)).done.registers[1] == (
        0b0101_1010 | 1 << place if place % 3 == 0 else 0b0101_1010 & ~(1 << place)
    )


def test_a_store_replaces_a_result_that_is_on_its_way(rehearsed, line5, shape):
    circuit = QuantumCircuit(1, 2)
    circuit.measure(0, 0)
    circuit.store(circuit.clbits[0], False)
    circuit.measure(0, 1)
    run = rehearsed(compile_circuit(circuit, line5, shape), lambda slot, number: 1)
    assert run.done.registers[1] == 0b10


def test_too_many_variables_are_refused(line5, shape):
    circuit = QuantumCircuit(1)
    for k in range(28):
        circuit.add_var(f"v{k}", expr.lift(k, types.Uint(8)))
    with pytest.raises(
        CircuitError, match="28 variables and 0 angles need 28 registers, the sequencer has 26"
    ):
        compile_circuit(circuit, line5, shape)
