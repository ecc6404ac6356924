# SPDX-License-Identifier: BSD-2-Clause
"""`triplane build`: the bundle of a board."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from triplane.boards import descriptor_path
from triplane.boards.rfsoc.board import board as rfsoc_board
from triplane.boards.rfsoc.design import ADDRESSES, CORE, CORE_ADDRESS, PROCESSOR
from triplane.boards.rfsoc.project import project_files
from triplane.boards.synthesis.bitstream import (
    BITSTREAM,
    REPORT,
    SVF,
    Device,
    make_bitstream,
    pin_constraints,
)
from triplane.boards.synthesis.tools import SynthesisError, identity
from triplane.firmware.image import IMAGE
from triplane.gateware.header import board_header
from triplane.host.building.bundle import (
    DESCRIPTOR,
    REGISTERS,
    Bundle,
    ClockEntry,
    Manifest,
    ResourceEntry,
    check_output,
    write_bundle,
)
from triplane.host.building.decoders import fabric_shape, window_plan
from triplane.host.building.gateware import BoardGateware, elaborate

ECP5_BOARDS, RFSOC_BOARDS = ("ecpix5",), ("zcu216", "rfsoc4x2", "zcu111")
BOARDS = ECP5_BOARDS + RFSOC_BOARDS

ECP5_DISTANCE = 3
"""Largest distance whose engine fits an LFE5UM5G-85F."""

VERILOG, HEADER, FIRMWARE, CONSTRAINTS = "board.v", "registers.h", "firmware.hex", "board.lpf"
PROJECT = "project"
VIVADO_BITSTREAM, HANDOVER, STAMP = "triplane.bit", "triplane.hwh", "build_hash"

Progress = Callable[[str], None]


class BuildFailedError(RuntimeError):
    """A board cannot be built; the text says why, and what to do."""


def build_bundle(
    board: str,
    output: Path,
    *,
    distance: int = 3,
    collect: Path | None = None,
    report: Progress = lambda _: None,
) -> Bundle:
    """Build a board, from the caches as far as they reach.

    output: the bundle; an older bundle there is replaced once the new one is whole.
    distance: of the surface code whose windows the decoder decodes.
    collect: folder with the bitstream and the hwh that Vivado has made of the project of an earlier bundle.

    Raises:
        BuildFailedError: no such board, or it cannot decode this; a tool is missing, failed, or does not meet timing.
        BundleError: the output cannot be written.
    """
    if board not in BOARDS:
        raise BuildFailedError(f"no board named {board!r} can be built; there are: {', '.join(BOARDS)}")
    if board in ECP5_BOARDS and distance > ECP5_DISTANCE:
        raise BuildFailedError(
            f"{board} holds a decoder of distance {ECP5_DISTANCE}, not {distance}; build it with --distance "
            f"{ECP5_DISTANCE}"
        )
    if board in ECP5_BOARDS and collect is not None:
        raise BuildFailedError(f"{board} is built without Vivado; leave out --collect")
    check_output(output)
    try:
        if board in ECP5_BOARDS:
            # A tool that is missing is named before the long part.
            for tool in ("yosys", "nextpnr-ecp5", "ecppack"):
                identity(tool)
        gateware = elaborate(board, distance, report=report)
        if board in ECP5_BOARDS:
            return _ecp5(gateware, output, report)
        return _rfsoc(gateware, output, collect, report)
    except SynthesisError as error:
        raise BuildFailedError(str(error)) from error


def common_files(gateware: BoardGateware, base: int = 0) -> dict[str, bytes | Path]:
    """What every bundle holds. `base` is where programs of the board see its registers."""
    return {
        VERILOG: gateware.verilog.encode(),
        REGISTERS: (json.dumps(gateware.registers, indent=1) + "\n").encode(),
        HEADER: board_header(gateware.registers, base).encode(),
        DESCRIPTOR: descriptor_path(gateware.board),
        FIRMWARE: IMAGE,
    }


def about(gateware: BoardGateware, **rest: object) -> Manifest:
    """A manifest with what follows from the gateware; `rest` are its other fields."""
    fields = {
        "board": gateware.board,
        "distance": gateware.distance,
        "build_hash": gateware.build_hash,
        "register_version": gateware.register_version,
        "structure_hash": gateware.structure_hash,
        "clock_hz": gateware.clock_hz,
        "part": gateware.part,
        "files": {},
    }
    return Manifest.model_validate(fields | rest)


def ecp5_device(part: str) -> Device:
    """A device as nextpnr takes it, from an ordering code such as LFE5UM5G-85F-8BG554I."""
    from litex.build.lattice.trellis import LatticeTrellisToolchain

    toolchain = LatticeTrellisToolchain()
    family, size, speed, package = toolchain.nextpnr_ecp5_parse_device(part)
    architecture = toolchain.nextpnr_ecp5_architectures[f"{family}-{size}"]
    return Device(part, architecture, package, int(speed))


def _ecp5(gateware: BoardGateware, output: Path, report: Progress) -> Bundle:
    constraints = pin_constraints(gateware.pins, gateware.clocks)
    label = f"{gateware.board}, d={gateware.distance}"
    made = make_bitstream(
        gateware.verilog, constraints, ecp5_device(gateware.part), label=label, report=report
    )
    files = common_files(gateware) | {
        BITSTREAM: made.folder / BITSTREAM,
        SVF: made.folder / SVF,
        REPORT: made.folder / REPORT,
        CONSTRAINTS: constraints.encode(),
    }
    versions = [identity(tool).split(" ", 1) for tool in ("yosys", "nextpnr-ecp5", "ecppack")]
    manifest = about(
        gateware,
        bitstream=BITSTREAM,
        handover=None,
        tools=dict(versions) | {"seed": str(made.seed)},
        clocks=[
            ClockEntry(name=clock.name, wanted_mhz=clock.wanted_mhz, reached_mhz=clock.reached_mhz)
            for clock in made.clocks
        ],
        resources=[
            ResourceEntry(name=name, used=used, available=available)
            for name, (used, available) in made.resources.items()
        ],
    )
    return write_bundle(output, files, manifest)


def _rfsoc(gateware: BoardGateware, output: Path, collect: Path | None, report: Progress) -> Bundle:
    report(f"writing the Vivado project of {gateware.board}")
    shape = fabric_shape(gateware.descriptor, gateware.distance, window_plan(gateware.distance))
    assert shape is not None, "an RFSoC board has converters"
    project = project_files(rfsoc_board(gateware.board), shape, gateware.verilog, gateware.build_hash)
    files = common_files(gateware, CORE_ADDRESS.base)
    files |= {f"{PROJECT}/{path}": text.encode() for path, text in project.items()}
    if collect is not None:
        _check_results(collect, gateware.build_hash)
        files |= {name: collect / name for name in (VIVADO_BITSTREAM, HANDOVER)}
    manifest = about(
        gateware,
        bitstream=VIVADO_BITSTREAM if collect else None,
        handover=HANDOVER if collect else None,
        tools={},
    )
    return write_bundle(output, files, manifest)


def _check_results(folder: Path, build_hash: str) -> None:
    """Refuse what Vivado has made of another build, and a block design with other addresses."""
    try:
        stamp = (folder / STAMP).read_text().strip()
        handover = (folder / HANDOVER).read_text()
        bitstream = (folder / VIVADO_BITSTREAM).is_file()
    except (OSError, UnicodeDecodeError) as error:
        raise BuildFailedError(
            f"{folder}: is not what the project leaves in its folder `out` ({error}); run Vivado to its end"
        ) from error
    if not bitstream:
        raise BuildFailedError(f"{folder}: {VIVADO_BITSTREAM} is missing; run Vivado to its end")
    if stamp != build_hash:
        raise BuildFailedError(
            f"{folder}: was made from build {stamp[:12]}, and this is build {build_hash[:12]}: run Vivado on the "
            "project that is built without --collect"
        )
    wanted = {
        entry.segment.split("/")[0]: (entry.base, entry.base + entry.size - 1)
        for entry in ADDRESSES
        if entry.space == f"{PROCESSOR}/Data"
    }
    found = handover_addresses(handover)
    for cell, span in wanted.items():
        if found.get(cell) != span:
            there = "nothing" if cell not in found else f"{found[cell][0]:#x} to {found[cell][1]:#x}"
            raise BuildFailedError(
                f"{folder / HANDOVER}: has {there} for {cell}, and the register map needs {span[0]:#x} to "
                f"{span[1]:#x}; build without changing the block design"
            )
    assert CORE in wanted


def handover_addresses(text: str) -> dict[str, tuple[int, int]]:
    """Cell -> first and last address, as the processor sees it, of a hwh.

    Raises:
        BuildFailedError: it is no hwh.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise BuildFailedError(f"the hwh is no XML: {error}; run Vivado again") from error
    return {
        entry.attrib["INSTANCE"]: (int(entry.attrib["BASEVALUE"], 16), int(entry.attrib["HIGHVALUE"], 16))
        for module in root.iter("MODULE")
        if module.get("MODTYPE") == "zynq_ultra_ps_e"
        for entry in module.iter("MEMRANGE")
    }
