# SPDX-License-Identifier: BSD-2-Clause
"""A device as Qiskit's transpiler sees it: gates, directions, durations and errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import (
    BreakLoopOp,
    ContinueLoopOp,
    Delay,
    ForLoopOp,
    IfElseOp,
    Measure,
    Parameter,
    Reset,
    Store,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.library import CXGate, RZGate, SXGate, XGate
from qiskit.transpiler import InstructionProperties, PassManager, Target
from qiskit.transpiler.passes import Optimize1qGatesDecomposition
from qiskit.transpiler.preset_passmanagers import generate_preset_pass_manager

from triplane.hal.device import ADC_HZ, DAC_HZ, Device, Qubit
from triplane.host.compiler.circuits.directions import Directed
from triplane.host.compiler.circuits.routing import ThereAndBack, has_jumps
from triplane.host.compiler.gates import MARGIN
from triplane.sim.qpu.events import Tone
from triplane.sim.qpu.gates import READOUT_SAMPLES, TONE_SCALE, X_SAMPLES, cross_pulse
from triplane.sim.qpu.resonator import best_tone_hz, separation

Crosses: TypeAlias = dict[tuple[int, int], InstructionProperties]
"""(control, target) -> of a `cx`."""

DT_S = 1 / ADC_HZ
"""One clock of the board, 4.069 ns."""

CONTROL_FLOW = {
    "if_else": IfElseOp,
    "switch_case": SwitchCaseOp,
    "for_loop": ForLoopOp,
    "while_loop": WhileLoopOp,
    "break_loop": BreakLoopOp,
    "continue_loop": ContinueLoopOp,
    "store": Store,
}


def device_target(device: Device) -> Target:
    """Basis `rz` (no time), `sx`, `x`, `cx` in the directions of the couplings, measure, reset, delay and control flow.

    Durations are those of the pulses; errors follow from T1 and T2, that of a readout also from its noise, so that
    layouts prefer qubits that are better. A qubit without a readout tone cannot be measured or reset.
    """
    return _target(device, _crosses(device))


def _target(device: Device, crosses: Crosses) -> Target:
    target = Target(
        description=device.description, num_qubits=len(device.qubits), dt=DT_S, concurrent_measurements=None
    )
    qubits = range(len(device.qubits))
    turn_s = _turn_cycles() * DT_S
    theta = Parameter("theta")
    target.add_instruction(
        RZGate(theta), {(q,): InstructionProperties(duration=0.0, error=0.0) for q in qubits}
    )
    for gate in (SXGate(), XGate()):
        target.add_instruction(
            gate,
            {(q,): InstructionProperties(turn_s, gate_error([device.qubits[q]], turn_s)) for q in qubits},
        )
    target.add_instruction(CXGate(), crosses)
    reads = _reads(device)
    target.add_instruction(Measure(), reads)
    target.add_instruction(
        Reset(),
        {
            of: InstructionProperties((each.duration or 0.0) + turn_s, each.error)
            for of, each in reads.items()
        },
    )
    target.add_instruction(Delay(Parameter("t")), {(q,): None for q in qubits})
    for name, operation in CONTROL_FLOW.items():
        target.add_instruction(operation, name=name)
    return target


def transpiled(
    circuit: QuantumCircuit,
    device: Device,
    *,
    optimization_level: int = 2,
    seed: int | None = 0,
    initial_layout: Sequence[int] | None = None,
) -> QuantumCircuit:
    """A circuit in the gates of a device, on its qubits, by Qiskit's own pass manager.

    Args:
        circuit: any that Qiskit can translate.
        device: whose qubits, couplings and errors count.
        optimization_level: 0 to 3; from 2 on layouts prefer qubits with smaller errors.
        seed: of layout and routing.
        initial_layout: qubit of the device for each of the circuit's.

    Raises:
        ValueError: the circuit has more qubits than the device; the layout is none of its qubits; a circuit with jumps
            out of loops has gates between qubits that no couplings connect.
    """
    if circuit.num_qubits > len(device.qubits):
        raise ValueError(
            f"the circuit has {circuit.num_qubits} qubits, {device.name} has {len(device.qubits)}; "
            "take a larger device, or measure and reset qubits to use them again"
        )
    if initial_layout is not None:
        chosen = set(initial_layout)
        if len(chosen) != len(initial_layout) or len(chosen) != circuit.num_qubits:
            raise ValueError(
                f"initial_layout {tuple(initial_layout)} is not {circuit.num_qubits} different qubits, "
                "one for each of the circuit's"
            )
        if not chosen <= set(range(len(device.qubits))):
            raise ValueError(
                f"initial_layout {tuple(initial_layout)} is not within 0 to {len(device.qubits) - 1} of {device.name}"
            )
    target, crosses = device_target(device), _crosses(device)
    jumps = has_jumps(circuit)
    passes = generate_preset_pass_manager(
        optimization_level,
        # Without a method the search for a layout would route as it goes.
        routing_method="none" if jumps else None,
        target=_target(device, crosses | _against(crosses, target)),
        seed_transpiler=seed,
        initial_layout=None if initial_layout is None else list(initial_layout),
    )
    if jumps:
        errors = {pair: each.error for pair, each in crosses.items()}
        passes.routing = PassManager([ThereAndBack(len(device.qubits), errors)])
    behind: list[Any] = [Directed(crosses)]
    if optimization_level:
        behind.append(Optimize1qGatesDecomposition(target=target))
    passes.post_optimization = PassManager(behind)
    return passes.run(circuit)


def gate_error(qubits: Sequence[Qubit], duration_s: float) -> float:
    """Average error of an otherwise perfect gate, by relaxation and dephasing of its qubits."""
    fidelity = 1.0
    for qubit in qubits:
        t1, t2 = qubit.t1_us * 1e-6, qubit.t2_us * 1e-6
        fidelity *= (1 + math.exp(-duration_s / t1) + 2 * math.exp(-duration_s / t2)) / 4
    size = float(2 ** len(qubits))
    return 1 - (size * fidelity + 1) / (size + 1)


def _turn_cycles() -> int:
    return X_SAMPLES // 2 + MARGIN


def _crosses(device: Device) -> Crosses:
    found = {}
    for coupling in device.couplings:
        cycles = len(cross_pulse(coupling)) // 2 + MARGIN + _turn_cycles()
        pair = [device.qubits[coupling.control], device.qubits[coupling.target]]
        found[coupling.control, coupling.target] = InstructionProperties(
            cycles * DT_S, gate_error(pair, cycles * DT_S)
        )
    return found


def _against(crosses: Crosses, target: Target) -> Crosses:
    """Every `cx` against its coupling: between Hadamard gates on both of its qubits, before and after."""
    found = {}
    for (control, turned), along in crosses.items():
        turns = [target["sx"][qubit,] for qubit in (control, turned)]
        kept = (1 - along.error) * math.prod((1 - each.error) ** 2 for each in turns)
        found[turned, control] = InstructionProperties(along.duration + 2 * turns[0].duration, 1 - kept)
    return found


def _reads(device: Device) -> dict[tuple[int], InstructionProperties]:
    """Error of a bit: from noise, and from relaxation in the first half of the window or so."""
    duration_s = READOUT_SAMPLES / DAC_HZ
    found = {}
    envelope = np.full(READOUT_SAMPLES, TONE_SCALE, dtype=np.complex64)
    for line in device.lines:
        for resonator in line.tones:
            tone = Tone(best_tone_hz(resonator) - line.lo_hz, envelope, 0.0)
            apart = separation(line, resonator, tone)
            t1_us = resonator.t1_us or device.qubits[resonator.qubit].t1_us
            # Half of all readouts find a 1, which may relax.
            flip = (1 - math.exp(-duration_s / (t1_us * 1e-6))) / 2 * (1 - apart.late_flip)
            found[resonator.qubit,] = InstructionProperties(duration_s, apart.overlap + flip)
    return found
