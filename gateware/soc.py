# SPDX-License-Identifier: BSD-2-Clause
"""The board's system on chip: event FIFO and pacer, decoder, result FIFO, counters, faults, on one register bus.

Around the decoder may stand the real-time fabric: sequencer, pulse generators, readout, syndrome formation.
"""

from collections.abc import Mapping
from types import MappingProxyType

from litex.build.generic_platform import GenericPlatform
from litex.gen import LiteXModule
from litex.soc.integration.soc_core import SoCMini
from litex.soc.interconnect import wishbone
from litex.soc.interconnect.csr import CSRStorage
from migen import Cat, ClockDomainsRenamer, Module, Signal, bits_for

from triplane.gateware.clockgate import ClockGate
from triplane.gateware.counter import CycleCounter
from triplane.gateware.fabric import ControlFabric
from triplane.gateware.faults import CONDITIONS, Faults
from triplane.gateware.identification import Identification
from triplane.gateware.link.exchange import Exchange
from triplane.gateware.link.network import Network
from triplane.gateware.link.records import FaultSource, Kind, RecordStream, RecordTap
from triplane.gateware.link.records.layouts import record_of
from triplane.gateware.link.results import ResultPort
from triplane.gateware.link.serial import SerialLink
from triplane.gateware.link.status import LEVEL_BITS, LinkStatus
from triplane.gateware.processor import Processor
from triplane.gateware.registers import register_map
from triplane.gateware.sequencer.layouts import OUTCOMES_UNDER_WAY
from triplane.gateware.syndrome import EventPort, RoundPacer, RoundSwitch

NAME = "triplane"
VERSION = "0.1.0"
"""Version of the register map and of what the registers mean."""

BANKS = ("identification", "counter", "faults", "events", "pacer", "results", "link", "decoder")
"""Register banks in the order of their addresses. The order is part of the register map: append, never insert.

Behind them stand those of a fabric: `rounds`, `measured`, its `cores`, `outcomes`; behind these those of its links, of
the soft core, `processor`, and of what a board adds; behind all, where there is a network, that of the record `stream`.
"""

NETWORK_BANKS, SERIAL_BANKS = ("udp", "network"), ("uart", "serial")
"""Of a board with a PHY, and with a UART: the exchange of each, and what brings its datagrams."""

CSR_PAGING = 0x800
"""Bytes of a bank."""

WORD_ADDRESS_SHIFT = 2


