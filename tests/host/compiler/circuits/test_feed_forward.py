# SPDX-License-Identifier: BSD-2-Clause
"""The map from conditions to actions, with latencies that are those of the golden model; and budgets."""

import math

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr, types

from triplane.host.bench.dynamic.rehearsal import RESULT_CYCLES
from triplane.host.compiler.circuits import CircuitError, Options, compile_circuit
from triplane.host.compiler.circuits.timing import WINDOW, result_cycles

AS_GIVEN = Options(optimization_level=0, reset_first=False)


def measured(*qubits):
    circuit = QuantumCircuit(5, 5)
    circuit.sx(0)
    circuit.measure(qubits, qubits)
    return circuit


def direct():
    circuit = measured(0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(2)
    return circuit


def framed():
    circuit = measured(0)
    circuit.cx(1, 2)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.rz(0.3, 2)
    return circuit


def both():
    circuit = measured(0, 1)
    with circuit.if_test(expr.bit_and(circuit.clbits[0], circuit.clbits[1])):
        circuit.x(2)
    return circuit


def whole():
    circuit = measured(0, 1)
    with circuit.if_test((circuit.cregs[0], 3)):
        circuit.x(2)
    return circuit


def switched():
    circuit = measured(0, 1)
    with circuit.switch(circuit.cregs[0]) as case:
        with case(0, 1):
            circuit.measure(1, 1)
        with case(3):
            circuit.x(2)
    return circuit


def looped():
    circuit = measured(0)
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.x(2)
        circuit.measure(0, 0)
    return circuit


def counted():
    circuit = measured(0)
    tries = circuit.add_var("tries", expr.lift(1, types.Uint(8)))
    with circuit.if_test(expr.equal(expr.add(tries, expr.cast(circuit.clbits[0], types.Uint(8))), 2)):
        circuit.x(2)
    return circuit


def nested():
    circuit = measured(0, 1, 2)
    both = expr.bit_and(circuit.clbits[0], circuit.clbits[1])
    with circuit.if_test(both), circuit.if_test((circuit.clbits[2], 1)):
        circuit.x(2)
    return circuit


def one_after_the_other():
    """The results come together; the second decision waits for what the first one plays."""
    circuit = measured(0, 1)
    circuit.reset([0, 1, 2])
    return circuit


@pytest.mark.parametrize(
    ("make", "slot", "condition", "actions", "by_register"),
    [
        (direct, 0, "slot 0", {"1": "x 2", "0": ""}, False),
        (framed, 0, "slot 0", {"1": "rz 2", "0": ""}, False),
        (both, 1, "c0 & c1", {"true": "x 2", "false": ""}, True),
        (whole, 1, "c0..c4 == 3", {"true": "x 2", "false": ""}, True),
        (switched, 1, "c0..c4", {"0, 1": "measure 1", "3": "x 2", "any other": ""}, True),
        (looped, 0, "while c0 == 1", {"true": "x 2; measure 0"}, True),
        (counted, 0, "(tries + c0) == 2", {"true": "x 2", "false": ""}, True),
        (nested, 2, "slot 2", {"1": "x 2", "0": ""}, False),
        (one_after_the_other, 2, "slot 2", {"1": "x 2", "0": ""}, False),
    ],
)  # fmt: skip
def test_the_map_and_its_latencies_are_those_of_the_sequencer(
    line5, shape, rehearsed, make, slot, condition, actions, by_register
):
    assert result_cycles(line5, 0) == RESULT_CYCLES
    compiled = compile_circuit(make(), line5, shape, AS_GIVEN)
    entry = next(each for each in compiled.estimate.feed_forward if each.condition == condition)
    assert entry.actions == actions
    assert entry.by_register is by_register
    run = rehearsed(compiled, lambda slot, number: int(number < 3))
    last = max(arrival.cycle for arrival in run.arrivals if arrival.slot == slot)
    if make is looped:  # the last one ends the loop
        last = max(a.cycle for a in run.arrivals if a.slot == slot and a.cycle < last)
    channels = (1, 2) if make is framed else (2,)  # a frame is turned on all channels that turn the qubit
    event = min(r.cycle for r in run.done.releases if r.channel in channels and r.cycle > last)
    assert entry.latency_cycles == event - last
    assert entry.wait_cycles == RESULT_CYCLES + entry.latency_cycles


def test_a_decision_by_what_is_long_known_waits_for_nothing(line5, shape):
    circuit = measured(0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(2)
    circuit.barrier()
    circuit.delay(5_000, range(5), "dt")
    circuit.sx(3)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(3)
    first, second = compile_circuit(circuit, line5, shape, AS_GIVEN).estimate.feed_forward
    assert (first.wait_cycles, second.wait_cycles) == (RESULT_CYCLES + 4, second.latency_cycles)
    assert second.latency_cycles < 10


@pytest.mark.parametrize("make", [direct, both, switched, looped])
def test_late_feed_forward_is_told_with_by_how_much(line5, shape, make):
    tight = Options(optimization_level=0, reset_first=False, budget=0.005)
    compiled = compile_circuit(make(), line5, shape, tight)
    entry = compiled.estimate.feed_forward[0]
    coherence_s = min(line5.qubits[entry.qubit].t1_us, line5.qubits[entry.qubit].t2_us) * 1e-6
    times = entry.wait_cycles / 245.76e6 / coherence_s / 0.005
    (warning,) = compiled.warnings
    assert f"takes {entry.wait_cycles} cycles" in warning
    assert f"{times:.1f} times its budget of 0.5%" in warning
    with pytest.raises(CircuitError, match="times its budget of 0.5%"):
        compile_circuit(make(), line5, shape, Options(0, reset_first=False, budget=0.005, refuse_late=True))


def held(delay):
    circuit = QuantumCircuit(5, 5)
    circuit.x(0)
    circuit.barrier()
    circuit.sx(1)
    circuit.delay(delay, 1, "dt")
    circuit.measure(1, 1)
    circuit.barrier()
    circuit.measure(0, 0)
    return circuit


def test_a_qubit_holds_a_state_from_its_first_pulse_to_its_readout(line5, shape, rehearsed):
    compiled = compile_circuit(held(1_000), line5, shape, AS_GIVEN)
    releases = rehearsed(compiled).done.releases
    first = {
        channel: min(r.cycle for r in releases if r.channel == channel and r.kind.name == "PLAY")
        for channel in (0, 1)
    }
    captures = sorted(r.cycle for r in releases if r.channel == 5 and r.kind.name == "PLAY")
    assert compiled.estimate.held_cycles == {
        0: captures[-1] - first[0] + WINDOW,
        1: captures[0] - first[1] + WINDOW,
    }
    assert compiled.warnings == ()


def test_a_circuit_beyond_the_coherence_of_its_qubits_is_told_or_refused(line5, shape):
    delay = math.ceil(2.5 * 98e-6 * 245.76e6)
    options = Options(optimization_level=0, reset_first=False)
    zero, one = compile_circuit(held(delay), line5, shape, options).warnings
    assert zero.startswith("qubit 0 holds a state for 24")
    assert "2.5 times its budget of 98.0 µs, 100% of its coherence" in zero
    assert "1.9 times its budget of 131.0 µs" in one
    assert compile_circuit(held(delay), line5, shape, Options(0, duration_budget=3.0)).warnings == ()
    with pytest.raises(CircuitError, match="2.5 times its budget of 98.0 µs"):
        compile_circuit(held(delay), line5, shape, Options(0, reset_first=False, refuse_late=True))


def test_passes_of_a_loop_are_counted(line5, shape):
    """What is held through a loop is held in every pass; what is read out in each, only in one."""
    circuit = QuantumCircuit(5, 5)
    circuit.x(0)
    with circuit.for_loop(range(100)):
        circuit.sx(1)
        circuit.measure(1, 1)
        circuit.x(1)
    circuit.barrier()
    circuit.measure(0, 0)
    estimate = compile_circuit(circuit, line5, shape, AS_GIVEN).estimate
    assert estimate.held_cycles[0] > 100 * WINDOW
    assert estimate.held_cycles[1] < 4 * WINDOW
    assert not estimate.open_loops
