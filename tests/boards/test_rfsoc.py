# SPDX-License-Identifier: BSD-2-Clause
"""RFSoC boards as far as they can be checked without Vivado: the core, the Tcl, addresses, clocks, pins."""

from __future__ import annotations

import dataclasses
import importlib.util
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
import stim

from triplane.boards import descriptor_path
from triplane.boards.rfsoc.board import RfsocBoard, board
from triplane.boards.rfsoc.converters import Converters
from triplane.boards.rfsoc.design import ADDRESSES, CORE_ADDRESS, block_design
from triplane.boards.rfsoc.project import BUILD, CONSTRAINTS, DESIGN, PACKAGE, project_files
from triplane.boards.rfsoc.target import ADDRESS_BITS, Platform, rfsoc_soc
from triplane.firmware.image import committed
from triplane.gateware.decoder.engine import DecodeEngine
from triplane.gateware.decoder.graph import compile_graph
from triplane.gateware.decoder.window import whole_window
from triplane.gateware.registers import register_map
from triplane.gateware.shape import FabricShape
from triplane.gateware.syndrome.shape import SyndromeShape
from triplane.hal import load_descriptor
from triplane.host.building.decoders import channels

BOARDS = ("zcu216", "rfsoc4x2", "zcu111")
HASH = "5" * 64
needs_tcl = pytest.mark.skipif(
    importlib.util.find_spec("_tkinter") is None, reason="needs a Python with tkinter, for its Tcl"
)


def shape(name, distance=3):
    drives, lines = channels(load_descriptor(descriptor_path(name)), distance)
    return FabricShape(drives, lines, SyndromeShape(slots=8 * lines, events=8))


def core_ports(name, distance=3):
    platform = Platform(board(name), shape(name, distance))
    return [
        entry[0] if not hasattr(entry[2], "name") else f"{entry[0]}_{sub.name}"
        for entry in platform.constraint_manager.available
        for sub in entry[2:]
    ]


def executed(vivado, name, distance=3, **options):
    files = project_files(board(name), shape(name, distance), "module board; endmodule\n", HASH)
    recorded = vivado(core_ports(name, distance), **options)
    recorded.run(files[DESIGN])
    return recorded, files


@cache
def small_soc(name):
    circuit = stim.Circuit.generated(
        "repetition_code:memory", distance=3, rounds=2, before_round_data_depolarization=0.01
    )
    plan = whole_window(compile_graph(circuit.detector_error_model(decompose_errors=True)))
    fabric = FabricShape(1, 1, SyndromeShape(slots=8, events=2, kept=2, history=1, known=0, kinds=4))
    soc = rfsoc_soc(
        DecodeEngine(plan),
        fabric,
        name,
        build_hash=HASH,
        event_depth=64,
        result_depth=64,
        image=committed().content,
    )
    return soc, str(soc.platform.get_verilog(soc, name="board").main_source)


@pytest.mark.parametrize("name", BOARDS)
def test_elaborates(name):
    soc, verilog = small_soc(name)
    adc = "input  wire   [31:0] s_adc0_tdata" if board(name).quad else "input  wire   [15:0] s_adc0_i_tdata"
    for port in (adc, "output wire   [63:0] m_dac1_tdata", "input  wire   [17:0] s_axi_araddr"):
        assert port in verilog
    last = max(entry["address"] + 4 * entry["words"] for entry in register_map(soc)["registers"].values())
    assert last <= CORE_ADDRESS.size == 1 << ADDRESS_BITS, "the processor sees every register"
    assert register_map(soc)["registers"]["identification_name"]["address"] == 0


def test_largest_board_fits_its_address_range():
    fabric = shape("zcu216", 5)
    banks = 8 + 2 + 2 + fabric.drives + 2 * fabric.lines + 1 + 4
    assert banks * 0x800 <= CORE_ADDRESS.size


@needs_tcl
@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("distance", [3, 5])
def test_block_design_connects_what_there_is(vivado, name, distance):
    recorded, _ = executed(vivado, name, distance)
    sinks = [pin for pins in recorded.nets.values() for pin in pins[1:]]
    assert len(sinks) == len(set(sinks)), "no pin has two nets"
    sources = [pins[0] for pins in recorded.nets.values()]
    for source in sources:
        assert source in recorded.ports or source.split("/")[1] in recorded.outputs, f"{source} drives"
    missing = [pin for pin in recorded.clock_pins() if pin not in sinks]
    assert not missing, "every clock pin has a clock"
    linked = [end for pair in recorded.links for end in pair]
    assert len(linked) == len(set(linked)), "an interface has one partner"
    streams = [f"triplane/{name}" for name in recorded.interfaces_of("triplane")]
    assert set(streams) <= set(linked), "every stream of the core is connected"
    assert set(recorded.interfaces) <= set(linked), "every interface port leads somewhere"


