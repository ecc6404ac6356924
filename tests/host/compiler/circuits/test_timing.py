# SPDX-License-Identifier: BSD-2-Clause
"""Compiled circuits on the golden model: no event is ever late, no queue ever full, and decisions take few cycles."""

import random
from pathlib import Path

import pytest
from qiskit import QuantumCircuit

from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.layouts import Kind
from triplane.hal.control import ControlProgram
from triplane.host.compiler import GateSet
from triplane.host.compiler.circuits import CircuitError, Options, compile_circuit
from triplane.host.compiler.circuits.tree import Segment, walk

EXAMPLES = Path(__file__).resolve().parents[4] / "docs" / "examples" / "loop"


@pytest.mark.parametrize("alignment", ["asap", "alap"])
@pytest.mark.parametrize("queue_events", [32, 64])
@pytest.mark.parametrize("seed", range(5))
def test_random_circuits_run_without_a_fault(
    rehearsed, scrambled, line5, large, seed, queue_events, alignment
):
    """Whatever is measured; also where queues are short."""
    shape = large(queue_events)
    compiled = compile_circuit(scrambled(seed), line5, shape, Options(alignment=alignment))
    results = random.Random(seed)
    run = rehearsed(
        compiled, lambda slot, number: int(results.random() < 0.4), shots=3, queue_events=queue_events
    )
    assert len(run.done.outcomes) == 3


def test_a_long_circuit_does_not_overrun_its_queues(rehearsed, line5, large):
    circuit = QuantumCircuit(5, 5)
    for _ in range(400):
        circuit.sx(range(5))
    circuit.measure(range(5), range(5))
    compiled = compile_circuit(circuit, line5, large(64), Options(optimization_level=0))
    run = rehearsed(compiled)
    played = [r for r in run.done.releases if r.kind == Kind.PLAY and r.channel < 5]
    assert len(played) == 5 * 400


def test_a_segment_is_played_as_it_is_scheduled(rehearsed, line5, shape):
    """Times of pulses differ by those of the schedule, to the cycle."""
    circuit = QuantumCircuit(3, 3)
    circuit.h([0, 1, 2])
    circuit.delay(100, 1, "dt")
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure([0, 1, 2], [0, 1, 2])
    compiled = compile_circuit(circuit, line5, shape, Options(reset_first=False))
    (segment,) = [node for node in walk(compiled.scheduled) if isinstance(node, Segment)]
    planned = sorted((op.time, op.channel) for op in segment.ops if hasattr(op, "channel"))
    run = rehearsed(compiled)
    played = sorted((r.cycle, r.channel) for r in run.done.releases if r.kind == Kind.PLAY and r.channel < 5)
    first = played[0][0] - planned[0][0]
    assert [(cycle - first, channel) for cycle, channel in played] == planned


def teleported():
    circuit = QuantumCircuit(3, 3)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((circuit.clbits[1], 1)):
        circuit.x(2)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.z(2)
    circuit.measure(2, 2)
    return circuit


@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, 0), (1, 1)])
def test_teleportation_decides_as_fast_as_by_hand(rehearsed, three_qubits, shape, a, b):
    """Within 4 cycles of docs/examples/loop/teleportation.tasm; the first decision in the same cycle."""
    macros = ".macro prepare qubit\n.endmacro\n.macro undo qubit\n.endmacro\n"
    text = (EXAMPLES / "teleportation.tasm").read_text()
    gates = GateSet(three_qubits, 3)
    by_hand = ControlProgram(assemble(gates.source(macros + text)), drives=gates.pulses)
    compiled = compile_circuit(
        teleported(), three_qubits, shape, Options(optimization_level=0, reset_first=False)
    )

    def bits(slot, number):
        return (a, b, 0)[slot]

    hand = rehearsed(by_hand, bits).latency(1, 2)
    ours = rehearsed(compiled, bits).latency(1, 2)
    assert ours <= hand + (0 if b else 4)


def test_a_reset_decides_as_fast_as_by_hand(rehearsed, line5, shape):
    """4 cycles from the result to the release of the pulse, as docs/examples/loop/active-reset.tasm has it."""
    circuit = QuantumCircuit(1, 1)
    circuit.h(0)
    circuit.reset(0)
    circuit.measure(0, 0)
    compiled = compile_circuit(circuit, line5, shape, Options(reset_first=False))
    (channel,) = {
        op.channel
        for n in walk(compiled.scheduled)
        if isinstance(n, Segment)
        for op in n.ops
        if hasattr(op, "channel")
    }
    assert rehearsed(compiled, lambda slot, number: 1).latency(channel, channel) == 4


def test_what_comes_too_close_for_the_queues_is_refused(line5, large):
    circuit = QuantumCircuit(5, 5)
    for _ in range(40):
        circuit.rz(1.0, 0)
        circuit.sx(0)
    with pytest.raises(CircuitError, match="queue|events"):
        compile_circuit(circuit, line5, large(1), Options(optimization_level=0))


@pytest.mark.parametrize("kind", ["measured at the end", "decided in the middle", "looped"])
def test_a_shot_takes_what_is_estimated(rehearsed, line5, shape, kind):
    """From shot to shot, with the waits for results: to a tenth, which is what instructions between them take."""
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure(0, 0)
    if kind == "decided in the middle":
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.x(1)
    if kind == "looped":
        with circuit.for_loop(range(6)):
            circuit.measure(1, 1)
            circuit.delay(300, 1, "dt")
    circuit.measure(1, 1)
    compiled = compile_circuit(circuit, line5, shape)
    (first, _), (last, _) = (outcomes := rehearsed(compiled, shots=5).done.outcomes)[0], outcomes[-1]
    assert compiled.estimate.cycles == pytest.approx((last - first) / 4, rel=0.1)
