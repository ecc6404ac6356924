# SPDX-License-Identifier: BSD-2-Clause
"""Memory of a rotated surface code as a control program, with the decoder's graph and the syndrome table for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

import numpy as np
import stim

from triplane.gateware.decoder.graph import DecodingGraph, compile_graph
from triplane.gateware.decoder.window import StreamMap, WindowPlan, default_window, sliding_window
from triplane.gateware.dsp.layouts import NUM_TONES
from triplane.gateware.fabric import ROUND_LAST
from triplane.gateware.sequencer.assembler import assemble
from triplane.gateware.sequencer.program import Program
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.compile import syndrome_table
from triplane.gateware.syndrome.table import SyndromeTable
from triplane.hal.control import ControlProgram
from triplane.hal.device import Device, load_device
from triplane.host.compiler.alignment import EPOCH_REGISTER
from triplane.host.compiler.device import demodulation_of, line_tones
from triplane.host.compiler.gates import MARGIN
from triplane.host.compiler.moments import Moments
from triplane.sim.qpu.events import Event
from triplane.sim.qpu.gates import READOUT_SAMPLES
from triplane.sim.qpu.stabilizer import noise_model
from triplane.sim.qpu.surface import Layout, Memory, memory

MIDDLE_REGISTER = 1
"""Register in which the program is told how many rounds follow the second."""

UNROLLED = 2
"""Rounds before the loop."""

READOUT_CYCLES = READOUT_SAMPLES // 2 + 2 * MARGIN
"""From the tones of a round to the gates of the next: lines are longer than the cables of drives."""

PROGRAM = "surface-code-memory.tasm"

DEVICES = {3: "surface17", 5: "surface49"}
"""Distance -> device of that code's shape, as `hal.device.load_device` knows it."""


