# SPDX-License-Identifier: BSD-2-Clause
"""A Tcl interpreter with recorders in the place of Vivado's commands.

What a core of AMD's has for pins stands here by itself, from its product guide and from the hwh of QICK's block
designs, and not in the generator: a pin that the generator invents is an error in the interpreter.
"""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

PINS = {
    "zynq_ultra_ps_e": {
        "pins": ["maxihpm0_fpd_aclk", "saxihp0_fpd_aclk", "pl_clk0", "pl_resetn0", "pl_ps_irq0"],
        "interfaces": ["M_AXI_HPM0_FPD", "S_AXI_HP0_FPD"],
        "clocks": ["maxihpm0_fpd_aclk", "saxihp0_fpd_aclk"],
    },
    "axi_cdma": {
        "pins": ["m_axi_aclk", "s_axi_lite_aclk", "s_axi_lite_aresetn", "cdma_introut"],
        "interfaces": ["M_AXI", "S_AXI_LITE"],
        "clocks": ["m_axi_aclk", "s_axi_lite_aclk"],
    },
    "proc_sys_reset": {
        "pins": [
            "slowest_sync_clk", "ext_reset_in", "aux_reset_in", "mb_debug_sys_rst", "dcm_locked", "mb_reset",
            "bus_struct_reset", "peripheral_reset", "interconnect_aresetn", "peripheral_aresetn",
        ],
        "interfaces": [],
        "clocks": ["slowest_sync_clk"],
    },
    "clk_wiz": {"pins": ["clk_in1", "clk_out1", "locked", "resetn"], "interfaces": [], "clocks": ["clk_in1"]},
}  # fmt: skip

OUTPUTS = (
    "pl_clk0", "pl_resetn0", "cdma_introut", "peripheral_aresetn", "clk_out1", "locked", "IBUF_OUT", "BUFG_O", "dout",
    "irq", "user_sysref",
)  # fmt: skip

SEGMENTS = {
    "processor": ["SAXIGP2/HP0_DDR_LOW"],
    "mover": ["S_AXI_LITE/Reg"],
    "converters": ["s_axi/Reg"],
    "triplane": ["s_axi/reg0"],
}
SPACES = ["processor/Data", "mover/Data"]

ACCEPTED = (
    "apply_bd_automation", "create_bd_design", "validate_bd_design", "save_bd_design", "create_project", "read_verilog",
    "current_fileset", "current_project", "close_project", "update_ip_catalog", "add_files", "make_wrapper",
    "update_compile_order", "launch_runs", "wait_on_run", "get_runs", "open_run", "report_timing_summary",
    "report_utilization", "create_clock", "get_ports", "get_clocks", "set_input_delay", "ipx::package_project",
    "ipx::infer_bus_interfaces", "ipx::associate_bus_interfaces", "ipx::get_address_blocks", "ipx::get_memory_maps",
    "ipx::create_xgui_files", "ipx::update_checksums", "ipx::check_integrity", "ipx::save_core", "ipx::current_core",
)  # fmt: skip


