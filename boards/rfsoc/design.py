# SPDX-License-Identifier: BSD-2-Clause
r"""The block design around the core, as data: what `project.py` writes as Tcl, and what tests look at.

    pl_clk ----> buffer ---> clock (245.76 MHz) ---> core, converters' streams, SYSREF capture
    pl_sysref -> buffer -------------------------------> core ---> converters (user_sysref)
    processor -> bus ---> core, converters, mover          mover: records into memory, without the processor
              <- bus <--- mover

The processor's 100 MHz clock drives the register ports of the converters and of the mover; the bus crosses into the
core's clock. The mover is a CDMA whose reads stay at one address (keyhole), which is how records leave the core: one
register that gives one word after another.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from triplane.boards.rfsoc.board import CLOCK_HZ, RfsocBoard
from triplane.boards.rfsoc.converters import Converters
from triplane.boards.rfsoc.target import ADDRESS_BITS
from triplane.gateware.shape import FabricShape

CORE, CONVERTERS, MOVER, PROCESSOR = "triplane", "converters", "mover", "processor"
CORE_VLNV = "triplane:triplane:board:1.0"

BUS_HZ = 100_000_000

DIFF_CLOCK = "xilinx.com:interface:diff_clock_rtl:1.0"
DIFF_PINS = "xilinx.com:display_usp_rf_data_converter:diff_pins_rtl:1.0"
ANALOG = "xilinx.com:interface:diff_analog_io_rtl:1.0"


@dataclass(frozen=True)
class Cell:
    """An instance: VLNV of its core, and parameters without `CONFIG.`."""

    vlnv: str
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Address:
    """Where a master sees a slave.

    Attributes:
        space: cell/address space of the master.
        segment: cell/interface/segment of the slave.
        base, size: in bytes.
    """

    space: str
    segment: str
    base: int
    size: int


@dataclass(frozen=True)
class BlockDesign:
    """Cells and what connects them.

    Attributes:
        cells: by name.
        ports: scalar inputs of the device -> Hz, or 0 for what is no clock.
        interfaces: interface ports of the device -> (VLNV, "Master" or "Slave").
        nets: name -> source, then sinks: "cell/pin", or a port.
        links: pairs of interfaces: "cell/interface", or an interface port.
        addresses: what is where.
    """

    cells: dict[str, Cell]
    ports: dict[str, int]
    interfaces: dict[str, tuple[str, str]]
    nets: dict[str, tuple[str, ...]]
    links: tuple[tuple[str, str], ...]
    addresses: tuple[Address, ...]

    def base(self, cell: str) -> int:
        """Address of a cell's registers for the processor."""
        (address,) = [
            entry
            for entry in self.addresses
            if entry.segment.startswith(f"{cell}/") and entry.space == f"{PROCESSOR}/Data"
        ]
        return address.base


CORE_ADDRESS = Address(f"{PROCESSOR}/Data", f"{CORE}/s_axi/reg0", 0xA000_0000, 1 << ADDRESS_BITS)
ADDRESSES = (
    CORE_ADDRESS,
    Address(f"{PROCESSOR}/Data", f"{CONVERTERS}/s_axi/Reg", 0xA004_0000, 1 << 18),
    Address(f"{PROCESSOR}/Data", f"{MOVER}/S_AXI_LITE/Reg", 0xA008_0000, 1 << 16),
    Address(f"{MOVER}/Data", f"{CORE}/s_axi/reg0", 0xA000_0000, 1 << ADDRESS_BITS),
    Address(f"{MOVER}/Data", f"{PROCESSOR}/SAXIGP2/HP0_DDR_LOW", 0x0000_0000, 1 << 31),
)


def block_design(rfsoc: RfsocBoard, shape: FabricShape) -> BlockDesign:
    """The block design of a board.

    Raises:
        ValueError: the board has fewer converters than the fabric has channels.
    """
    converters = Converters(rfsoc, shape)
    analog = converters.analog_ports()
    interfaces = dict.fromkeys(converters.clock_ports(), (DIFF_CLOCK, "Slave"))
    interfaces["sysref_in"] = (DIFF_PINS, "Slave")
    interfaces |= {name: (ANALOG, "Slave" if name.startswith("vin") else "Master") for name in analog}
    return BlockDesign(
        cells=_cells(rfsoc, converters),
        ports={
            "pl_clk_p": rfsoc.pl_clock_hz,
            "pl_clk_n": rfsoc.pl_clock_hz,
            "pl_sysref_p": 0,
            "pl_sysref_n": 0,
        },
        interfaces=interfaces,
        nets=_nets(converters),
        links=(
            *((name, f"{CONVERTERS}/{name}") for name in interfaces),
            (f"{PROCESSOR}/M_AXI_HPM0_FPD", "bus/S00_AXI"),
            (f"{MOVER}/M_AXI", "bus/S01_AXI"),
            ("bus/M00_AXI", f"{CORE}/s_axi"),
            ("bus/M01_AXI", f"{CONVERTERS}/s_axi"),
            ("bus/M02_AXI", f"{MOVER}/S_AXI_LITE"),
            ("bus/M03_AXI", f"{PROCESSOR}/S_AXI_HP0_FPD"),
            *((f"{CONVERTERS}/{theirs}", f"{CORE}/{ours}") for theirs, ours in converters.streams()),
        ),
        addresses=ADDRESSES,
    )


