# SPDX-License-Identifier: BSD-2-Clause
"""Rows of `bench board` on what boards' gateware takes of their devices, and whether its timing is met.

The ECPIX-5 is placed and routed, and its clocks are those of nextpnr's slowest corner. The ZCU216 is mapped by Yosys,
part by part, and added up: each kind of core once, times how often the board has it, and the decode engine as in
`bench resources`. The processor's AXI interconnect and the converters' core are the vendor's and are not in it.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from triplane.boards import descriptor_path
from triplane.boards.synthesis import XCZU49DR_LUTS, Figures, figures, mapped
from triplane.boards.synthesis.system import system_parts
from triplane.firmware.image import committed
from triplane.gateware.decoder.engine import DecodeEngine
from triplane.hal import load_descriptor
from triplane.host.bench.registry import BenchContext
from triplane.host.bench.resources import map_engine
from triplane.host.building import build_bundle
from triplane.host.building.decoders import fabric_shape, window_plan
from triplane.host.replay.progress import ProgressView
from triplane.sim.quiet import quiet

BOARD, DISTANCE = "zcu216", 5
SHARE_GOAL = "<= 50"
"""Of the LUTs, %: the rest is the interconnect's, the converters' and the router's."""

MEASURES = (
    ("registers", "registers", "FFs", 850_560),
    ("block RAM", "brams", "BRAM36", 1_080),
    ("DSP", "dsps", "DSP48", 4_272),
)
"""Measure, attribute of `Figures`, unit, how many an XCZU49DR has (DS889)."""

ECP5_BOARD, ECP5_DISTANCE = "ecpix5", 3


def ecp5(ctx: BenchContext, command: str, view: ProgressView) -> None:
    """Clocks and cells of the ECPIX-5.

    Raises:
        BuildFailedError: a tool is missing or failed, or timing is missed.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundle = build_bundle(ECP5_BOARD, Path(folder) / "bundle", distance=ECP5_DISTANCE, report=view.step)
        manifest = bundle.manifest
    work = f"{manifest.board}, d={manifest.distance}, network and serial line, {manifest.part}, placed and routed"
    row = functools.partial(ctx.row, work=work, command=command)
    for clock in manifest.clocks:
        row(
            measure=f"clock {clock.name}",
            value=clock.reached_mhz,
            unit="MHz",
            goal=f">= {clock.wanted_mhz:g}",
        )
    for resource in manifest.resources:
        row(measure=resource.name, value=resource.used, unit=f"of {resource.available}", goal=None)


def whole_rfsoc(ctx: BenchContext, command: str, view: ProgressView) -> None:
    """Area of the ZCU216 with its converters' readout, sequencer and decoder, and of each kind of its parts.

    Raises:
        SynthesisError: a tool is missing or failed.
    """
    plan = window_plan(DISTANCE)
    shape = fabric_shape(load_descriptor(descriptor_path(BOARD)), DISTANCE, plan)
    assert shape is not None, "the board has converters"
    title = f"{BOARD}, d={DISTANCE}, {shape.drives} drives, {shape.lines} lines of {shape.tones} tones"
    found: dict[str, tuple[Figures, int]] = {}
    with quiet():
        parts = system_parts(BOARD, shape, DecodeEngine(plan), committed().content)
    for entry in parts:
        part = entry.part
        netlist = mapped(part, label=f"{BOARD}, {part.name}", report=view.step)
        name = "bus, FIFOs and registers" if part.name == "top" else part.name.rstrip("0123456789")
        found[name] = figures(netlist, part.name), entry.count
    found["engine"] = map_engine(DISTANCE, view).whole, 1
    row = functools.partial(ctx.row, command=command)
    luts = sum(count * kind.luts for kind, count in found.values())
    row(
        work=title,
        measure="share of the XCZU49DR",
        value=100 * luts / XCZU49DR_LUTS,
        unit="% of LUTs",
        goal=SHARE_GOAL,
    )
    row(work=title, measure="LUTs", value=luts, unit="LUTs", goal=None)
    for measure, attribute, unit, available in MEASURES:
        total = sum(count * getattr(kind, attribute) for kind, count in found.values())
        row(work=title, measure=measure, value=total, unit=f"{unit} of {available}", goal=None)
    for name, (kind, count) in found.items():
        work = f"{title}: {name}" + (f", one of {count}" if count > 1 else "")
        row(work=work, measure="LUTs", value=kind.luts, unit="LUTs", goal=None)
        for measure, attribute, unit, _ in MEASURES:
            row(work=work, measure=measure, value=getattr(kind, attribute), unit=unit, goal=None)
