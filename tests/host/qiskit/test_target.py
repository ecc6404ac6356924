# SPDX-License-Identifier: BSD-2-Clause
"""Targets of devices, held against Qiskit's own passes and Aer's noise."""

import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.classical import expr
from qiskit.quantum_info import Operator, average_gate_fidelity
from qiskit.transpiler import passes
from qiskit_aer import AerSimulator
from qiskit_aer.noise import thermal_relaxation_error

from triplane.hal.device import load_device
from triplane.host.compiler.circuits import Options, compile_circuit
from triplane.host.qiskit import device_target, transpiled
from triplane.host.small import shape_of


@pytest.fixture(scope="module")
def line5():
    return load_device("line5")


def test_gates_have_the_directions_of_the_couplings(line5):
    target = device_target(line5)
    assert set(target["cx"]) == {(0, 1), (1, 2), (2, 3), (3, 4)}
    assert target.dt == pytest.approx(1 / 245.76e6)
    assert target["sx"][0,].duration == pytest.approx(15 * target.dt)
    assert target["rz"][0,].duration == 0


def test_errors_are_those_of_aers_thermal_relaxation(line5):
    target = device_target(line5)
    for number, qubit in enumerate(line5.qubits):
        entry = target["sx"][number,]
        channel = thermal_relaxation_error(qubit.t1_us * 1e-6, qubit.t2_us * 1e-6, entry.duration)
        assert entry.error == pytest.approx(1 - average_gate_fidelity(channel.to_quantumchannel()), rel=1e-6)
    for (control, turned), entry in target["cx"].items():
        one, two = (
            thermal_relaxation_error(q.t1_us * 1e-6, q.t2_us * 1e-6, entry.duration)
            for q in (line5.qubits[control], line5.qubits[turned])
        )
        error = 1 - average_gate_fidelity(one.expand(two).to_quantumchannel())
        assert entry.error == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize("level", range(4))
def test_transpiled_circuits_hold_to_the_target(line5, level):
    circuit = QuantumCircuit(4, 4)
    circuit.h(0)
    circuit.cx(3, 0)
    circuit.cswap(0, 1, 2)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.swap(1, 3)
    mapped = transpiled(circuit, line5, optimization_level=level)
    check = passes.CheckMap(device_target(line5))
    check(mapped)
    assert check.property_set["is_swap_mapped"]
    assert set(mapped.count_ops()) <= set(device_target(line5).operation_names)


@pytest.mark.parametrize("level", range(4))
def test_a_cx_against_its_coupling_is_turned(line5, level):
    circuit = QuantumCircuit(5)
    for control, turned in ((1, 0), (1, 2), (4, 3), (3, 2), (0, 1)):
        circuit.ry(0.3 + control, control)
        circuit.cx(control, turned)
    mapped = transpiled(circuit, line5, optimization_level=level, initial_layout=range(5))
    places = {
        tuple(mapped.find_bit(bit).index for bit in each.qubits) for each in mapped.get_instructions("cx")
    }
    assert places <= set(device_target(line5)["cx"])
    assert Operator.from_circuit(mapped).equiv(Operator(circuit))


def test_a_cx_is_turned_in_branches_and_beside_variables(line5):
    circuit = QuantumCircuit(2, 1)
    flag = circuit.add_var("flag", expr.lift(False))
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.store(flag, expr.logic_not(flag))
        with circuit.while_loop(flag):
            circuit.cx(1, 0)
            circuit.store(flag, expr.lift(False))
    mapped = transpiled(circuit, line5, initial_layout=(0, 1))
    check = passes.CheckGateDirection(None, device_target(line5))
    check(mapped)
    assert check.property_set["is_direction_mapped"]


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("jump", ["break_loop", "continue_loop"])
def test_a_loop_with_a_jump_is_routed(line5, jump, level):
    """Far gates before a jump, behind it and behind the loop: Qiskit's router loses swaps here (Qiskit#16857)."""
    circuit = QuantumCircuit(4, 5)
    circuit.x(0)
    with circuit.for_loop(range(3)):
        for pair in ((0, 1), (1, 2), (0, 2), (2, 3), (0, 3)):  # not a line
            circuit.cx(*pair)
        circuit.measure(1, 4)
        with circuit.if_test((circuit.clbits[4], 1)):
            circuit.cx(3, 0)
            with circuit.if_test((circuit.clbits[4], 1)):
                getattr(circuit, jump)()
            circuit.x(2)
        circuit.cx(1, 3)
        circuit.cx(3, 0)
    circuit.cx(0, 3)
    circuit.measure(range(4), range(4))
    mapped = transpiled(circuit, line5, optimization_level=level)
    check = passes.CheckMap(device_target(line5))
    check(mapped)
    assert check.property_set["is_swap_mapped"]
    simulator = AerSimulator()
    ours, theirs = (
        simulator.run(each, shots=20).result().get_counts()
        for each in (mapped, transpile(circuit, simulator, optimization_level=0))
    )
    assert len(theirs) == 1  # nothing in this circuit is left to chance
    assert ours == theirs


def test_a_circuit_with_a_jump_that_fits_stays_as_it_is(line5):
    circuit = QuantumCircuit(3, 1)
    with circuit.while_loop((circuit.clbits[0], 0)):
        circuit.cx(0, 1)
        circuit.cx(1, 2)
        circuit.measure(1, 0)
        circuit.break_loop()
    mapped = transpiled(circuit, line5)
    (loop,) = mapped.get_instructions("while_loop")
    assert loop.operation.blocks[0].count_ops()["cx"] == 2


def test_a_gate_that_no_couplings_reach_is_refused(line5):
    apart = line5.model_copy(update={"couplings": line5.couplings[:1]})
    circuit = QuantumCircuit(3, 1)
    with circuit.for_loop(range(2)):
        circuit.cx(0, 2)
        circuit.measure(2, 0)
        circuit.break_loop()
    with pytest.raises(ValueError, match="from qubit 0 to qubit 2"):
        transpiled(circuit, apart, initial_layout=range(3))


def test_a_bad_qubit_is_left_out(line5):
    """The layout knows errors: a pair of qubits is not put where relaxation is fast."""
    qubits = [
        q.model_copy(update={"t1_us": 1.0, "t2_us": 1.0}) if k < 3 else q for k, q in enumerate(line5.qubits)
    ]
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    device = line5.model_copy(update={"qubits": tuple(qubits)})
    assert used(transpiled(circuit, device)) == {3, 4}
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    assert used(transpiled(circuit, device)) == {3, 4}
    assert used(transpiled(circuit, device, initial_layout=(1, 0))) == {0, 1}


def test_a_compiled_circuit_says_its_layout(line5):
    circuit = QuantumCircuit(3, 1)
    circuit.measure(2, 0)
    for layout in ((0, 1, 2), (4, 3, 1)):
        compiled = compile_circuit(circuit, line5, shape_of(line5), Options(initial_layout=layout))
        assert compiled.layout == layout
        assert used(compiled.transpiled) == {layout[2]}


@pytest.mark.parametrize(
    ("layout", "message"),
    [((0,), "not 2 different"), ((1, 1), "not 2 different"), ((4, 5), "not within 0 to 4 of line5")],
)
def test_a_layout_that_is_none_is_refused(line5, layout, message):
    with pytest.raises(ValueError, match=message):
        transpiled(QuantumCircuit(2), line5, initial_layout=layout)


def used(circuit):
    """Qubits of the device that a circuit has instructions for."""
    return {circuit.find_bit(bit).index for each in circuit.data for bit in each.qubits}
