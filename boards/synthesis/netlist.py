# SPDX-License-Identifier: BSD-2-Clause
"""A netlist mapped to Xilinx primitives, as Yosys' `write_json` has it: what it takes, and how deep it is.

A path starts at a register (or a port) and ends at one. Its depth is the number of LUTs and of carry blocks (CARRY8)
that it goes through; wide multiplexers (MUXF7 to MUXF9) sit beside their LUTs and do not count. Inputs for clock enable
and reset are ends as much as data inputs are.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LUTS = re.compile(r"LUT[1-6]|INV")
REGISTERS = re.compile(r"(FD|LD)[CPRS]E(_1)?")
CARRIES = {"CARRY4": 0.5, "CARRY8": 1.0}
"""Carry primitive -> blocks of eight that it takes. Yosys maps to CARRY4, two of which are a CARRY8 of UltraScale+."""
CHAIN_PIN = "CI"
MEMORIES = {"RAMB18E1": 0.5, "RAMB18E2": 0.5, "RAMB36E1": 1.0, "RAMB36E2": 1.0}
"""Block RAM primitive -> blocks of 36 kbit."""
DSPS = {"DSP48E1", "DSP48E2"}
WIRES = re.compile(r"MUXF[789]|IBUF|OBUF|BUFG|WIRE")
"""Combinational, and no level of their own."""
LUTRAMS = {
    "RAM32X1S": 1, "RAM32X1D": 2, "RAM64X1S": 1, "RAM64X1D": 2, "RAM128X1S": 2, "RAM128X1D": 4, "RAM256X1S": 4,
    "RAM256X1D": 8, "RAM512X1S": 8, "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "SRL16E": 1, "SRLC32E": 1,
}  # fmt: skip
"""Memory or shift register made of LUTs -> LUTs that it takes."""
ADDRESS = re.compile(r"(ADDR|DPRA|A\d?$)")
"""Pins of such a memory from which its outputs follow within the cycle; its other pins are a register's."""

Depth = tuple[int, int, int]
"""LUTs; carry blocks; and, out of a carry primitive, its place in its chain, else 0."""


@dataclass(frozen=True)
class LogicPath:
    """A longest path.

    Attributes:
        luts, carries: LUTs and carry blocks (of eight bits) on it.
        start, end: net that the starting register drives, and that the ending one does; digits are kept.
    """

    luts: int
    carries: int
    start: str
    end: str

    @property
    def levels(self) -> int:
        """LUTs and carry blocks together."""
        return self.luts + self.carries


@dataclass(frozen=True)
class Figures:
    """What a netlist takes.

    Attributes:
        luts, registers, brams, dsps: primitives; LUTs with those that hold memory, block RAM in units of 36 kbit.
        carries: CARRY8, rounded up.
        path: the longest; None where nothing is combinational and nothing is registered.
        paths: the longest into each group of registers, deepest first; a group is a name without its numbers.
    """

    luts: int
    registers: int
    carries: int
    brams: float
    dsps: int
    path: LogicPath | None
    paths: tuple[LogicPath, ...]


def figures(netlist: Mapping[str, Any], top: str = "top") -> Figures:
    """Count and measure module `top` of a flat netlist, the object that Yosys' JSON file holds.

    Raises ValueError: no such module, or a loop of combinational cells.
    """
    if top not in netlist["modules"]:
        raise ValueError(f"the netlist has no module {top!r}; it has {', '.join(netlist['modules'])}")
    module = netlist["modules"][top]
    counts = Counter(cell["type"] for cell in module["cells"].values())
    paths = _paths(module)
    return Figures(
        luts=sum(n * _luts(kind) for kind, n in counts.items()),
        registers=sum(n for kind, n in counts.items() if REGISTERS.fullmatch(kind)),
        carries=int(sum(n * CARRIES.get(kind, 0) for kind, n in counts.items()) + 0.5),
        brams=sum(n * MEMORIES.get(kind, 0) for kind, n in counts.items()),
        dsps=sum(n for kind, n in counts.items() if kind in DSPS),
        path=paths[0] if paths else None,
        paths=paths,
    )


def _luts(kind: str) -> int:
    return LUTRAMS.get(kind, int(bool(LUTS.fullmatch(kind))))


