# SPDX-License-Identifier: BSD-2-Clause
"""Setting a lowering back, where a loop is to be lowered the other way."""

from __future__ import annotations

from dataclasses import dataclass

from triplane.host.compiler.qasm.exits import Exit
from triplane.host.compiler.qasm.lowering import Lowering


@dataclass
class Snapshot:
    """State to which a lowering can be set back."""

    lowering: Lowering

    def __post_init__(self) -> None:
        low = self.lowering
        self.states = [(v, v.known, v.assigned, v.storage) for v in low.variables]
        resources = low.resources
        self.lengths = [
            (items, len(items)) for items in (resources.bits, resources.variables, low.block, low.notes)
        ]
        self.exits = [
            (e, e.flag, len(e.slot)) for e in (*low.breaks, *low.continues, *_frame_exits(low), low.end)
        ]
        self.frames = [(f, f.value, f.result) for f in low.frames]
        self.names = set(low.names)
        self.written = low.written

    def created(self) -> set[object]:
        """Variables, registers and bits of the circuit that are new since."""
        resources = self.lowering.resources
        count = {id(items): length for items, length in self.lengths}
        registers = resources.bits[count[id(resources.bits)] :]
        variables = resources.variables[count[id(resources.variables)] :]
        return {*(variable.var for variable in variables), *registers, *(bit for r in registers for bit in r)}

    def restore(self) -> None:
        """Set back."""
        low = self.lowering
        for items, length in self.lengths:
            del items[length:]
        del low.variables[len(self.states) :]
        for variable, known, assigned, storage in self.states:
            variable.known, variable.assigned, variable.storage = known, assigned, storage
        for exit_, flag, length in self.exits:
            exit_.flag = flag
            del exit_.slot[length:]
        for frame, value, result in self.frames:
            frame.value, frame.result = value, result
        low.names, low.written = self.names, self.written


def _frame_exits(low: Lowering) -> list[Exit]:
    return [frame.exit for frame in low.frames]
