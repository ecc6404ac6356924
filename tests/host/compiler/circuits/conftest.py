# SPDX-License-Identifier: BSD-2-Clause
"""A board for five qubits on one line, and circuits on it."""

import dataclasses
import random
from collections import Counter

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.classical import expr
from scipy.stats import chisquare

from triplane import hal
from triplane.gateware.sequencer.layouts import Kind
from triplane.hal.device import load_device
from triplane.host.bench.dynamic.rehearsal import rehearse
from triplane.host.compiler.circuits import compile_circuit
from triplane.host.small import shape_of, small_target
from triplane.sim.qpu import Processor
from triplane.sim.qpu.noiseless import noiseless

SHAPE = shape_of(load_device("line5"))


@pytest.fixture(scope="session")
def shape():
    return SHAPE


@pytest.fixture(scope="session")
def line5():
    return load_device("line5")


@pytest.fixture(scope="session")
def ideal(line5):
    return noiseless(line5)


@pytest.fixture(scope="session")
def board():
    target = small_target()
    with hal.connect("sim", graph=target.graph, table=target.shape, fabric=SHAPE) as connected:
        yield connected


@pytest.fixture
def outcomes(outcome_bits):
    """Outcomes of shots of a circuit with noiseless qubits behind the board: value of its bits -> how often."""

    def run(*arguments, **named):
        bits = outcome_bits(*arguments, **named)
        return Counter((bits @ (1 << np.arange(bits.shape[1]))).tolist())

    return run


@pytest.fixture
def outcome_bits(board, ideal):
    """The same as bool (shots, bits)."""

    def run(circuit, shots, options=None, values=None):
        compiled = compile_circuit(circuit, ideal, SHAPE, options)
        board.load_control(compiled.program(shots, values))
        board.attach(Processor(ideal, seed=1))
        ended = board.execute(limit_cycles=20_000 * shots, records=True)
        bits = compiled.outcomes(ended.outcomes)
        assert len(bits) == shots
        return bits

    return run


@pytest.fixture
def agrees():
    """Whether outcomes are of a distribution, given as outcomes of many more shots."""

    def check(found, reference):
        shots, total = sum(found.values()), sum(reference.values())
        expected = {value: count / total * shots for value, count in reference.items()}
        strangers = sum(count for value, count in found.items() if value not in reference)
        if strangers > shots / 100:
            return False
        often = [value for value, mean in expected.items() if mean >= 5]
        if len(often) == 1:
            mean = expected[often[0]]
            return found[often[0]] >= mean - 4 * np.sqrt(shots - mean) - shots / 100
        observed = np.array([found[value] for value in often] + [0.0])
        means = np.array([expected[value] for value in often] + [0.0])
        observed[-1], means[-1] = shots - observed.sum(), shots - means.sum()
        if means[-1] < 5:
            for each in (observed, means):
                each[np.argmin(means[:-1])] += each[-1]
            observed, means = observed[:-1], means[:-1]
        return chisquare(observed, means).pvalue > 0.001

    return check


@pytest.fixture
def rehearsed():
    """Runs a compiled circuit on the golden model, with results as given; no fault, no overlap of pulses."""

    def run(compiled, bit=lambda slot, number: 0, shots=1, queue_events=64):
        program = compiled.program(shots) if hasattr(compiled, "program") else compiled
        run = rehearse(program, bit, queue_events=queue_events)
        done = run.done
        assert done.stop is None, f"{done.stop} at {program.sequence.place(done.stop.address)}"
        assert not done.exhausted
        busy = {}
        for release in done.releases:
            if release.kind == Kind.PLAY and release.channel < len(program.drives):
                entry = program.drives[release.channel].entries[release.value]
                assert release.cycle >= busy.get(release.channel, 0)
                busy[release.channel] = release.cycle + entry["length"]
        return run

    return run


@pytest.fixture(scope="session")
def large():
    """Makes shapes of boards that are not built: long programs, queues of a length."""
    return lambda queue_events: dataclasses.replace(
        SHAPE, program_words=4096, groups=256, queue_events=queue_events
    )


def random_circuit(seed, qubits=5, gates=40, depth=2):
    """A random dynamic circuit: gates, measurements, resets, decisions and loops in each other."""
    choose = random.Random(seed)
    circuit = QuantumCircuit(qubits, qubits)

    def grow(count, left):
        for _ in range(count):
            kind = choose.random()
            qubit = choose.randrange(qubits)
            bit = circuit.clbits[choose.randrange(qubits)]
            if kind < 0.45:
                choose.choice([circuit.h, circuit.t, circuit.x, circuit.sx])(qubit)
            elif kind < 0.65:
                circuit.cx(*choose.sample(range(qubits), 2))
            elif kind < 0.72:
                circuit.measure(qubit, choose.randrange(qubits))
            elif kind < 0.76:
                circuit.reset(qubit)
            elif kind < 0.8:
                circuit.delay(choose.randrange(1_500), qubit, "dt")
            elif not left:
                circuit.rz(choose.random(), qubit)
            elif kind < 0.88:
                with circuit.if_test((bit, 1)) as otherwise:
                    grow(4, left - 1)
                if choose.random() < 0.5:
                    with otherwise:
                        grow(3, left - 1)
            elif kind < 0.92:
                with circuit.for_loop(range(choose.randrange(1, 9))):
                    grow(4, left - 1)
                    if choose.random() < 0.5:
                        with circuit.if_test((bit, 1)):
                            circuit.x(qubit)
                            choose.choice([circuit.break_loop, circuit.continue_loop])()
            elif kind < 0.96:
                with circuit.switch(circuit.cregs[0]) as case:
                    with case(0, 3):
                        grow(2, left - 1)
                    with case(case.DEFAULT):
                        grow(3, left - 1)
            else:
                with circuit.while_loop(expr.bit_and(circuit.clbits[0], circuit.clbits[1])):
                    grow(3, left - 1)
                    circuit.measure(qubit, 0)

    grow(gates, depth)
    circuit.measure(range(qubits), range(qubits))
    return circuit


@pytest.fixture
def scrambled():
    """Makes random dynamic circuits, of a seed."""
    return random_circuit
