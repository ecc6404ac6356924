# SPDX-License-Identifier: BSD-2-Clause
"""The system on chip of an RFSoC board: a core with AXI-Lite from the processor, AXI-Stream to and from converters."""

from __future__ import annotations

from typing import Any

from litex.build.generic_platform import GenericPlatform, Pins, Subsignal
from litex.gen import LiteXModule
from litex.soc.interconnect import wishbone
from litex.soc.interconnect.axi import AXILite2Wishbone, AXILiteInterface
from migen import Cat, ClockDomain, Module, Signal

from triplane.boards.rfsoc.board import CLOCK_HZ, RfsocBoard, board
from triplane.gateware import health
from triplane.gateware.fabric import ControlFabric
from triplane.gateware.processor import Processor
from triplane.gateware.shape import FabricShape
from triplane.gateware.soc import TriplaneSoC
from triplane.gateware.sysref import SysrefCapture

ADDRESS_BITS = 18
"""Of the core's AXI-Lite port: 256 KiB, 128 banks of registers."""

SAMPLE_BITS = 16
TICKS = 1024
"""Of SYSREF, by which the system clock is measured: 133 us."""

PER_CLOCK = 2
"""Samples that a DAC takes in a clock."""


def adc_streams(rfsoc: RfsocBoard, line: int) -> tuple[str, ...]:
    """Ports of a line's ADC: one with I in the low half, or one for I and one for Q."""
    return (f"s_adc{line}",) if rfsoc.quad else (f"s_adc{line}_i", f"s_adc{line}_q")


def dac_stream(channel: int) -> str:
    """Port of a channel's DAC: I, Q, I, Q from the lowest bits."""
    return f"m_dac{channel}"


class Platform(GenericPlatform):
    """Ports of the core. They have no pins: the block design connects them.

    Attributes:
        input_clocks: none: the block design constrains them.
    """

    def __init__(self, rfsoc: RfsocBoard, shape: FabricShape) -> None:
        bus = {"awaddr": ADDRESS_BITS, "awprot": 3, "awvalid": 1, "awready": 1, "wdata": 32, "wstrb": 4}
        bus |= {"wvalid": 1, "wready": 1, "bresp": 2, "bvalid": 1, "bready": 1, "araddr": ADDRESS_BITS}
        bus |= {"arprot": 3, "arvalid": 1, "arready": 1, "rdata": 32, "rresp": 2, "rvalid": 1, "rready": 1}
        ports: list[tuple[Any, ...]] = [
            (name, 0, Pins(1))
            for name in ("aclk", "aresetn", "reference_clk", "locked", "sysref", "user_sysref", "irq")
        ]
        ports.append(_bundle("s_axi", bus))
        for line in range(shape.lines):
            bits = SAMPLE_BITS * (2 if rfsoc.quad else 1)
            for name in adc_streams(rfsoc, line):
                ports.append(_bundle(name, {"tdata": bits, "tvalid": 1, "tready": 1}))
        for channel in range(shape.drives + shape.lines):
            widths = {"tdata": 2 * PER_CLOCK * SAMPLE_BITS, "tvalid": 1, "tready": 1}
            ports.append(_bundle(dac_stream(channel), widths))
        super().__init__(rfsoc.part, ports, name="board")
        self.input_clocks: list[tuple[Signal, int]] = []


class ClockReset(LiteXModule):
    """Clock domains `sys` and `decoder` from the core's clock, `reference` from that which SYSREF comes with."""

    def __init__(self, platform: Platform) -> None:
        self.cd_sys = ClockDomain()
        self.cd_decoder = ClockDomain()
        self.cd_reference = ClockDomain(reset_less=True)

        # # #

        self.comb += [
            self.cd_sys.clk.eq(platform.request("aclk")),
            # Of a proc_sys_reset, which is synchronous to the clock.
            self.cd_sys.rst.eq(~platform.request("aresetn")),
            self.cd_decoder.clk.eq(self.cd_sys.clk),
            self.cd_decoder.rst.eq(self.cd_sys.rst),
            self.cd_reference.clk.eq(platform.request("reference_clk")),
        ]