class TriplaneSoC(SoCMini):
    """All cores of a board around one decoder, driven over Wishbone.

    The way of a round: bus -> `events` -> `pacer` -> `decoder` -> `results` -> bus.

    Parameters
    ----------
    platform: where the Verilog goes.
    crg: module that drives the clock domains `sys` and `decoder`: the same clock, the latter only where
        `decoder_enable` is high (or always).
    decoder: module with `sink` and `source` streams of 32-bit words, input `now` (64), `table_changed`, integers
        `num_layers`, `words_per_round`, `result_words`, `correction_words`, and its own CSRs. It runs in the clock
        domain `decoder`, whose clock may rest while the decoder's register `status` says not `busy`, nothing waits at
        `sink` and no register is written; a decoder without that register never rests.
    masters: bus masters by name.
    build_hash: SHA-256 (hex) that identifies this gateware.
    clock_hz: system clock.
    event_depth, result_depth: FIFO depths in words, at most 2**15 - 1.
    fabric: what stands between converters and decoder; None for a board that decodes rounds from the bus only. The
        decoder must then have a frame and a barrier, `decoder.barrier`.
    phy: of LiteEth, for a board on a network.
    network_width: bits of the data path behind it.
    uart: module with streams of bytes, `source` from the line and `sink` to it, for a board on a serial line.
    processor: the soft core that watches over jobs; the board's registers are described to it here.
    extras: further cores with registers, by the names of their banks.

    Attributes
    ----------
    decoder_enable: high in cycles at whose end the decoder's clock needs its edge.
    written, written_address, written_data: high for a cycle in which a word of a register is written; its address in
        bytes, and the word. For whoever watches a board from outside.
    """

    def __init__(
        self,
        platform: GenericPlatform,
        crg: Module,
        decoder: LiteXModule,
        masters: dict[str, wishbone.Interface],
        *,
        build_hash: str,
        clock_hz: int,
        event_depth: int = 1024,
        result_depth: int = 1024,
        fabric: ControlFabric | None = None,
        phy: LiteXModule | None = None,
        network_width: int = 8,
        uart: LiteXModule | None = None,
        processor: Processor | None = None,
        extras: Mapping[str, LiteXModule] = MappingProxyType({}),
    ) -> None:
        names = [
            *BANKS,
            *(["rounds", "measured", *fabric.cores, "outcomes"] if fabric else []),
            *(NETWORK_BANKS if phy else ()),
            *(SERIAL_BANKS if uart else ()),
            *(["processor"] if processor else []),
            *extras,
            *(["stream"] if phy else []),
        ]
        self.csr_map = {name: number for number, name in enumerate(names)}
        for what, depth, least in (
            ("event", event_depth, 2 * decoder.words_per_round),
            ("result", result_depth, decoder.result_words),
        ):
            if not least <= depth < 2**LEVEL_BITS:
                raise ValueError(
                    f"{what} FIFO depth must be {least} to {2**LEVEL_BITS - 1} words, not {depth}"
                )
        super().__init__(
            platform,
            clock_hz,
            cpu_type=None,
            with_ctrl=False,
            ident="",
            csr_ordering="little",  # word 0 is the least significant, as in every record
            csr_paging=CSR_PAGING,
            csr_address_width=max(14, bits_for(len(names) * CSR_PAGING // 4 - 1)),
        )
        self.written, self.written_address, self.written_data = Signal(), Signal(32), Signal(32)
        self.crg = crg
        for name, master in masters.items():
            self.bus.add_master(name=name, master=master)

        self.identification = Identification(
            NAME,
            VERSION,
            build_hash,
            clock_hz,
            num_layers=decoder.num_layers,
            words_per_round=decoder.words_per_round,
            result_words=decoder.result_words,
            correction_words=decoder.correction_words,
            event_depth=event_depth,
            result_depth=result_depth,
        )
        self.counter = CycleCounter()
        self.faults = Faults()
        self.events = EventPort(event_depth)
        self.pacer = RoundPacer(decoder.words_per_round)
        self.results = ResultPort(result_depth)
        self.link = LinkStatus()
        self.decoder = ClockDomainsRenamer("decoder")(decoder)
        self.gate = ClockGate()
        self.decoder_enable = self.gate.enable

        # # #

        faults = self.faults
        self.comb += [
            # The way of a round
            self.events.source.connect(self.pacer.sink),
            self.pacer.level.eq(self.events.level),
            decoder.source.connect(self.results.sink),
            # Time
            decoder.now.eq(self.counter.now),
            faults.now.eq(self.counter.now),
            # Tables
            self.identification.tables_changed.eq(decoder.table_changed),
            # Faults and the safe state
            faults.event_overflow.eq(self.events.overflow),
            faults.unmatched.eq(self.results.unmatched),
            faults.starved.eq(self.pacer.starved),
            faults.stalled.eq(self.pacer.stalled),
            self.pacer.safe.eq(faults.safe),
            [core.clear.eq(faults.clear) for core in (self.events, self.pacer, self.results)],
            # What the host polls
            self.link.event_space.eq(self.events.space),
            self.link.result_level.eq(self.results.level),
            self.link.running.eq(self.pacer.running),
            self.link.safe.eq(faults.safe),
        ]
        awake = _awake(decoder)
        if fabric is None:
            self.comb += [
                self.pacer.source.connect(decoder.sink),
                faults.empty_read.eq(self.results.empty_read),
            ]
        else:
            self._add_fabric(fabric, decoder, result_depth)
        self.comb += self.gate.request.eq(awake)
        if phy is not None:
            self.phy = phy
            self.udp = Exchange()
            self._add_stream(decoder, fabric)
            self.network = Network(phy, self.udp, self.stream, clock_hz, data_width=network_width)
            self.bus.add_master(name="udp", master=self.udp.bus)
        if uart is not None:
            self._add_serial(uart)
        self.processor = processor
        if processor is not None:
            self.bus.add_master(name="processor", master=processor.bus)
            # Whoever reads without a key over a link is no host: a display must not keep a job alive.
            exchanges = [
                exchange.executed
                for exchange in (*([self.udp] if phy else []), *([self.uart] if uart else []))
            ]
            self.comb += [
                processor.alive.eq(
                    Cat(*exchanges, *(master.cyc & master.ack for master in masters.values())) != 0
                ),
                processor.now.eq(self.counter.now),
                processor.safe.eq(faults.safe),
                faults.requested.eq(processor.safe_request),
                faults.firmware.eq(processor.expired),
            ]
        for name, core in extras.items():
            self.add_module(name, core)

    def add_csr_bridge(self, *args: object, **kwargs: object) -> None:
        """The way from the bus to the registers, and the tap beside it."""
        super().add_csr_bridge(*args, **kwargs)
        bus = self.csr_bridge.csr
        self.comb += [
            self.written.eq(bus.we),
            self.written_address.eq(bus.adr << WORD_ADDRESS_SHIFT),
            self.written_data.eq(bus.dat_w),
        ]

    def finalize(self) -> None:
        """Connect everything; then the addresses are known that the firmware needs."""
        finalized = self.finalized
        super().finalize()
        if not finalized and self.processor is not None:
            self.processor.describe(register_map(self))

    def _add_stream(self, decoder: LiteXModule, fabric: ControlFabric | None) -> None:
        taps = [RecordTap(Kind.RESULT, decoder.result_words + decoder.correction_words)]
        if fabric is not None:
            taps.append(RecordTap(Kind.ROUND, record_of(Kind.ROUND, fabric.shape.syndrome).words))
        taps.append(RecordTap(Kind.FAULT, record_of(Kind.FAULT).words))
        self.stream = stream = RecordStream(taps)
        self.fault_source = source = FaultSource()

        # # #

        heard = [self.results.sink, *([self.measured.sink] if fabric else []), source.source]
        self.comb += [
            source.conditions.eq(Cat(*(getattr(self.faults, name) for name in CONDITIONS))),
            source.now.eq(self.counter.now),
            source.source.ready.eq(1),
            stream.now.eq(self.counter.now),
            stream.build.eq(self.identification.build_hash.status[-32:]),
            *(tap.listen(endpoint) for tap, endpoint in zip(taps, heard, strict=True)),
        ]

    def _add_serial(self, uart: LiteXModule) -> None:
        self.line = uart
        self.uart = exchange = Exchange()
        self.serial = link = SerialLink()
        self.bus.add_master(name="uart", master=exchange.bus)

        # # #

        self.comb += [
            uart.source.connect(link.rx),
            link.tx.connect(uart.sink),
            link.source.connect(exchange.sink),
            exchange.source.connect(link.sink),
        ]

    def _add_fabric(self, fabric: ControlFabric, decoder: LiteXModule, depth: int) -> None:
        self.fabric = fabric
        self.rounds = switch = RoundSwitch()
        self.measured = measured = ResultPort(depth, results=False)
        for name, core in fabric.cores.items():
            self.add_module(name, core)
        self.outcomes = outcomes = ResultPort(depth, results=False)
        faults, barrier = self.faults, decoder.barrier

        # # #

        self.comb += [
            self.pacer.source.connect(switch.replayed),
            fabric.rounds.connect(switch.measured),
            switch.source.connect(decoder.sink),
            fabric.records.connect(measured.sink),
            measured.clear.eq(faults.clear),
            fabric.outcomes.connect(outcomes.sink),
            outcomes.clear.eq(faults.clear),
            # The decoder's clock has an edge at the end of every cycle in which it is asked, and while somebody waits.
            barrier.wait.eq(fabric.frame_wait),
            barrier.shot.eq(fabric.frame_shot),
            barrier.round.eq(fabric.frame_round),
            fabric.frame.eq(barrier.frame),
            fabric.frame_ready.eq(barrier.ready & self.decoder_enable),
            fabric.now.eq(self.counter.now),
            fabric.external.eq(faults.safe),
            fabric.clear.eq(faults.clear),
            faults.empty_read.eq(self.results.empty_read | measured.empty_read | outcomes.empty_read),
            faults.sequencer.eq(fabric.safe),
            faults.formation.eq(fabric.stopped),
            faults.held_up.eq(fabric.held_up),
            faults.refused.eq(fabric.collision),
        ]
        self.sync += fabric.outcome_room.eq(outcomes.level <= depth - OUTCOMES_UNDER_WAY)


def _awake(decoder: LiteXModule) -> Signal | int:
    """High while the decoder's clock must run."""
    registers = decoder.get_csrs()
    (busy,) = [csr.fields.busy for csr in registers if csr.name == "status"] or [1]
    awake = decoder.sink.valid | decoder.source.valid | busy
    for csr in registers:
        if isinstance(csr, CSRStorage):
            awake |= csr.re
    return awake
