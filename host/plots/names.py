# SPDX-License-Identifier: BSD-2-Clause
"""What channels, slots and pulses of a program are called in its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triplane.gateware.dsp.layouts import NUM_TONES
from triplane.gateware.sequencer.layouts import Kind
from triplane.hal.control import ControlProgram
from triplane.host.plots.conditions import condition_texts

if TYPE_CHECKING:
    from triplane.host.compiler.circuits import CompiledCircuit


@dataclass(frozen=True)
class Names:
    """What numbers of a program mean to a person; all may be left out.

    Attributes:
        channels: channel -> name.
        slots: measurement slot -> name, such as that of the qubit.
        pulses: (channel, entry of its pulse table) -> what it is.
        cycles: (channel, entry, kind) -> how long a pulse or a window takes.
        conditions: address of a branch -> what holds where it is taken, and where it is not.
    """

    channels: Mapping[int, str] = field(default_factory=dict)
    slots: Mapping[int, str] = field(default_factory=dict)
    pulses: Mapping[tuple[int, int], str] = field(default_factory=dict)
    cycles: Mapping[tuple[int, int, Kind], int] = field(default_factory=dict)
    conditions: Mapping[int, tuple[str, str]] = field(default_factory=dict)


def lengths(program: ControlProgram, drives: int) -> dict[tuple[int, int, Kind], int]:
    """(channel, entry, kind) -> cycles that it takes; lines are behind `drives` channels."""
    found = {}
    tables = [(k, pulses.entries) for k, pulses in enumerate(program.drives)]
    tables += [(drives + k, tones.entries) for k, tones in enumerate(program.tones)]
    for channel, entries in tables:
        for number, entry in enumerate(entries):
            found[channel, number, Kind.PLAY] = entry["length"]
    for number, line in enumerate(program.demodulation):
        for k, window in enumerate(line.windows):
            found[drives + number, k, Kind.CAPTURE] = window.length
    return found


def names_of(compiled: CompiledCircuit) -> Names:
    """Qubits by number, readout lines, and the gate of each pulse."""
    from triplane.host.compiler.circuits.tree import Play, Segment, walk

    drives = compiled.shape.drives
    channels = {qubit.channel: f"q{number}" for number, qubit in enumerate(compiled.device.qubits)}
    slots: dict[int, str] = {}
    for number, line in enumerate(compiled.device.lines):
        channels[drives + number] = f"readout {number}" if len(compiled.device.lines) > 1 else "readout"
        slots |= {number * NUM_TONES + k: f"q{tone.qubit}" for k, tone in enumerate(line.tones)}
    pulses = {}
    for node in walk(compiled.scheduled):
        if isinstance(node, Segment):
            for op in node.ops:
                if isinstance(op, Play):
                    gate = {"cross": "cx\N{RIGHTWARDS ARROW}" + str(op.qubits[-1])}.get(op.gate, op.gate)
                    pulses[op.channel, op.entry] = gate
    return Names(channels, slots, pulses, lengths(compiled.template, drives), condition_texts(compiled))
