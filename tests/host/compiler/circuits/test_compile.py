# SPDX-License-Identifier: BSD-2-Clause
"""Parameters, levels, estimates, and what is refused."""

import dataclasses
import io
import json
import math

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter
from qiskit_aer import AerSimulator

from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.layouts import Kind
from triplane.host.compiler.circuits import CircuitError, Options, compile_circuit, compile_transpiled


def swept():
    """Two angles, one of them in an expression and in a branch, on a qubit that two channels turn."""
    theta, phi = Parameter("theta"), Parameter("phi")
    circuit = QuantumCircuit(2, 2)
    circuit.ry(theta, 1)
    circuit.rx(1.0, 0)
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.rz(2 * phi + 0.3, 1)
    circuit.sx(1)
    circuit.measure(1, 1)
    return circuit


@pytest.mark.parametrize("values", [{"theta": 0.4, "phi": 1.1}, {"theta": -2.0, "phi": 0.2}])
def test_angles_are_bound_without_compiling(outcomes, agrees, values):
    circuit = swept()
    bound = circuit.assign_parameters(values)
    counts = AerSimulator(seed_simulator=1).run(bound, shots=100_000).result().get_counts()
    assert agrees(
        outcomes(circuit, 300, values=values), {int(value, 2): count for value, count in counts.items()}
    )


def test_binding_changes_nothing_but_numbers(line5, shape):
    compiled = compile_circuit(swept(), line5, shape)
    first = compiled.program(5, {"theta": 0.4, "phi": 1.1}).sequence.words
    second = compiled.program(5, {"theta": 0.4, "phi": 0.2}).sequence.words
    different = np.flatnonzero(first != second)
    assert len(different)
    assert np.all(first >> np.uint64(32) == second >> np.uint64(32))
    assert {int(word >> np.uint64(57)) for word in first[different]} == {0x20}  # SET
    turned = {int(a) - int(b) & 0xFFFFFFFF for a, b in zip(first[different], second[different], strict=True)}
    assert all(abs(word - 2 * 0.9 / (2 * math.pi) * 2**32) <= 1 for word in turned)


def test_points_of_a_sweep_are_one_program(line5, shape):
    """Each point sets its angles and its shots, and calls the same loop."""
    compiled = compile_circuit(swept(), line5, shape)
    points = [{"theta": 0.1 * k, "phi": 0.2 * k} for k in range(compiled.max_points)]
    words = compiled.program(range(1, len(points) + 1), points).sequence.words
    one = compiled.program(1, points[0]).sequence.words
    block = compiled.template.sequence.labels["points"]
    assert np.array_equal(words[:block], one[:block])
    assert words[-1] == one[-1]
    rows = words[block:-1].reshape(len(points), -1)
    assert np.array_equal(rows[:, -2] & np.uint64(0xFFFFFFFF), np.arange(1, len(points) + 1))
    for row, values in zip(rows, points, strict=True):
        alone = compiled.program(1, values).sequence.words[block:-1]
        assert np.array_equal(np.delete(row, -2), np.delete(alone, -2))
    assert len(words) <= shape.program_words < len(words) + rows.shape[1]


def test_a_sweep_that_does_not_fit_is_refused(line5, shape):
    compiled = compile_circuit(swept(), line5, shape)
    most = compiled.max_points
    with pytest.raises(CircuitError, match=f"1 to {most} points of this circuit, not {most + 1}"):
        compiled.program(1, [{"theta": 0.0, "phi": 0.0}] * (most + 1))
    with pytest.raises(CircuitError, match="2 points have 3 numbers of shots"):
        compiled.program([1, 2, 3], [{"theta": 0.0, "phi": 0.0}] * 2)
    with pytest.raises(CircuitError, match="shots are 1 to 4294967295, not 0"):
        compiled.program(0, {"theta": 0.0, "phi": 0.0})


def dialled(angles):
    circuit = QuantumCircuit(2, 2)
    for k in range(angles):
        circuit.rz(Parameter(f"a{k}"), k % 2)
        circuit.sx(k % 2)
    circuit.measure([0, 1], [0, 1])
    return circuit


@pytest.mark.parametrize(("angles", "registers", "points"), [(25, 25, True), (26, 0, False)])
def test_angles_beyond_the_registers_stand_in_the_program(
    outcomes, agrees, line5, shape, angles, registers, points
):
    circuit = dialled(angles)
    compiled = compile_circuit(circuit, line5, shape)
    assert len(compiled.angle_registers) == registers
    assert (compiled.max_points > 1) is points
    values = {f"a{k}": 0.3 * k for k in range(angles)}
    bound = circuit.assign_parameters(values)
    counts = AerSimulator(seed_simulator=1).run(bound, shots=100_000).result().get_counts()
    assert agrees(
        outcomes(circuit, 1_000, values=values), {int(value, 2): count for value, count in counts.items()}
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [({"theta": 1.0}, "'phi' has no value"), ({"theta": 1.0, "phi": 0.0, "psi": 1.0}, "'psi' is not one of")],
)
def test_parameters_and_values_have_to_agree(line5, shape, values, message):
    with pytest.raises(CircuitError, match=message):
        compile_circuit(swept(), line5, shape).program(1, values)


