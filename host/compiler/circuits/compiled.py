# SPDX-License-Identifier: BSD-2-Clause
"""A compiled circuit at all of its levels, and the control program that comes of it."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit, qpy

from triplane.gateware.sequencer.program import Program
from triplane.gateware.shape import FabricShape
from triplane.hal.control import ControlProgram
from triplane.hal.device import Device
from triplane.hal.html import titled
from triplane.host.compiler.alignment import EPOCH_REGISTER
from triplane.host.compiler.carriers import phase_word
from triplane.host.compiler.circuits.emission import PATCH, POINTS
from triplane.host.compiler.circuits.errors import CircuitError
from triplane.host.compiler.circuits.estimate import Estimate
from triplane.host.compiler.circuits.expressions import MAX_BITS
from triplane.host.compiler.circuits.options import Options
from triplane.host.compiler.circuits.tree import Node, as_json

WORD_MASK = 0xFFFF_FFFF
_MASK = np.uint64(WORD_MASK)

Values = Mapping[Any, float]
"""Of parameters, by `Parameter` or by name."""


@dataclass(frozen=True, repr=False)
class CompiledCircuit:
    """A circuit as it was given, as it was transpiled, as it is scheduled, and as a program.

    Attributes:
        circuit, transpiled: Qiskit's; the second is on the qubits of the device.
        device: what it was compiled for.
        shape: of the board.
        options: of the compiler.
        scheduled: tree of segments and decisions.
        source: assembly of the program, alignment included.
        template: control program of one point, with no shots; all angles are 0 in it.
        angles: expressions of parameters, as the program's labels number them.
        angle_registers: of the sequencer, that hold them; none where they are numbers in the program.
        estimate: what it takes.
    """

    circuit: QuantumCircuit
    transpiled: QuantumCircuit
    device: Device
    shape: FabricShape
    options: Options
    scheduled: tuple[Node, ...]
    source: str
    template: ControlProgram
    angles: tuple[Any, ...]
    angle_registers: tuple[int, ...]
    estimate: Estimate

    def program(
        self, shots: int | Sequence[int], values: Values | Sequence[Values] | None = None
    ) -> ControlProgram:
        """The control program for one point of a sweep or for several; nothing is compiled anew.

        The points are played in their order, each with all of its shots.

        Args:
            shots: of each point, or of every single one.
            values: of all parameters, by `Parameter` or by name; a sequence of them for several points.

        Raises:
            CircuitError: a parameter has no finite value, or a value no parameter; shots are not 1 to 2**32 - 1; there
                are more points than `max_points`.
        """
        points = [values or {}] if values is None or isinstance(values, Mapping) else list(values)
        counts = [shots] * len(points) if isinstance(shots, int | np.integer) else list(shots)
        if len(counts) != len(points):
            raise CircuitError(
                f"{len(points)} points have {len(counts)} numbers of shots; give one, or one for each"
            )
        for count in counts:
            if not 1 <= count <= WORD_MASK:
                raise CircuitError(f"shots are 1 to {WORD_MASK}, not {count}")
        if not 1 <= len(points) <= self.max_points:
            raise CircuitError(
                f"a program takes 1 to {self.max_points} points of this circuit, not {len(points)}; "
                "use several programs"
            )
        words = self._angles(points)
        sequence = self.template.sequence
        if not self.angle_registers:
            patched = sequence.words.copy()
            for addresses, word in zip(patches(sequence, len(self.angles)), words[0], strict=True):
                patched[addresses] = (patched[addresses] & ~_MASK) | word
            sequence = dataclasses.replace(sequence, words=patched)
            words = words[:, :0]
        table = np.column_stack([words, np.array(counts, dtype=np.uint64)])
        return dataclasses.replace(self.template, sequence=with_points(sequence, table))

    @property
    def layout(self) -> tuple[int, ...]:
        """Qubit of the device where each of the circuit's begins; routing may move it."""
        layout = self.transpiled.layout
        if layout is None:
            return tuple(range(self.circuit.num_qubits))
        return tuple(layout.initial_index_layout(filter_ancillas=True))

    def _repr_html_(self) -> str:
        return titled(self.circuit.name, self.estimate._repr_html_(), note=self._size())

    def __repr__(self) -> str:
        return f"<CompiledCircuit {self.circuit.name!r}, {self._size()}, {self.estimate.duration_us:.2f} us>"

    def _size(self) -> str:
        places = ", ".join(map(str, self.layout)) or "none"
        return f"qubits of {self.device.name}: {places}; classical bits: {self.circuit.num_clbits}"

    @property
    def max_points(self) -> int:
        """Points of a sweep that a program holds: 1 where there are too few registers for the angles."""
        if self.angles and not self.angle_registers:
            return 1
        first = self.template.sequence.labels[POINTS]
        block = len(self.template.sequence.words) - 1 - first
        return (self.shape.program_words - 1 - first) // block

    def _angles(self, points: Sequence[Values]) -> npt.NDArray[np.uint64]:
        """Phase words, uint64 (points, angles)."""
        # Not the transpiled circuit's: the pass manager may have removed gates that change nothing.
        parameters = {str(each.name) for each in self.circuit.parameters}
        found = np.zeros((len(points), len(self.angles)), dtype=np.uint64)
        for row, values in zip(found, points, strict=True):
            named = {str(getattr(key, "name", key)): float(value) for key, value in values.items()}
            wrong = sorted(named.keys() ^ parameters)
            if wrong:
                what = "has no value" if wrong[0] in parameters else "is not one of the circuit's"
                raise CircuitError(
                    f"parameter {wrong[0]!r} {what}; they are: {', '.join(sorted(parameters)) or 'none'}"
                )
            for name, value in named.items():
                if not math.isfinite(value):
                    raise CircuitError(f"parameter {name!r} is {value}; give it a finite number")
            row[:] = [
                phase_word(float(angle.bind({each: named[str(each.name)] for each in angle.parameters})))
                for angle in self.angles
            ]
        return found

    def outcomes(self, words: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Classical bits, bool (shots, bits), of the words that the program has given out, uint32 (words,)."""
        bits, each = self.transpiled.num_clbits, self.words_per_shot
        if not each:
            return np.zeros((0, 0), dtype=np.bool_)
        shots = words.astype("<u4").reshape(-1, each)
        unpacked = np.unpackbits(shots.view(np.uint8), axis=1, bitorder="little")
        return unpacked[:, :bits].astype(np.bool_)

    @property
    def words_per_shot(self) -> int:
        """Words that a shot gives out: one for 32 classical bits."""
        return -(-int(self.transpiled.num_clbits) // MAX_BITS)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What goes beyond the budgets of its options, each with by how much."""
        late, long = self.estimate.late(self.options.budget), self.estimate.long(self.options.duration_budget)
        return (*late, *long)

    def levels(self) -> dict[str, bytes]:
        """Every level by the name of its file: QPY, JSON, assembly."""
        return {
            "circuit.qpy": qpy_bytes(self.circuit),
            "transpiled.qpy": qpy_bytes(self.transpiled),
            "scheduled.json": json.dumps(as_json(self.scheduled), indent=1).encode(),
            "program.tasm": self.source.encode(),
        }


def with_points(program: Program, table: npt.NDArray[np.uint64]) -> Program:
    """A program with a point for each row of a table: the numbers of its instructions, uint64 (points, numbers)."""
    first = program.labels[POINTS]
    block, end = program.words[first:-1], program.words[-1:]
    points = np.tile(block & ~_MASK, (len(table), 1))
    points[:, : table.shape[1]] |= table
    points[:, table.shape[1] :] |= block[table.shape[1] :] & _MASK
    return dataclasses.replace(program, words=np.concatenate([program.words[:first], points.ravel(), end]))


def patches(program: Program, angles: int) -> list[list[int]]:
    """Addresses of the instructions of each angle."""
    found: list[list[int]] = [[] for _ in range(angles)]
    for label, address in program.labels.items():
        match = re.fullmatch(rf"{PATCH}_(\d+)_\d+", label)
        if match:
            found[int(match[1])].append(address)
    return found


def control_program(program: Program, tables: Any) -> ControlProgram:
    """A program with the tables of its gates and readouts."""
    tones, demodulation = tables.lines()
    return ControlProgram(
        program,
        drives=tables.drives(),
        tones=tones,
        demodulation=demodulation,
        epoch_register=EPOCH_REGISTER,
    )


def qpy_bytes(circuit: QuantumCircuit) -> bytes:
    """A circuit in Qiskit's own format."""
    stream = io.BytesIO()
    qpy.dump(circuit, stream)
    return stream.getvalue()