def rfsoc_soc(
    decoder: LiteXModule,
    shape: FabricShape,
    name: str,
    *,
    build_hash: str,
    event_depth: int,
    result_depth: int,
    image: bytes,
    crg: Module | None = None,
) -> TriplaneSoC:
    """The unfinalised SoC of the board `name` around `decoder`; the other parameters are those of `TriplaneSoC`.

    image: of the firmware.
    crg: in the place of the board's clocks and resets, for a design that is only to be measured.
    """
    rfsoc = board(name)
    platform = Platform(rfsoc, shape)
    axi = AXILiteInterface(data_width=32, address_width=ADDRESS_BITS)
    bus = wishbone.Interface(data_width=32, adr_width=ADDRESS_BITS - 2)
    fabric = ControlFabric(shape)
    seen = health.Health(shape.drives + 2 * shape.lines, TICKS, TICKS * CLOCK_HZ // rfsoc.sysref_hz)
    soc = TriplaneSoC(
        platform,
        ClockReset(platform) if crg is None else crg,
        decoder,
        {"axi": bus},
        build_hash=build_hash,
        clock_hz=CLOCK_HZ,
        event_depth=event_depth,
        result_depth=result_depth,
        fabric=fabric,
        processor=Processor(image),
        extras={health.BANK: seen},
    )
    soc.axi = AXILite2Wishbone(axi, bus)
    soc.sysref = capture = SysrefCapture()
    soc.comb += [
        *_register_bus(platform, axi),
        *_converters(platform, rfsoc, fabric, seen),
        seen.locked.eq(platform.request("locked")),
        seen.tick.eq(capture.captured),
        capture.sysref.eq(platform.request("sysref")),
        platform.request("user_sysref").eq(capture.captured),
        # A level: somebody has to look, at records or at why the board is safe.
        platform.request("irq").eq((soc.link.result_level != 0) | soc.link.safe),
    ]
    return soc


def _bundle(name: str, widths: dict[str, int]) -> tuple[Any, ...]:
    return (name, 0, *(Subsignal(signal, Pins(bits)) for signal, bits in widths.items()))


def _register_bus(platform: Platform, axi: AXILiteInterface) -> list[object]:
    pads = platform.request("s_axi")
    return [
        axi.aw.valid.eq(pads.awvalid),
        axi.aw.addr.eq(pads.awaddr),
        pads.awready.eq(axi.aw.ready),
        axi.w.valid.eq(pads.wvalid),
        axi.w.data.eq(pads.wdata),
        axi.w.strb.eq(pads.wstrb),
        pads.wready.eq(axi.w.ready),
        pads.bvalid.eq(axi.b.valid),
        pads.bresp.eq(axi.b.resp),
        axi.b.ready.eq(pads.bready),
        axi.ar.valid.eq(pads.arvalid),
        axi.ar.addr.eq(pads.araddr),
        pads.arready.eq(axi.ar.ready),
        pads.rvalid.eq(axi.r.valid),
        pads.rdata.eq(axi.r.data),
        pads.rresp.eq(axi.r.resp),
        axi.r.ready.eq(pads.rready),
    ]


def _converters(
    platform: Platform, rfsoc: RfsocBoard, fabric: ControlFabric, seen: health.Health
) -> list[object]:
    statements: list[object] = []
    flowing: list[object] = []
    for line, (i, q) in enumerate(fabric.adc):
        pads = [platform.request(name) for name in adc_streams(rfsoc, line)]
        samples = Cat(*(pad.tdata for pad in pads))
        flowing.append(Cat(*(pad.tvalid for pad in pads)) == 2 ** len(pads) - 1)
        statements += [pad.tready.eq(1) for pad in pads]
        statements += [i.eq(samples[:SAMPLE_BITS]), q.eq(samples[SAMPLE_BITS:])]
    for channel, (i, q) in enumerate(fabric.dac):
        pad = platform.request(dac_stream(channel))
        statements += [
            pad.tdata.eq(Cat(*(part for pair in zip(i, q, strict=True) for part in pair))),
            pad.tvalid.eq(1),
        ]
        flowing.append(pad.tready)
    return [*statements, seen.flowing.eq(Cat(*flowing))]
