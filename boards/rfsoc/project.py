# SPDX-License-Identifier: BSD-2-Clause
"""A Vivado project: Tcl that packages the core, builds the block design and the bitstream, and constraints."""

from __future__ import annotations

from collections.abc import Sequence

from triplane.boards.rfsoc.board import Pair, RfsocBoard
from triplane.boards.rfsoc.converters import Converters
from triplane.boards.rfsoc.design import CORE_VLNV, PROCESSOR, BlockDesign, block_design
from triplane.boards.rfsoc.target import ADDRESS_BITS
from triplane.gateware.shape import FabricShape

VIVADO = "2023.1"
"""Version whose names of cores and parameters are used; later ones upgrade the cores."""

SYSREF_DELAYS_NS = (2.0, 2.031)
"""Earliest and latest arrival of SYSREF after its clock at the pins, as AMD's design for these clock chips has it."""

PACKAGE, DESIGN, BUILD, CONSTRAINTS = "package_ip.tcl", "block_design.tcl", "build.tcl", "constraints.xdc"
HANDED_OVER = "vivado/triplane.gen/sources_1/bd/triplane/hw_handoff/triplane.hwh"
RESULTS = "out"
"""Folder that a build leaves: `triplane.bit`, `triplane.hwh`, and the report of timing."""


def project_files(rfsoc: RfsocBoard, shape: FabricShape, verilog: str, build_hash: str) -> dict[str, str]:
    """Files of the project, by path; `vivado -mode batch -source build.tcl` in their folder builds it.

    verilog: of the module `board`.  build_hash: that the results are to be known by.

    Raises:
        ValueError: the board has fewer converters than the fabric has channels.
    """
    design = block_design(rfsoc, shape)
    return {
        "ip/board.v": verilog,
        PACKAGE: _text(_package(rfsoc, Converters(rfsoc, shape))),
        DESIGN: _text(_design(design)),
        CONSTRAINTS: _text(_constraints(rfsoc)),
        BUILD: _text(_build(rfsoc, build_hash)),
    }


def _text(lines: Sequence[str]) -> str:
    return "\n".join(["# SPDX-License-Identifier: BSD-2-Clause", *lines]) + "\n"


def _package(rfsoc: RfsocBoard, converters: Converters) -> list[str]:
    vendor, library, name, version = CORE_VLNV.split(":")
    streams = ":".join(["s_axi", *(ours for _, ours in converters.streams())])
    return [
        "# The core as IP of its own, so that the block design can hold it.",
        f"create_project -in_memory -part {rfsoc.part}",
        "read_verilog [file join ip board.v]",
        "set_property top board [current_fileset]",
        f"ipx::package_project -root_dir ip -vendor {vendor} -library {library} -taxonomy /UserIP -force",
        "set core [ipx::current_core]",
        f"set_property name {name} $core",
        f"set_property version {version} $core",
        "set_property display_name {Triplane board} $core",
        "ipx::infer_bus_interfaces xilinx.com:interface:aximm_rtl:1.0 $core",
        "ipx::infer_bus_interfaces xilinx.com:interface:axis_rtl:1.0 $core",
        f"ipx::associate_bus_interfaces -busif {streams} -clock aclk -reset aresetn $core",
        "set registers [ipx::get_address_blocks reg0 -of_objects [ipx::get_memory_maps s_axi -of_objects $core]]",
        f"set_property range {1 << ADDRESS_BITS} $registers",
        "set_property usage register $registers",
        "ipx::create_xgui_files $core",
        "ipx::update_checksums $core",
        "ipx::check_integrity $core",
        "ipx::save_core $core",
        "close_project",
    ]


def _design(design: BlockDesign) -> list[str]:
    lines = ["create_bd_design triplane", "", "# Cells"]
    for name, cell in design.cells.items():
        lines.append(f"create_bd_cell -type ip -vlnv {cell.vlnv} {name}")
        if name == PROCESSOR:
            # Memory, clocks and peripherals of the processor are the board's.
            rule = "-rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset 1}"
            lines.append(f"apply_bd_automation {rule} [get_bd_cells {name}]")
        if cell.parameters:
            pairs = " ".join(f"CONFIG.{key} {{{value}}}" for key, value in cell.parameters.items())
            lines.append(f"set_property -dict [list {pairs}] [get_bd_cells {name}]")
    lines += ["", "# Ports"]
    for name, hz in design.ports.items():
        clock = f" -type clk -freq_hz {hz}" if hz else ""
        lines.append(f"create_bd_port -dir I{clock} {name}")
    for name, (vlnv, mode) in design.interfaces.items():
        lines.append(f"create_bd_intf_port -mode {mode} -vlnv {vlnv} {name}")
    lines += ["", "# Connections"]
    for name, ends in design.nets.items():
        lines.append(f"connect_bd_net -net {name} {' '.join(_pin(end) for end in ends)}")
    for number, (one, other) in enumerate(design.links):
        lines.append(f"connect_bd_intf_net -intf_net link{number} {_interface(one)} {_interface(other)}")
    lines += ["", "# Addresses"]
    for address in design.addresses:
        lines.append(
            f"assign_bd_address -offset {address.base:#010x} -range {address.size:#x} -target_address_space "
            f"[get_bd_addr_spaces {address.space}] [get_bd_addr_segs {address.segment}] -force"
        )
    return [*lines, "", "validate_bd_design", "save_bd_design"]


