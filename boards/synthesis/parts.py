# SPDX-License-Identifier: BSD-2-Clause
"""A design in parts: each mapped by itself, and put together again to be measured as a whole.

Yosys takes minutes for one array and has no hierarchy to work on, since Migen's Verilog is flat. Here modules are
taken out of a design before its Verilog is written: each becomes Verilog of its own, an instance stands in its place,
and what one of them takes is known without a guess. Only what has changed is mapped again. Nothing is optimised
across the borders, so the sum is an upper bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litex.gen import LiteXModule
from migen import ClockDomain, Instance, Module, Signal
from migen.fhdl.structure import _Fragment
from migen.fhdl.tools import list_inputs, list_special_ios, list_targets

from triplane.gateware.verilog import convert, with_contents, without_comments

Owned = tuple[Module, Module]
"""A module, and the one that it was added to."""

WIRE = "WIRE"
"""Type of the cell that joins two nets of a netlist put together; it takes nothing."""


@dataclass(frozen=True)
class Part:
    """One piece of Verilog.

    Attributes:
        name: of the part, and of its module.
        verilog: its module, and those of the parts inside as black boxes.
    """

    name: str
    verilog: str


def split(top: LiteXModule, ports: Iterable[Signal], parts: Mapping[str, Sequence[Owned]]) -> list[Part]:
    """Verilog of each of `parts`, then of what is left of `top`, named "top", in which they are instances.

    ports: of `top`; its clock and reset are added.  parts: name -> modules that make it, anywhere below `top`.

    Raises ValueError: a module is not where it is said to be.
    """
    for members in parts.values():
        for module, owner in members:
            kept = [entry for entry in owner._submodules if entry[1] is not module]
            if len(kept) == len(owner._submodules):
                raise ValueError(f"{type(module).__name__} is no submodule of {type(owner).__name__}")
            owner._submodules[:] = kept
    clock, ports = ClockDomain("sys"), set(ports)
    fragments = {
        name: sum((module.get_fragment() for module, _ in members), _Fragment())
        for name, members in parts.items()
    }
    rest = top.get_fragment()
    driven = {name: _driven(fragment) for name, fragment in fragments.items()}
    read = {name: _read(fragment) for name, fragment in fragments.items()}
    driven_in_rest, read_in_rest = _driven(rest), _read(rest)
    result, stubs = [], []
    for name, fragment in fragments.items():
        others = [other for other in fragments if other != name]
        outside = ports.union(driven_in_rest, *(driven[other] for other in others))
        wanted = ports.union(read_in_rest, *(read[other] for other in others))
        inputs = sorted((read[name] & outside) - driven[name], key=lambda s: s.duid)
        outputs = sorted(driven[name] & wanted, key=lambda s: s.duid)
        text, names = _verilog(fragment, name, clock, {*inputs, *outputs})
        result.append(Part(name, text))
        stubs.append(_stub(name, [names(s) for s in inputs], [names(s) for s in outputs], inputs, outputs))
        rest.specials.add(
            Instance(
                name,
                *(Instance.Input(names(s), s) for s in inputs),
                *(Instance.Output(names(s), s) for s in outputs),
                Instance.Input("sys_clk", clock.clk),
                Instance.Input("sys_rst", clock.rst),
            )
        )
    text, _ = _verilog(rest, "top", clock, ports)
    return [*result, Part("top", text + "".join(stubs))]


def _driven(fragment: _Fragment) -> set[Signal]:
    statements = [fragment.comb, *fragment.sync.values()]
    return set().union(*map(list_targets, statements), list_special_ios(fragment, False, True, True))


def _read(fragment: _Fragment) -> set[Signal]:
    statements = [fragment.comb, *fragment.sync.values()]
    return set().union(*map(list_inputs, statements), list_special_ios(fragment, True, False, True))


def _verilog(fragment: _Fragment, name: str, clock: ClockDomain, ports: set[Signal]) -> tuple[str, Any]:
    fragment.clock_domains.append(clock)
    output = convert(fragment, ios={*ports, clock.clk, clock.rst}, name=name)
    text = with_contents(without_comments(output.main_source), output.data_files)
    return text, output.ns.get_name


def _stub(name, inputs, outputs, signals_in, signals_out) -> str:
    declared = ["input sys_clk", "input sys_rst"]
    for direction, names, signals in (("input", inputs, signals_in), ("output", outputs, signals_out)):
        declared += [f"{direction} [{len(s) - 1}:0] {n}" for n, s in zip(names, signals, strict=True)]
    return f"(* blackbox *) module {name}({', '.join(declared)}); endmodule\n"


def joined(netlists: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The module "top" of a netlist, with the other parts' cells in place of their instances.

    netlists: part -> Yosys' JSON of it, in which the module has the part's name.

    Names of cells and nets begin with their part's, as `relief.correction`.
    """
    top = netlists["top"]["modules"]["top"]
    cells, names = {}, {f"engine.{name}": net for name, net in top["netnames"].items()}
    highest = max((n for net in names.values() for n in net["bits"] if isinstance(n, int)), default=1)
    for label, instance in top["cells"].items():
        if instance["type"] not in netlists:
            cells[label] = instance
            continue
        part = instance["type"]
        module = netlists[part]["modules"][part]
        outer: dict[int, Any] = {}  # net of the part -> net outside
        for port, bits in _ports(module, "input"):
            outer |= zip(bits, instance["connections"][port], strict=True)
        for port, bits in _ports(module, "output"):
            for inner, net in zip(bits, instance["connections"].get(port, []), strict=False):
                if isinstance(inner, int) and inner not in outer:
                    outer[inner] = net
                else:
                    source = outer.get(inner, inner)
                    cells[f"{part}.wire{net}"] = {
                        "type": WIRE,
                        "port_directions": {"I": "input", "O": "output"},
                        "connections": {"I": [source], "O": [net]},
                    }
        offset = highest + 1

        def moved(bits: Sequence[Any], outer=outer, offset=offset) -> list[Any]:
            return [outer.get(n, n + offset) if isinstance(n, int) else n for n in bits]

        for name, cell in module["cells"].items():
            connections = {pin: moved(bits) for pin, bits in cell["connections"].items()}
            cells[f"{part}.{name}"] = {**cell, "connections": connections}
        for name, net in module["netnames"].items():
            names[f"{part}.{name}"] = {**net, "bits": moved(net["bits"])}
            highest = max([highest, *(n for n in names[f"{part}.{name}"]["bits"] if isinstance(n, int))])
        for cell in module["cells"].values():
            inner = [n for bits in cell["connections"].values() for n in bits if isinstance(n, int)]
            highest = max([highest, *(n + offset for n in inner)])
    return {"modules": {"top": {"ports": top["ports"], "cells": cells, "netnames": names}}}


def _ports(module: Mapping[str, Any], direction: str) -> list[tuple[str, list[Any]]]:
    return [(name, port["bits"]) for name, port in module["ports"].items() if port["direction"] == direction]