@needs_tcl
@pytest.mark.parametrize("name", BOARDS)
def test_core_runs_from_the_clock_that_sysref_comes_with(vivado, name):
    recorded, _ = executed(vivado, name)
    nets = {pin: net for net, pins in recorded.nets.items() for pin in pins}
    assert nets["triplane/aclk"] == nets["clock/clk_out1"]
    assert nets["triplane/reference_clk"] == nets["clock/clk_in1"] == nets["clock_tree/BUFG_O"]
    streams = {nets[pin] for pin in recorded.clock_pins() if "_axis_aclk" in pin}
    assert streams == {nets["triplane/aclk"]}, "multi-tile synchronisation needs one clock for all streams"
    config = recorded.parameters["clock"]
    ratio = float(config["CONFIG.CLKOUT1_REQUESTED_OUT_FREQ"]) / float(config["CONFIG.PRIM_IN_FREQ"])
    assert ratio == 2


@needs_tcl
@pytest.mark.parametrize("name", BOARDS)
def test_converters_are_as_the_fabric_needs_them(vivado, name):
    recorded, _ = executed(vivado, name)
    config = {key.removeprefix("CONFIG."): value for key, value in recorded.parameters["converters"].items()}
    for kind, rate, words in (("ADC", 1.96608, 1 if not board(name).quad else 2), ("DAC", 3.93216, 4)):
        for tile in recorded.tiles(kind):
            assert float(config[f"{kind}{tile}_Sampling_Rate"]) == rate
            assert config[f"{kind}{tile}_Multi_Tile_Sync"] == "true"
            assert float(config[f"{kind}{tile}_Fabric_Freq"]) == 245.76
            source = int(config[f"{kind}{tile}_Clock_Source"]) - (4 if kind == "DAC" else 0)
            assert config[f"{kind}{source}_PLL_Enable"] == "true", (
                "a tile's clock comes from one that makes it"
            )
            for slot in recorded.slots(kind, tile):
                assert int(config[f"{kind}_Data_Width{tile}{slot}"]) == words
        assert 0 in recorded.tiles(kind), "SYSREF enters by tile 0"
    # PG269: AXI4-Stream clock x words = rate x 2 (I and Q in one stream) / decimation.
    shared = 2 if board(name).quad else 1
    assert 1966.08 * shared / 8 == 245.76 * shared


@needs_tcl
@pytest.mark.parametrize("name", BOARDS)
def test_addresses(vivado, name):
    recorded, _ = executed(vivado, name)
    assert recorded.addresses == [(a.space, a.segment, a.base, a.size) for a in ADDRESSES]
    for space in {entry[0] for entry in recorded.addresses}:
        ranges = sorted((base, size) for where, _, base, size in recorded.addresses if where == space)
        for (base, size), (following, _) in zip(ranges, [*ranges[1:], (1 << 32, 0)], strict=True):
            assert base % size == 0, "a range lies at a multiple of its size"
            assert base + size <= following, "ranges do not overlap"
    design = block_design(board(name), shape(name))
    assert [design.base(cell) for cell in ("triplane", "converters", "mover")] == [
        0xA0000000,
        0xA0040000,
        0xA0080000,
    ]


@needs_tcl
@pytest.mark.parametrize("name", BOARDS)
def test_core_is_packaged_with_its_range_and_clock(vivado, name):
    files = project_files(board(name), shape(name), "", HASH)
    recorded = vivado(core_ports(name))
    recorded.run(files[PACKAGE])
    (associated,) = [call for call in recorded.calls if call[0] == "ipx::associate_bus_interfaces"]
    options = dict(zip(associated[1:-1:2], associated[2:-1:2], strict=True))
    assert options["-clock"] == "aclk"
    assert options["-reset"] == "aresetn"
    recorded.cells["triplane"] = "triplane:triplane:board:1.0"
    assert sorted(options["-busif"].split(":")) == sorted(recorded.interfaces_of("triplane"))
    (size,) = [call[2] for call in recorded.calls if call[:2] == ("set_property", "range")]
    assert int(size) == CORE_ADDRESS.size


