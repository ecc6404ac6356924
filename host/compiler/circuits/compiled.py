# SPDX-License-Identifier: BSD-2-Clause
"""A compiled circuit at all of its levels, and the control program that comes of it."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Mapping
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
from triplane.host.compiler.circuits.emission import PATCH
from triplane.host.compiler.circuits.errors import CircuitError
from triplane.host.compiler.circuits.estimate import Estimate
from triplane.host.compiler.circuits.expressions import MAX_BITS
from triplane.host.compiler.circuits.options import Options
from triplane.host.compiler.circuits.registers import SHOTS
from triplane.host.compiler.circuits.tree import Node, as_json

WORD_MASK = 0xFFFF_FFFF


@dataclass(frozen=True)
class CompiledCircuit:
    """A circuit as it was given, as it was transpiled, as it is scheduled, and as a program.

    Attributes:
        circuit, transpiled: Qiskit's; the second is on the qubits of the device.
        device: what it was compiled for.
        shape: of the board.
        options: of the compiler.
        scheduled: tree of segments and decisions.
        source: assembly of the program, alignment included.
        template: control program; angles that are not bound are 0 in it.
        angles: expressions of parameters, as the program's labels number them.
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
    estimate: Estimate

    def program(self, values: Mapping[Any, float] | None = None) -> ControlProgram:
        """The control program, with values of all parameters, by `Parameter` or by name; nothing is compiled anew.

        Raises:
            CircuitError: a parameter has no value, or a value no parameter.
        """
        named = {getattr(key, "name", key): float(value) for key, value in (values or {}).items()}
        parameters = {parameter.name: parameter for parameter in self.transpiled.parameters}
        wrong = sorted(named.keys() ^ parameters.keys())
        if wrong:
            what = "has no value" if wrong[0] in parameters else "is not one of the circuit's"
            raise CircuitError(
                f"parameter {wrong[0]!r} {what}; they are: {', '.join(sorted(parameters)) or 'none'}"
            )
        if not self.angles:
            return self.template
        words = self.template.sequence.words.copy()
        for angle, addresses in zip(self.angles, self._patches(), strict=True):
            bound = angle.bind({each: named[each.name] for each in angle.parameters})
            word = phase_word(float(bound))
            for address in addresses:
                words[address] = (int(words[address]) & ~WORD_MASK) | word
        return dataclasses.replace(
            self.template, sequence=dataclasses.replace(self.template.sequence, words=words)
        )

    def _repr_html_(self) -> str:
        size = f"{self.circuit.num_qubits} qubits, {self.circuit.num_clbits} bits, on {self.device.name}"
        return titled(self.circuit.name, self.estimate._repr_html_(), note=size)

    def registers(self, shots: int) -> dict[int, int]:
        """Of the sequencer at the start, for `Board.execute`: how many shots.

        Raises:
            CircuitError: not at least one, or more than a register counts.
        """
        if not 1 <= shots <= WORD_MASK:
            raise CircuitError(f"shots are 1 to {WORD_MASK}, not {shots}")
        return {SHOTS: shots}

    def outcomes(self, words: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Classical bits, bool (shots, bits), of the words that the program has given out, uint32 (words,)."""
        bits = self.transpiled.num_clbits
        each = -(-bits // MAX_BITS)
        if not each:
            return np.zeros((0, 0), dtype=np.bool_)
        shots = words.astype("<u4").reshape(-1, each)
        unpacked = np.unpackbits(shots.view(np.uint8), axis=1, bitorder="little")
        return unpacked[:, :bits].astype(np.bool_)

    def levels(self) -> dict[str, bytes]:
        """Every level by the name of its file: QPY, JSON, assembly."""
        return {
            "circuit.qpy": _qpy(self.circuit),
            "transpiled.qpy": _qpy(self.transpiled),
            "scheduled.json": json.dumps(as_json(self.scheduled), indent=1).encode(),
            "program.tasm": self.source.encode(),
        }

    def _patches(self) -> list[list[int]]:
        return patches(self.template.sequence, len(self.angles))


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


def _qpy(circuit: QuantumCircuit) -> bytes:
    stream = io.BytesIO()
    qpy.dump(circuit, stream)
    return stream.getvalue()
