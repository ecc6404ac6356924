# SPDX-License-Identifier: BSD-2-Clause
"""Tops for synthesis: an engine with its bus registers, arrays with their weights, shift registers in place of pins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from litex.gen import LiteXModule
from litex.soc.interconnect.csr_bus import CSRBank, Interface
from migen import Cat, ClockDomain, If, Signal, bits_for

from triplane.boards.synthesis.parts import Owned, Part, split
from triplane.gateware.decoder.engine import DecodeEngine
from triplane.gateware.decoder.graph import DecodingGraph
from triplane.gateware.decoder.unionfind.array import UnionFindArray
from triplane.gateware.decoder.unionfind.plan import ArrayPlan
from triplane.gateware.decoder.window.plan import WindowPlan
from triplane.gateware.verilog import convert, without_comments

ARRAY_INPUTS = ("events", "load", "load_base", "relieve", "relieved", "first_growth", "peel")
ARRAY_OUTPUTS = (
    "idle",
    "done",
    "peeled",
    "observables",
    "unmatched",
    "correction",
    "grow_steps",
    "merge_steps",
)


class Arrays(LiteXModule):
    """Union-find arrays side by side, and the weight registers that they use.

    Attributes:
        inputs, outputs: everything that would be wired to the rest of a decoder.
    """

    def __init__(self, graph: DecodingGraph, plans: Sequence[ArrayPlan]) -> None:
        data, write = Signal(graph.weight_bits, name_override="data"), Signal(name_override="write")
        used = sorted({edge.weight_class for plan in plans for edge in plan.edges})
        index = Signal(bits_for(max(len(used) - 1, 1)), name_override="index")
        self.inputs = [data, write, index]
        self.outputs: list[Signal] = []

        # # #

        # Registers of edges that are in none of the arrays are not part of the module.
        weights = [Signal(graph.weight_bits) for _ in range(graph.num_classes)]
        for position, number in enumerate(used):
            self.sync += If(write & (index == position), weights[number].eq(data))
        for number, plan in enumerate(plans):
            array = UnionFindArray(plan, max(graph.num_observables, 1), weights)
            self.submodules += array
            for name in ARRAY_INPUTS + ARRAY_OUTPUTS:
                signal = getattr(array, name)
                signal.name_override = f"{name}{number}"
                (self.inputs if name in ARRAY_INPUTS else self.outputs).append(signal)


class EngineTop(LiteXModule):
    """A decode engine with its registers on a bus.

    Attributes:
        engine: of this plan.
        inputs, outputs: everything that would be wired to the rest of a board.
    """

    def __init__(self, plan: WindowPlan) -> None:
        self.engine = engine = DecodeEngine(plan)
        self.bank = CSRBank(engine.get_csrs(), bus=Interface(data_width=32))
        bus, barrier = self.bank.bus, engine.barrier
        self.inputs = [bus.adr, bus.we, bus.re, bus.dat_w, engine.sink.valid, engine.sink.data]
        self.inputs += [engine.source.ready, engine.now, barrier.wait, barrier.shot, barrier.round]
        self.outputs = [bus.dat_r, engine.sink.ready, engine.source.valid, engine.source.data]
        self.outputs += [engine.source.first, engine.source.last, engine.table_changed, engine.unmatched]
        self.outputs += [barrier.ready, barrier.timed_out, barrier.waiting, barrier.holding, barrier.frame]
        for direction, signals in (("in", self.inputs), ("out", self.outputs)):
            for number, signal in enumerate(signals):
                signal.name_override = f"{direction}{number}_{signal.backtrace[-1][0]}"

    def parts(self) -> dict[str, list[Owned]]:
        """Name -> modules, for `split`; what is in none of them is the engine's own logic and the bus registers."""
        engine = self.engine
        parts: dict[str, list[Owned]] = {
            f"array{number}": [(array, engine.arrays)] for number, array in enumerate(engine.arrays.arrays)
        }
        return parts | {
            "weights": [(engine.loader, engine), (engine.buses, engine)],
            "relief": [(engine.relief, engine)],
            "buffer": [(engine.buffer, engine)],
            "queue": [(engine.queue, engine)],
            "record": [(engine.sender, engine)],
            "frame": [(engine.barrier, engine)],
            "control": [(engine.control, engine), (engine.walk, engine)],
        }


class ShiftHarness(LiteXModule):
    """A core between two shift registers: three pins, whatever the width of its ports.

    Paths from and to the ports are paths between registers, as they are in a system, and no logic is optimised away.

    Attributes:
        serial_in, capture: input and mode of the shift registers. While `capture` is 1 the outputs are taken.
        serial_out: last bit of the outputs.
    """

    def __init__(self, core: LiteXModule, inputs: Sequence[Signal], outputs: Sequence[Signal]) -> None:
        self.serial_in = Signal(name_override="serial_in")
        self.capture = Signal(name_override="capture")
        self.serial_out = Signal(name_override="serial_out")

        # # #

        self.submodules.core = core
        driven, seen = Cat(*inputs), Cat(*outputs)
        entering, leaving = Signal(len(driven)), Signal(len(seen))
        self.comb += [driven.eq(entering), self.serial_out.eq(leaving[-1])]
        self.sync += [
            entering.eq(Cat(self.serial_in, entering)),
            leaving.eq(Cat(entering[-1], leaving)),
            If(self.capture, leaving.eq(seen)),
        ]


def to_verilog(module: LiteXModule, ports: Iterable[Signal]) -> str:
    """The Verilog of a module named `top`, with the clock `sys_clk` and the reset `sys_rst` as ports."""
    clock = ClockDomain("sys")
    module.clock_domains += clock
    text = convert(module, ios={*ports, clock.clk, clock.rst}, name="top").main_source
    return without_comments(text)


def arrays_verilog(graph: DecodingGraph, plans: Sequence[ArrayPlan]) -> str:
    """Verilog of arrays with their weight registers, every port of them a port of `top`."""
    arrays = Arrays(graph, plans)
    return to_verilog(arrays, [*arrays.inputs, *arrays.outputs])


def engine_parts(plan: WindowPlan) -> list[Part]:
    """Verilog of an engine in parts, the last of them "top"."""
    top = EngineTop(plan)
    return split(top, [*top.inputs, *top.outputs], top.parts())


def routed_engine_verilog(plan: WindowPlan) -> str:
    """Verilog of an engine between shift registers."""
    engine = EngineTop(plan)
    harness = ShiftHarness(engine, engine.inputs, engine.outputs)
    return to_verilog(harness, [harness.serial_in, harness.capture, harness.serial_out])