def _paths(module: Mapping[str, Any]) -> tuple[LogicPath, ...]:
    """The longest path into each group of ends, deepest first."""
    names = _net_names(module)
    driver, ends = _drivers_and_ends(module, names)
    reached: dict[int, tuple[Depth, int]] = {}  # net -> depth, net where the path starts
    for net, cell in _in_order(driver):
        own, chained = cell["type"], _nets_on(cell, CHAIN_PIN)
        best: tuple[Depth, int] | None = None
        for source in _through(cell):
            (luts, carries, place), start = reached.get(source, ((0, 0, 0), source))
            if own not in CARRIES:
                depth = luts + bool(_luts(own)), carries, 0
            elif source in chained and place:
                # Two CARRY4 of a chain are one CARRY8.
                follows = CARRIES[own] < 1 and place % 2
                depth = luts, carries + (not follows), place + 1
            else:
                depth = luts, carries + 1, 1
            if best is None or (sum(depth[:2]), depth) > (sum(best[0][:2]), best[0]):
                best = depth, start
        reached[net] = best or ((int(bool(_luts(own))), int(own in CARRIES), int(own in CARRIES)), net)
    longest: dict[str, LogicPath] = {}
    for net, end in ends:
        (luts, carries, _), start = reached.get(net, ((0, 0, 0), net))
        path = LogicPath(luts, carries, names.get(start, f"net {start}"), end)
        group = re.sub(r"\d+", "", re.sub(r"\[\d+\]", "", end))
        if group not in longest or (path.levels, path.luts) > (longest[group].levels, longest[group].luts):
            longest[group] = path
    return tuple(sorted(longest.values(), key=lambda p: (-p.levels, -p.luts, p.end)))


def _net_names(module: Mapping[str, Any]) -> dict[int, str]:
    """Net -> its shortest name in the source, with its bit."""
    names: dict[int, str] = {}
    for name, net in sorted(module["netnames"].items(), key=lambda item: (len(item[0]), item[0])):
        if not net["hide_name"]:
            for k, number in enumerate(net["bits"]):
                if isinstance(number, int):
                    names.setdefault(number, f"{name}[{k}]" if len(net["bits"]) > 1 else name)
    return names


def _drivers_and_ends(
    module: Mapping[str, Any], names: Mapping[int, str]
) -> tuple[dict[int, Mapping[str, Any]], list[tuple[int, str]]]:
    """Net -> combinational cell that drives it; and (net, name of the end) for every path's end."""
    driver: dict[int, Mapping[str, Any]] = {}
    ends = [
        (net, f"port {name}")
        for name, port in module["ports"].items()
        if port["direction"] == "output"
        for net in port["bits"]
        if isinstance(net, int)
    ]
    for label, cell in module["cells"].items():
        kind = cell["type"]
        if LUTS.fullmatch(kind) or kind in CARRIES or WIRES.fullmatch(kind):
            driver |= dict.fromkeys(_nets(cell, "output"), cell)
        else:
            held = [names[net] for net in _nets(cell, "output") if net in names]
            ends += [(net, held[0] if held else label) for net in _nets(cell, "input")]
            if kind in LUTRAMS:
                driver |= dict.fromkeys(_nets(cell, "output"), cell)
    return driver, ends


def _through(cell: Mapping[str, Any]) -> list[int]:
    """Nets from which the cell's outputs follow within the cycle."""
    if cell["type"] not in LUTRAMS:
        return _nets(cell, "input")
    pins = {pin: bits for pin, bits in cell["connections"].items() if ADDRESS.match(pin)}
    return _nets({**cell, "connections": pins}, "input")


def _nets(cell: Mapping[str, Any], direction: str) -> list[int]:
    """Nets on the pins of one direction; constants are left out."""
    directions = cell["port_directions"]
    return [
        net
        for pin, bits in cell["connections"].items()
        if directions[pin] == direction
        for net in bits
        if isinstance(net, int)
    ]


def _nets_on(cell: Mapping[str, Any], pin: str) -> list[Any]:
    return list(cell["connections"].get(pin, []))


def _in_order(driver: Mapping[int, Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Every driven net after those that its cell reads."""
    state: dict[int, bool] = {}  # net -> all that it reads has been handed out
    for first in driver:
        stack = [first]
        while stack:
            net = stack[-1]
            if state.get(net):
                stack.pop()
                continue
            waiting = [n for n in _through(driver[net]) if n in driver and not state.get(n)]
            if any(n in state for n in waiting):
                raise ValueError(f"combinational loop through net {net}, a {driver[net]['type']}")
            state[net] = not waiting
            if not waiting:
                stack.pop()
                yield net, driver[net]
            stack += waiting