class Vivado:
    """Executes Tcl and remembers.

    Attributes:
        calls: (command, *arguments) of all commands that are not known better.
        cells: name -> VLNV.  parameters: cell -> parameter -> value.
        nets: name -> pins.  links: pairs of interfaces.
        ports, interfaces: of the block design.
        addresses: (space, segment, base, size).
        files: name -> text that was written.
        properties: answers of get_property.
    """

    outputs = OUTPUTS

    def __init__(self, core_ports, *, properties=(), folder=None):
        self.core_ports = core_ports
        self.calls, self.links, self.addresses = [], [], []
        self.cells, self.ports, self.interfaces, self.files = {}, {}, {}, {}
        self.parameters, self.nets = defaultdict(dict), {}
        self.properties = {"PROGRESS": "100%", "STATS.WNS": "0.012"} | dict(properties)
        self.folder = folder
        import tkinter  # not every Python has it

        self.tcl = tkinter.Tcl()
        self.tcl.eval("namespace eval ipx {}")
        for name in ACCEPTED:
            self.tcl.createcommand(name, lambda *args, name=name: self.accept(name, *args))
        for name in dir(self):
            if name.startswith("do_"):
                self.tcl.createcommand(name[3:], getattr(self, name))

    def run(self, text):
        self.tcl.eval(text)

    def words(self, text):
        return [str(word) for word in self.tcl.tk.splitlist(text)]

    def accept(self, *call):
        self.calls.append(call)
        return f"{call[0]}({' '.join(call[1:])})"

    def do_source(self, name):
        assert self.folder is not None, f"{name} cannot be read"
        self.run((self.folder / name).read_text())

    def do_version(self, _):
        return "2023.1"

    def do_get_board_parts(self, *_):
        return "a board part"

    def do_create_bd_cell(self, *args):
        options, name = dict(zip(args[:-1:2], args[1:-1:2], strict=True)), args[-1]
        assert name not in self.cells, f"two cells {name}"
        self.cells[name] = options["-vlnv"]
        return f"cell:{name}"

    def do_set_property(self, *args):
        if args[0] == "-dict" and args[2].startswith("cell:"):
            words = self.words(args[1])
            self.parameters[args[2][5:]] |= dict(zip(words[::2], words[1::2], strict=True))
        else:
            self.accept("set_property", *args)

    def do_get_property(self, name, _):
        return self.properties[name]

    def do_get_bd_cells(self, name):
        assert name in self.cells, f"no cell {name}"
        return f"cell:{name}"

    def do_create_bd_port(self, *args):
        self.ports[args[-1]] = args[:-1]

    def do_create_bd_intf_port(self, *args):
        self.interfaces[args[-1]] = args[:-1]

    def do_get_bd_ports(self, name):
        assert name in self.ports, f"no port {name}"
        return name

    def do_get_bd_intf_ports(self, name):
        assert name in self.interfaces, f"no interface port {name}"
        return name

    def do_get_bd_pins(self, name):
        cell, pin = name.split("/")
        assert pin in self.pins(cell), f"{self.cells[cell]} has no pin {pin}"
        return name

    def do_get_bd_intf_pins(self, name):
        cell, interface = name.split("/")
        assert interface in self.interfaces_of(cell), f"{self.cells[cell]} has no interface {interface}"
        return name

    def do_connect_bd_net(self, *args):
        assert args[0] == "-net"
        self.nets[args[1]] = args[2:]

    def do_connect_bd_intf_net(self, *args):
        self.links.append(args[2:])

    def do_get_bd_addr_spaces(self, name):
        assert name in SPACES, f"no address space {name}"
        return name

    def do_get_bd_addr_segs(self, name):
        cell, _, segment = name.partition("/")
        assert segment in SEGMENTS[cell], f"no segment {name}"
        return name

    def do_assign_bd_address(self, *args):
        assert args[0] == "-offset"
        assert args[2] == "-range"
        self.addresses.append((args[5], args[6], int(args[1], 16), int(args[3], 16)))

    def do_get_files(self, name):
        return name

    def do_file(self, command, *args):
        self.calls.append(("file", command, *args))
        return "/".join(args) if command == "join" else ""

    def do_open(self, name, _):
        self.files[name] = ""
        return f"channel:{name}"

    def do_puts(self, channel, text):
        self.files[channel.removeprefix("channel:")] += f"{text}\n"

    def do_close(self, channel):
        assert channel.removeprefix("channel:") in self.files

    def kind(self, cell):
        return self.cells[cell].split(":")[2]

    def pins(self, cell):
        kind, parameters = self.kind(cell), self.parameters[cell]
        if kind in PINS:
            return PINS[kind]["pins"]
        if kind == "smartconnect":
            return ["aresetn", "aclk", *(f"aclk{k}" for k in range(1, int(parameters["CONFIG.NUM_CLKS"])))]
        if kind == "xlconcat":
            return ["dout", *(f"In{k}" for k in range(int(parameters["CONFIG.NUM_PORTS"])))]
        if kind == "util_ds_buf":
            buffers = {"IBUFDS": ["IBUF_DS_P", "IBUF_DS_N", "IBUF_OUT"], "BUFG": ["BUFG_I", "BUFG_O"]}
            return buffers[parameters["CONFIG.C_BUF_TYPE"]]
        if kind == "usp_rf_data_converter":
            return [
                "s_axi_aclk",
                "s_axi_aresetn",
                "irq",
                "user_sysref_adc",
                "user_sysref_dac",
                *self.stream_pins(),
            ]
        assert kind == "board"
        return [port for port in self.core_ports if not re.match(r"(s_axi|[ms]_(adc|dac)\d+\w*)_", port)]

    def interfaces_of(self, cell):
        kind, parameters = self.kind(cell), self.parameters[cell]
        if kind in PINS:
            return PINS[kind]["interfaces"]
        if kind == "smartconnect":
            return [
                f"{side}{k:02}_AXI" for side in "SM" for k in range(int(parameters[f"CONFIG.NUM_{side}I"]))
            ]
        if kind == "usp_rf_data_converter":
            return ["s_axi", "sysref_in", *self.converter_interfaces()]
        assert kind == "board"
        found = (re.match(r"(s_axi|[ms]_(adc|dac)\d+\w*?)_(tdata|awaddr)$", port) for port in self.core_ports)
        return [match[1] for match in found if match]

    def tiles(self, kind):
        config = self.parameters["converters"]
        return [tile for tile in range(4) if config.get(f"CONFIG.{kind}{tile}_Enable") == "1"]

    def slots(self, kind, tile):
        config = self.parameters["converters"]
        return [s for s in range(4) if config.get(f"CONFIG.{kind}_Slice{tile}{s}_Enable") == "true"]

    def stream_pins(self):
        sides = [("m", tile) for tile in self.tiles("ADC")] + [("s", tile) for tile in self.tiles("DAC")]
        return [f"{side}{tile}_axis_{pin}" for side, tile in sides for pin in ("aclk", "aresetn")]

    def converter_interfaces(self):
        """By PG269: what tiles and slices that are on have for interfaces."""
        config, names = self.parameters["converters"], []
        for kind in ("ADC", "DAC"):
            for tile in self.tiles(kind):
                if config.get(f"CONFIG.{kind}{tile}_PLL_Enable") == "true":
                    names.append(f"{kind.lower()}{tile}_clk")
        for tile in self.tiles("ADC"):
            for slot in self.slots("ADC", tile):
                shared = config[f"CONFIG.ADC_Data_Width{tile}{slot}"] == "2"
                names += [f"m{tile}{slot}_axis", *([] if shared else [f"m{tile}{slot + 1}_axis"])]
                names.append(f"vin{tile}{slot}" if shared else f"vin{tile}_{slot}{slot + 1}")
        for tile in self.tiles("DAC"):
            for slot in self.slots("DAC", tile):
                names += [f"s{tile}{slot}_axis", f"vout{tile}{slot}"]
        return names

    def clock_pins(self):
        """Pins that a clock must arrive at."""
        pins = []
        for cell in self.cells:
            kind = self.kind(cell)
            if kind in PINS:
                pins += [f"{cell}/{pin}" for pin in PINS[kind]["clocks"]]
            elif kind in ("smartconnect", "usp_rf_data_converter", "board"):
                pins += [f"{cell}/{pin}" for pin in self.pins(cell) if re.search(r"(aclk\d*|_clk)$", pin)]
        return pins


@pytest.fixture(scope="session")
def vivado():
    """The class; tests make interpreters of it."""
    return Vivado
