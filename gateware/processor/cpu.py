# SPDX-License-Identifier: BSD-2-Clause
"""VexRiscv, as its generator wrote it: the smallest RV32I, without multiplier, caches or compressed instructions."""

from __future__ import annotations

from pathlib import Path

from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from migen import ClockSignal, Instance, ResetSignal, Signal

from triplane.gateware.processor.layouts import SLOT_BASE

VARIANT = "VexRiscv_Min"


def source() -> Path:
    """The core's Verilog, of the package `pythondata-cpu-vexriscv`; a source of every platform with a processor."""
    import pythondata_cpu_vexriscv

    return Path(pythondata_cpu_vexriscv.data_location) / f"{VARIANT}.v"


class Cpu(LiteXModule):
    """The core. It knows of no bus errors: whoever answers must answer every access.

    Attributes:
        hold: input; keeps it in reset.
        fetch, data: Wishbone masters, word addresses.
    """

    def __init__(self) -> None:
        self.hold = Signal()
        self.fetch = fetch = wishbone.Interface(data_width=32, adr_width=30)
        self.data = data = wishbone.Interface(data_width=32, adr_width=30)

        # # #

        ports = {}
        for prefix, bus in (("iBusWishbone", fetch), ("dBusWishbone", data)):
            for pin, signal in (
                ("ADR", bus.adr), ("DAT_MOSI", bus.dat_w), ("SEL", bus.sel), ("CYC", bus.cyc),
                ("STB", bus.stb), ("WE", bus.we), ("CTI", bus.cti), ("BTE", bus.bte),
            ):  # fmt: skip
                ports[f"o_{prefix}_{pin}"] = signal
            for pin, signal in (("DAT_MISO", bus.dat_r), ("ACK", bus.ack), ("ERR", 0)):
                ports[f"i_{prefix}_{pin}"] = signal
        self.specials += Instance(
            "VexRiscv",
            i_clk=ClockSignal("sys"),
            i_reset=ResetSignal("sys") | self.hold,
            i_externalResetVector=SLOT_BASE,
            # Nothing interrupts: a turn of the main loop takes a bounded time, and looks at everything.
            i_externalInterruptArray=0,
            i_timerInterrupt=0,
            i_softwareInterrupt=0,
            **ports,
        )
