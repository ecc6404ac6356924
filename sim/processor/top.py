# SPDX-License-Identifier: BSD-2-Clause
"""The processor with its host's registers on a bus, and every port of it a pin."""

from __future__ import annotations

from litex.gen import LiteXModule
from litex.soc.interconnect.csr_bus import CSRBank, Interface
from migen import ClockDomain

from triplane.gateware.processor import Processor, source
from triplane.gateware.verilog import convert, without_comments

BUS_PINS = ("adr", "dat_w", "dat_r", "cyc", "stb", "ack", "we")
CSR_PINS = ("adr", "we", "re", "dat_w", "dat_r")


class ProcessorTop(LiteXModule):
    """Pins `now`, `safe`, `safe_request`, `expired`, `bus_*`, `csr_*`, clock and reset.

    Args:
        processor: to wrap.

    Attributes:
        pins: all of them.
        inputs, outputs: the same without clock and reset, for a harness of shift registers.
    """

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        self.bank = CSRBank(processor.get_csrs(), bus=Interface(data_width=32), ordering="little")
        self.clock_domains.cd_sys = clock = ClockDomain("sys")
        named = {name: getattr(processor, name) for name in ("now", "safe", "safe_request", "expired")}
        named |= {f"bus_{name}": getattr(processor.bus, name) for name in BUS_PINS}
        named |= {f"csr_{name}": getattr(self.bank.bus, name) for name in CSR_PINS}
        for name, signal in named.items():
            signal.name_override = name
        self.pins = {*named.values(), clock.clk, clock.rst}
        driven = ("now", "safe", "bus_dat_r", "bus_ack", "csr_adr", "csr_we", "csr_re", "csr_dat_w")
        self.inputs = [named[name] for name in driven]
        self.outputs = [signal for name, signal in named.items() if name not in driven]

    @property
    def addresses(self) -> dict[str, tuple[int, int]]:
        """Register -> (address of its least significant word on the bus, in words; words)."""
        found, place = {}, 0
        for register in self.processor.get_csrs():
            words = len(register.simple_csrs)
            found[register.name] = (place, words)
            place += words
        return found


def processor_verilog(
    processor: Processor, name: str = "processor"
) -> tuple[str, dict[str, str], dict[str, tuple[int, int]]]:
    """Verilog of a processor with bus and core, its memory files by name, and the addresses of its registers."""
    top = ProcessorTop(processor)
    output = convert(top, ios=top.pins, name=name)
    text = without_comments(output.main_source) + source().read_text()
    return text, dict(output.data_files), top.addresses