def _cells(rfsoc: RfsocBoard, converters: Converters) -> dict[str, Cell]:
    buffer = "xilinx.com:ip:util_ds_buf:2.2"
    return {
        PROCESSOR: Cell(
            "xilinx.com:ip:zynq_ultra_ps_e:3.5",
            {
                "PSU__USE__M_AXI_GP0": "1",
                "PSU__USE__M_AXI_GP1": "0",
                "PSU__USE__M_AXI_GP2": "0",
                "PSU__USE__S_AXI_GP2": "1",
                "PSU__USE__IRQ0": "1",
                "PSU__FPGA_PL0_ENABLE": "1",
                "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": f"{BUS_HZ // 1_000_000}",
            },
        ),
        CORE: Cell(CORE_VLNV),
        CONVERTERS: Cell("xilinx.com:ip:usp_rf_data_converter:2.6", converters.parameters),
        MOVER: Cell(
            "xilinx.com:ip:axi_cdma:4.1",
            {"C_INCLUDE_SG": "0", "C_M_AXI_DATA_WIDTH": "32", "C_M_AXI_MAX_BURST_LEN": "16"},
        ),
        "bus": Cell("xilinx.com:ip:smartconnect:1.0", {"NUM_SI": "2", "NUM_MI": "4", "NUM_CLKS": "2"}),
        "bus_reset": Cell("xilinx.com:ip:proc_sys_reset:5.0"),
        "core_reset": Cell("xilinx.com:ip:proc_sys_reset:5.0"),
        "clock_input": Cell(buffer, {"C_BUF_TYPE": "IBUFDS"}),
        "clock_tree": Cell(buffer, {"C_BUF_TYPE": "BUFG"}),
        "sysref_input": Cell(buffer, {"C_BUF_TYPE": "IBUFDS"}),
        "clock": Cell(
            "xilinx.com:ip:clk_wiz:6.0",
            {
                "PRIM_SOURCE": "No_buffer",
                "PRIM_IN_FREQ": f"{rfsoc.pl_clock_hz / 1e6:.3f}",
                "CLKOUT1_REQUESTED_OUT_FREQ": f"{CLOCK_HZ / 1e6:.3f}",
                # SYSREF is handed from the input's clock to the output's: their phase must be the same.
                "USE_PHASE_ALIGNMENT": "true",
                "RESET_TYPE": "ACTIVE_LOW",
                "RESET_PORT": "resetn",
            },
        ),
        "interrupts": Cell("xilinx.com:ip:xlconcat:2.1", {"NUM_PORTS": "3"}),
    }


def _nets(converters: Converters) -> dict[str, tuple[str, ...]]:
    streams = [f"{CONVERTERS}/{name}" for name in converters.stream_clocks()]
    return {
        "pl_clk_p": ("pl_clk_p", "clock_input/IBUF_DS_P"),
        "pl_clk_n": ("pl_clk_n", "clock_input/IBUF_DS_N"),
        "pl_sysref_p": ("pl_sysref_p", "sysref_input/IBUF_DS_P"),
        "pl_sysref_n": ("pl_sysref_n", "sysref_input/IBUF_DS_N"),
        "pl_clk": ("clock_input/IBUF_OUT", "clock_tree/BUFG_I"),
        "reference_clk": ("clock_tree/BUFG_O", "clock/clk_in1", f"{CORE}/reference_clk"),
        "sysref": ("sysref_input/IBUF_OUT", f"{CORE}/sysref"),
        "user_sysref": (
            f"{CORE}/user_sysref",
            f"{CONVERTERS}/user_sysref_adc",
            f"{CONVERTERS}/user_sysref_dac",
        ),
        "core_clk": ("clock/clk_out1", f"{CORE}/aclk", "bus/aclk1", "core_reset/slowest_sync_clk", *streams),
        "bus_clk": (
            f"{PROCESSOR}/pl_clk0",
            f"{PROCESSOR}/maxihpm0_fpd_aclk",
            f"{PROCESSOR}/saxihp0_fpd_aclk",
            "bus/aclk",
            "bus_reset/slowest_sync_clk",
            f"{CONVERTERS}/s_axi_aclk",
            f"{MOVER}/m_axi_aclk",
            f"{MOVER}/s_axi_lite_aclk",
        ),
        "resetn": (
            f"{PROCESSOR}/pl_resetn0",
            "bus_reset/ext_reset_in",
            "core_reset/ext_reset_in",
            "clock/resetn",
        ),
        "locked": ("clock/locked", "core_reset/dcm_locked", f"{CORE}/locked"),
        "bus_resetn": (
            "bus_reset/peripheral_aresetn",
            "bus/aresetn",
            f"{CONVERTERS}/s_axi_aresetn",
            f"{MOVER}/s_axi_lite_aresetn",
        ),
        "core_resetn": (
            "core_reset/peripheral_aresetn",
            f"{CORE}/aresetn",
            *(name.replace("_aclk", "_aresetn") for name in streams),
        ),
        "irq0": (f"{CORE}/irq", "interrupts/In0"),
        "irq1": (f"{CONVERTERS}/irq", "interrupts/In1"),
        "irq2": (f"{MOVER}/cdma_introut", "interrupts/In2"),
        "interrupts": ("interrupts/dout", f"{PROCESSOR}/pl_ps_irq0"),
    }
