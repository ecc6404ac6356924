# SPDX-License-Identifier: BSD-2-Clause
"""A module together with what is claimed of it, and the Verilog that a proof tool reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from litex.gen import LiteXModule
from migen import ClockDomain, Signal

from triplane.gateware.verilog import convert, without_comments


class FormalBench(LiteXModule):
    """Base of a bench: the module under proof as a submodule, the environment, and claims about both.

    Claims are one-bit Migen expressions of the present cycle; what refers to earlier cycles keeps registers in the
    bench. A name must be a Verilog identifier; it is what a report calls the claim.

    Attributes:
        first: 1 in the first cycle of a run, 0 afterwards.
    """

    def __init__(self) -> None:
        self.first = Signal(name_override="first")
        self.constants: dict[str, Signal] = {}
        self.inputs: dict[str, Signal] = {}
        self.watched: dict[str, Signal] = {}
        self.claims: dict[str, dict[str, Signal]] = {"assume": {}, "assert": {}, "cover": {}}

    def constant(self, name: str, signal: Signal) -> Signal:
        """`signal` has any value, the same in all cycles of a run."""
        return _enter(self.constants, name, signal)

    def free(self, name: str, signal: Signal) -> Signal:
        """`signal` has any value, another in each cycle."""
        return _enter(self.inputs, name, signal)

    def watch(self, name: str, signal: Signal) -> None:
        """`signal` is a column of the table that shows a counterexample."""
        # A register that is itself a port would lose its initial value in LiteX's Verilog.
        shown = Signal(len(signal))
        self.comb += shown.eq(signal)
        _enter(self.watched, name, shown)

    def assume(self, name: str, condition: Any) -> None:
        """Only runs in which `condition` holds in every cycle are looked at."""
        self._claim("assume", name, condition)

    def always(self, name: str, condition: Any) -> None:
        """`condition` holds in every cycle of every run."""
        self._claim("assert", name, condition)

    def sometime(self, name: str, condition: Any) -> None:
        """`condition` holds in some cycle of some run: what is proven is not empty."""
        self._claim("cover", name, condition)

    def _claim(self, kind: str, name: str, condition: Any) -> None:
        signal = Signal()
        self.comb += signal.eq(condition)
        _enter(self.claims[kind], name, signal, prefix=f"{kind}_")


def _enter(table: dict[str, Signal], name: str, signal: Signal, prefix: str = "") -> Signal:
    if not re.fullmatch(r"[a-z]\w*", name):
        raise ValueError(f"a name must be a Verilog identifier in lower case, not {name!r}")
    if name in table:
        raise ValueError(f"the name {name!r} is used twice")
    signal.name_override = prefix + name
    table[name] = signal
    return signal


@dataclass(frozen=True)
class Problem:
    """What a proof tool is given; emitted once from a bench, checked as often as one likes.

    Attributes:
        design: Verilog of the bench, module `dut`.
        constants, inputs, outputs: port -> width.
        assumes, asserts, covers: names of claims, in the order in which they were made.
        watched: columns of a counterexample's table, inputs first.
    """

    design: str
    constants: Mapping[str, int]
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    assumes: tuple[str, ...]
    asserts: tuple[str, ...]
    covers: tuple[str, ...]
    watched: tuple[str, ...] = field(default=())

    def top(self, kinds: Iterable[str]) -> str:
        """SystemVerilog of module `formal`: the bench, its free and constant inputs, and the claims of these kinds."""
        ports = ["input wire sys_clk"] + [f"input wire {_range(w)}{n}" for n, w in self.inputs.items()]
        ports += [f"input wire {_range(w)}any_{n}" for n, w in self.constants.items()]
        lines = [f"module formal({', '.join(ports)});", "reg first = 1;"]
        lines += ["always @(posedge sys_clk) first <= 0;"]
        for n, w in self.constants.items():
            # An `anyconst` would do, but SymbiYosys cannot replay ABC's counterexamples on it.
            lines += [f"reg {_range(w)}held_{n};", f"wire {_range(w)}{n} = first ? any_{n} : held_{n};"]
            lines += [f"always @(posedge sys_clk) held_{n} <= {n};"]
        lines += [f"wire {_range(w)}{n};" for n, w in self.outputs.items()]
        names = [*self.constants, *self.inputs, *self.outputs]
        pins = [".sys_clk(sys_clk)", ".sys_rst(1'b0)", ".first(first)", *(f".{n}({n})" for n in names)]
        lines += [f"dut dut({', '.join(pins)});", "always @* begin"]
        for kind in kinds:
            named = {"assume": self.assumes, "assert": self.asserts, "cover": self.covers}[kind]
            lines += [f"  claim_{name}: {kind} ({kind}_{name});" for name in named]
        return "\n".join([*lines, "end", "endmodule", ""])


def _range(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""


def emit(bench: FormalBench) -> Problem:
    """The Verilog of a bench. Like every Migen module it can be converted only once."""
    clock = ClockDomain("sys")
    bench.clock_domains += clock
    claims = {f"{kind}_{name}": s for kind, named in bench.claims.items() for name, s in named.items()}
    taken = bench.constants | bench.inputs
    outputs = bench.watched | claims
    ios = {clock.clk, clock.rst, bench.first, *taken.values(), *outputs.values()}
    text = without_comments(convert(bench, ios=ios, name="dut").main_source)

    # A signal that nobody reads or drives has no port.
    head = text[: text.index(");")]

    def widths(table: Mapping[str, Signal], direction: str) -> dict[str, int]:
        found = {name: len(signal) for name, signal in table.items()}
        for name in found:
            if not re.search(rf"^\s*{direction}\b.*\b{name}\b", head, re.MULTILINE):
                raise ValueError(f"{name} is not an {direction} of the bench")
        return found

    return Problem(
        text,
        widths(bench.constants, "input"),
        widths(bench.inputs, "input"),
        widths(outputs, "output"),
        assumes=tuple(bench.claims["assume"]),
        asserts=tuple(bench.claims["assert"]),
        covers=tuple(bench.claims["cover"]),
        watched=tuple(taken | bench.watched),
    )