@needs_tcl
@pytest.mark.parametrize("name", BOARDS)
def test_constraints_are_tcl_and_name_ports_that_exist(vivado, name):
    recorded, files = executed(vivado, name)
    recorded.run(files[CONSTRAINTS])
    placed = {call[3]: call[2] for call in recorded.calls if call[:2] == ("set_property", "PACKAGE_PIN")}
    assert set(placed) == {f"get_ports({port})" for port in recorded.ports}
    assert len(set(placed.values())) == 4
    (clock,) = [call for call in recorded.calls if call[0] == "create_clock"]
    assert float(clock[2]) == pytest.approx(1e9 / board(name).pl_clock_hz, abs=1e-3)


@needs_tcl
def test_build_hands_out_a_bitstream_with_its_hash(vivado, tmp_path):
    files = project_files(board("zcu216"), shape("zcu216"), "", HASH)
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    recorded = vivado(core_ports("zcu216"), folder=tmp_path)
    recorded.run(files[BUILD])
    copied = [call[-1] for call in recorded.calls if call[:2] == ("file", "copy")]
    assert copied == ["out/triplane.bit", "out/triplane.hwh"]
    assert recorded.files["out/build_hash"] == f"{HASH}\n"


@needs_tcl
@pytest.mark.parametrize(
    ("properties", "text"),
    [({"STATS.WNS": "-0.1"}, "timing is missed by -0.1 ns"), ({"PROGRESS": "80%"}, "did not end")],
)
def test_build_hands_out_nothing_when_timing_is_missed(vivado, tmp_path, properties, text):
    import tkinter

    files = project_files(board("zcu111"), shape("zcu111"), "", HASH)
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
    recorded = vivado(core_ports("zcu111"), folder=tmp_path, properties=properties)
    with pytest.raises(tkinter.TclError, match=text):
        recorded.run(files[BUILD])
    assert not [call for call in recorded.calls if call[:2] == ("file", "copy")]


@pytest.mark.parametrize(("name", "file"), [("zcu216", "216"), ("rfsoc4x2", "4x2"), ("zcu111", "111")])
def test_parameters_are_those_that_vivado_knows(name, file):
    package = importlib.util.find_spec("qick")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs the block designs that the package qick holds (0.2.436)")
    root = ElementTree.parse(Path(package.submodule_search_locations[0]) / f"qick_{file}.hwh").getroot()
    known = {
        module.get("MODTYPE"): {entry.get("NAME") for entry in module.iter("PARAMETER")}
        for module in root.iter("MODULE")
    }
    cells = block_design(board(name), shape(name)).cells
    for cell in (cells["converters"], cells["processor"]):
        strange = set(cell.parameters) - known[cell.vlnv.split(":")[2]]
        assert not strange
        assert any(module.get("VLNV") == cell.vlnv for module in root.iter("MODULE"))
    assert root.find("SYSTEMINFO").get("BOARD") == board(name).board_part
    assert board(name).part.startswith(root.find("SYSTEMINFO").get("DEVICE"))


def test_board_without_enough_converters():
    fabric = FabricShape(2, 1, SyndromeShape(slots=8, events=8))
    with pytest.raises(ValueError, match="rfsoc4x2 has 2 DACs and 4 ADCs, the fabric needs 3 and 1"):
        Converters(board("rfsoc4x2"), fabric)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sysref_hz": 12_288_000}, "below 10 MHz"),
        ({"sysref_hz": 7_000_000}, "does not divide"),
        ({"reference_hz": 250_000_000}, "no multiple of the reference"),
        ({"pl_clock_hz": 100_000_000}, "does not divide|no multiple"),
        ({"adc_clocks": {0: 0}}, "have no clock"),
    ],
)
def test_clocks_that_tiles_cannot_be_synchronised_with(change, text):
    with pytest.raises(ValueError, match=text):
        dataclasses.replace(board("zcu216"), **change)


def test_unknown_board():
    with pytest.raises(ValueError, match="no RFSoC board named 'zcu999'; there are: zcu216"):
        board("zcu999")


@pytest.mark.parametrize("name", BOARDS)
def test_descriptor_counts_the_converters(name):
    entry, control = board(name), load_descriptor(descriptor_path(name)).control
    assert isinstance(entry, RfsocBoard)
    assert (len(set(entry.dacs)), len(set(entry.adcs))) == (control.dac_channels, control.adc_channels)
