# SPDX-License-Identifier: BSD-2-Clause
"""Rows of `bench circuits` on compiled circuits: distributions, feed-forward, OpenQASM, and time to compile."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from triplane import hal
from triplane.gateware.sequencer.assembler import assemble
from triplane.hal.device import load_device
from triplane.host.bench.dynamic.corpus import counted, examples
from triplane.host.bench.dynamic.primitives import agreement
from triplane.host.bench.dynamic.rehearsal import rehearse
from triplane.host.bench.dynamic.suite import SUITE, outcomes
from triplane.host.bench.registry import BenchContext
from triplane.host.compiler import GateSet
from triplane.host.compiler.circuits import CircuitError, Options, compile_circuit
from triplane.host.compiler.qasm import QasmError, loads
from triplane.host.qiskit import TriplaneBackend
from triplane.host.replay.progress import ProgressView
from triplane.host.small import shape_of

SEED = 2026
SHOTS, QUICK_SHOTS = 4_000, 200
REFERENCE_SHOTS = 400_000
DEVICE, LARGE_DEVICE = "line5", "surface17"
GATES = 1_000
POINTS = 100
"""Values that a parameter is bound to, one after the other."""


def suite(ctx: BenchContext, backend: TriplaneBackend, view: ProgressView, command: str) -> None:
    """Every circuit of the suite, on noiseless qubits, against Aer."""
    shots = QUICK_SHOTS if ctx.quick else SHOTS
    counter = view.count("dynamic circuits", len(SUITE), unit="circuits")
    for number, (name, make) in enumerate(SUITE.items()):
        result = backend.run(make(), shots=shots, memory=True, seed_simulator=SEED + number).result()
        found = Counter(int(value.replace(" ", ""), 2) for value in result.get_memory())
        ctx.row(
            work=f"{name}, {shots:,} shots, noiseless",
            measure="chi-square p against Aer",
            value=agreement(dict(found), outcomes(make(), REFERENCE_SHOTS)),
            unit="",
            goal=">= 0.001",
            command=command,
        )
        counter.to(number + 1)


def feed_forward(ctx: BenchContext, command: str) -> None:
    """Teleportation on the golden model, compiled and by hand: from the last result that decides to its first event."""
    device, shape = load_device(DEVICE), shape_of(load_device(DEVICE))
    text = files("triplane.host.compiler").joinpath("teleportation.tasm").read_text(encoding="utf-8")
    macros = ".macro prepare qubit\n.endmacro\n.macro undo qubit\n.endmacro\n"
    gates = GateSet(device, len(device.qubits))
    by_hand = hal.ControlProgram(assemble(gates.source(macros + text)), drives=gates.pulses)
    options = Options(optimization_level=0, reset_first=False)
    compiled = compile_circuit(teleported(), device, shape, options).program(1)
    row = functools.partial(ctx.row, unit="cycles", command=command)
    later = []
    for a, b in ((0, 1), (1, 0), (1, 1)):
        results = (a, b, 0)

        def bit(slot: int, _: int, given: tuple[int, ...] = results) -> int:
            return given[slot]

        hand, ours = (rehearse(program, bit).latency(1, 2) for program in (by_hand, compiled))
        later.append(ours - hand)
        work = f"teleportation, results {a} and {b}, result to event on the golden model"
        row(work=work, measure="compiled", value=ours, goal=None)
        row(work=work, measure="by hand", value=hand, goal=None)
    row(
        work="teleportation, all results",
        measure="compiled, more than by hand",
        value=max(later),
        goal="<= 4",
    )


def openqasm(ctx: BenchContext, backend: TriplaneBackend, view: ProgressView, command: str) -> None:
    """The programs with distributions worked out by hand: how many run on the board, and whether they have them."""
    shots = QUICK_SHOTS // 4 if ctx.quick else SHOTS // 4
    programs = examples()
    counter = view.count("OpenQASM programs", len(programs), unit="programs")
    ran, smallest = 0, 1.0
    for number, example in enumerate(programs):
        counter.to(number + 1)
        try:
            program = loads(example.source)
            job = backend.run(program.circuit, shots=shots, memory=True, seed_simulator=SEED + number)
        except (QasmError, CircuitError) as error:
            ctx.skip(work=f"OpenQASM: {example.name}", reason=str(error).splitlines()[0], command=command)
            continue
        width = program.circuit.num_clbits
        values = [int(value.replace(" ", ""), 2) for value in job.result().get_memory()]
        bits = np.array([[value >> place & 1 for place in range(width)] for value in values], dtype=bool)
        found = counted(program, bits.reshape(shots, width))
        numbers = {key: index for index, key in enumerate({*found, *example.expected})}
        smallest = min(
            smallest,
            agreement(
                {numbers[key]: count for key, count in found.items()},
                {numbers[key]: round(share * REFERENCE_SHOTS) for key, share in example.expected.items()},
            ),
        )
        ran += 1
    work = f"OpenQASM, {len(programs)} programs, {shots:,} shots, noiseless"
    row = functools.partial(ctx.row, work=work, command=command)
    row(measure="run on the board", value=100 * ran / len(programs), unit="%", goal=">= 90")
    row(
        measure="smallest chi-square p against the distribution by hand",
        value=smallest,
        unit="",
        goal=f">= {0.001 / len(programs):.2g}",
    )


def teleported() -> QuantumCircuit:
    """Teleportation as docs/examples/loop/teleportation.tasm has it."""
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


def compile_time(ctx: BenchContext, command: str) -> None:
    """A large dynamic circuit, and a parameter of it bound anew."""
    device = load_device(LARGE_DEVICE)
    shape = dataclasses.replace(shape_of(device), program_words=4096, groups=256)
    circuit = large(len(device.qubits), [(each.control, each.target) for each in device.couplings])
    gates = sum(circuit.count_ops().values())
    times = []
    for _ in range(3):
        began = time.process_time()
        compiled = compile_circuit(circuit, device, shape)
        times.append(time.process_time() - began)
    row = functools.partial(ctx.row, command=command)
    work = f"{len(device.qubits)} qubits, {gates:,} instructions with decisions, processor time"
    row(work=work, measure="compiling, the first", value=times[0], unit="s", goal="<= 2")
    row(work=work, measure="compiling, the fastest of three", value=min(times), unit="s", goal=None)
    began = time.process_time()
    for point in range(POINTS):
        compiled.program(1_000, {"theta": 0.01 * point})
    each_ms = 1e3 * (time.process_time() - began) / POINTS
    row(work=work, measure="a parameter bound anew", value=each_ms, unit="ms", goal="<= 20")


def large(qubits: int, couplings: Sequence[tuple[int, int]]) -> QuantumCircuit:
    """Layers of gates along couplings, measurements that decide within them, and an angle that is left open."""
    choose = np.random.default_rng(SEED)
    circuit = QuantumCircuit(qubits, qubits)
    theta = Parameter("theta")
    while sum(circuit.count_ops().values()) < GATES:
        coupling = couplings[int(choose.integers(len(couplings)))]
        match int(choose.integers(40)):
            case 0:
                circuit.measure(coupling[0], coupling[0])
                with circuit.if_test((circuit.clbits[coupling[0]], 1)):
                    circuit.x(coupling[1])
            case 1:
                circuit.rz(theta, coupling[0])
            case kind if kind < 10:
                circuit.cx(*coupling)
            case _:
                circuit.sx(int(choose.integers(qubits)))
    circuit.measure(range(qubits), range(qubits))
    return circuit