@dataclass(frozen=True)
class MemoryExperiment:
    """Logical 0 of a rotated code on a device of its shape, kept for any number of rounds.

    Attributes:
        device: whose qubits are those of `sim.qpu.surface.Layout`: data first, ancillas after them, and no readout line
            with both.
        distance: of the code.
    """

    device: Device
    distance: int

    @classmethod
    def of(cls, distance: int) -> MemoryExperiment:
        """On the device that has the shape of the code.

        Raises:
            ValueError: there is no such device.
        """
        if distance not in DEVICES:
            known = " and ".join(map(str, DEVICES))
            raise ValueError(f"there are devices of distance {known}, not {distance}")
        return cls(load_device(DEVICES[distance]), distance)

    @cached_property
    def layout(self) -> Layout:
        """Of the code."""
        return Layout.of(self.distance)

    @cached_property
    def window(self) -> tuple[int, int]:
        """W and C of the decoder, in layers: one more than usual, since a wrong bit makes events two rounds apart."""
        window, commit = default_window(self.distance)
        return window + 1, commit

    def circuit(self, rounds: int, played: Iterable[Event]) -> stim.Circuit:
        """Stim's circuit of a memory: the noise that comes with events as they were played, and detectors."""
        return self._memory(rounds).annotate(noise_model(self.device, played))

    def _memory(self, rounds: int) -> Memory:
        return memory(self.device, self.distance, rounds)

    @cached_property
    def _sample(self) -> tuple[Memory, stim.Circuit, DecodingGraph]:
        """A memory that is long enough to cut windows from."""
        played = self._memory(self.window[0] + 8)
        circuit = self.circuit(played.rounds, played.schedule)
        return played, circuit, graph_of(circuit)

    @cached_property
    def plan(self) -> WindowPlan:
        """Of the decoder: its weights are those of the device's noise."""
        window, commit = self.window
        return sliding_window(self._sample[2], window=window, commit=commit)

    @cached_property
    def slots(self) -> dict[int, int]:
        """Qubit -> measurement slot."""
        return {
            tone.qubit: number * NUM_TONES + k
            for number, line in enumerate(self.device.lines)
            for k, tone in enumerate(line.tones)
        }

    @cached_property
    def syndrome(self) -> SyndromeTable:
        """From measurements to the decoder's events."""
        played, circuit, graph = self._sample
        ancillas = self.layout.ancillas
        return syndrome_table(
            circuit,
            [self.slots[qubit] for qubit in played.read],
            StreamMap.build(self.plan, graph),
            round_of_measurement=[min(k // ancillas, played.rounds) for k in range(len(played.read))],
        )

    @cached_property
    def shape(self) -> FabricShape:
        """The smallest fabric, to powers of two, that this fits."""
        lines = len(self.device.lines)
        syndrome = self.syndrome.shape
        gates, _, _ = self.gates.compiled()
        return FabricShape(
            len(self.device.qubits),
            lines,
            dataclasses.replace(syndrome, slots=lines * NUM_TONES),
            pulse_entries=_power(max(len(table.entries) for table in gates)),
            envelope_clocks=_power(max(len(table.envelope) // 2 for table in gates)),
            window_samples=_power(READOUT_SAMPLES // 2),
            windows=4,
            trace_samples=64,
            partial_values=16,
            program_words=_power(len(self._assembled(100).words)),
            groups=_power(len(self._assembled(100).groups)),
            queue_events=32,
        )

    @cached_property
    def gates(self) -> Moments:
        """Of one round."""
        gates = Moments(self.device)
        gates.hadamard(self.layout.x_ancillas)
        for layer in self.layout.layers:
            gates.cnot(layer)
        gates.hadamard(self.layout.x_ancillas)
        return gates

    @property
    def round_cycles(self) -> int:
        """From one round to the next."""
        return self.gates.cycles + READOUT_CYCLES

    def stream_map(self, rounds: int) -> StreamMap:
        """Which event of which layer each detector of `circuit` is."""
        slot = {place: number for number, place in enumerate(self.plan.places)}
        positions = [int(t) * self.plan.width + slot[x, y] for x, y, t in self._memory(rounds).coordinates]
        return StreamMap(rounds + 1, self.plan.width, np.array(positions, dtype=np.int64))

    def program(self, rounds: int) -> ControlProgram:
        """The control program of a memory, for a board with a fabric of `shape`.

        Raises:
            ValueError: fewer rounds than the decoder's windows take.
        """
        least = self.plan.num_layers
        if rounds < least:
            raise ValueError(f"rounds must be at least {least} for windows of {least} layers, not {rounds}")
        return ControlProgram(
            self._assembled(rounds),
            drives=self.gates.compiled()[0],
            tones=tuple(
                line_tones(self.device, number, [(1 << len(line.tones)) - 1])
                for number, line in enumerate(self.device.lines)
            ),
            demodulation=tuple(
                demodulation_of(self.device, number, [(1 << len(line.tones)) - 1])
                for number, line in enumerate(self.device.lines)
            ),
            syndrome=self.syndrome.words(self.shape.syndrome),
            rounds=rounds + 1,
            epoch_register=EPOCH_REGISTER,
        )

    def registers(self, rounds: int) -> dict[int, int]:
        """Of the sequencer, at the start."""
        return {MIDDLE_REGISTER: rounds - UNROLLED}

    def source(self, rounds: int) -> str:
        """Source of the program of a memory, whole: groups, gates, alignment, and the text for all distances."""
        kinds = self.syndrome.schedule(rounds + 1)
        first_line = self.gates.carriers.first_line
        head = [f".channel round, {first_line + len(self.device.lines)}", ".group round, round"]
        ancillas = range(self.layout.data, self.layout.data + self.layout.ancillas)
        for name, qubits in (("ancillas", ancillas), ("data", range(self.layout.data))):
            lines = sorted({self.slots[qubit] // NUM_TONES for qubit in qubits})
            channels = ", ".join(str(first_line + line) for line in lines)
            slots = ", ".join(str(self.slots[qubit]) for qubit in qubits)
            head.append(f".group {name}, {channels} arms {slots}")
        head += [
            f".equ FIRST, {kinds[0]}",
            f".equ SECOND, {kinds[1]}",
            f".equ MIDDLE, {kinds[UNROLLED]}",
            f".equ FINAL, {kinds[-1] | 1 << ROUND_LAST}",
            f".equ ANCILLA, {self.slots[ancillas[-1]]}",
            f".equ READOUT, {READOUT_CYCLES}",
            f".equ ROUNDS, {rounds + 1}",
        ]
        text = files(__package__).joinpath(PROGRAM).read_text(encoding="utf-8")
        return self.gates.source("\n".join([*head, text]))

    def _assembled(self, rounds: int) -> Program:
        return assemble(self.source(rounds))


def graph_of(circuit: stim.Circuit) -> DecodingGraph:
    """Decoding graph of a noise model."""
    return compile_graph(
        circuit.detector_error_model(decompose_errors=True, approximate_disjoint_errors=True)
    )


def _power(number: int) -> int:
    """The next power of two."""
    return 1 << (number - 1).bit_length()
