# SPDX-License-Identifier: BSD-2-Clause
"""A transpiled circuit with the noise of a device in it, as Aer takes it.

Nothing of the emulator runs here: T1, T2 and detuning of each qubit become channels over the time that passes on it,
the noise of the readout lines becomes wrong bits. Times are those of the device's target; a decision takes what the
estimate of the compiled circuit says. Left out, since they are small: leakage, crosstalk between readout tones,
rotations that cross-resonance has besides ZX.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import (
    CircuitInstruction,
    ClassicalRegister,
    ForLoopOp,
    IfElseOp,
    Instruction,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.classical import expr
from qiskit.circuit.controlflow import condition_resources, node_resources
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, pauli_error, thermal_relaxation_error

from triplane.gateware.sequencer.layouts import BRANCH_CYCLES, LEAD
from triplane.hal.device import ADC_HZ, DAC_HZ, Device
from triplane.host.compiler.circuits import CompiledCircuit
from triplane.host.compiler.circuits.target import device_target
from triplane.sim.qpu.events import Tone
from triplane.sim.qpu.gates import READOUT_SAMPLES, TONE_SCALE
from triplane.sim.qpu.resonator import Separation, best_tone_hz, separation

MARGINAL_SHOTS = 4_000
"""That say in which state a shot leaves its qubits to the reset of the next."""

READ_CYCLES = 5
"""Instructions that bring a result into its bit of a register."""

RESAMPLINGS = 200


def noisy_outcomes(compiled: CompiledCircuit, shots: int, *, seed: int = 1) -> dict[int, int]:
    """Aer's outcomes of a circuit as its device plays it, with the reset that every shot begins with.

    Args:
        compiled: for that device; no stores and no variables in it.
        shots: that Aer runs.
        seed: of Aer.

    Returns:
        value of all bits, bit 0 the least significant -> how often.
    """
    circuit = _Noisy(compiled).circuit()
    model = NoiseModel()
    for qubit, apart in separations(compiled.device).items():
        wrong = apart.overlap
        model.add_readout_error(ReadoutError([[1 - wrong, wrong], [wrong, 1 - wrong]]), [qubit])
    simulator = AerSimulator(noise_model=model, seed_simulator=seed)
    counts = simulator.run(circuit, shots=shots).result().get_counts()
    found: Counter[int] = Counter()
    for text, count in counts.items():
        found[int(text.replace(" ", ""), 2) & ((1 << compiled.transpiled.num_clbits) - 1)] += count
    return dict(found)


def separations(device: Device) -> dict[int, Separation]:
    """How well the readout of each qubit tells its levels apart."""
    envelope = np.full(READOUT_SAMPLES, TONE_SCALE, dtype=np.complex64)
    return {
        resonator.qubit: separation(
            line, resonator, Tone(best_tone_hz(resonator) - line.lo_hz, envelope, 0.0)
        )
        for line in device.lines
        for resonator in line.tones
    }


def beyond_sampling(found: dict[int, int], expected: dict[int, int], *, seed: int = 1) -> tuple[float, float]:
    """Total variation of outcomes from a distribution that is given as many outcomes, and what sampling alone gives.

    The second is the mean of samples of the same size from that distribution.
    """
    keys = sorted({*found, *expected})
    shots = sum(found.values())
    shares = np.array([expected.get(key, 0) for key in keys], dtype=np.float64)
    shares /= shares.sum()

    def variation(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        return np.asarray(np.abs(counts / shots - shares).sum(axis=-1) / 2)

    drawn = np.random.default_rng(seed).multinomial(shots, shares, size=RESAMPLINGS)
    measured = variation(np.array([found.get(key, 0) for key in keys]))
    return float(measured), float(variation(drawn).mean())


@dataclass(frozen=True)
class _Timed:
    """An instruction between two decisions: of which qubits, into which bits, how long; None is a barrier."""

    operation: Instruction | None
    qubits: tuple[int, ...]
    clbits: tuple[Any, ...]
    cycles: int


class _Noisy:
    """Makes the circuit of a compiled one."""

    def __init__(self, compiled: CompiledCircuit) -> None:
        self._compiled = compiled
        self._device = compiled.device
        self._target = device_target(compiled.device)
        waits = [each.wait_cycles for each in compiled.estimate.feed_forward if not each.by_register]
        # A qubit that relaxes early in the window is found in 0 and is in 0: relaxation before an instant readout.
        self._found_late = {
            qubit: (1 - apart.late_flip) * READOUT_SAMPLES / DAC_HZ * ADC_HZ
            for qubit, apart in separations(self._device).items()
        }
        self._wait_cycles = round(statistics.median(waits)) if waits else 0
        self._found = ClassicalRegister(len(self._device.qubits), "found")

    def circuit(self) -> QuantumCircuit:
        """The circuit; a register behind its own has what resets have found."""
        mapped = self._compiled.transpiled
        noisy = mapped.copy_empty_like()
        noisy.add_register(self._found)
        used = sorted({mapped.find_bit(bit).index for each in mapped.data for bit in each.qubits})
        for qubit, share in zip(used, self._left_in_one(used), strict=True):
            noisy.append(pauli_error([("X", share), ("I", 1 - share)]).to_instruction(), [qubit])
        self._reset(noisy, used)
        places = {bit: k for k, bit in enumerate(mapped.qubits)}
        self._fill(noisy, mapped.data, places)
        return noisy

    def _left_in_one(self, qubits: Sequence[int]) -> list[float]:
        """Shares of shots that leave a qubit in 1, without noise."""
        ended = self._compiled.transpiled.copy()
        register = ClassicalRegister(len(qubits), "left")
        ended.add_register(register)
        ended.measure(qubits, register)
        counts = AerSimulator(seed_simulator=1).run(ended, shots=MARGINAL_SHOTS).result().get_counts()
        ones = np.zeros(len(qubits))
        for text, count in counts.items():
            ones += count * np.array([bit == "1" for bit in reversed(text.split(" ")[0])])
        return [float(each) for each in ones / MARGINAL_SHOTS]

    def _fill(
        self, noisy: QuantumCircuit, instructions: Iterable[CircuitInstruction], places: dict[Any, int]
    ) -> None:
        """Put instructions behind a circuit, times from its end on."""
        pending: list[_Timed] = []
        resets: list[int] = []
        for each in instructions:
            name = each.operation.name
            qubits = tuple(places[bit] for bit in each.qubits)
            if name == "reset" and qubits[0] not in resets:
                resets += qubits
                continue
            if resets:
                self._reset(noisy, resets, pending)
                resets, pending = [], []
            match name:
                case "barrier":
                    pending.append(_Timed(None, qubits, (), 0))
                case "reset":
                    resets = list(qubits)
                case "break_loop" | "continue_loop":
                    self._play(noisy, pending)
                    pending = []
                    leave = type(each.operation)(noisy.num_qubits, noisy.num_clbits)
                    noisy.append(leave, noisy.qubits, noisy.clbits)
                case "if_else" | "switch_case" | "while_loop" | "for_loop":
                    self._play(noisy, pending, decides=True)
                    pending = []
                    self._decide(noisy, each.operation, qubits)
                case _:
                    pending.append(
                        _Timed(
                            each.operation, qubits, tuple(each.clbits), self._cycles(each.operation, qubits)
                        )
                    )
        if resets:
            self._reset(noisy, resets, pending)
        else:
            self._play(noisy, pending)

    def _cycles(self, operation: Instruction, qubits: tuple[int, ...]) -> int:
        if operation.name == "delay":
            return int(operation.duration if operation.unit == "dt" else operation.duration * ADC_HZ)
        return int(np.rint(self._target[operation.name][qubits].duration * ADC_HZ))

    def _reset(self, noisy: QuantumCircuit, qubits: Sequence[int], pending: Iterable[_Timed] = ()) -> None:
        """Read qubits out, then turn those back that were found in 1."""
        measure = self._target.operation_from_name("measure")
        readouts = [
            _Timed(measure, (qubit,), (self._found[qubit],), self._cycles(measure, (qubit,)))
            for qubit in qubits
        ]
        self._play(noisy, [*pending, *readouts], decides=True)
        turn = self._target.operation_from_name("x")
        for qubit in qubits:
            found = QuantumCircuit(noisy.qubits, noisy.clbits, *noisy.cregs)
            self._play(found, [_Timed(turn, (qubit,), (), self._cycles(turn, (qubit,)))])
            noisy.if_test((self._found[qubit], 1), found, noisy.qubits, noisy.clbits)
            self._pause(noisy, LEAD)

    def _decide(self, noisy: QuantumCircuit, operation: Any, qubits: tuple[int, ...]) -> None:
        """Control flow, each of its blocks on all qubits, since all of them wait for it."""
        blocks = []
        for block in operation.blocks:
            whole = QuantumCircuit(noisy.qubits, noisy.clbits, *noisy.cregs)
            self._fill(whole, block.data, dict(zip(block.qubits, qubits, strict=True)))
            blocks.append(whole)
        bits = _bits(operation)
        if bits > 1:
            self._pause(noisy, bits * READ_CYCLES + len(blocks) + BRANCH_CYCLES)
        match operation:
            case IfElseOp():
                made: Any = IfElseOp(operation.condition, *blocks)
            case WhileLoopOp():
                made = WhileLoopOp(operation.condition, blocks[0])
            case SwitchCaseOp():
                labels = [values for values, _ in operation.cases_specifier()]
                made = SwitchCaseOp(operation.target, list(zip(labels, blocks, strict=True)))
            case ForLoopOp():
                made = ForLoopOp(operation.params[0], operation.params[1], blocks[0])
        noisy.append(made, noisy.qubits, noisy.clbits)

    def _play(self, noisy: QuantumCircuit, pending: Sequence[_Timed], *, decides: bool = False) -> None:
        """Instructions at their times, gates as late as can be, and what happens on all qubits meanwhile."""
        starts, end = self._times(pending, decides)
        now = dict.fromkeys(range(len(self._device.qubits)), 0.0)
        for each, start in zip(pending, starts, strict=True):
            if each.operation is None:
                continue
            is_readout = each.operation.name == "measure"
            for qubit in each.qubits:
                inside = self._found_late[qubit] if is_readout else each.cycles / 2
                self._idle(noisy, qubit, now, start + inside)
            noisy.append(each.operation, each.qubits, each.clbits)
        for qubit in now:
            self._idle(noisy, qubit, now, end)

    def _times(self, pending: Sequence[_Timed], decides: bool) -> tuple[list[float], float]:
        free: dict[int, float] = {}
        starts: list[float] = []
        together: list[int] = []
        end = 0.0
        for number, each in enumerate(pending):
            start = max((free.get(qubit, 0.0) for qubit in each.qubits), default=0.0)
            if each.operation is not None and each.operation.name == "measure":
                # One line reads all that come together at one time.
                for k in together:
                    if pending[k].qubits == each.qubits:
                        # A result goes into its register before the next one may take its place.
                        start = starts[k] + self._wait_cycles + READ_CYCLES
                        together = []
                        break
                together.append(number)
                start = max([start, *(starts[k] for k in together[:-1])])
                for k in together[:-1]:
                    starts[k] = start
                    free.update(dict.fromkeys(pending[k].qubits, start + pending[k].cycles))
                length = self._wait_cycles if decides else each.cycles
            else:
                together = together if each.operation is None else []
                length = each.cycles
            starts.append(start)
            free.update(dict.fromkeys(each.qubits, start + each.cycles))
            end = max(end, start + length)
        limit: dict[int, float] = {}
        for number in reversed(range(len(pending))):
            each = pending[number]
            if each.operation is None or each.operation.name != "measure":
                starts[number] = min(limit.get(qubit, end) for qubit in each.qubits) - each.cycles
            limit.update(dict.fromkeys(each.qubits, starts[number]))
        return starts, end

    def _pause(self, noisy: QuantumCircuit, cycles: int) -> None:
        """All qubits wait for a decision whose result is there."""
        now = dict.fromkeys(range(len(self._device.qubits)), 0.0)
        for qubit in now:
            self._idle(noisy, qubit, now, cycles)

    def _idle(self, noisy: QuantumCircuit, qubit: int, now: dict[int, float], until: float) -> None:
        passed = until - now[qubit]
        if passed <= 0:
            return
        now[qubit] = until
        noisy.append(self._passing(qubit, passed), [qubit])
        noisy.rz(-2 * math.pi * self._device.qubits[qubit].detuning_hz * passed / ADC_HZ, qubit)

    @functools.cache  # noqa: B019 - lives as long as the circuit is made
    def _passing(self, qubit: int, cycles: float) -> Instruction:
        described = self._device.qubits[qubit]
        seconds = cycles / ADC_HZ
        return thermal_relaxation_error(
            described.t1_us * 1e-6, described.t2_us * 1e-6, seconds
        ).to_instruction()


def _bits(operation: Any) -> int:
    """How many classical bits a decision looks at; one alone is wired to the sequencer."""
    match operation:
        case IfElseOp() | WhileLoopOp():
            return len(condition_resources(operation.condition).clbits)
        case SwitchCaseOp(target=expr.Expr() as target):
            return len(node_resources(target).clbits)
        case SwitchCaseOp(target=ClassicalRegister() as target):
            return len(target)
        case _:
            return 0