def _pin(end: str) -> str:
    return f"[get_bd_pins {end}]" if "/" in end else f"[get_bd_ports {end}]"


def _interface(end: str) -> str:
    return f"[get_bd_intf_pins {end}]" if "/" in end else f"[get_bd_intf_ports {end}]"


def _constraints(rfsoc: RfsocBoard) -> list[str]:
    lines = [
        "# Converters and processor have pins of their own; what is left is the fabric's clock and SYSREF."
    ]
    for name, pair in (("pl_clk", rfsoc.pl_clock), ("pl_sysref", rfsoc.pl_sysref)):
        lines += _differential(name, pair)
    early, late = SYSREF_DELAYS_NS
    return [
        *lines,
        f"create_clock -period {1e9 / rfsoc.pl_clock_hz:.3f} -name pl_clk [get_ports pl_clk_p]",
        "# SYSREF is captured by this clock and must not be a cycle late, now and then (PG269).",
        f"set_input_delay -clock [get_clocks pl_clk] -min {early} [get_ports pl_sysref_p]",
        f"set_input_delay -clock [get_clocks pl_clk] -max {late} [get_ports pl_sysref_p]",
    ]


def _differential(name: str, pair: Pair) -> list[str]:
    lines = []
    for side, site in (("p", pair.p), ("n", pair.n)):
        port = f"[get_ports {name}_{side}]"
        lines += [
            f"set_property PACKAGE_PIN {site} {port}",
            f"set_property IOSTANDARD {pair.standard} {port}",
        ]
        if pair.terminated:
            lines.append(f"set_property DIFF_TERM_ADV TERM_100 {port}")
    return lines


def _build(rfsoc: RfsocBoard, build_hash: str) -> list[str]:
    return [
        f"# Written for Vivado {VIVADO}. Run in this folder: vivado -mode batch -source {BUILD}",
        f"if {{[version -short] < {VIVADO}}} {{",
        f'    error "Vivado [version -short] is older than {VIVADO}, whose cores this design names"',
        "}",
        f"source {PACKAGE}",
        f"create_project -force triplane vivado -part {rfsoc.part}",
        f"if {{[llength [get_board_parts -quiet {rfsoc.board_part}]] == 0}} {{",
        f'    error "no board files for {rfsoc.board_part}; install them with xhub or from the board\'s maker"',
        "}",
        f"set_property board_part {rfsoc.board_part} [current_project]",
        "set_property ip_repo_paths ip [current_project]",
        "update_ip_catalog",
        f"source {DESIGN}",
        f"add_files -fileset constrs_1 -norecurse {CONSTRAINTS}",
        "set wrapper [make_wrapper -files [get_files triplane.bd] -top]",
        "add_files -norecurse $wrapper",
        "set_property top triplane_wrapper [current_fileset]",
        "update_compile_order -fileset sources_1",
        "launch_runs impl_1 -to_step write_bitstream -jobs 4",
        "wait_on_run impl_1",
        "if {[get_property PROGRESS [get_runs impl_1]] ne {100%}} {",
        '    error "the implementation did not end; read vivado/triplane.runs/impl_1/runme.log"',
        "}",
        "open_run impl_1",
        f"file mkdir {RESULTS}",
        f"report_timing_summary -file {RESULTS}/timing.rpt",
        f"report_utilization -file {RESULTS}/utilization.rpt",
        "set slack [get_property STATS.WNS [get_runs impl_1]]",
        "if {$slack < 0} {",
        f'    error "timing is missed by $slack ns; read {RESULTS}/timing.rpt. No bitstream is handed out"',
        "}",
        f"file copy -force vivado/triplane.runs/impl_1/triplane_wrapper.bit {RESULTS}/triplane.bit",
        f"file copy -force {HANDED_OVER} {RESULTS}/triplane.hwh",
        f"set stamp [open {RESULTS}/build_hash w]",
        f"puts $stamp {build_hash}",
        "close $stamp",
    ]