def test_every_level_can_be_read_back(line5, shape):
    compiled = compile_circuit(swept(), line5, shape)
    levels = compiled.levels()
    assert qpy.load(io.BytesIO(levels["circuit.qpy"]))[0] == compiled.circuit
    assert qpy.load(io.BytesIO(levels["transpiled.qpy"]))[0] == compiled.transpiled
    assert {node["kind"] for node in json.loads(levels["scheduled.json"])} >= {"segment", "decide", "read"}
    again = assemble(levels["program.tasm"].decode())
    assert np.array_equal(again.words, compiled.template.sequence.words)


def test_a_full_table_gives_its_frames_to_the_hardware(outcomes, agrees, ideal):
    """More angles than a table has entries."""
    circuit = QuantumCircuit(2, 2)
    choose = np.random.default_rng(5)
    for angle in choose.uniform(-3, 3, 90):
        circuit.rz(angle, 1)
        circuit.sx(1)
    circuit.cx(0, 1)
    circuit.sx(1)
    circuit.measure([0, 1], [0, 1])
    counts = AerSimulator(seed_simulator=1).run(circuit, shots=100_000).result().get_counts()
    reference = {int(value, 2): count for value, count in counts.items()}
    assert agrees(outcomes(circuit, 200, Options(optimization_level=0)), reference)


def test_the_estimate_names_uses_and_feed_forward(line5, shape):
    compiled = compile_circuit(swept(), line5, shape, Options(reset_first=False))
    estimate = compiled.estimate
    words = next(use for use in estimate.uses if use.resource == "program words")
    assert (words.used, words.limit) == (len(compiled.template.sequence.words), 1024)
    (decision,) = estimate.feed_forward
    assert decision.latency_cycles == 6  # of a shift on two channels
    assert decision.wait_cycles == 8 + 15 + 120 + 7 + 6
    assert 0 < estimate.duration_us < 10
    assert estimate.late(0.1) == []
    assert "times its budget" in estimate.late(0.001)[0]


def test_feed_forward_beyond_the_budget_is_refused_where_that_is_asked_for(line5, shape):
    compile_circuit(swept(), line5, shape, Options(budget=0.001))
    with pytest.raises(CircuitError, match="feed-forward by slot . takes 154 cycles"):
        compile_circuit(swept(), line5, shape, Options(budget=0.001, refuse_late=True))


def many(gates):
    circuit = QuantumCircuit(5, 5)
    for k in range(gates):
        circuit.sx(k % 5)
    return circuit


@pytest.mark.parametrize(
    ("circuit", "change", "message"),
    [
        (QuantumCircuit(6), {}, "6 qubits, line5 has 5"),
        (many(5), {"drives": 3}, "5 qubits, the board 3 drive channels"),
        (many(1500), {}, "program words, the board has 1024; of program words it uses"),
        (many(5), {"groups": 4}, "groups, the board has 4"),
        (swept(), {"pulse_entries": 1}, "the gates of channel . alone need more than the 1 entries"),
        (swept(), {"envelope_clocks": 16}, "envelope clocks of drive ., the board has 16"),
        (swept(), {"windows": 1}, "windows of readout line 0, the board has 1"),
        (QuantumCircuit(1, 900), {}, "900 classical bits, 0 variables and 0 angles need 29 registers"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_need_and_limit(line5, shape, circuit, change, message):
    with pytest.raises(CircuitError, match=message):
        compile_circuit(circuit, line5, dataclasses.replace(shape, **change), Options(optimization_level=0))


def test_readouts_come_one_after_the_other_where_windows_are_too_few(line5, shape, rehearsed):
    """Five windows are for five qubits alone; a sixth lets some be read out at once."""
    circuit = QuantumCircuit(5, 5)
    circuit.measure(range(5), range(5))
    captures = []
    options = Options(reset_first=False, initial_layout=tuple(range(5)))
    for windows in (5, 6):
        compiled = compile_circuit(circuit, line5, dataclasses.replace(shape, windows=windows), options)
        run = rehearsed(compiled, lambda slot, number: slot % 2)
        assert run.done.outcomes[0][1] == 0b01010
        captures.append(sum(release.kind == Kind.CAPTURE for release in run.done.releases))
        assert len(compiled.template.demodulation[0].windows) <= windows
    assert captures[0] > captures[1]


def test_what_the_device_has_not_is_refused(line5, shape):
    unconnected, unknown = QuantumCircuit(5), QuantumCircuit(5)
    unconnected.cx(4, 0)
    unknown.h(0)
    for circuit, message in ((unconnected, "cx of qubits 4 and 0"), (unknown, "no instruction 'h'")):
        with pytest.raises(CircuitError, match=message):
            compile_transpiled(circuit, circuit, line5, shape, Options())


def test_more_than_32_bits_are_given_out_word_by_word(rehearsed, line5, shape):
    circuit = QuantumCircuit(2, 40)
    circuit.measure(0, 3)
    circuit.measure(1, 36)
    compiled = compile_circuit(circuit, line5, shape, Options(reset_first=False))
    run = rehearsed(compiled, lambda slot, number: 1, shots=2)
    bits = compiled.outcomes(np.array([word for _, word in run.done.outcomes], dtype=np.uint32))
    assert bits.shape == (2, 40)
    assert [np.flatnonzero(row).tolist() for row in bits] == [[3, 36]] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shot_limit_cycles": 0}, "not 0"),
        ({"alignment": "late"}, "not 'late'"), ({"optimization_level": 4}, "not 4"),
        ({"reset_rounds": 0}, "not 0"), ({"rest_cycles": -1}, "not -1"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(CircuitError, match=message):
        Options(**options)
